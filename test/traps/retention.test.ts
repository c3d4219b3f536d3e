// Traps of rows that grow old: the naive SQL shows each, the definition shows its answer.
import { bigint, integer, numeric, pgSchema, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import { expect } from 'vitest';
import { database } from '../../src/define/index.ts';
import { migrate } from '../../src/ledger/index.ts';
import { incremental, partitions, retention } from '../../src/traits/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { fill, openShop, shop, sumOf, turn } from '../traits/retention-stand.ts';
import { refusal, stand } from '../traits/stand.ts';

const at = (iso: string): Date => new Date(iso);
const FOUR_MONTHS = { from: '2026-01-01T00:00:00Z', to: '2026-04-30T12:00:00Z' };

async function ledger(db: TestDatabase): Promise<void> {
  const client = await db.pool.connect();
  await migrate(client).finally(() => client.release());
}

test('B0-05 effectiveness forgets after 90 days: naive loses its sums with the partition, ours are closed before', async ({
  db,
}) => {
  await db.query(`CREATE SCHEMA naive; CREATE TABLE naive.log (rule int, at timestamptz NOT NULL) PARTITION BY RANGE (at);
    CREATE TABLE naive.log_01 PARTITION OF naive.log FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
    INSERT INTO naive.log SELECT 1, '2026-01-15 00:00+00' FROM generate_series(1, 200);
    CREATE MATERIALIZED VIEW naive.effectiveness AS SELECT rule, count(*)::int AS applications FROM naive.log GROUP BY rule`);
  const forgets = 'SELECT sum(applications)::int AS applications FROM naive.effectiveness';
  expect(await db.query(forgets)).toEqual([{ applications: 200 }]);
  await db.query(
    'ALTER TABLE naive.log DETACH PARTITION naive.log_01; REFRESH MATERIALIZED VIEW naive.effectiveness',
  );
  expect(await db.query(forgets)).toEqual([{ applications: null }]);

  const schema = pgSchema('rules');
  const log = schema.table(
    'log',
    {
      tenantId: text('tenant_id').notNull(),
      id: integer().generatedByDefaultAsIdentity().notNull(),
      createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
      kind: text().notNull(),
    },
    (t) => [primaryKey({ columns: [t.tenantId, t.id, t.createdAt] })],
  );
  const effectiveness = schema.table(
    'effectiveness',
    {
      tenantId: text('tenant_id').notNull(),
      kind: text().notNull(),
      applications: bigint({ mode: 'number' }).notNull(),
      total: numeric().notNull(),
    },
    (t) => [primaryKey({ columns: [t.tenantId, t.kind] })],
  );
  const system = db.role('system');
  const definition = database('rules', {
    tables: { schema, log, effectiveness },
    traits: [
      partitions(log, { by: log.createdAt, every: 'month', from: '2026-01-01' }),
      incremental(effectiveness, {
        of: log,
        key: { tenant_id: 'source.tenant_id', kind: 'source.kind' },
        time: 'created_at',
        count: 'applications',
        sums: { total: 'source.id' },
        refreshedBy: system,
      }),
      retention(log, { online: '90 days', archive: { to: 'schema', for: '2 years' }, then: 'delete' }),
    ],
  });
  await stand(db, definition, at('2026-01-10T12:00:00Z'));
  await ledger(db);
  await fill(db, 'rules.log', FOUR_MONTHS);
  const whole = await db.query(
    `SELECT tenant_id, kind, count(*) AS applications, sum(id) AS total FROM rules.log GROUP BY 1, 2 ORDER BY 1, 2`,
  );
  // The minute's job has not run since the rows came: the run that takes them counts them first.
  await turn(db, definition, { now: at('2026-07-02T01:00:00Z') });
  expect((await sumOf(db, ['rules.log'])).rows).toBeLessThan(70);
  const kept = 'SELECT tenant_id, kind, applications, total FROM rules.effectiveness ORDER BY 1, 2';
  expect(await db.query(kept)).toEqual(whole);
  await turn(db, definition, { now: at('2029-07-02T01:00:00Z') });
  expect((await sumOf(db, ['rules.log', 'archive.log'])).rows).toBe(0);
  await turn(db, definition, { now: at('2029-07-02T01:01:00Z'), job: 'rollup' });
  expect(await db.query(kept)).toEqual(whole);
});

test('B0-06 90 days by whole months keeps up to 121: ours says so, or keeps the day', async ({ db }) => {
  const kept = { online: '90 days', archive: { to: 'schema', for: '1 year' }, then: 'delete' } as const;
  const whole = await openShop(db, 'months', { ...kept, archive: { ...kept.archive, table: 'months' } });
  const daily = await openShop(db, 'daily', {
    ...kept,
    archive: { ...kept.archive, table: 'daily' },
    exact: 'day',
    batch: { pauseMs: 0 },
  });
  const oldest = async (table: string, now: Date): Promise<number> => {
    const [row] = await db.query<{ ms: number }>(
      `SELECT extract(epoch FROM min(created_at))::float8 * 1000 AS ms FROM ${table}`,
    );
    return Math.ceil((now.getTime() - (row?.ms ?? 0)) / 86_400_000);
  };
  const eve = at('2026-05-01T23:00:00Z');
  for (const { definition, table } of [whole, daily]) {
    await fill(db, table, FOUR_MONTHS);
    await turn(db, definition, { now: eve });
  }
  expect(await oldest(whole.table, eve)).toBe(121);
  expect(await oldest(daily.table, eve)).toBe(91);
  const promise = (definition: typeof whole.definition): Date | null | undefined =>
    definition.traits
      .flatMap((one) => one.promises?.(definition.model).residences ?? [])[0]
      ?.online.clearsBefore(eve);
  expect(promise(whole.definition)).toEqual(at('2026-01-01T00:00:00Z'));
  expect(promise(daily.definition)).toEqual(at('2026-01-31T00:00:00Z'));
  const said = whole.definition.measures.collectors.flatMap(({ watched }) => watched.card?.([], eve) ?? []);
  expect(said.find((line) => line.subject === 'months.events' && line.topic === 'retention')?.text).toBe(
    '90 days online, by whole partitions (up to a month late)',
  );
});

test('B4-05 the archive that is never created: naive fails at every run, ours is part of the structure', async ({
  db,
}) => {
  await db.query(`CREATE TABLE naive.outputs (id int, at timestamptz);
    CREATE FUNCTION naive.archive() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO naive_archive.outputs SELECT * FROM naive.outputs WHERE at < now() - interval '90 days'; END $$`);
  expect((await refusal(db.query('SELECT naive.archive()'))).message).toBe(
    'relation "naive_archive.outputs" does not exist',
  );
  const { definition } = await openShop(db, 'made', {
    of: 'notes',
    online: '90 days',
    archive: { to: 'schema', table: 'made', for: '1 year' },
    then: 'delete',
  });
  expect(await db.query(`SELECT to_regclass('archive.made') IS NOT NULL AS there`)).toEqual([
    { there: true },
  ]);
  await turn(db, definition, { now: at('2026-05-01T01:00:00Z') });
});

test('B4-06 INSERT … SELECT * then DELETE: naive loses a late row and mixes columns up, ours moves by name in one statement', async ({
  db,
}) => {
  await db.query(`CREATE TABLE naive.live (id int, output text, kind text, at timestamptz);
    CREATE TABLE naive.old (id int, kind text, output text, at timestamptz);
    INSERT INTO naive.live SELECT n, 'output ' || n, 'kind', '2026-01-01 00:00+00' FROM generate_series(1, 10) n`);
  const job = await db.pool.connect();
  await job.query(`BEGIN; INSERT INTO naive.old SELECT * FROM naive.live WHERE at < '2026-02-01 00:00+00'`);
  await db.query(`INSERT INTO naive.live VALUES (11, 'late', 'kind', '2026-01-01 00:00+00')`);
  await job.query(`DELETE FROM naive.live WHERE at < '2026-02-01 00:00+00'; COMMIT`);
  job.release();
  expect(
    await db.query(`SELECT count(*)::int AS archived, count(*) FILTER (WHERE id = 11)::int AS late,
      (SELECT count(*)::int FROM naive.live) AS live, min(kind) AS kind FROM naive.old`),
  ).toEqual([{ archived: 10, late: 0, live: 0, kind: 'output 1' }]);

  const { definition, table } = await openShop(db, 'named', {
    of: 'notes',
    online: '30 days',
    archive: { to: 'schema', table: 'named', for: '1 year' },
    then: 'delete',
    batch: { rows: 20, pauseMs: 0 },
  });
  await fill(db, table, { from: '2026-01-01T00:00:00Z', to: '2026-01-31T00:00:00Z' });
  // Another order of columns on one side, as after years of changes.
  await db.query('ALTER TABLE archive.named DROP COLUMN kind, ADD COLUMN kind text');
  let late = 0;
  await turn(db, definition, {
    now: at('2026-05-01T01:00:00Z'),
    after: async (sql) => {
      if (!sql.includes('FOR UPDATE OF t SKIP LOCKED') || (late += 1) > 2) return;
      await db.query(
        `INSERT INTO ${table} (tenant_id, created_at, kind) VALUES ('late', '2026-01-02 00:00+00', 'late')`,
      );
    },
  });
  expect(late).toBeGreaterThan(2);
  expect(
    await db.query(`SELECT tenant_id, kind, count(*)::int FROM (SELECT tenant_id, kind FROM ${table}
      UNION ALL SELECT tenant_id, kind FROM archive.named) r WHERE tenant_id = 'late' GROUP BY 1, 2`),
  ).toEqual([{ tenant_id: 'late', kind: 'late', count: 2 }]);
  expect((await sumOf(db, [table, 'archive.named'])).rows).toBe(61 + 2);
  expect((await sumOf(db, ['archive.named'], `kind !~ '^(k[0-9]+|late)$'`)).rows).toBe(0);
});

test('B4-07 a table of policies that drives nothing and takes anything: ours is read, checked and run', async ({
  db,
}) => {
  await db.query(`CREATE TABLE naive.policies (table_name text, retention_days int);
    INSERT INTO naive.policies VALUES ('outputs', 90), ('outputs', 30), ('no_such_table', -5)`);
  const tables = shop('policies');
  const build = (...traits: ReturnType<typeof retention>[]): unknown =>
    database('policies', { tables, traits });
  const kept = { online: '90 days', then: 'delete' } as const;
  expect(() => build(retention('policies.none', kept))).toThrow(
    'table policies.none: retention names it, but the definition has no such table. Add the table or correct its name. [HF_TRAIT_TABLE]',
  );
  expect(() => retention(tables.notes, { ...kept, online: '-5 days' })).toThrow(/HF_RETENTION_PERIOD/);
  expect(() =>
    build(retention(tables.notes, kept), retention(tables.notes, { ...kept, online: '30 days' })),
  ).toThrow(/job retention: it works on table policies\.notes twice/);
  // Deleting a message took what was queued for it along; here a row that others point at stays.
  await db.query(`CREATE TABLE naive.messages (id int PRIMARY KEY, at timestamptz); CREATE TABLE naive.queue (message int REFERENCES naive.messages ON DELETE CASCADE);
    INSERT INTO naive.messages VALUES (1, '2026-01-01 00:00+00'); INSERT INTO naive.queue VALUES (1);
    DELETE FROM naive.messages WHERE at < '2026-04-01 00:00+00'`);
  expect(await db.query('SELECT count(*)::int AS queued FROM naive.queue')).toEqual([{ queued: 0 }]);
  const { definition, table } = await openShop(db, 'messages', { ...kept, of: 'notes' });
  await db.query(`INSERT INTO ${table} (tenant_id, id, created_at) VALUES ('a', 1, '2026-01-01 00:00+00'), ('a', 2, '2026-01-01 00:00+00');
    CREATE TABLE messages.queue (tenant_id text, message int, FOREIGN KEY (tenant_id, message) REFERENCES ${table} ON DELETE CASCADE);
    INSERT INTO messages.queue VALUES ('a', 1)`);
  expect(await turn(db, definition, { now: at('2026-05-01T01:00:00Z') })).toEqual([
    { rows: 1, bytes: 0, what: '1 row stays: other rows point at it' },
  ]);
  expect(await db.query('SELECT count(*)::int AS queued FROM messages.queue')).toEqual([{ queued: 1 }]);
});

test('BX-24 DETACH … CONCURRENTLY in a function or transaction is refused; ours is a statement of its own', async ({
  db,
}) => {
  await db.query(`CREATE TABLE naive.parts (at timestamptz NOT NULL) PARTITION BY RANGE (at);
    CREATE TABLE naive.parts_01 PARTITION OF naive.parts FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
    CREATE FUNCTION naive.detach() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
      ALTER TABLE naive.parts DETACH PARTITION naive.parts_01 CONCURRENTLY; END $$`);
  expect((await refusal(db.query('SELECT naive.detach()'))).message).toBe(
    'ALTER TABLE ... DETACH CONCURRENTLY cannot be executed from a function',
  );
  expect(
    (await refusal(db.query('BEGIN; ALTER TABLE naive.parts DETACH PARTITION naive.parts_01 CONCURRENTLY')))
      .message,
  ).toBe('ALTER TABLE ... DETACH CONCURRENTLY cannot run inside a transaction block');
  await db.query('ROLLBACK');

  const { definition, table } = await openShop(db, 'level', { online: '90 days', then: 'delete' });
  await fill(db, table, FOUR_MONTHS);
  const around: string[] = [];
  await turn(db, definition, { now: at('2026-05-02T01:00:00Z'), before: (sql) => void around.push(sql) });
  const detach = around.findIndex((sql) =>
    sql.endsWith('DETACH PARTITION "level"."events_y2026m01" CONCURRENTLY'),
  );
  const opened = around.slice(0, detach).filter((sql) => sql === 'BEGIN').length;
  const closed = around.slice(0, detach).filter((sql) => sql === 'COMMIT').length;
  expect(detach).toBeGreaterThan(0);
  expect(opened).toBe(closed);
});
