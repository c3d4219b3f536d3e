-- hole: a materialised view shows names of every tenant and has no column that says whose
-- object: app.latest_names
-- attack: read
-- seen: crossed
-- role: {app}
-- why: looking for the tenant's column finds nothing here; the rows are other tenants' all the same.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.customer (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  name text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.customer ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.customer FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.customer
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
INSERT INTO app.customer (tenant_id, name) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'Ada'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'Bob');
CREATE MATERIALIZED VIEW app.latest_names AS SELECT DISTINCT name AS label FROM app.customer;
CREATE UNIQUE INDEX ON app.latest_names (label);
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.customer TO {app};
GRANT SELECT ON app.latest_names TO {app};
RESET ROLE;

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT label FROM app.latest_names ORDER BY label;
-- gives: Ada; Bob
