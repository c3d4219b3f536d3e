-- hole: a grant WITH INHERIT FALSE, SET TRUE hides a way into a role that bypasses
-- object: app.claim, {batch}, {app}
-- attack: set role, read, insert, update, delete, move
-- seen: crossed
-- role: {app}
-- from: 16
-- why: pg_has_role(…, 'USAGE') says no; the membership's SET option says yes.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {batch} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
GRANT {batch} TO {app} WITH INHERIT FALSE, SET TRUE;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.claim (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  reason text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.claim ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.claim FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.claim
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app}, {batch};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.claim TO {app};
GRANT SELECT ON app.claim TO {batch};
RESET ROLE;
INSERT INTO app.claim (tenant_id, reason) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'hail'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'fire');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT pg_has_role('{batch}', 'USAGE'), count(*) FROM app.claim;
-- gives: f | 1
SET ROLE {batch};
SELECT reason FROM app.claim ORDER BY reason;
-- gives: fire; hail
