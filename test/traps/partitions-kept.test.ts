// Traps of partitions over time: the naive SQL shows each, a keeper's job shows its answer.
import { integer, pgSchema, primaryKey, timestamp } from 'drizzle-orm/pg-core';
import { Client } from 'pg';
import { expect, onTestFinished } from 'vitest';
import { database, type Definition } from '../../src/define/index.ts';
import { runJob, type Clock } from '../../src/keep/index.ts';
import { partitions, type PartitionsOptions } from '../../src/traits/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { refusal, settle, stand } from '../traits/stand.ts';

const NOW = new Date('2026-11-21T12:00:00Z');

function ours(name: string, options: Partial<PartitionsOptions> = {}): Definition {
  const schema = pgSchema(name);
  const rows = schema.table(
    'rows',
    { id: integer().notNull(), at: timestamp({ withTimezone: true }).notNull() },
    (t) => [primaryKey({ columns: [t.id, t.at] })],
  );
  const trait = partitions(rows, { by: rows.at, every: 'month', ahead: 1, ...options });
  return database(name, { tables: { schema, rows }, traits: [trait] });
}

const clockAt = (now: Date): Clock => ({
  now: () => now,
  monotonicMs: () => now.getTime(),
  sleep: async () => undefined,
});

/** Runs one job of the definition by a real keeper at an instant; gives how it ended and what each task said. */
async function kept(
  db: TestDatabase,
  definition: Definition,
  at: { readonly job: string; readonly now: Date },
) {
  const { state, tasks } = await runJob(definition, db.url, at.job, { clock: clockAt(at.now) });
  return { state, said: tasks.map(({ what, error }) => error ?? what) };
}

/** A session of the test's own, closed with it. */
async function session(db: TestDatabase, prepare: string): Promise<Client> {
  const client = new Client(db.url);
  await client.connect();
  onTestFinished(() => client.end());
  await client.query(prepare);
  return client;
}

const validity = (db: TestDatabase, schema: string): Promise<unknown[]> =>
  db.query(
    `SELECT c.relname AS name, x.indisvalid AS valid FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
     WHERE c.relnamespace = $1::text::regnamespace AND NOT x.indisprimary ORDER BY 1`,
    [schema],
  );

test('BX-21 CREATE TABLE … PARTITION OF stops every reader; ours is attached beside readers and writers', async ({
  db,
}) => {
  await db.query(
    `CREATE SCHEMA naive; CREATE TABLE naive.locked (id int, at timestamptz NOT NULL) PARTITION BY RANGE (at)`,
  );
  const maker = await session(db, 'BEGIN');
  const reader = await session(db, 'SET lock_timeout = 100');
  await maker.query(
    `CREATE TABLE naive.locked_11 PARTITION OF naive.locked FOR VALUES FROM ('2026-11-01 00:00+00') TO ('2026-12-01 00:00+00')`,
  );
  expect((await refusal(reader.query('SELECT FROM naive.locked'))).code).toBe('55P03');
  await maker.query('ROLLBACK');

  const definition = ours('locked');
  await stand(db, definition, NOW);
  const missing = await definition.traits[0]?.settle?.({
    model: definition.model,
    query: async (sql, values) => db.query(sql, values && [...values]),
    now: new Date('2026-12-21'),
  });
  await maker.query('BEGIN');
  for (const { sql } of missing?.[0]?.statements ?? []) await maker.query(sql);
  expect((await reader.query('SELECT FROM locked.rows')).rowCount).toBe(0);
  expect((await reader.query(`INSERT INTO locked.rows VALUES (1, '2026-11-05')`)).rowCount).toBe(1);
  await maker.query('COMMIT');
  await reader.query(`INSERT INTO locked.rows VALUES (1, '2027-01-05')`);
});

test('BX-24 what cannot run in a function or beside another statement: naive jobs fail for ever, ours run at top level', async ({
  db,
}) => {
  await db.query(`CREATE TABLE naive.busy (id int);
    CREATE FUNCTION naive.indexed() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE INDEX CONCURRENTLY ON naive.busy (id); END $$;
    CREATE FUNCTION naive.vacuumed() RETURNS void LANGUAGE plpgsql AS $$ BEGIN VACUUM naive.busy; END $$`);
  const naive = ['SELECT naive.indexed()', 'SELECT naive.vacuumed()', 'VACUUM naive.busy; VACUUM naive.busy'];
  const said = [];
  for (const sql of naive) said.push((await refusal(db.query(sql))).message);
  expect(said).toEqual([
    'CREATE INDEX CONCURRENTLY cannot be executed from a function',
    'VACUUM cannot be executed from a function',
    'VACUUM cannot run inside a transaction block',
  ]);

  const hot = { newest: 1, indexes: [{ name: 'recent', on: ['at'] }] };
  await stand(db, ours('level'), NOW);
  expect(await kept(db, ours('level', { hot }), { job: 'hot-indexes', now: NOW })).toEqual({
    state: 'done',
    said: [
      'index rows_y2026m11_recent on level.rows_y2026m11; index rows_y2026m12_recent on level.rows_y2026m12',
    ],
  });
  expect(await kept(db, ours('level', { hot }), { job: 'hot-indexes', now: new Date('2026-12-05') })).toEqual(
    {
      state: 'done',
      said: ['index rows_y2026m11_recent on level.rows_y2026m11'],
    },
  );
  expect(await validity(db, 'level')).toEqual([{ name: 'rows_y2026m12_recent', valid: true }]);
});

test('BX-25 a failed concurrent build: naive keeps the invalid index for ever, ours builds it anew', async ({
  db,
}) => {
  await db.query(`CREATE TABLE naive.built (id int); INSERT INTO naive.built VALUES (1), (1)`);
  const build = 'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS built_once ON naive.built (id)';
  expect((await refusal(db.query(build))).code).toBe('23505');
  await db.query('DELETE FROM naive.built');
  await db.query(build);
  expect(await validity(db, 'naive')).toEqual([{ name: 'built_once', valid: false }]);

  const hot = { newest: 1, indexes: [{ name: 'once', on: ['id'], unique: true }] };
  const definition = ours('built', { hot });
  await stand(db, ours('built'), NOW);
  await db.query(`INSERT INTO built.rows VALUES (1, '2026-11-05'), (1, '2026-11-06')`);
  // The same failure by hand, so that its remains are real.
  const byHand = db.query('CREATE UNIQUE INDEX CONCURRENTLY rows_y2026m11_once ON built.rows_y2026m11 (id)');
  expect((await refusal(byHand)).code).toBe('23505');
  await db.query('DELETE FROM built.rows');
  expect((await kept(db, definition, { job: 'hot-indexes', now: NOW })).state).toBe('done');
  expect(await validity(db, 'built')).toEqual([
    { name: 'rows_y2026m11_once', valid: true },
    { name: 'rows_y2026m12_once', valid: true },
  ]);
});

test('BX-26 a timeout for the whole database ends maintenance too; the keeper has none, whatever the database says', async ({
  db: file,
}) => {
  const db = await file.another();
  await db.query(`CREATE SCHEMA slow; CREATE FUNCTION slow.step(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.pg_sleep(0.4); RETURN n; END $$; CREATE TABLE slow.naive (id int); INSERT INTO slow.naive VALUES (1)`);
  const hot = { newest: 1, indexes: [{ name: 'slow', on: [{ expression: 'slow.step(id)' }] }] };
  const definition = ours('work', { hot });
  await stand(db, ours('work'), NOW);
  await db.query(`INSERT INTO work.rows VALUES (1, '2026-11-05')`);
  await db.query(`ALTER DATABASE "${db.name}" SET statement_timeout = '300ms'`);
  const naive = await session(db, 'SELECT 1');
  const build = naive.query('CREATE INDEX CONCURRENTLY naive_slow ON slow.naive (slow.step(id))');
  expect((await refusal(build)).message).toBe('canceling statement due to statement timeout');
  expect(await validity(db, 'slow')).toEqual([{ name: 'naive_slow', valid: false }]);
  expect((await kept(db, definition, { job: 'hot-indexes', now: NOW })).state).toBe('done');
  expect(await validity(db, 'work')).toEqual([
    { name: 'rows_y2026m11_slow', valid: true },
    { name: 'rows_y2026m12_slow', valid: true },
  ]);
});

test('B4-03 a name that does not say what it holds: naive is refused a year later, our names come from the bounds', async ({
  db,
}) => {
  await db.query(`CREATE TABLE naive.named (id int, at timestamptz NOT NULL) PARTITION BY RANGE (at);
    CREATE TABLE naive.named_2024_01 PARTITION OF naive.named FOR VALUES FROM ('2025-01-01 00:00+00') TO ('2025-02-01 00:00+00')`);
  const next = db.query(
    `CREATE TABLE naive.named_2025_01 PARTITION OF naive.named FOR VALUES FROM ('2025-01-01 00:00+00') TO ('2025-02-01 00:00+00')`,
  );
  expect((await refusal(next)).message).toBe(
    'partition "named_2025_01" would overlap partition "named_2024_01"',
  );

  const definition = ours('named', { from: '2024-11-01', ahead: 14 });
  await stand(db, definition, new Date('2024-11-05'));
  await kept(db, definition, { job: 'partitions', now: new Date('2025-12-31T23:59:59Z') });
  const wrong = await db.query(`
    SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'named.rows'::regclass
      AND pg_get_expr(c.relpartbound, c.oid) !~ ('FROM \\(''' || substr(c.relname, 7, 4) || '-' || substr(c.relname, 12, 2) || '-01 00:00:00\\+00''\\)')`);
  expect(wrong).toEqual([]);
});

test('B4-04 the running month made on its first day: naive makes the old month again or loses rows, ours was there a month ago', async ({
  db: file,
}) => {
  const db = await file.another();
  await db.query(`CREATE SCHEMA naive; ALTER DATABASE "${db.name}" SET TimeZone = 'America/Sao_Paulo'`);
  const naive = await session(
    db,
    `CREATE TABLE naive.late (id int, at timestamptz NOT NULL) PARTITION BY RANGE (at);
     CREATE TABLE naive.late_2026_11 PARTITION OF naive.late FOR VALUES FROM ('2026-11-01') TO ('2026-12-01')`,
  );
  // What CURRENT_DATE is in that session when pg_cron starts the job at 00:00 GMT.
  const { rows } = await naive.query(
    `SELECT date_trunc('month', (timestamptz '2026-12-01 00:00+00')::date)::date::text AS month`,
  );
  expect(rows).toEqual([{ month: '2026-11-01' }]);
  expect(
    (await refusal(naive.query(`INSERT INTO naive.late VALUES (1, '2026-12-01 03:00+00')`))).message,
  ).toBe('no partition of relation "late" found for row');

  const definition = ours('late');
  await stand(db, definition, NOW);
  const turn = new Date('2026-12-01T00:00:00Z');
  await naive.query(
    `INSERT INTO late.rows SELECT n, '2026-12-01 00:00+00'::timestamptz + n * interval '1 minute' FROM generate_series(0, 180) n`,
  );
  expect(await kept(db, definition, { job: 'partitions', now: turn })).toEqual({
    state: 'done',
    said: ['partition late.rows_y2027m01 of late.rows'],
  });
  expect(await kept(db, definition, { job: 'partitions', now: turn })).toEqual({
    state: 'done',
    said: [null],
  });
  expect(await settle(db, definition, turn)).toEqual([]);
});
