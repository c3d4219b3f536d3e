// A shop with orders of several tenants by month, and a volume of them.
import { index, integer, pgSchema, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import { database, statement, type Definition, type Trait } from '../../../src/define/index.ts';
import { partitions, skewed, tenancy, volume } from '../../../src/traits/index.ts';

const shop = pgSchema('shop');
export const orders = shop.table(
  'orders',
  {
    tenantId: text('tenant_id').notNull(),
    id: integer().notNull(),
    at: timestamp({ withTimezone: true }).notNull(),
    note: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.id, t.at] }), index('orders_by_note').on(t.tenantId, t.note)],
);

const TENANTS = ['t_large', 't_a', 't_b', 't_c'];
const DAY_MS = 86_400_000;

/** Orders of 60 days; nasty texts among them. */
export const sixtyDays = volume<{ readonly nowMs: number }>('orders of 60 days', {
  historyDays: 61,
  begin: async ({ now }) => ({ nowMs: now.getTime() }),
  rows: {
    orders: {
      into: orders,
      columns: [orders.tenantId, orders.id, orders.at, orders.note],
      row: (n, chance, { nowMs }) => [
        skewed(TENANTS, 0.5)(chance),
        n,
        new Date(nowMs - Math.floor(chance() * 60 * DAY_MS)),
        n % 10 === 0 ? `tab\there, line\nthere, back\\slash, \\N, é ${n}` : `note ${n % 500}`,
      ],
    },
  },
});

/** The shop's definition, with roles of the given names. */
export function defineShop(
  role: (kind: string) => string,
  more: { readonly traits?: readonly Trait[]; readonly withoutNotes?: boolean } = {},
): Definition {
  const definition = database('shop', {
    tables: { shop, orders },
    facets: [statement('index orders_by_lower', 'CREATE INDEX orders_by_lower ON shop.orders (lower(note))')],
    traits: [
      partitions(orders, { by: orders.at, every: 'month', ahead: 1 }),
      tenancy({
        column: 'tenant_id',
        setting: 'app.tenant',
        roles: { app: role('app'), owner: role('owner') },
      }),
      ...(more.traits ?? []),
    ],
  });
  if (more.withoutNotes !== true) return definition;
  const tables = definition.model.tables.map((table) => ({
    ...table,
    indexes: table.indexes.filter(({ name }) => name !== 'orders_by_note'),
  }));
  return { ...definition, model: { ...definition.model, tables } };
}
