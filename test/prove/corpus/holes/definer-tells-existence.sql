-- hole: a SECURITY DEFINER function says whether another tenant has an address
-- object: app.email_taken(text)
-- attack: function, reveal
-- seen: crossed
-- role: {app}
-- why: it returns no row, only a boolean over every tenant's rows: an oracle.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.person (
  tenant_id uuid NOT NULL,
  email text NOT NULL,
  PRIMARY KEY (tenant_id, email)
);
ALTER TABLE app.person ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.person FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.person
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE FUNCTION app.email_taken(address text) RETURNS boolean
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'SELECT EXISTS (SELECT 1 FROM app.person WHERE email = address)';
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.person TO {app};
RESET ROLE;
INSERT INTO app.person VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a@a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b@b');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT app.email_taken('b@b'), app.email_taken('nobody@b');
-- gives: t | f
