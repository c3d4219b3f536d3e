-- near miss: a permissive policy USING (true) beside the tenants' own
-- role: {app}
-- why: it is TO a role that cannot log in and that the application is no member of.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {auditor} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.message (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  body text NOT NULL,
  PRIMARY KEY (workspace_id, id)
);
ALTER TABLE app.message ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.message FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.message
  USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid));
CREATE POLICY auditor_reads ON app.message FOR SELECT TO {auditor} USING (true);
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.message TO {app};
RESET ROLE;
INSERT INTO app.message (workspace_id, body) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b');

-- session 1 as {app}
SET app.workspace_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT body FROM app.message;
-- gives: a
