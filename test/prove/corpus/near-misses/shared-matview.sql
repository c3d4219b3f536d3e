-- near miss: a materialised view is granted to the application
-- role: {app}
-- why: it sums up the price list, which is everybody's; no tenant's row is in it.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.price (sku text PRIMARY KEY, family text NOT NULL, cents bigint NOT NULL);
CREATE TABLE app.basket (
  tenant_id bigint NOT NULL,
  sku text NOT NULL REFERENCES app.price (sku),
  count int NOT NULL CHECK (count > 0),
  PRIMARY KEY (tenant_id, sku)
);
CREATE INDEX basket_sku ON app.basket (sku);
ALTER TABLE app.basket ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.basket FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.basket USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
CREATE MATERIALIZED VIEW app.price_range AS
  SELECT family, min(cents) AS lowest, max(cents) AS highest FROM app.price GROUP BY family;
CREATE UNIQUE INDEX price_range_family ON app.price_range (family);
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT ON app.price, app.price_range TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.basket TO {app};
INSERT INTO app.price VALUES ('bolt', 'steel', 10), ('nut', 'steel', 20);
REFRESH MATERIALIZED VIEW app.price_range;
RESET ROLE;
INSERT INTO app.basket VALUES (1, 'bolt', 3), (2, 'nut', 4);

-- session 1 as {app}
SET app.tenant_id = '1';
SELECT family, highest FROM app.price_range;
-- gives: steel | 20
SELECT sku FROM app.basket;
-- gives: bolt
UPDATE app.price SET cents = 1;
-- fails: 42501
