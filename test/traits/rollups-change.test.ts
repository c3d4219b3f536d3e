// A rollup whose figures change: planned, applied and counted anew.
import { bigint, integer, pgSchema, primaryKey, text } from 'drizzle-orm/pg-core';
import { expect } from 'vitest';
import { apply, plan } from '../../src/build/index.ts';
import { database } from '../../src/define/index.ts';
import { incremental } from '../../src/traits/index.ts';
import { test } from '../cluster/index.ts';

const app = pgSchema('app');
const rows = app.table('rows', { k: text().notNull(), n: integer().notNull() });
const columns = {
  k: text().notNull(),
  n: bigint({ mode: 'number' }).notNull(),
  total: bigint({ mode: 'number' }).notNull(),
};
test(
  'a figure that is computed otherwise is counted anew by the next run, while changes wait and writers write',
  { timeout: 60_000 },
  async ({ db }) => {
    const refreshedBy = db.role('system');
    const before = app.table('totals', columns, (t) => [primaryKey({ columns: [t.k] })]);
    const after = app.table(
      'totals',
      { ...columns, squares: bigint({ mode: 'number' }).notNull().default(0) },
      (t) => [primaryKey({ columns: [t.k] })],
    );
    const of = (totals: typeof before | typeof after, sums: Record<string, string>) =>
      database('changing', {
        tables: { app, rows, totals },
        traits: [incremental(totals, { of: rows, key: { k: 'source.k' }, count: 'n', sums, refreshedBy })],
      });
    const now = new Date();
    const first = of(before, { total: 'source.n' });
    await apply(await plan(first, db.url, { now }), db.url);
    await db.query(`INSERT INTO app.rows VALUES ('a', 2), ('a', 3); SELECT FROM app.totals_settle()`);
    await db.query(`INSERT INTO app.rows VALUES ('a', 4)`);
    const second = of(after, { total: '10 * source.n', squares: 'source.n * source.n' });
    const change = await plan(second, db.url, { now });
    await apply(change, db.url);
    await db.query(`INSERT INTO app.rows VALUES ('b', 1)`);
    await db.query('SELECT FROM app.totals_settle()');
    expect(await db.query('SELECT k, n::int, total::int, squares::int FROM app.totals ORDER BY k')).toEqual([
      { k: 'a', n: 3, total: 90, squares: 29 },
      { k: 'b', n: 1, total: 10, squares: 1 },
    ]);
    expect((await plan(second, db.url, { now })).steps).toEqual([]);
  },
);
