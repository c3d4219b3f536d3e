// One small definition that walks into none of the traps; each test sets the naive form beside it.
import { sql } from 'drizzle-orm';
import { foreignKey, integer, pgSchema, primaryKey, text, timestamp, unique } from 'drizzle-orm/pg-core';
import { database, type Definition } from '../../src/define/index.ts';
import { immutability, partitions, rollups, setting, tenancy } from '../../src/traits/index.ts';
import type { TestDatabase } from '../cluster/index.ts';
import { stand } from '../traits/stand.ts';

export const NOW = new Date('2026-11-21T12:00:00Z');

const shop = pgSchema('shop');
const items = shop.table(
  'items',
  { tenantId: text('tenant_id').notNull(), id: integer().notNull(), slug: text() },
  (t) => [primaryKey({ columns: [t.tenantId, t.id] }), unique().on(t.tenantId, t.slug)],
);
const sales = shop.table(
  'sales',
  {
    tenantId: text('tenant_id').notNull(),
    id: integer().notNull(),
    itemId: integer('item_id'),
    at: timestamp({ withTimezone: true }).notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.at, t.id] }),
    foreignKey({ columns: [t.tenantId, t.itemId], foreignColumns: [items.tenantId, items.id] }),
  ],
);
const projects = shop.table(
  'projects',
  { tenantId: text('tenant_id').notNull(), id: integer().notNull() },
  (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
);
const members = shop.table(
  'members',
  {
    tenantId: text('tenant_id').notNull(),
    projectId: integer('project_id').notNull(),
    userId: text('user_id').notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.projectId, t.userId] })],
);
const names = shop.view('names', { slug: text() }).as(sql`SELECT slug FROM shop.items`);
const totals = shop
  .materializedView('totals', { tenantId: text('tenant_id'), sold: integer() })
  .as(sql`SELECT tenant_id, count(*)::int AS sold FROM shop.sales GROUP BY tenant_id`);

export interface Shop {
  readonly definition: Definition;
  readonly roles: { readonly app: string; readonly system: string; readonly owner: string };
}

const VISIBLE = `= ANY (shop.visible_projects())`;

/** The definition with roles of its own, standing in the test's database. */
export async function openShop(db: TestDatabase): Promise<Shop> {
  const roles = { app: db.role('app'), system: db.role('system'), owner: db.role('owner') };
  const definition = database('shop', {
    tables: { shop, items, sales, projects, members, names, totals },
    traits: [
      partitions(sales, {
        by: sales.at,
        every: 'month',
        ahead: 3,
        hot: { newest: 1, indexes: [{ name: 'recent', on: ['tenant_id', { column: 'at', order: 'desc' }] }] },
      }),
      immutability(sales, { kind: 'append-only' }),
      rollups(totals, {
        key: ['tenant_id'],
        refreshedBy: roles.system,
        guard: { name: 'totals_v', column: 'tenant_id', setting: 'app.tenant', readers: [roles.app] },
      }),
      tenancy({
        column: 'tenant_id',
        setting: 'app.tenant',
        settings: { user: { setting: 'app.user_id' } },
        roles: { app: roles.app, bypass: [roles.system], owner: roles.owner },
        membership: [
          {
            function: { schema: 'shop', name: 'visible_projects' },
            key: 'integer',
            query: `SELECT project_id FROM shop.members WHERE tenant_id = ${setting('app.tenant')} AND user_id = ${setting('app.user_id')}`,
          },
        ],
        restrict: [
          { table: projects, name: 'visible', using: `id ${VISIBLE}` },
          { table: members, name: 'visible', using: `project_id ${VISIBLE}` },
        ],
      }),
    ],
  });
  await stand(db, definition, NOW);
  await db.query(`
    INSERT INTO shop.items VALUES ('a', 1, 'tea'), ('b', 1, 'tea'), ('b', 2, 'milk');
    INSERT INTO shop.sales VALUES ('a', 1, 1, '2026-11-05 00:00+00'), ('b', 1, 2, '2026-11-05 00:00+00'), ('b', 2, 2, '2026-12-05 00:00+00');
    INSERT INTO shop.projects VALUES ('a', 1), ('a', 2);
    INSERT INTO shop.members VALUES ('a', 1, 'ann'), ('a', 1, 'bob'), ('a', 2, 'bob')`);
  await db.query('REFRESH MATERIALIZED VIEW CONCURRENTLY shop.totals');
  return { definition, roles };
}
