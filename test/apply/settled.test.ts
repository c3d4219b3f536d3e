// Run-time objects that PostgreSQL makes outside transactions: cut off between the statement and its ledger row, a plan
// goes on, and goes back, from what is really there.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bigint, pgSchema, primaryKey, timestamp } from 'drizzle-orm/pg-core';
import { expect } from 'vitest';
import { apply } from '../../src/build/apply.ts';
import { catalogueDump } from '../../src/build/catalogue-dump.ts';
import { plan } from '../../src/build/plan.ts';
import { rollback } from '../../src/build/rollback.ts';
import type { Plan } from '../../src/build/step.ts';
import { database, type Definition } from '../../src/define/index.ts';
import { runs, stepsOf } from '../../src/ledger/index.ts';
import { partitions, type PartitionsOptions } from '../../src/traits/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { invalidIndexes } from '../online/try-change.ts';

const JITI = 'node_modules/jiti/lib/jiti-cli.mjs';
const NOW = new Date('2026-11-21T12:00:00Z');
const LATER = new Date('2027-01-05T12:00:00Z');
const HOT = { newest: 2, indexes: [{ name: 'recent', on: ['at'] }] } as const;

function events(more: Partial<PartitionsOptions> = {}): Definition {
  const schema = pgSchema('log');
  const table = schema.table(
    'events',
    { id: bigint({ mode: 'number' }).notNull(), at: timestamp({ withTimezone: true }).notNull() },
    (t) => [primaryKey({ columns: [t.id, t.at] })],
  );
  const trait = partitions(table, { by: table.at, every: 'month', ahead: 1, from: '2026-11-01', ...more });
  return database('log', { tables: { schema, table }, traits: [trait] });
}

/** A database whose partitions hold rows, and the plan that builds hot indexes on them. */
async function withRows(file: TestDatabase): Promise<{ db: TestDatabase; hot: Plan }> {
  const db = await file.another();
  await apply(await plan(events(), db.url, { now: NOW }), db.url);
  await db.query(`INSERT INTO log.events SELECT i, '2026-11-05' FROM generate_series(1, 500) i`);
  return { db, hot: await plan(events({ hot: HOT }), db.url, { now: NOW }) };
}

/** kill -9 at the n-th boundary of a plan; each statement has three, the second lies before its ledger row. */
async function killed(db: TestDatabase, cut: Plan, boundary: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-settled-'));
  const file = join(folder, 'plan.json');
  writeFileSync(file, JSON.stringify(cut));
  const child = spawn(process.execPath, [JITI, 'test/apply/crash-child.ts', file, db.url, String(boundary)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    expect(said.toString()).toBe('stopped\n');
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
    rmSync(folder, { recursive: true });
  }
}

async function newestSteps(db: TestDatabase): Promise<unknown> {
  const [run] = await runs(db.pool);
  const rows = await stepsOf(db.pool, run?.run ?? '');
  return rows.map(({ number, state, attempts }) => [number, state, attempts]);
}

const HOT_SQL = `SELECT c.relname AS name, i.indisvalid AS valid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  WHERE c.relname LIKE '%recent' ORDER BY 1`;
const built = (month: string): { name: string; valid: boolean } => ({
  name: `events_y${month}_recent`,
  valid: true,
});

test('a built index is not built again', async ({ db: file }) => {
  const { db, hot } = await withRows(file);
  expect(hot.steps.map(({ transactional, lockTimeoutMs }) => [transactional, lockTimeoutMs])).toEqual([
    [false, 0],
    [false, 0],
  ]);
  await killed(db, hot, 2);
  const [before] = await db.query(`SELECT 'log.events_y2026m11_recent'::regclass::oid AS oid`);
  expect(await newestSteps(db)).toEqual([[1, 'started', 1]]);
  expect(await apply(hot, db.url)).toMatchObject({ resumed: true, endsAsPlanned: true });
  expect(await db.query(`SELECT 'log.events_y2026m11_recent'::regclass::oid AS oid`)).toEqual([before]);
  expect(await newestSteps(db)).toEqual([
    [1, 'done', 1],
    [2, 'done', 1],
  ]);
  expect(await db.query(HOT_SQL)).toEqual([built('2026m11'), built('2026m12')]);
});

test('an index that was left invalid is cleared and built whole', async ({ db: file }) => {
  const { db, hot } = await withRows(file);
  await killed(db, hot, 2);
  await db.query(
    `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'log.events_y2026m11_recent'::regclass`,
  );
  expect(await apply(hot, db.url)).toMatchObject({ resumed: true });
  expect(await invalidIndexes(db.pool)).toEqual([]);
  expect(await db.query(HOT_SQL)).toEqual([built('2026m11'), built('2026m12')]);
});

test('a rollback takes back what was built before the cut', async ({ db: file }) => {
  const { db, hot } = await withRows(file);
  const start = await catalogueDump(db.pool);
  await killed(db, hot, 5);
  await rollback(db.url, { to: 'previous' });
  expect(await catalogueDump(db.pool)).toEqual(start);
});

test('an index that went with age stays gone, and comes back with a rollback', async ({ db: file }) => {
  const { db, hot } = await withRows(file);
  await apply(hot, db.url);
  const ageing = await plan(events({ hot: HOT }), db.url, { now: LATER });
  const at = ageing.steps.findIndex(({ sql }) => sql.startsWith('DROP INDEX CONCURRENTLY'));
  expect(ageing.steps[at]).toMatchObject({ doneWhen: expect.stringContaining('IS NULL AS done') });
  const start = await catalogueDump(db.pool);
  const aged = ageing.steps.length;
  await killed(db, ageing, at * 3 + 2);
  expect(await apply(ageing, db.url)).toMatchObject({ resumed: true, endsAsPlanned: true, steps: aged });
  expect((await db.query<{ name: string }>(HOT_SQL)).map(({ name }) => name)).not.toContain(
    'events_y2026m11_recent',
  );
  await rollback(db.url, { to: 'previous' });
  expect(await catalogueDump(db.pool)).toEqual(start);
});
