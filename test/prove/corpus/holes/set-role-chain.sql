-- hole: the way to a role that bypasses leads over two others
-- object: app.claim, {dba}, {app}
-- attack: set role
-- seen: crossed
-- role: {app}
-- why: SET ROLE is allowed to every role one is a member of, directly or not.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {dba} NOLOGIN BYPASSRLS;
CREATE ROLE {ops} NOLOGIN NOINHERIT;
CREATE ROLE {team} NOLOGIN NOINHERIT;
CREATE ROLE {app} LOGIN NOINHERIT;
GRANT {dba} TO {ops};
GRANT {ops} TO {team};
GRANT {team} TO {app};
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
GRANT USAGE ON SCHEMA app TO {app}, {dba};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.claim TO {app}, {dba};
RESET ROLE;
INSERT INTO app.claim VALUES (1, 1, 'hail'), (2, 1, 'fire');

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT reason FROM app.claim;
-- gives: hail
SET ROLE {dba};
SELECT reason FROM app.claim ORDER BY reason;
-- gives: fire; hail
