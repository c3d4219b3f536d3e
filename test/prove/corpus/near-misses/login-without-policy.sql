-- near miss: the workers' login holds every right on the tenants' rows
-- role: {worker}
-- why: the only policy is TO the web's role; where a role has no policy it sees nothing.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {web} LOGIN;
CREATE ROLE {worker} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.job (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  payload jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.job ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.job FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON app.job TO {web}
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {web}, {worker};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.job TO {web}, {worker};
RESET ROLE;
INSERT INTO app.job (tenant_id) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a'), ('bbbbbbbb-0000-4000-8000-00000000000b');

-- session 1 as {worker}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT count(*) FROM app.job;
-- gives: 0
DELETE FROM app.job;
-- gives: DELETE 0
