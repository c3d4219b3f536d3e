import { expect } from 'vitest';
import { catalogueDump } from '../../src/build/catalogue-dump.ts';
import { test } from '../cluster/index.ts';

const EVERYTHING = `
  CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
  CREATE SCHEMA shop;
  COMMENT ON SCHEMA shop IS 'the shop';
  CREATE TYPE shop.state AS ENUM ('new', 'paid');
  CREATE TYPE shop.pair AS (a int, b text);
  CREATE TYPE shop.span AS RANGE (subtype = float8);
  CREATE DOMAIN shop.email AS text CHECK (VALUE LIKE '%@%');
  CREATE SEQUENCE shop.numbers START 5;
  CREATE TABLE shop.customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mail shop.email NOT NULL,
    name text COLLATE "C" DEFAULT 'x', lower_name text GENERATED ALWAYS AS (lower(name)) STORED, UNIQUE (mail));
  CREATE TABLE shop.orders (id bigint, at timestamptz NOT NULL, customer bigint REFERENCES shop.customers (id),
    state shop.state, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE INDEX by_customer ON shop.orders (customer) WHERE state = 'new';
  CREATE TABLE shop.orders_a PARTITION OF shop.orders FOR VALUES FROM ('2025-01-01 00:00:00+00') TO ('2025-02-01 00:00:00+00');
  ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON shop.orders USING (customer = 1);
  CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
  CREATE AGGREGATE shop.total (int) (sfunc = int4pl, stype = int);
  CREATE TRIGGER touch BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.touch();
  CREATE VIEW shop.paid AS SELECT * FROM shop.orders WHERE state = 'paid';
  CREATE MATERIALIZED VIEW shop.counts AS SELECT state, count(*) FROM shop.orders GROUP BY state;
  CREATE RULE quiet AS ON DELETE TO shop.customers DO INSTEAD NOTHING;
  CREATE STATISTICS shop.related ON customer, state FROM shop.orders;
  CREATE PUBLICATION changes FOR TABLE shop.customers;
  CREATE CAST (shop.pair AS text) WITH INOUT;
  CREATE TEXT SEARCH CONFIGURATION shop.words (COPY = simple);
  CREATE COLLATION shop.plain (provider = libc, locale = 'C');
  CREATE OPERATOR shop.=== (leftarg = int, rightarg = int, function = int4eq);
  CREATE SCHEMA holdfast; CREATE TABLE holdfast.steps (id int);
  GRANT SELECT ON shop.paid TO PUBLIC;
  ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO PUBLIC;
`;

test('the dump names every kind of object, and two databases made alike read alike', async ({ db }) => {
  const twin = await db.another();
  await db.query(EVERYTHING);
  await twin.query('CREATE TABLE gone (id int); DROP TABLE gone'); // other oids
  await twin.query(EVERYTHING);
  const [left, right] = await Promise.all([catalogueDump(db.pool), catalogueDump(twin.pool)]);
  expect(left).toEqual(right);
  const objects = new Set(left.map((line) => line.object));
  for (const object of [
    'schema shop',
    'type shop.state',
    'type shop.pair',
    'type shop.span',
    'domain shop.email',
    'sequence shop.numbers',
    'table shop.customers',
    'table shop.orders',
    'table shop.orders_a',
    'function shop.touch()',
    'aggregate shop.total(integer)',
    'view shop.paid',
    'materialized view shop.counts',
    'statistics shop.related',
    'publication changes',
    'cast (shop.pair AS pg_catalog.text)',
    'text search configuration shop.words',
    'collation shop.plain',
    'extension pg_stat_statements',
    'default privileges of postgres',
    'operator shop.===(integer,integer)',
  ])
    expect(objects).toContain(object);
  expect(
    [...objects].filter((object) => object.includes('holdfast') || object.includes('stat_statements_')),
  ).toEqual([]);
  const keys = left.map((line) => `${line.object} ${line.facet}`);
  expect(new Set(keys).size).toBe(keys.length);
});
