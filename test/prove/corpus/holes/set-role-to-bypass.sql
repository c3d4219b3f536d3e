-- hole: the application cannot read more than its own, but it can become a role that can
-- object: app.claim, {maintenance}, {app}
-- attack: set role, read, insert, update, delete, move
-- seen: crossed
-- role: {app}
-- why: NOINHERIT keeps the rights away until SET ROLE, which every member may run; BYPASSRLS is never inherited.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {maintenance} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN NOINHERIT;
GRANT {maintenance} TO {app};
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.claim (
  tenant_id bigint NOT NULL,
  id bigint NOT NULL,
  reason text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.claim ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.claim FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.claim USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
GRANT USAGE ON SCHEMA app TO {app}, {maintenance};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.claim TO {app}, {maintenance};
RESET ROLE;
INSERT INTO app.claim VALUES (1, 1, 'hail'), (2, 1, 'fire');

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT reason FROM app.claim ORDER BY reason;
-- gives: hail
SET ROLE {maintenance};
SELECT reason FROM app.claim ORDER BY reason;
-- gives: fire; hail
