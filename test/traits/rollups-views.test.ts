// The refresh of materialised views: beside readers, above a floor, with an age, one failing alone.
import { sql } from 'drizzle-orm';
import { integer, pgSchema, text } from 'drizzle-orm/pg-core';
import { expect } from 'vitest';
import {
  aboutAlert,
  aboutMetric,
  database,
  type Definition,
  type DefinitionError,
} from '../../src/define/index.ts';
import { incremental, rollups } from '../../src/traits/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { maintain, runJob } from './keeping.ts';
import { sessionAs, stand } from './stand.ts';

const NOW = new Date('2026-11-21T12:00:00Z');
const LATER = new Date('2026-11-21T13:00:00Z');

const app = pgSchema('views');
const rows = app.table('rows', { tenantId: text('tenant_id').notNull(), k: text(), n: integer().notNull() });
const totals = app
  .materializedView('totals', { tenantId: text('tenant_id'), n: integer() })
  .as(sql`SELECT tenant_id, sum(n)::int AS n FROM views.rows GROUP BY tenant_id`);
const shares = app
  .materializedView('shares', { tenantId: text('tenant_id'), share: integer() })
  .as(sql`SELECT tenant_id, 100 / sum(n)::int AS share FROM views.rows GROUP BY tenant_id`);
const keys = app
  .materializedView('keys', { k: text(), n: integer() })
  .as(sql`SELECT k, count(*)::int AS n FROM views.rows GROUP BY k`);
const tables = { app, rows, totals, shares, keys };

interface Stage {
  readonly definition: Definition;
  readonly system: string;
  readonly reader: string;
}

let staged: Promise<Stage> | undefined;

async function stage(db: TestDatabase): Promise<Stage> {
  const [system, reader] = [db.role('system'), db.role('reader')];
  await db.query(`CREATE ROLE "${reader}" LOGIN`);
  const guard = { name: 'totals_v', column: 'tenant_id', setting: 'app.tenant', readers: [reader] };
  const definition = database('views', {
    tables,
    traits: [
      rollups(shares, { key: ['tenant_id'], refreshedBy: system }),
      rollups(totals, {
        key: ['tenant_id'],
        refreshedBy: system,
        floor: { ratio: 0.5 },
        guard,
        budget: '90 minutes',
      }),
      rollups(keys, { key: ['k'], refreshedBy: system, floor: { rows: 2 }, job: 'refresh' }),
    ],
  });
  await stand(db, definition, NOW);
  return { definition, system, reader };
}

/** The stage with four tenants of one row each, refreshed at NOW. */
async function open(db: TestDatabase): Promise<Stage> {
  const stageOf = await (staged ??= stage(db));
  await db.query(`TRUNCATE views.rows; INSERT INTO views.rows VALUES ('a', 'x', 1), ('b', 'y', 2), ('c', 'x', 4), ('d', 'y', 5);
    REFRESH MATERIALIZED VIEW views.totals; REFRESH MATERIALIZED VIEW views.shares; REFRESH MATERIALIZED VIEW views.keys`);
  await refresh(db, NOW);
  return stageOf;
}

async function refresh(db: TestDatabase, now: Date): ReturnType<typeof runJob> {
  const { definition } = await (staged ??= stage(db));
  const { session } = await maintain(db, { now });
  return runJob(definition, 'refresh', { session, now });
}

const ages = (db: TestDatabase) =>
  db.query('SELECT rollup, refreshed_at AS at FROM views.rollup_age ORDER BY rollup');

test('each view is refreshed by itself: one that fails stops no other and keeps its age', async ({ db }) => {
  await open(db);
  await db.query(
    `UPDATE views.rows SET n = 0 WHERE tenant_id = 'a'; UPDATE views.rows SET n = 9 WHERE tenant_id = 'b'`,
  );
  const outcome = await refresh(db, LATER);
  expect(outcome['materialised view views.shares']).toMatchObject({
    code: '22012',
    message: 'division by zero',
  });
  expect(outcome['materialised view views.totals']).toEqual({ rows: 4, what: 'refreshed' });
  expect(await db.query('SELECT n FROM views.totals ORDER BY tenant_id')).toEqual(
    [0, 9, 4, 5].map((n) => ({ n })),
  );
  expect(await db.query('SELECT share FROM views.shares ORDER BY tenant_id')).toEqual(
    [100, 50, 25, 20].map((share) => ({ share })),
  );
  expect(await ages(db)).toEqual([
    { rollup: 'keys', at: LATER },
    { rollup: 'shares', at: NOW },
    { rollup: 'totals', at: LATER },
  ]);
});

test('a refresh that would leave too few rows is an error and changes nothing, until someone does it by hand', async ({
  db,
}) => {
  await open(db);
  await db.query(`DELETE FROM views.rows WHERE tenant_id IN ('a', 'b', 'c')`);
  const outcome = await refresh(db, LATER);
  expect(outcome['materialised view views.totals']).toMatchObject({
    code: 'HF_ROLLUP_FLOOR',
    subject: 'materialised view views.totals',
    what: 'refreshing materialised view views.totals would leave 1 rows where it has 4 and needs 2; it keeps what it had.',
    fix: 'Find out where the rows went. If that is right, refresh it once by hand: the next refresh compares with that.',
  });
  expect(outcome['materialised view views.keys']).toMatchObject({
    what: 'refreshing materialised view views.keys would leave 1 rows where it has 2 and needs 2; it keeps what it had.',
  });
  // A view without a floor of its own may shrink, but not vanish.
  expect(outcome['materialised view views.shares']).toEqual({ rows: 1, what: 'refreshed' });
  expect(await db.query('SELECT count(*)::int AS n FROM views.totals')).toEqual([{ n: 4 }]);
  expect((await ages(db))[2]).toEqual({ rollup: 'totals', at: NOW });
  await db.query('REFRESH MATERIALIZED VIEW views.totals');
  expect((await refresh(db, LATER))['materialised view views.totals']).toEqual({
    rows: 1,
    what: 'refreshed',
  });
  await db.query('DELETE FROM views.rows');
  expect((await refresh(db, LATER))['materialised view views.shares']).toMatchObject({
    what: 'refreshing materialised view views.shares would leave 0 rows where it has 1 and needs 1; it keeps what it had.',
  });
});

test('readers read on while it refreshes, and a second keeper waits no longer than its lock timeout', async ({
  db,
}) => {
  const { reader } = await open(db);
  await db.query(`UPDATE views.rows SET n = 7 WHERE tenant_id = 'a'`);
  const [one, other] = [
    await maintain(db, { now: NOW }),
    await maintain(db, { now: NOW, lockTimeoutMs: 100 }),
  ];
  await one.client.query('BEGIN; SELECT FROM views.totals_refresh()');
  const client = await sessionAs(db, reader);
  await client.query(`SET app.tenant = 'a'`);
  expect((await client.query('SELECT n FROM views.totals_v')).rows).toEqual([{ n: 1 }]);
  await expect(other.client.query('SELECT FROM views.totals_refresh()')).rejects.toMatchObject({
    code: '55P03',
  });
  await one.client.query('COMMIT');
  expect((await client.query('SELECT n FROM views.totals_v')).rows).toEqual([{ n: 7 }]);
  expect((await client.query('SELECT count(*)::int AS n FROM views.rollup_age')).rows).toEqual([{ n: 3 }]);
  for (const denied of [
    'SELECT FROM views.rollup_state',
    'SELECT FROM views.totals',
    'SELECT FROM views.totals_refresh()',
  ])
    await expect(client.query(denied), denied).rejects.toMatchObject({ code: '42501' });
});

test('an owner that row security filters is found out before anything is refreshed', async ({ db }) => {
  const { system } = await open(db);
  await db.query(`ALTER ROLE "${system}" NOBYPASSRLS`);
  try {
    expect((await refresh(db, LATER))['materialised view views.totals']).toMatchObject({
      code: 'HF_ROLLUP_OWNER',
      what: 'materialised view views.totals belongs to a role that row security filters; it was not refreshed.',
    });
    expect((await ages(db))[2]).toEqual({ rollup: 'totals', at: NOW });
  } finally {
    await db.query(`ALTER ROLE "${system}" BYPASSRLS`);
  }
});

test('a NULL in the key is said at every refresh', async ({ db }) => {
  await open(db);
  await db.query(`INSERT INTO views.rows VALUES ('a', NULL, 1)`);
  expect((await refresh(db, LATER))['materialised view views.keys']).toEqual({
    rows: 3,
    what: 'refreshed; 1 of its rows have a NULL in the key and are written anew each time: COALESCE it',
  });
});

test('as SQL alone, for a scheduler in the database: one statement, with the same floor', async ({ db }) => {
  const { definition } = await open(db);
  const tasks = definition.jobs.find(({ name }) => name === 'refresh')?.tasks ?? [];
  const statements = tasks.flatMap((task) => task.sql?.(definition.model) ?? []);
  expect(statements[1]).toBe('SELECT held, without_key FROM "views"."totals_refresh"()');
  for (const statement of statements) await db.query(statement);
  await db.query(`DELETE FROM views.rows WHERE tenant_id <> 'a'`);
  await expect(db.query(statements[1] ?? '')).rejects.toMatchObject({ code: 'ZH013' });
});

test('its age, its budget and its rows are measured; an alert and a line for people say when it is late', async ({
  db,
}) => {
  const { definition } = await open(db);
  const { session } = await maintain(db, { now: NOW });
  const look = async (now: Date) => {
    const watched = definition.measures.collectors[1]?.watched;
    const samples =
      (await watched?.collect({ model: definition.model, query: session.query, now, pieces: [] })) ?? [];
    return { samples, card: watched?.card?.(samples, now) ?? [] };
  };
  const relation = 'views.totals';
  const later = await look(LATER);
  expect(later.samples).toEqual([
    { metric: 'holdfast_rollup_age_seconds', labels: { relation }, value: 3600 },
    { metric: 'holdfast_rollup_budget_seconds', labels: { relation }, value: 5400 },
    { metric: 'holdfast_rollup_rows', labels: { relation }, value: 4 },
  ]);
  expect(later.card).toEqual([
    { topic: 'rollup', subject: relation, text: '60 min old, promised 90 min', late: false },
  ]);
  expect((await look(new Date('2026-11-21T13:31:00Z'))).card[0]).toMatchObject({
    text: '91 min old, promised 90 min',
    late: true,
  });
  await db.query(`DELETE FROM views.rollup_state WHERE rollup = 'totals'`);
  const asMade = await look(LATER);
  expect(asMade.samples.map(({ metric }) => metric)).not.toContain('holdfast_rollup_age_seconds');
  expect(asMade.card[0]).toMatchObject({ text: 'filled when it was made, promised 90 min', late: false });
  await db.query('REFRESH MATERIALIZED VIEW views.totals WITH NO DATA');
  const never = await look(LATER);
  expect(never.samples[0]?.value).toBe(Infinity);
  expect(never.card[0]).toMatchObject({ text: 'never filled', late: true });
  expect(definition.measures.alerts.map(({ name }) => name)).toContain('HoldfastRollupOld');
  expect([
    ...definition.measures.metrics.flatMap(aboutMetric),
    ...definition.measures.alerts.flatMap(aboutAlert),
  ]).toEqual([]);
});

test('a definition of sums that would drift, forget or fail is refused with a way out', () => {
  const counts = app.table('counts', {
    tenantId: text('tenant_id').notNull().primaryKey(),
    n: integer().notNull(),
    total: text(),
    day: text(),
    must: text().notNull(),
  });
  const found = (more: object) => {
    try {
      database('bad', {
        tables: { ...tables, counts },
        traits: [
          incremental(counts, {
            of: rows,
            key: { tenant_id: 'source.tenant_id' },
            count: 'n',
            carried: { must: `'x'` },
            refreshedBy: 'x_system',
            ...more,
          }),
        ],
      });
      return [];
    } catch (error) {
      return (error as DefinitionError).diagnostics.map(({ code, what }) => `${code} ${what}`);
    }
  };
  expect(found({})).toEqual([]);
  expect(found({ of: 'views.none' })).toEqual([
    'HF_TRAIT_TABLE the rollup views.counts names it, but the definition has no such table.',
  ]);
  expect(found({ sums: { total: 'source.n' } })).toEqual([
    'HF_ROLLUP_SUM a sum is kept in it, and text rounds: added up piece by piece it would drift from the sum of all.',
  ]);
  expect(found({ sums: { none: 'source.n', n: '1' } })).toEqual([
    'HF_TRAIT_COLUMN its rollup fills none, which it does not have.',
    'HF_ROLLUP_COLUMN its rollup fills n twice.',
  ]);
  expect(found({ carried: {} })).toEqual([
    'HF_ROLLUP_COLUMN its rollup leaves must empty, which may not be NULL.',
  ]);
  expect(found({ key: { day: 'source.k' } })).toContain(
    "HF_ROLLUP_KEY no primary key or unique constraint has exactly the columns of its rollup's key (day).",
  );
  expect(found({ time: 'k' })).toEqual([
    'HF_ROLLUP_TIME the rollup views.counts takes k for its time, which is none.',
  ]);
  expect(found({ recounted: { total: 'max(source.k)' } })).toEqual([
    'HF_ROLLUP_RECOUNT it has figures that are counted anew and no bucket: each change would read the whole history of its key.',
  ]);
  expect(found({ bucket: { column: 'day', every: 'day' } })).toContain(
    'HF_ROLLUP_TIME its rollup has a bucket and no time to fill it from.',
  );
  expect(found({ budget: 'soon' })).toEqual([`HF_ROLLUP_BUDGET its budget "soon" is no length of time.`]);
});
