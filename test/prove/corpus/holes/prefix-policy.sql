-- hole: tenants are compared by prefix
-- object: app.folder
-- attack: empty, malformed, read
-- seen: crossed
-- role: {app}
-- why: LIKE setting || '%' lets acme read acme-eu, and the empty setting read everybody.
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
CREATE POLICY own ON app.folder USING (tenant_id LIKE current_setting('app.tenant_id', true) || '%');
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.folder TO {app};
RESET ROLE;
INSERT INTO app.folder VALUES ('acme', '/acme'), ('acme-eu', '/acme-eu'), ('zeta', '/zeta');

-- session 1 as {app}
SET app.tenant_id = 'acme';
SELECT path FROM app.folder ORDER BY path;
-- gives: /acme; /acme-eu
SET app.tenant_id = '';
SELECT count(*) FROM app.folder;
-- gives: 3
