-- hole: the database's own settings say that everybody is an administrator
-- object: app.audit_entry
-- attack: read, insert, update, delete, move
-- seen: crossed
-- role: {app}
-- why: the policy has a way round for maintenance, and ALTER DATABASE … SET left it open for every login.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
ALTER DATABASE {database} SET app.maintenance = 'on';
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.audit_entry (
  tenant_id bigint NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  what text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.audit_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.audit_entry FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.audit_entry
  USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint
    OR current_setting('app.maintenance', true) = 'on');
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.audit_entry TO {app};
RESET ROLE;
INSERT INTO app.audit_entry (tenant_id, what) VALUES (1, 'one'), (2, 'two');

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT what FROM app.audit_entry ORDER BY id;
-- gives: one; two
SET app.maintenance = 'off';
SELECT what FROM app.audit_entry ORDER BY id;
-- gives: one
