-- near miss: an owner is a region and a number, and one table is the whole region's
-- role: {app}
-- why: a tariff holds a region and no shop; every shop of the region may read it, and none may write it.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.shop (
  region text NOT NULL,
  shop int NOT NULL,
  name text NOT NULL,
  PRIMARY KEY (region, shop)
);
CREATE TABLE app.tariff (
  region text NOT NULL,
  day date NOT NULL,
  cents int NOT NULL,
  PRIMARY KEY (region, day)
);
CREATE TABLE app.delivery (
  region text NOT NULL,
  shop int NOT NULL,
  id int NOT NULL,
  day date NOT NULL,
  PRIMARY KEY (region, shop, id),
  FOREIGN KEY (region, shop) REFERENCES app.shop (region, shop),
  FOREIGN KEY (region, day) REFERENCES app.tariff (region, day)
);
CREATE INDEX delivery_tariff ON app.delivery (region, day);
ALTER TABLE app.shop ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.shop FORCE ROW LEVEL SECURITY;
ALTER TABLE app.tariff ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.tariff FORCE ROW LEVEL SECURITY;
ALTER TABLE app.delivery ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.delivery FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.shop
  USING (region = current_setting('app.region', true) AND shop = nullif(current_setting('app.shop', true), '')::int);
CREATE POLICY own ON app.tariff USING (region = current_setting('app.region', true));
CREATE POLICY own ON app.delivery
  USING (region = current_setting('app.region', true) AND shop = nullif(current_setting('app.shop', true), '')::int);
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT ON app.tariff TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.shop, app.delivery TO {app};
RESET ROLE;
INSERT INTO app.shop VALUES ('eu', 1, 'a'), ('eu', 2, 'b'), ('us', 1, 'c');
INSERT INTO app.tariff VALUES ('eu', '2026-01-01', 10), ('us', '2026-01-01', 20);
INSERT INTO app.delivery VALUES ('eu', 1, 1, '2026-01-01'), ('eu', 2, 1, '2026-01-01'), ('us', 1, 1, '2026-01-01');

-- session 1 as {app}
SET app.region = 'eu';
SET app.shop = '1';
SELECT (SELECT count(*) FROM app.shop), (SELECT count(*) FROM app.tariff), (SELECT count(*) FROM app.delivery);
-- gives: 1 | 1 | 1
