-- near miss: rows are written through a view that runs with its owner's rights
-- role: {app}
-- why: the view is a security barrier, filters on the setting, and WITH CHECK OPTION holds what is written to the same.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.orders (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  label text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.orders
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE VIEW app.my_order WITH (security_barrier) AS
  SELECT tenant_id, id, label FROM app.orders
  WHERE tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid)
  WITH CASCADED CHECK OPTION;
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.my_order TO {app};
RESET ROLE;
INSERT INTO app.orders (tenant_id, label) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT label FROM app.my_order;
-- gives: a
INSERT INTO app.my_order (tenant_id, label) VALUES ('bbbbbbbb-0000-4000-8000-00000000000b', 'planted');
-- fails: 44000
UPDATE app.my_order SET tenant_id = 'bbbbbbbb-0000-4000-8000-00000000000b';
-- fails: 44000
