// A small shop whose sales are summed up in three ways: for the tests of incremental rollups.
import { Client } from 'pg';
import { sql } from 'drizzle-orm';
import {
  bigint,
  date,
  index,
  integer,
  numeric,
  pgSchema,
  primaryKey,
  text,
  timestamp,
} from 'drizzle-orm/pg-core';
import { onTestFinished } from 'vitest';
import { database, type Definition } from '../../src/define/index.ts';
import { incremental, partitions, rollups, tenancy } from '../../src/traits/index.ts';
import type { TestDatabase } from '../cluster/index.ts';
import { settle, stand } from './stand.ts';

export const NOW = new Date('2026-11-21T12:00:00Z');

const till = pgSchema('till');
const shops = till.table(
  'shops',
  { tenantId: text('tenant_id').notNull(), id: integer().notNull(), city: text().notNull() },
  (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
);
const sales = till.table(
  'sales',
  {
    tenantId: text('tenant_id').notNull(),
    id: bigint({ mode: 'number' }).notNull(),
    at: timestamp({ withTimezone: true }).notNull(),
    shopId: integer('shop_id').notNull(),
    item: text(),
    price: numeric({ precision: 8, scale: 2 }),
    note: text(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id, t.at] }),
    index('sales_bucket').on(t.tenantId, t.item, t.at),
  ],
);
const days = till.table(
  'days',
  {
    tenantId: text('tenant_id').notNull(),
    item: text().notNull(),
    city: text().notNull(),
    day: date().notNull(),
    n: integer().notNull(),
    priced: bigint({ mode: 'number' }).notNull(),
    total: numeric().notNull(),
    median: numeric(),
    cheapest: numeric(),
    at: timestamp({ withTimezone: true }),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.item, t.city, t.day] })],
);
const items = till.table(
  'items',
  {
    tenantId: text('tenant_id').notNull(),
    hash: text().notNull(),
    item: text(),
    n: bigint({ mode: 'number' }).notNull(),
    total: numeric().notNull(),
    firstAt: timestamp('first_at', { withTimezone: true }),
    lastAt: timestamp('last_at', { withTimezone: true }),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.hash] })],
);
const best = till
  .materializedView('best', { tenantId: text('tenant_id'), item: text(), total: numeric() })
  .as(sql`SELECT tenant_id, item, sum(total) AS total FROM till.days GROUP BY tenant_id, item`);

export const tables = { till, shops, sales, days, items, best };

export interface Roles {
  readonly app: string;
  readonly system: string;
  readonly owner: string;
}

/** The definition under free role names. */
export function tillOf(roles: Roles): Definition {
  return database('till', {
    tables,
    traits: [
      partitions(sales, { by: sales.at, every: 'month', ahead: 1 }),
      incremental(days, {
        of: sales,
        join: 'JOIN till.shops AS shop ON shop.tenant_id = source.tenant_id AND shop.id = source.shop_id',
        key: { tenant_id: 'source.tenant_id', item: 'source.item', city: 'shop.city' },
        time: 'at',
        bucket: { column: 'day', every: 'day' },
        count: 'n',
        sums: { priced: 'CASE WHEN source.price IS NULL THEN 0 ELSE 1 END', total: 'source.price' },
        recounted: {
          median: 'percentile_cont(0.5) WITHIN GROUP (ORDER BY source.price)::numeric(12,4)',
          cheapest: 'min(source.price)',
        },
        stamp: 'at',
        refreshedBy: roles.system,
        readers: [roles.app],
        callers: [roles.app],
      }),
      incremental('till.items', {
        of: 'till.sales',
        where: "source.note IS DISTINCT FROM 'test'",
        key: { tenant_id: 'source.tenant_id', hash: "md5(coalesce(source.item, ''))" },
        time: 'at',
        count: 'n',
        sums: { total: 'source.price' },
        least: { first_at: 'source.at' },
        greatest: { last_at: 'source.at' },
        carried: { item: 'source.item' },
        refreshedBy: roles.system,
      }),
      rollups(best, {
        key: ['tenant_id', 'item'],
        refreshedBy: roles.system,
        floor: { ratio: 0.5 },
        guard: { name: 'best_v', column: 'tenant_id', setting: 'app.tenant', readers: [roles.app] },
      }),
      tenancy({
        column: 'tenant_id',
        setting: 'app.tenant',
        roles: { app: roles.app, bypass: [roles.system], owner: roles.owner },
      }),
    ],
  });
}

export interface Till {
  readonly definition: Definition;
  readonly roles: Roles;
}

/** The till standing in the test's database, with partitions from October 2026 to January 2027 and four shops. */
export async function openTill(db: TestDatabase): Promise<Till> {
  const roles = { app: db.role('app'), system: db.role('system'), owner: db.role('owner') };
  const definition = tillOf(roles);
  await stand(db, definition, new Date('2026-10-15T00:00:00Z'));
  await settle(db, definition, NOW);
  await db.query(`INSERT INTO till.shops SELECT t, s, 'city ' || s % 2
    FROM unnest(ARRAY['a', 'b']) t, generate_series(1, 4) s`);
  return { definition, roles };
}

/** A session of its own, closed when the test ends. */
export async function session(db: TestDatabase): Promise<Client> {
  const client = new Client(db.url);
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

/** Rows that a rollup has and a full count does not, and the other way round; `query` decides the snapshot. */
export async function differences(
  query: (text: string) => Promise<{ rows: object[] }>,
  definition: Definition,
): Promise<Readonly<Record<string, object[]>>> {
  const found: Record<string, object[]> = {};
  for (const sum of definition.traits.flatMap((trait) => trait.promises?.(definition.model).sums ?? [])) {
    const anew = sum.recomputed((of) => `"${of.schema}"."${of.name}"`);
    const { rows } = await query(
      `(SELECT 'kept' AS side, * FROM (${sum.kept} EXCEPT ${anew}) k LIMIT 3)
       UNION ALL (SELECT 'anew', * FROM (${anew} EXCEPT ${sum.kept}) a LIMIT 3)`,
    );
    if (rows.length > 0) found[sum.subject] = rows;
  }
  return found;
}
