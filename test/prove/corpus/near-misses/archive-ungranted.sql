-- near miss: an archive of every tenant's rows without row security, in a schema that the application may use
-- role: {app}
-- why: nothing in it is granted but the list of its files, which is nobody's.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
CREATE SCHEMA archive AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.invoice (
  tenant_id uuid NOT NULL,
  number int NOT NULL,
  PRIMARY KEY (tenant_id, number)
);
ALTER TABLE app.invoice ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.invoice FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.invoice
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app, archive TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.invoice TO {app};
CREATE TABLE archive.invoice (LIKE app.invoice INCLUDING ALL);
CREATE TABLE archive.file (month date PRIMARY KEY, name text NOT NULL);
GRANT SELECT ON archive.file TO {app};
RESET ROLE;
INSERT INTO archive.invoice VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 1), ('bbbbbbbb-0000-4000-8000-00000000000b', 2);

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT number FROM archive.invoice;
-- fails: 42501
SELECT count(*) FROM pg_stats WHERE schemaname = 'archive' AND tablename = 'invoice';
-- gives: 0
