-- hole: an owner is a region and a number, and one table asks for the number only
-- object: app.delivery
-- attack: read, insert, update, delete, move
-- seen: crossed
-- role: {app}
-- why: the key of shops says that numbers repeat in every region.
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
CREATE TABLE app.delivery (
  region text NOT NULL,
  shop int NOT NULL,
  id int NOT NULL,
  PRIMARY KEY (region, shop, id),
  FOREIGN KEY (region, shop) REFERENCES app.shop (region, shop)
);
ALTER TABLE app.shop ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.shop FORCE ROW LEVEL SECURITY;
ALTER TABLE app.delivery ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.delivery FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.shop
  USING (region = current_setting('app.region', true) AND shop = nullif(current_setting('app.shop', true), '')::int);
CREATE POLICY own ON app.delivery USING (shop = nullif(current_setting('app.shop', true), '')::int);
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.shop, app.delivery TO {app};
RESET ROLE;
INSERT INTO app.shop VALUES ('eu', 1, 'a'), ('eu', 2, 'b'), ('us', 1, 'c');
INSERT INTO app.delivery VALUES ('eu', 1, 1), ('eu', 2, 1), ('us', 1, 1);

-- session 1 as {app}
SET app.region = 'eu';
SET app.shop = '1';
SELECT name FROM app.shop;
-- gives: a
SELECT region FROM app.delivery ORDER BY region;
-- gives: eu; us
