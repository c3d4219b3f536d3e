-- hole: a SECURITY DEFINER function gives every tenant's rows
-- object: app.recent_logins()
-- attack: function, read
-- seen: crossed
-- role: {app}
-- why: it runs as an owner who bypasses policies and filters nothing; EXECUTE is PUBLIC's by default.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.login (
  tenant_id bigint NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  email text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.login ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.login FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.login USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
CREATE FUNCTION app.recent_logins() RETURNS SETOF app.login
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'SELECT * FROM app.login ORDER BY at DESC LIMIT 100';
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT ON app.login TO {app};
RESET ROLE;
INSERT INTO app.login (tenant_id, email) VALUES (1, 'a@a'), (2, 'b@b');

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT email FROM app.recent_logins() ORDER BY email;
-- gives: a@a; b@b
