-- near miss: two levels of children without a column for the tenant, policies with sub-selects
-- role: {app}
-- why: each sub-select names the outer row's column in full and goes up to a row of the tenant.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.project (
  project_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id uuid NOT NULL
);
CREATE INDEX project_tenant ON app.project (tenant_id);
CREATE TABLE app.task (
  project_id uuid NOT NULL REFERENCES app.project (project_id),
  number int NOT NULL,
  title text NOT NULL,
  PRIMARY KEY (project_id, number)
);
CREATE TABLE app.remark (
  project_id uuid NOT NULL,
  task int NOT NULL,
  number int NOT NULL,
  body text NOT NULL,
  PRIMARY KEY (project_id, task, number),
  FOREIGN KEY (project_id, task) REFERENCES app.task (project_id, number)
);
ALTER TABLE app.project ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.project FORCE ROW LEVEL SECURITY;
ALTER TABLE app.task ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.task FORCE ROW LEVEL SECURITY;
ALTER TABLE app.remark ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.remark FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.project
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON app.task USING (EXISTS (
  SELECT 1 FROM app.project p
  WHERE p.project_id = task.project_id AND p.tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON app.remark USING (EXISTS (
  SELECT 1 FROM app.project p
  WHERE p.project_id = remark.project_id AND p.tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.project, app.task, app.remark TO {app};
RESET ROLE;
INSERT INTO app.project VALUES
  ('11111111-0000-4000-8000-000000000001', 'aaaaaaaa-0000-4000-8000-00000000000a'),
  ('22222222-0000-4000-8000-000000000002', 'bbbbbbbb-0000-4000-8000-00000000000b');
INSERT INTO app.task VALUES
  ('11111111-0000-4000-8000-000000000001', 1, 'a'), ('22222222-0000-4000-8000-000000000002', 1, 'b');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT title FROM app.task;
-- gives: a
INSERT INTO app.task VALUES ('22222222-0000-4000-8000-000000000002', 2, 'planted');
-- fails: 42501
