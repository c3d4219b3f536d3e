-- hole: the login starts every session as one of the tenants
-- object: {app}, app.flag
-- attack: unset
-- seen: told
-- role: {app}
-- why: ALTER ROLE … SET was meant for somebody's laptop; a request that forgets its tenant works as that one.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
ALTER ROLE {app} SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.flag (
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  PRIMARY KEY (tenant_id, name)
);
ALTER TABLE app.flag ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.flag FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.flag
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.flag TO {app};
RESET ROLE;
INSERT INTO app.flag VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b');

-- session 1 as {app}
SELECT name FROM app.flag;
-- gives: a
