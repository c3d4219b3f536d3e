-- hole: the setting is a pattern
-- object: app.folder
-- attack: malformed, read
-- seen: crossed
-- role: {app}
-- why: LIKE without a prefix closes on '' and on another's name, and opens on '%', which a text tenant may be called.
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
CREATE POLICY own ON app.folder USING (tenant_id LIKE current_setting('app.tenant_id', true));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.folder TO {app};
RESET ROLE;
INSERT INTO app.folder VALUES ('acme', '/acme'), ('zeta', '/zeta');

-- session 1 as {app}
SET app.tenant_id = 'acme';
SELECT path FROM app.folder ORDER BY path;
-- gives: /acme
SET app.tenant_id = '%';
SELECT path FROM app.folder ORDER BY path;
-- gives: /acme; /zeta
