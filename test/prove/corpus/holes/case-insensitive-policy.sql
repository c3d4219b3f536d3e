-- hole: tenants whose names differ by case are one to the policy and two to the table
-- object: app.folder
-- attack: malformed, read
-- seen: crossed
-- role: {app}
-- why: the key keeps Acme and acme apart, lower() on both sides of the policy does not.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.folder (
  tenant_id text NOT NULL,
  path text NOT NULL,
  PRIMARY KEY (tenant_id, path)
);
ALTER TABLE app.folder ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.folder FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.folder
  USING (lower(tenant_id) = lower(nullif(current_setting('app.tenant_id', true), '')));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.folder TO {app};
RESET ROLE;
INSERT INTO app.folder VALUES ('acme', '/acme'), ('Acme', '/Acme');

-- session 1 as {app}
SET app.tenant_id = 'acme';
SELECT count(*) FROM app.folder;
-- gives: 2
