// Traps of partitioning by time: the naive SQL shows each, the definition shows its answer.
import { integer, pgSchema, primaryKey, timestamp } from 'drizzle-orm/pg-core';
import { Client } from 'pg';
import { expect } from 'vitest';
import { database } from '../../src/define/index.ts';
import { partitions } from '../../src/traits/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { refusal, settle, stand } from '../traits/stand.ts';

const NOW = new Date('2026-11-21T12:00:00Z');
const RANGED = (name: string): string =>
  `CREATE TABLE ${name} (id int, at timestamptz NOT NULL) PARTITION BY RANGE (at)`;

function ours(name: string) {
  const schema = pgSchema(name);
  const rows = schema.table(
    'rows',
    { id: integer().notNull(), at: timestamp({ withTimezone: true }).notNull() },
    (t) => [primaryKey({ columns: [t.id, t.at] })],
  );
  const hot = { newest: 1, indexes: [{ name: 'recent', on: ['at'] }] };
  return database(name, {
    tables: { schema, rows },
    traits: [partitions(rows, { by: rows.at, every: 'month', ahead: 1, hot })],
  });
}

async function inZone(db: TestDatabase, zone: string, sql: string): Promise<void> {
  const client = new Client(db.url);
  await client.connect();
  try {
    await client.query(`SET TimeZone = '${zone}'`);
    await client.query(sql);
  } finally {
    await client.end();
  }
}

test('BX-19 bounds follow the session’s zone: naive overlaps and loses hours, ours are UTC instants', async ({
  db,
}) => {
  await db.query(`CREATE SCHEMA naive; ${RANGED('naive.pm')}`);
  await inZone(
    db,
    'America/Sao_Paulo',
    `CREATE TABLE naive.pm_02 PARTITION OF naive.pm FOR VALUES FROM ('2027-02-01') TO ('2027-03-01')`,
  );
  const next = inZone(
    db,
    'UTC',
    `CREATE TABLE naive.pm_03 PARTITION OF naive.pm FOR VALUES FROM ('2027-03-01') TO ('2027-04-01')`,
  );
  expect((await refusal(next)).message).toBe('partition "pm_03" would overlap partition "pm_02"');
  expect((await refusal(db.query(`INSERT INTO naive.pm VALUES (1, '2027-02-01 01:00+00')`))).message).toBe(
    'no partition of relation "pm" found for row',
  );

  const definition = ours('zones');
  await stand(db, definition, NOW);
  for (const [month, zone] of ['America/Sao_Paulo', 'Asia/Kathmandu', 'UTC'].entries()) {
    await settle(db, definition, {
      now: new Date(Date.UTC(2026, 12 + month)),
      prepare: `SET TimeZone = '${zone}'`,
    });
  }
  await db.query(
    `INSERT INTO zones.rows SELECT n, '2026-11-01 00:00+00'::timestamptz + n * interval '1 hour' FROM generate_series(0, 4 * 28 * 24) n`,
  );
  expect(
    await db.query(`SELECT count(*)::int AS n FROM pg_inherits WHERE inhparent = 'zones.rows'::regclass`),
  ).toEqual([{ n: 6 }]);
});

test('BX-20 no partition ahead, or a DEFAULT one: naive loses the row or the month, ours is ahead and refuses a DEFAULT', async ({
  db,
}) => {
  await db.query(
    `${RANGED('naive.late')}; CREATE TABLE naive.late_11 PARTITION OF naive.late FOR VALUES FROM ('2026-11-01 00:00+00') TO ('2026-12-01 00:00+00')`,
  );
  expect((await refusal(db.query(`INSERT INTO naive.late VALUES (1, '2026-12-01 00:00+00')`))).message).toBe(
    'no partition of relation "late" found for row',
  );
  await db.query(
    `CREATE TABLE naive.late_rest PARTITION OF naive.late DEFAULT; INSERT INTO naive.late VALUES (1, '2026-12-01 00:00+00')`,
  );
  const month = db.query(
    `CREATE TABLE naive.late_12 PARTITION OF naive.late FOR VALUES FROM ('2026-12-01 00:00+00') TO ('2027-01-01 00:00+00')`,
  );
  expect((await refusal(month)).message).toBe(
    'updated partition constraint for default partition "late_rest" would be violated by some row',
  );

  const definition = ours('ahead');
  await stand(db, definition, NOW);
  await db.query(`INSERT INTO ahead.rows VALUES (1, '2026-12-31 23:59+00')`);
  await settle(db, definition, new Date('2026-12-31T23:59:59Z'));
  await db.query(`INSERT INTO ahead.rows VALUES (1, '2027-01-01 00:00+00')`);
  await db.query('CREATE TABLE ahead.rest PARTITION OF ahead.rows DEFAULT');
  expect((await refusal(settle(db, definition, NOW))).code).toBe('HF_PARTITION_DEFAULT');
});

test('BX-22 a name proves nothing: naive skips a table that is no partition, ours goes by bounds', async ({
  db,
}) => {
  await db.query(`${RANGED('naive.named')}; CREATE TABLE naive.named_y2026m11 (other int)`);
  await db.query(
    `CREATE TABLE IF NOT EXISTS naive.named_y2026m11 PARTITION OF naive.named FOR VALUES FROM ('2026-11-01 00:00+00') TO ('2026-12-01 00:00+00')`,
  );
  expect((await refusal(db.query(`INSERT INTO naive.named VALUES (1, '2026-11-05')`))).code).toBe('23514');
  await db.query(`CREATE SCHEMA named; CREATE TABLE named.rows_y2026m11 (other int)`);
  await stand(db, ours('named'), NOW);
  await db.query(`INSERT INTO named.rows VALUES (1, '2026-11-05')`);
  expect(await db.query('SELECT tableoid::regclass::text AS at FROM named.rows')).toEqual([
    { at: 'named.rows_y2026m11_2' },
  ]);
});

test('BX-23 a key without the time: naive is refused by the server, ours at definition with a way out', async ({
  db,
}) => {
  const naive = `CREATE TABLE naive.keyed (id int PRIMARY KEY, at timestamptz NOT NULL) PARTITION BY RANGE (at)`;
  expect((await refusal(db.query(naive))).message).toBe(
    'unique constraint on partitioned table must include all partitioning columns',
  );
  const schema = pgSchema('keyed');
  const rows = schema.table('rows', {
    id: integer().primaryKey(),
    at: timestamp({ withTimezone: true }).notNull(),
  });
  const define = () =>
    database('keyed', { tables: { schema, rows }, traits: [partitions(rows, { by: 'at', every: 'month' })] });
  expect(define).toThrow(
    'Add at to the key, or keep what must be unique for ever in a table of its own. [HF_PARTITION_KEY]',
  );
  const whole = ours('whole');
  await stand(db, whole, NOW);
  await db.query(`INSERT INTO whole.rows VALUES (1, '2026-11-05')`);
  expect((await refusal(db.query(`INSERT INTO whole.rows VALUES (1, '2026-11-05')`))).code).toBe('23505');
});

test('B0-03 a predicate of the last 7 days: naive is refused, ours follows the partitions', async ({
  db,
}) => {
  await db.query('CREATE TABLE naive.hot (id int, at timestamptz NOT NULL)');
  const now = db.query(`CREATE INDEX ON naive.hot (id) WHERE at > now() - interval '7 days'`);
  expect((await refusal(now)).message).toBe('functions in index predicate must be marked IMMUTABLE');
  const definition = ours('hot');
  await stand(db, definition, NOW);
  const where = (): Promise<unknown[]> =>
    db.query(
      `SELECT tablename AS on FROM pg_indexes WHERE schemaname = 'hot' AND indexname LIKE '%recent' ORDER BY 1`,
    );
  expect(await where()).toEqual([{ on: 'rows_y2026m11' }, { on: 'rows_y2026m12' }]);
  await settle(db, definition, new Date('2027-01-05'));
  expect(await where()).toEqual([{ on: 'rows_y2027m01' }, { on: 'rows_y2027m02' }]);
});
