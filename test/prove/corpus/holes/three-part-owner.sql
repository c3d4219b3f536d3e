-- hole: an owner is a chain, a region and a number, and what hangs on one table asks for chain and region only
-- object: app.delivery
-- attack: read, insert, update, delete, move
-- seen: crossed
-- role: {app}
-- why: a chain has many shops in a region; the other tables ask for all three settings.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.shop (
  chain text NOT NULL,
  region text NOT NULL,
  shop int NOT NULL,
  name text NOT NULL,
  PRIMARY KEY (chain, region, shop)
);
CREATE TABLE app.sale (
  chain text NOT NULL,
  region text NOT NULL,
  shop int NOT NULL,
  id int NOT NULL,
  PRIMARY KEY (chain, region, shop, id),
  FOREIGN KEY (chain, region, shop) REFERENCES app.shop (chain, region, shop)
);
CREATE TABLE app.delivery (
  chain text NOT NULL,
  region text NOT NULL,
  shop int NOT NULL,
  id int NOT NULL,
  PRIMARY KEY (chain, region, shop, id),
  FOREIGN KEY (chain, region, shop) REFERENCES app.shop (chain, region, shop)
);
ALTER TABLE app.shop ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.shop FORCE ROW LEVEL SECURITY;
ALTER TABLE app.sale ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.sale FORCE ROW LEVEL SECURITY;
ALTER TABLE app.delivery ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.delivery FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.shop
  USING (chain = current_setting('app.chain', true) AND region = current_setting('app.region', true)
    AND shop = nullif(current_setting('app.shop', true), '')::int);
CREATE POLICY own ON app.sale
  USING (chain = current_setting('app.chain', true) AND region = current_setting('app.region', true)
    AND shop = nullif(current_setting('app.shop', true), '')::int);
CREATE POLICY own ON app.delivery
  USING (chain = current_setting('app.chain', true) AND region = current_setting('app.region', true));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.shop, app.sale, app.delivery TO {app};
RESET ROLE;
INSERT INTO app.shop VALUES ('x', 'eu', 1, 'a'), ('x', 'eu', 2, 'b'), ('x', 'us', 1, 'c'), ('y', 'eu', 1, 'd');
INSERT INTO app.sale SELECT chain, region, shop, 1 FROM app.shop;
INSERT INTO app.delivery SELECT chain, region, shop, 1 FROM app.shop;

-- session 1 as {app}
SET app.chain = 'x';
SET app.region = 'eu';
SET app.shop = '1';
SELECT (SELECT count(*) FROM app.shop), (SELECT count(*) FROM app.sale);
-- gives: 1 | 1
SELECT chain, region, shop FROM app.delivery ORDER BY 1, 2, 3;
-- gives: x | eu | 1; x | eu | 2
