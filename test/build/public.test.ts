// A definition whose tables live in schema public, which every database has already, with roles of its own.
import { pgTable, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { expect } from 'vitest';
import { database, partitions, tenancy } from 'holdfast';
import { apply } from '../../src/build/apply.ts';
import { drift } from '../../src/build/drift.ts';
import { plan } from '../../src/build/plan.ts';
import { rollback } from '../../src/build/rollback.ts';
import { test } from '../cluster/index.ts';
import { OPTIONS } from './wanted.ts';

const orders = pgTable(
  'orders',
  {
    tenantId: text('tenant_id').notNull(),
    id: uuid().notNull().defaultRandom(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.id, t.createdAt] })],
);

test('tables in public with an owner and an application role: planned, applied, no drift, taken back', async ({
  db,
}) => {
  const app = db.role('shop_app');
  const owner = db.role('shop_owner');
  const shop = database('shop', {
    tables: { orders },
    traits: [
      partitions(orders, { by: 'created_at', every: 'month', ahead: 3 }),
      tenancy({ column: 'tenant_id', setting: 'app.current_tenant_id', roles: { app, owner } }),
    ],
  });
  const before = await drift(shop, db.url, OPTIONS);
  expect(before.differences.filter(({ object }) => object === 'table public.orders')).toEqual([
    {
      object: 'table public.orders',
      facet: '',
      kind: 'missing',
      sentence: 'table public.orders is in the definition and not on the server.',
    },
  ]);

  const first = await plan(shop, db.url, OPTIONS);
  expect(first.reversible).toBe(true);
  await apply(first, db.url);
  expect((await drift(shop, db.url, OPTIONS)).differences).toEqual([]);
  expect((await plan(shop, db.url, OPTIONS)).steps).toEqual([]);
  expect(
    await db.query(
      'SELECT has_schema_privilege($1, $3, $4) AS app, has_schema_privilege($2, $3, $4) AS owner',
      [app, owner, 'public', 'USAGE'],
    ),
  ).toEqual([{ app: true, owner: true }]);

  await rollback(db.url, { to: 'previous' });
  expect(await db.query("SELECT to_regclass('public.orders') AS there")).toEqual([{ there: null }]);
});
