-- hole: the workers' login has a policy of its own that filters on the queue and not on the tenant
-- object: app.job
-- attack: read, update, delete
-- seen: crossed
-- role: {worker}
-- why: each role sees what its own policies say; only the web's are about tenants.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {web} LOGIN;
CREATE ROLE {worker} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.job (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  queue text NOT NULL DEFAULT 'mail',
  payload jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.job ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.job FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON app.job TO {web}
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY of_queue ON app.job TO {worker} USING (queue <> '');
GRANT USAGE ON SCHEMA app TO {web}, {worker};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.job TO {web};
GRANT SELECT, UPDATE, DELETE ON app.job TO {worker};
RESET ROLE;
INSERT INTO app.job (tenant_id) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a'), ('bbbbbbbb-0000-4000-8000-00000000000b');

-- session 1 as {worker}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT count(*) FROM app.job;
-- gives: 2
-- session 2 as {web}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT count(*) FROM app.job;
-- gives: 1
