-- near miss: a view over every tenant's rows without a filter
-- role: {app}
-- why: security_invoker: its table is read with the caller's rights and the caller's policies.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.sale (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  cents bigint NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.sale ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.sale FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.sale
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE VIEW app.total WITH (security_invoker) AS
  SELECT tenant_id, sum(cents) AS cents FROM app.sale GROUP BY tenant_id;
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.sale TO {app};
GRANT SELECT ON app.total TO {app};
RESET ROLE;
INSERT INTO app.sale (tenant_id, cents) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 1), ('bbbbbbbb-0000-4000-8000-00000000000b', 2);

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT cents FROM app.total;
-- gives: 1
