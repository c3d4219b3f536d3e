// Changes, each as the statements of a definition before and after; `base` is in both.

/** One change of a definition. */
export interface ChangeCase {
  readonly name: string;
  readonly base: readonly string[];
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** Rows in the tables before the change is planned. */
  readonly seed?: readonly string[];
  readonly irreversible?: boolean;
}

const TABLE = [
  'CREATE TABLE items (id bigint PRIMARY KEY, name varchar(20) NOT NULL, price int, at timestamptz)',
];
const ROWS = ["INSERT INTO items SELECT i, 'n' || i, i, now() FROM generate_series(1, 50) i"];
const PARTED = [
  'CREATE TABLE events (id bigint, at timestamptz NOT NULL, kind varchar(10), PRIMARY KEY (id, at)) PARTITION BY RANGE (at)',
];
const PARTS = [
  "CREATE TABLE events_a PARTITION OF events FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00')",
  "CREATE TABLE events_b PARTITION OF events FOR VALUES FROM ('2026-02-01 00:00:00+00') TO ('2026-03-01 00:00:00+00')",
  "INSERT INTO events SELECT i, '2026-01-15 00:00:00+00'::timestamptz + i * '12 hours'::interval, 'a' FROM generate_series(1, 60) i",
];
const PARTS_OF_PARTS = [
  "CREATE TABLE events_c PARTITION OF events FOR VALUES FROM ('2026-03-01 00:00:00+00') TO ('2026-04-01 00:00:00+00') PARTITION BY LIST (at)",
  "CREATE TABLE events_c_first PARTITION OF events_c FOR VALUES IN ('2026-03-01 00:00:00+00')",
  "INSERT INTO events SELECT i, '2026-03-01 00:00:00+00', 'a' FROM generate_series(1, 20) i",
  "CREATE TABLE plain_events_a PARTITION OF plain_events FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00')",
  "INSERT INTO plain_events SELECT i, '2026-01-15 00:00:00+00', 'a' FROM generate_series(1, 20) i",
];
const TOUCH = ['CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$'];

function onItems(name: string, from: readonly string[], to: readonly string[]): ChangeCase {
  return { name, base: TABLE, from, to, seed: ROWS };
}

function onEvents(name: string, from: readonly string[], to: readonly string[]): ChangeCase {
  return { name, base: PARTED, from, to, seed: PARTS };
}

// Every change has its reverse beside it where that is another kind of change.

/** Tables with their columns, constraints and indexes. */
export const TABLE_CHANGES: readonly ChangeCase[] = [
  onItems('add a table', [], ['CREATE TABLE other (id int PRIMARY KEY, item bigint REFERENCES items)']),
  onItems('drop a table', ['CREATE TABLE other (id int PRIMARY KEY, item bigint REFERENCES items)'], []),
  onItems('add a column', [], ["ALTER TABLE items ADD COLUMN note text DEFAULT 'x' NOT NULL"]),
  onItems('drop a column', ['ALTER TABLE items ADD COLUMN note text'], []),
  onItems('widen a column', [], ['ALTER TABLE items ALTER COLUMN name TYPE varchar(50)']),
  onItems('retype a column', [], ['ALTER TABLE items ALTER COLUMN price TYPE bigint']),
  onItems('set a default', [], ['ALTER TABLE items ALTER COLUMN price SET DEFAULT 5']),
  onItems(
    'change a default',
    ['ALTER TABLE items ALTER COLUMN price SET DEFAULT 4'],
    ['ALTER TABLE items ALTER COLUMN price SET DEFAULT 5'],
  ),
  onItems('drop a default', ['ALTER TABLE items ALTER COLUMN price SET DEFAULT 5'], []),
  onItems('set not null', [], ['ALTER TABLE items ALTER COLUMN price SET NOT NULL']),
  onItems('drop not null', ['ALTER TABLE items ALTER COLUMN price SET NOT NULL'], []),
  onItems(
    'add a stored generated column',
    [],
    ['ALTER TABLE items ADD COLUMN low text GENERATED ALWAYS AS (lower(name)) STORED'],
  ),
  onItems(
    'change a generated column',
    ['ALTER TABLE items ADD COLUMN low text GENERATED ALWAYS AS (lower(name)) STORED'],
    ['ALTER TABLE items ADD COLUMN low text GENERATED ALWAYS AS (upper(name)) STORED'],
  ),
  onItems(
    'add identity',
    [],
    ['ALTER TABLE items ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY (START 10)'],
  ),
  onItems(
    'add a check',
    [],
    ["ALTER TABLE items ADD CONSTRAINT known CHECK (name IN ('a', 'b') OR price >= 0)"],
  ),
  onItems(
    'change a check',
    ["ALTER TABLE items ADD CONSTRAINT known CHECK (name IN ('a', 'b') OR price >= 0)"],
    ["ALTER TABLE items ADD CONSTRAINT known CHECK (name IN ('a', 'c') OR price >= 0)"],
  ),
  onItems('drop a check', ['ALTER TABLE items ADD CONSTRAINT positive CHECK (price >= 0)'], []),
  onItems('add a unique constraint', [], ['ALTER TABLE items ADD CONSTRAINT named UNIQUE (name)']),
  onItems('drop a unique constraint', ['ALTER TABLE items ADD CONSTRAINT named UNIQUE (name)'], []),
  onItems(
    'change the primary key',
    [],
    ['ALTER TABLE items DROP CONSTRAINT items_pkey, ADD PRIMARY KEY (id, name)'],
  ),
  onItems(
    'add a foreign key',
    ['CREATE TABLE other (id int PRIMARY KEY, item bigint)'],
    ['CREATE TABLE other (id int PRIMARY KEY, item bigint REFERENCES items ON DELETE CASCADE)'],
  ),
  onItems(
    'change a foreign key',
    ['CREATE TABLE other (id int PRIMARY KEY, item bigint REFERENCES items)'],
    ['CREATE TABLE other (id int PRIMARY KEY, item bigint REFERENCES items ON DELETE CASCADE DEFERRABLE)'],
  ),
  onItems(
    'add an exclusion',
    ['CREATE TABLE slots (id int, during tstzrange)'],
    ['CREATE TABLE slots (id int, during tstzrange, EXCLUDE USING gist (during WITH &&))'],
  ),
  onItems('add an index', [], ['CREATE INDEX by_name ON items (lower(name), price DESC) WHERE price > 0']),
  onItems(
    'change an index',
    ['CREATE INDEX by_name ON items (name)'],
    ['CREATE UNIQUE INDEX by_name ON items (name) INCLUDE (price)'],
  ),
  onItems('drop an index', ['CREATE INDEX by_name ON items (name)'], []),
];

/** What stands beside tables: views, functions, triggers, types, sequences, schemas. */
export const OBJECT_CHANGES: readonly ChangeCase[] = [
  onItems(
    'add a view',
    [],
    ["CREATE VIEW cheap WITH (security_invoker) AS SELECT * FROM items WHERE name IN ('a', 'b')"],
  ),
  onItems(
    'change a view',
    ['CREATE VIEW cheap AS SELECT id FROM items'],
    ['CREATE VIEW cheap AS SELECT id, name FROM items WHERE price < 3'],
  ),
  onItems('drop a view', ['CREATE VIEW cheap AS SELECT id FROM items'], []),
  onItems(
    'retype a column under a view',
    ['CREATE VIEW cheap AS SELECT id, price FROM items'],
    ['ALTER TABLE items ALTER COLUMN price TYPE bigint', 'CREATE VIEW cheap AS SELECT id, price FROM items'],
  ),
  onItems(
    'add a materialized view',
    [],
    [
      'CREATE MATERIALIZED VIEW counts AS SELECT name, count(*) AS n FROM items GROUP BY name',
      'CREATE UNIQUE INDEX counts_name ON counts (name)',
    ],
  ),
  onItems(
    'change a materialized view',
    [
      'CREATE MATERIALIZED VIEW counts AS SELECT name FROM items',
      'CREATE UNIQUE INDEX counts_name ON counts (name)',
    ],
    [
      'CREATE MATERIALIZED VIEW counts AS SELECT name, count(*) AS n FROM items GROUP BY name',
      'CREATE UNIQUE INDEX counts_name ON counts (name)',
    ],
  ),
  onItems('drop a materialized view', ['CREATE MATERIALIZED VIEW counts AS SELECT name FROM items'], []),
  onItems(
    'add a function',
    [],
    ['CREATE FUNCTION double(a int) RETURNS int LANGUAGE sql IMMUTABLE RETURN a * 2'],
  ),
  onItems(
    'change a function',
    ['CREATE FUNCTION double(a int) RETURNS int LANGUAGE sql IMMUTABLE RETURN a * 2'],
    [
      "CREATE FUNCTION double(a int) RETURNS int LANGUAGE sql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog AS 'SELECT a + a'",
    ],
  ),
  onItems(
    'drop a function',
    ['CREATE FUNCTION double(a int) RETURNS int LANGUAGE sql IMMUTABLE RETURN a * 2'],
    [],
  ),
  onItems('add a procedure', [], ["CREATE PROCEDURE tidy() LANGUAGE sql AS 'DELETE FROM items WHERE false'"]),
  onItems(
    'add an aggregate',
    [],
    ['CREATE AGGREGATE total (int) (sfunc = int4pl, stype = int, initcond = 0)'],
  ),
  {
    ...onItems(
      'add a trigger',
      [],
      ['CREATE TRIGGER touched BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch()'],
    ),
    base: [...TABLE, ...TOUCH],
  },
  {
    ...onItems(
      'change a trigger',
      ['CREATE TRIGGER touched BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch()'],
      [
        "CREATE TRIGGER touched BEFORE UPDATE OF name ON items FOR EACH ROW WHEN (OLD.name IN ('a', 'b')) EXECUTE FUNCTION touch()",
        'ALTER TABLE items ENABLE ALWAYS TRIGGER touched',
      ],
    ),
    base: [...TABLE, ...TOUCH],
  },
  {
    ...onItems(
      'drop a trigger',
      ['CREATE TRIGGER touched BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch()'],
      [],
    ),
    base: [...TABLE, ...TOUCH],
  },
  onItems('add an enum', [], ["CREATE TYPE mood AS ENUM ('sad', 'ok')"]),
  onItems(
    'add an enum value',
    ["CREATE TYPE mood AS ENUM ('sad', 'ok')"],
    ["CREATE TYPE mood AS ENUM ('sad', 'so', 'ok')"],
  ),
  onItems('drop an enum', ["CREATE TYPE mood AS ENUM ('sad', 'ok')"], []),
  onItems('add a domain', [], ["CREATE DOMAIN mail AS varchar CHECK (VALUE LIKE '%@%')"]),
  onItems(
    'change a domain',
    ["CREATE DOMAIN mail AS text CHECK (VALUE LIKE '%@%')"],
    ["CREATE DOMAIN mail AS text DEFAULT 'a@b' CONSTRAINT long CHECK (length(VALUE) > 2)"],
  ),
  onItems('add a composite type', [], ['CREATE TYPE pair AS (a int, b text)']),
  onItems(
    'change a composite type',
    ['CREATE TYPE pair AS (a int)'],
    ['CREATE TYPE pair AS (a int, b text)'],
  ),
  onItems('add a range type', [], ['CREATE TYPE span AS RANGE (subtype = float8)']),
  onItems('add a sequence', [], ['CREATE SEQUENCE numbers AS int START 5 INCREMENT 2 CACHE 3']),
  onItems(
    'change a sequence',
    ['CREATE SEQUENCE numbers'],
    ['CREATE SEQUENCE numbers INCREMENT 2 MAXVALUE 1000 CYCLE'],
  ),
  onItems('add a schema', [], ['CREATE SCHEMA extra', 'CREATE TABLE extra.t (id int)']),
  onItems('drop a schema', ['CREATE SCHEMA extra', 'CREATE TABLE extra.t (id int)'], []),
];

/** Rights and attributes of tables, and what the whole database has. */
export const ATTRIBUTE_CHANGES: readonly ChangeCase[] = [
  onItems(
    'add a policy',
    [],
    [
      'ALTER TABLE items ENABLE ROW LEVEL SECURITY',
      "CREATE POLICY own ON items USING (name = current_setting('app.name', true))",
    ],
  ),
  onItems(
    'change a policy',
    ['CREATE POLICY own ON items USING (price > 1)'],
    [
      "CREATE POLICY own ON items AS RESTRICTIVE FOR UPDATE USING (name IN ('a', 'b')) WITH CHECK (price > 2)",
    ],
  ),
  onItems('drop a policy', ['CREATE POLICY own ON items USING (price > 1)'], []),
  onItems(
    'force row security',
    ['ALTER TABLE items ENABLE ROW LEVEL SECURITY'],
    ['ALTER TABLE items ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY'],
  ),
  onItems('grant', [], ['GRANT SELECT, INSERT ON items TO PUBLIC', 'GRANT UPDATE (name) ON items TO PUBLIC']),
  onItems('revoke', ['GRANT SELECT, INSERT ON items TO PUBLIC'], []),
  onItems(
    'grant on a relation whose columns have grants',
    ['GRANT UPDATE (name), SELECT (id) ON items TO PUBLIC'],
    ['GRANT UPDATE (name), SELECT (id) ON items TO PUBLIC', 'GRANT INSERT ON items TO PUBLIC'],
  ),
  onItems(
    'add default privileges',
    [],
    ['ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC'],
  ),
  onItems(
    'comment',
    [],
    ["COMMENT ON TABLE items IS 'things'", "COMMENT ON COLUMN items.name IS 'it''s called'"],
  ),
  onItems(
    'change a comment',
    ["COMMENT ON TABLE items IS 'things'"],
    ["COMMENT ON TABLE items IS 'other things'"],
  ),
  onItems(
    'set storage parameters',
    [],
    ['ALTER TABLE items SET (fillfactor = 70, autovacuum_enabled = false)'],
  ),
  onItems('make it unlogged', [], ['ALTER TABLE items SET UNLOGGED']),
  onItems('add a rule', [], ['CREATE RULE quiet AS ON DELETE TO items DO INSTEAD NOTHING']),
  onItems('add a publication', [], ['CREATE PUBLICATION changes FOR TABLE items']),
  onItems('add an extension', [], ['CREATE EXTENSION pgcrypto']),
  onItems('add a collation', [], ["CREATE COLLATION plain (provider = libc, locale = 'C')"]),
  onItems('replica identity', [], ['ALTER TABLE items REPLICA IDENTITY FULL']),
  onItems(
    'add an event trigger',
    ['CREATE FUNCTION noted() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$'],
    [
      'CREATE FUNCTION noted() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$',
      'CREATE EVENT TRIGGER noted ON sql_drop EXECUTE FUNCTION noted()',
    ],
  ),
];

/** Partitioned tables, with partitions that only the server knows. */
export const PARTITION_CHANGES: readonly ChangeCase[] = [
  onItems('add a partitioned table', [], PARTED),
  onEvents('add an index to partitions', [], ['CREATE INDEX by_kind ON events (kind)']),
  onEvents(
    'change an index of partitions',
    ['CREATE INDEX by_kind ON events (kind)'],
    ['CREATE INDEX by_kind ON events (kind, id)'],
  ),
  onEvents('drop an index of partitions', ['CREATE INDEX by_kind ON events (kind)'], []),
  onEvents('add a column to partitions', [], ['ALTER TABLE events ADD COLUMN note text']),
  onEvents(
    'add a check to partitions',
    [],
    ["ALTER TABLE events ADD CONSTRAINT kinds CHECK (kind IN ('a', 'b'))"],
  ),
  {
    ...onEvents(
      'add a foreign key to partitions',
      ['CREATE TABLE kinds (kind varchar(10) PRIMARY KEY)'],
      [
        'CREATE TABLE kinds (kind varchar(10) PRIMARY KEY)',
        'ALTER TABLE events ADD FOREIGN KEY (kind) REFERENCES kinds',
      ],
    ),
    seed: [...PARTS, "INSERT INTO kinds VALUES ('a')"],
  },
  onEvents(
    'add a unique constraint to partitions',
    [],
    ['ALTER TABLE events ADD CONSTRAINT once UNIQUE (at, id)'],
  ),
  {
    ...onEvents(
      'add keys to partitions of partitions, on columns that may be null',
      [],
      [
        'ALTER TABLE events ADD CONSTRAINT once UNIQUE (at, id)',
        'CREATE INDEX events_kind ON events (kind)',
        'ALTER TABLE plain_events ALTER COLUMN id SET NOT NULL, ADD PRIMARY KEY (id, at)',
      ],
    ),
    base: [
      ...PARTED,
      'CREATE TABLE plain_events (id bigint, at timestamptz NOT NULL, kind text) PARTITION BY RANGE (at)',
    ],
    seed: [...PARTS, ...PARTS_OF_PARTS],
  },
  onEvents('set not null on partitions', [], ['ALTER TABLE events ALTER COLUMN kind SET NOT NULL']),
  {
    ...onEvents(
      'add a trigger to partitions',
      [],
      [
        'CREATE TRIGGER touched BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION touch()',
        'CREATE TRIGGER kept BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION touch()',
      ],
    ),
    base: [...PARTED, ...TOUCH],
  },
  onEvents(
    'protect partitions',
    [],
    [
      'ALTER TABLE events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
      "CREATE POLICY own ON events USING (kind = 'a')",
    ],
  ),
];
