-- One of each kind of object that a database may hold. Roles: :owner :app :super.
CREATE SCHEMA shop AUTHORIZATION :owner;
GRANT USAGE ON SCHEMA shop TO :app;
CREATE EXTENSION pgcrypto SCHEMA shop;
CREATE COLLATION shop.natural (provider = icu, locale = 'und-u-kn-true', deterministic = false);
CREATE TYPE shop.mood AS ENUM ('glad', 'it''s fine', 'sad');
CREATE TYPE shop.address AS (street text COLLATE "C", zip varchar(10));
CREATE FUNCTION shop.is_mail(value text) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN value LIKE '%@%';
CREATE DOMAIN shop.email AS varchar(200) COLLATE "C" DEFAULT 'a@b' NOT NULL CONSTRAINT has_at CHECK (shop.is_mail(VALUE));
CREATE TYPE shop.price_range AS RANGE (subtype = numeric);
CREATE SEQUENCE shop.tickets AS integer INCREMENT 5 MINVALUE 5 MAXVALUE 5000 START 10 CACHE 3 CYCLE;
CREATE TABLE shop.customers (
  id bigint GENERATED ALWAYS AS IDENTITY (START WITH 100 INCREMENT BY 2) PRIMARY KEY,
  code serial UNIQUE,
  mail shop.email,
  feels shop.mood DEFAULT 'glad',
  home shop.address,
  name text COLLATE shop.natural NOT NULL,
  shouted text GENERATED ALWAYS AS (upper(name)) STORED,
  ticket integer DEFAULT nextval('shop.tickets'),
  tags text[] DEFAULT '{}',
  CONSTRAINT named CHECK (length(name) > 0 AND name IN ('x', 'y') OR name ~ '^a+$')
) WITH (fillfactor = 70);
ALTER TABLE shop.customers ALTER COLUMN name SET STORAGE EXTERNAL, ALTER COLUMN code SET STATISTICS 500;
CREATE UNLOGGED TABLE shop.hits (at timestamptz DEFAULT now(), customer bigint REFERENCES shop.customers ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE shop.parent (id int PRIMARY KEY, note text CHECK (note <> ''));
CREATE TABLE shop.child (more text NOT NULL) INHERITS (shop.parent);
CREATE TABLE shop.homes OF shop.address (street NOT NULL);
CREATE TABLE shop.orders (
  id uuid DEFAULT gen_random_uuid(), at timestamptz NOT NULL, customer bigint REFERENCES shop.customers, during tstzrange,
  PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE TABLE shop.orders_1 PARTITION OF shop.orders FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
CREATE TABLE shop.orders_2 PARTITION OF shop.orders FOR VALUES FROM ('2026-02-01 00:00+00') TO ('2026-03-01 00:00+00') PARTITION BY HASH (id);
CREATE TABLE shop.orders_2_0 PARTITION OF shop.orders_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
ALTER TABLE shop.orders_1 ADD CONSTRAINT own_check CHECK (customer > 0);
CREATE INDEX orders_customer ON shop.orders (customer) WHERE customer IS NOT NULL;
CREATE INDEX orders_1_own ON shop.orders_1 (at DESC);
CREATE INDEX ON ONLY shop.orders (during);
CREATE TABLE shop.rooms (room int, during tsrange, EXCLUDE USING gist (during WITH &&));
CREATE FUNCTION shop.customer_name(c shop.customers) RETURNS text LANGUAGE sql STABLE AS 'SELECT c.name';
CREATE FUNCTION shop.later() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM shop.customers; END;
CREATE PROCEDURE shop.work(INOUT n int) LANGUAGE plpgsql SECURITY DEFINER SET search_path = shop, pg_temp AS $$BEGIN n := n + 1; END$$;
CREATE FUNCTION shop.add(a bigint, b int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
CREATE AGGREGATE shop.total(int) (SFUNC = shop.add, STYPE = bigint, INITCOND = '0');
CREATE FUNCTION shop.same(shop.address, shop.address) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.zip = $2.zip';
CREATE OPERATOR shop.=== (FUNCTION = shop.same, LEFTARG = shop.address, RIGHTARG = shop.address, COMMUTATOR = OPERATOR(shop.===));
CREATE FUNCTION shop.to_text(shop.address) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1.street';
CREATE CAST (shop.address AS text) WITH FUNCTION shop.to_text(shop.address) AS ASSIGNMENT;
CREATE FUNCTION shop.compare(shop.address, shop.address) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 0';
CREATE OPERATOR CLASS shop.address_ops FOR TYPE shop.address USING btree AS OPERATOR 3 shop.===, FUNCTION 1 shop.compare(shop.address, shop.address);
CREATE TEXT SEARCH DICTIONARY shop.plain (TEMPLATE = pg_catalog.simple, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION shop.search (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION shop.search ALTER MAPPING FOR word WITH shop.plain, english_stem;
CREATE STATISTICS shop.correlated (ndistinct, dependencies) ON code, ticket FROM shop.customers;
CREATE VIEW shop.glad WITH (security_barrier, security_invoker = true) AS SELECT id, name FROM shop.customers WHERE feels = 'glad' WITH LOCAL CHECK OPTION;
CREATE VIEW shop.grouped AS SELECT c.id, c.name, count(*) AS orders FROM shop.customers c LEFT JOIN shop.orders o ON o.customer = c.id GROUP BY c.id;
ALTER VIEW shop.glad ALTER COLUMN name SET DEFAULT 'nobody';
CREATE MATERIALIZED VIEW shop.sums AS SELECT customer, count(*) FROM shop.orders GROUP BY customer;
CREATE UNIQUE INDEX ON shop.sums (customer);
CREATE RULE quiet AS ON DELETE TO shop.hits DO INSTEAD NOTHING;
CREATE FUNCTION shop.stamp() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN new; END$$;
CREATE TRIGGER stamped BEFORE UPDATE OF name ON shop.customers FOR EACH ROW WHEN (old.name IS DISTINCT FROM new.name) EXECUTE FUNCTION shop.stamp();
CREATE TRIGGER always BEFORE INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.stamp();
ALTER TABLE shop.customers ENABLE ALWAYS TRIGGER stamped;
ALTER TABLE shop.orders_1 DISABLE TRIGGER always;
CREATE CONSTRAINT TRIGGER checked AFTER INSERT ON shop.customers DEFERRABLE FOR EACH ROW EXECUTE FUNCTION shop.stamp();
ALTER TABLE shop.customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.customers FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON shop.customers AS RESTRICTIVE FOR UPDATE TO :app USING (id = nullif(current_setting('app.id', true), '')::bigint) WITH CHECK (true);
CREATE POLICY look ON shop.customers FOR SELECT USING (true);
ALTER TABLE shop.hits REPLICA IDENTITY FULL;
CREATE PUBLICATION feed FOR TABLE shop.customers (id, name), shop.parent WITH (publish = 'insert');
CREATE FUNCTION shop.no_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$;
CREATE EVENT TRIGGER guard ON sql_drop WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION shop.no_drop();
ALTER TABLE shop.customers OWNER TO :owner;
ALTER TABLE shop.orders OWNER TO :owner;
ALTER VIEW shop.glad OWNER TO :owner;
ALTER MATERIALIZED VIEW shop.sums OWNER TO :owner;
ALTER FUNCTION shop.stamp() OWNER TO :owner;
ALTER TYPE shop.mood OWNER TO :owner;
ALTER AGGREGATE shop.total(int) OWNER TO :owner;
GRANT SELECT, INSERT ON shop.customers TO :app WITH GRANT OPTION;
GRANT UPDATE (name, tags) ON shop.customers TO :app;
GRANT SELECT ON shop.glad TO PUBLIC;
GRANT USAGE ON SEQUENCE shop.tickets TO :app;
GRANT SELECT ON shop.orders_1 TO :app;
REVOKE ALL ON FUNCTION shop.later() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION shop.later() TO :app;
REVOKE USAGE ON TYPE shop.mood FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(double precision) FROM PUBLIC;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE :owner GRANT SELECT ON TABLES TO :app;
ALTER DEFAULT PRIVILEGES FOR ROLE :owner IN SCHEMA shop GRANT EXECUTE ON FUNCTIONS TO :app WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE :owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
SELECT lo_create(4242);
ALTER LARGE OBJECT 4242 OWNER TO :owner;
GRANT SELECT ON LARGE OBJECT 4242 TO :app;
