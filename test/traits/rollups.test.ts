import { sql } from 'drizzle-orm';
import { integer, pgSchema, text } from 'drizzle-orm/pg-core';
import { expect } from 'vitest';
import { database, type DefinitionError } from '../../src/define/index.ts';
import { rollups } from '../../src/traits/index.ts';
import { test } from '../cluster/index.ts';
import { sessionAs, settle, stand } from './stand.ts';

const app = pgSchema('app');
const other = pgSchema('other');
const sales = app.table('sales', {
  tenantId: text('tenant_id').notNull(),
  item: text().notNull(),
  price: integer(),
});
const rates = other.table('rates', { item: text().primaryKey(), rate: integer() });
const unread = app.table('unread', { id: integer().primaryKey() });
const tables = { app, other, sales, rates, unread };
const QUERY = `SELECT s.tenant_id, s.item, sum(s.price * r.rate)::int AS total
  FROM app.sales s JOIN other.rates r USING (item) GROUP BY 1, 2`;

test('a view given as SQL is filled once, owned by a quiet role that reads what the query names, and refreshes beside readers', async ({
  db,
}) => {
  const [system, reader] = [db.role('system'), db.role('reader')];
  await db.query(`CREATE ROLE "${reader}" LOGIN`);
  const definition = database('rolled', {
    tables,
    traits: [
      rollups('app.totals', {
        key: ['tenant_id', 'item'],
        refreshedBy: system,
        query: QUERY,
        guard: { name: 'totals_v', column: 'tenant_id', setting: 'app.tenant', readers: [reader] },
      }),
    ],
  });
  const filled = await stand(db, definition);
  expect(filled.map(({ subject, statements }) => [subject, ...statements])).toEqual([
    [
      'materialised view app.totals',
      {
        sql: 'SELECT held AS rows FROM "app"."totals_refresh"()',
        transactional: true,
        lock: 'ACCESS EXCLUSIVE',
        on: { schema: 'app', name: 'totals' },
      },
    ],
  ]);
  expect(await settle(db, definition, new Date())).toEqual([]);
  await db.query(
    `INSERT INTO app.sales VALUES ('a', 'tea', 2), ('b', 'tea', 3); INSERT INTO other.rates VALUES ('tea', 10)`,
  );
  const quiet = await db.pool.connect();
  try {
    await quiet.query(`SET ROLE "${system}"`);
    await quiet.query('REFRESH MATERIALIZED VIEW CONCURRENTLY app.totals');
    await expect(quiet.query('SELECT * FROM app.unread')).rejects.toMatchObject({ code: '42501' });
  } finally {
    quiet.release(true);
  }
  const client = await sessionAs(db, reader);
  await client.query(`SET app.tenant = 'b'`);
  expect((await client.query('SELECT * FROM app.totals_v')).rows).toEqual([
    { tenant_id: 'b', item: 'tea', total: 30 },
  ]);
  await expect(client.query('SELECT * FROM app.totals')).rejects.toMatchObject({ code: '42501' });
});

test('a rollup that cannot be kept is refused with a way out', () => {
  const plainView = app.view('plain_view', { n: integer() }).as(sql`SELECT 1 AS n`);
  const codes = (...[view, options]: Parameters<typeof rollups>): string[] => {
    try {
      database('bad', { tables: { ...tables, plainView }, traits: [rollups(view, options)] });
      return [];
    } catch (error) {
      return (error as DefinitionError).diagnostics.map(({ code }) => code);
    }
  };
  const refreshedBy = 'x_system';
  expect(codes('app.nothing', { key: ['a'], refreshedBy })).toEqual(['HF_TRAIT_TABLE']);
  expect(codes(plainView, { key: ['n'], refreshedBy })).toEqual(['HF_MATVIEW_KIND']);
  expect(codes('app.made', { key: [], refreshedBy, query: QUERY })).toEqual(['HF_MATVIEW_KEY']);
  const login = { name: 'x_login', login: true, bypassRls: true, memberOf: [], settings: {} };
  const { plain } = database('plain', { tables });
  const found = rollups('app.made', { key: ['a'], refreshedBy: 'x_login', query: QUERY }).check?.({
    ...plain,
    roles: [login],
  });
  expect(found?.map(({ code, what }) => [code, what.split(':')[0]])).toEqual([
    ['HF_MATVIEW_OWNER', 'its owner x_login may log in'],
  ]);
});
