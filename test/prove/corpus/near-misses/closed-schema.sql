-- near miss: an archive without row security, granted to the application
-- role: {app}
-- why: the application has no USAGE on the archive's schema, and without it the grant on the table opens nothing.
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
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.invoice TO {app};
CREATE TABLE archive.invoice (LIKE app.invoice INCLUDING ALL);
GRANT SELECT ON archive.invoice TO {app};
RESET ROLE;
INSERT INTO archive.invoice VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 1), ('bbbbbbbb-0000-4000-8000-00000000000b', 1);

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT number FROM archive.invoice;
-- fails: 42501
