-- near miss: roles and the database have settings of their own
-- role: {app}
-- why: none of them says for whom a session works; the policies read another one.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
ALTER ROLE {app} SET statement_timeout = '30s';
ALTER ROLE {app} SET search_path = app;
ALTER DATABASE {database} SET app.feature_dark_mode = 'on';
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.flag (tenant_id uuid NOT NULL, name text NOT NULL, PRIMARY KEY (tenant_id, name));
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
SELECT count(*) FROM flag;
-- gives: 0
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT name FROM flag;
-- gives: a
