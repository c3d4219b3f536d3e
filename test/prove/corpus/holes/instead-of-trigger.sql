-- hole: a view's INSTEAD OF trigger writes whatever tenant it is told
-- object: app.enter_stock
-- attack: insert
-- seen: crossed
-- role: {app}
-- why: the view shows nothing of others (security_invoker), its trigger's function is SECURITY DEFINER.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.stock (
  tenant_id uuid NOT NULL,
  sku text NOT NULL,
  count int NOT NULL,
  PRIMARY KEY (tenant_id, sku)
);
ALTER TABLE app.stock ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.stock FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.stock
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE VIEW app.enter_stock WITH (security_invoker) AS SELECT tenant_id, sku, count FROM app.stock;
CREATE FUNCTION app.enter() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
  BEGIN
    INSERT INTO app.stock VALUES (NEW.tenant_id, NEW.sku, NEW.count);
    RETURN NEW;
  END $$;
CREATE TRIGGER enter INSTEAD OF INSERT ON app.enter_stock FOR EACH ROW EXECUTE FUNCTION app.enter();
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT ON app.stock TO {app};
GRANT SELECT, INSERT ON app.enter_stock TO {app};
RESET ROLE;

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
INSERT INTO app.enter_stock VALUES ('bbbbbbbb-0000-4000-8000-00000000000b', 'x', 1);
-- gives: INSERT 1
-- session 2 as {app}
SET app.tenant_id = 'bbbbbbbb-0000-4000-8000-00000000000b';
SELECT sku FROM app.stock;
-- gives: x
