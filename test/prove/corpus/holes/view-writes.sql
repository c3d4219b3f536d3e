-- hole: a view that shows only one's own rows takes rows for anybody
-- object: shop.my_order
-- attack: insert, move
-- seen: crossed
-- role: {app}
-- why: the view filters on the setting, but it has no WITH CHECK OPTION and writes with its owner's rights, and the
--   owner is not forced.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA shop AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE shop.orders (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  label text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON shop.orders
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE VIEW shop.my_order WITH (security_barrier) AS
  SELECT tenant_id, id, label FROM shop.orders
  WHERE tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid);
GRANT USAGE ON SCHEMA shop TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON shop.my_order TO {app};
RESET ROLE;
INSERT INTO shop.orders (tenant_id, label) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT label FROM shop.my_order;
-- gives: a
INSERT INTO shop.my_order (tenant_id, label) VALUES ('bbbbbbbb-0000-4000-8000-00000000000b', 'planted');
-- gives: INSERT 1
-- session 2 as {app}
SET app.tenant_id = 'bbbbbbbb-0000-4000-8000-00000000000b';
SELECT label FROM shop.my_order ORDER BY label;
-- gives: b; planted
