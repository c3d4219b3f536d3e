-- hole: the policy's sub-select compares a column with itself
-- object: app.task
-- attack: read, insert, update, delete
-- seen: crossed
-- role: {app}
-- why: inside the sub-select "project_id" is the project's own column, so the condition holds for every task as soon as
--   the tenant has one project.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.project (
  project_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id uuid NOT NULL
);
CREATE TABLE app.task (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  project_id uuid NOT NULL REFERENCES app.project (project_id),
  title text NOT NULL
);
ALTER TABLE app.project ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.project FORCE ROW LEVEL SECURITY;
ALTER TABLE app.task ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.task FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.project
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON app.task USING (EXISTS (
  SELECT 1 FROM app.project p
  WHERE p.project_id = project_id AND p.tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.project, app.task TO {app};
RESET ROLE;
INSERT INTO app.project VALUES
  ('11111111-0000-4000-8000-000000000001', 'aaaaaaaa-0000-4000-8000-00000000000a'),
  ('22222222-0000-4000-8000-000000000002', 'bbbbbbbb-0000-4000-8000-00000000000b');
INSERT INTO app.task (project_id, title) VALUES
  ('11111111-0000-4000-8000-000000000001', 'a'), ('22222222-0000-4000-8000-000000000002', 'b');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT title FROM app.task ORDER BY title;
-- gives: a; b
