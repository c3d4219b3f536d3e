-- hole: deleting one's own row changes another tenant's
-- object: app.machine
-- also: app.site
-- attack: reference, update
-- seen: crossed
-- role: {app}
-- why: the key is on the site's id alone, ON DELETE SET NULL; what the foreign key changes asks no policy.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.site (id int PRIMARY KEY, tenant_id text NOT NULL);
CREATE TABLE app.machine (
  tenant_id text NOT NULL,
  serial text NOT NULL,
  site_id int REFERENCES app.site (id) ON DELETE SET NULL,
  PRIMARY KEY (tenant_id, serial)
);
ALTER TABLE app.site ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.site FORCE ROW LEVEL SECURITY;
ALTER TABLE app.machine ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.machine FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.site USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
CREATE POLICY own ON app.machine USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.site, app.machine TO {app};
RESET ROLE;
INSERT INTO app.site VALUES (1, 'north');
INSERT INTO app.machine VALUES ('south', 'm', 1);

-- session 1 as {app}
SET app.tenant_id = 'north';
DELETE FROM app.site;
-- gives: DELETE 1
-- session 2 as {app}
SET app.tenant_id = 'south';
SELECT site_id FROM app.machine;
-- gives: null
