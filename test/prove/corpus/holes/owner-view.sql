-- hole: a plain view reads the table with its owner's rights
-- object: shop.open_order
-- attack: read
-- seen: crossed
-- role: {app}
-- why: without security_invoker a view's tables are read as the view's owner, here a superuser, whom FORCE does not
--   bind either.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA shop AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE shop.orders (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'paid')),
  PRIMARY KEY (tenant_id, id)
);
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.orders FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON shop.orders
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA shop TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON shop.orders TO {app};
RESET ROLE;
CREATE VIEW shop.open_order AS SELECT tenant_id, id, count(*) AS lines FROM shop.orders WHERE state = 'open' GROUP BY 1, 2;
GRANT SELECT ON shop.open_order TO {app};
INSERT INTO shop.orders (tenant_id) VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a'), ('bbbbbbbb-0000-4000-8000-00000000000b');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT count(*) FROM shop.orders;
-- gives: 1
SELECT count(*) FROM shop.open_order;
-- gives: 2
