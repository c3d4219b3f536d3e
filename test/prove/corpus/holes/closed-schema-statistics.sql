-- hole: an archive without row security is granted, and only its schema is closed
-- object: archive.invoice
-- attack: statistics
-- seen: crossed
-- role: {app}
-- why: without USAGE on the schema no query can name the table, but pg_stats asks only for the right on the column:
--   it shows every tenant's most common values and the bounds of the histogram.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
CREATE SCHEMA archive AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.invoice (
  tenant_id uuid NOT NULL,
  customer text NOT NULL,
  PRIMARY KEY (tenant_id, customer)
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
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'Ada'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'Bob');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT customer FROM archive.invoice;
-- fails: 42501
SELECT histogram_bounds FROM pg_stats WHERE schemaname = 'archive' AND attname = 'customer';
-- gives: {Ada,Bob}
