// The database the replays of the tests run on: a shop of three tenants, small and with a promise of every kind.
import { sql } from 'drizzle-orm';
import { bigint, date, jsonb, numeric, pgSchema, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import {
  database,
  job,
  key,
  on,
  type Definition,
  type JobFacet,
  type Trait,
} from '../../src/define/index.ts';
import type { Slice, Traffic, TrafficContext, Written } from '../../src/prove/index.ts';
import { incremental, partitions, rollups, tenancy } from '../../src/traits/index.ts';
import { folder } from '../../src/traits/retention/files/index.ts';
import { retention } from '../../src/traits/retention/index.ts';

const shop = pgSchema('shop');
const moment = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' });

/** Partitioned by month; only grows. */
export const orders = shop.table(
  'orders',
  {
    tenantId: text('tenant_id').notNull(),
    id: bigint('id', { mode: 'number' }).notNull(),
    createdAt: moment('created_at').notNull(),
    product: text('product').notNull(),
    amount: numeric('amount', { precision: 12, scale: 2 }).notNull(),
    note: jsonb('note'),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.id, t.createdAt] })],
);

/** A plain table whose rows change for a while. */
export const visits = shop.table(
  'visits',
  {
    tenantId: text('tenant_id').notNull(),
    id: bigint('id', { mode: 'number' }).notNull(),
    createdAt: moment('created_at').notNull(),
    state: text('state').notNull().default('open'),
    seenAt: moment('seen_at'),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
);

/** A plain table whose rows go without a trace. */
export const notices = shop.table(
  'notices',
  {
    tenantId: text('tenant_id').notNull(),
    id: bigint('id', { mode: 'number' }).notNull(),
    sentAt: moment('sent_at').notNull(),
    body: text('body').notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
);

/** What sells, refreshed every hour. */
export const products = shop
  .materializedView('products', {
    tenantId: text('tenant_id'),
    product: text('product'),
    orders: bigint('orders', { mode: 'number' }),
    amount: numeric('amount'),
  })
  .as(
    sql`select tenant_id, product, count(*) as orders, sum(amount) as amount from shop.orders group by tenant_id, product`,
  );

/** What was sold each day, kept for ever. */
export const days = shop.table(
  'days',
  {
    tenantId: text('tenant_id').notNull(),
    product: text('product').notNull(),
    day: date('day').notNull(),
    orders: bigint('orders', { mode: 'number' }).notNull(),
    amount: numeric('amount').notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.product, t.day] })],
);

/** Names of the subject's roles; they belong to the whole server. */
export interface RoleNames {
  readonly app: string;
  readonly system: string;
  readonly owner: string;
}

/** Where the subject differs from the usual. */
export interface SubjectOptions {
  readonly roles: RoleNames;
  /** Folder of the archive of files. */
  readonly files: string;
  /** A trait more, such as one that breaks a promise. */
  readonly traits?: readonly Trait[];
  readonly jobs?: readonly JobFacet[];
}

/** The subject's definition, with a promise about time of every kind. */
export function subject({ roles, files, traits = [], jobs = [] }: SubjectOptions): Definition {
  return database('shop', {
    tables: { orders, visits, notices, products, days },
    facets: [on(products, (t) => [key('products_key', t.tenantId, t.product)])],
    // Half an hour before the replay's second tick of a day, so that a day's check meets a view that was just refreshed.
    jobs: [job('refresh', { schedule: { cron: '30 12 * * *' } }), ...jobs],
    traits: [
      partitions(orders, { by: 'created_at', every: 'month', ahead: 3 }),
      retention(orders, { online: '90 days', archive: { to: 'schema', for: '6 months' }, then: 'delete' }),
      retention(visits, {
        online: '60 days',
        archive: { to: 'files', store: folder(files), for: '1 year' },
        then: 'delete',
        batch: { pauseMs: 0 },
      }),
      retention(notices, { by: 'sent_at', online: '30 days', then: 'delete', batch: { pauseMs: 0 } }),
      rollups(products, { key: ['tenant_id', 'product'], refreshedBy: roles.system }),
      incremental(days, {
        of: orders,
        key: { tenant_id: 'source.tenant_id', product: 'source.product' },
        time: 'created_at',
        bucket: { column: 'day', every: 'day' },
        count: 'orders',
        sums: { amount: 'source.amount' },
        refreshedBy: roles.system,
      }),
      tenancy({
        column: 'tenant_id',
        setting: 'app.tenant',
        roles: { app: roles.app, bypass: [roles.system], owner: roles.owner },
      }),
      ...traits,
    ],
  });
}

const TENANTS = ['t_large', 't_large', 't_large', 't_small', "t_o'hara"] as const;
const PRODUCTS = ['tea', 'milk', 'salt'] as const;

/** The subject's traffic: half of the rows orders, the rest visits and notices; visits are closed and some withdrawn. */
export function traffic(): Traffic {
  let last = 0;
  const ids = (count: number): number[] => Array.from({ length: count }, () => (last += 1));
  return {
    tenant: 'tenant_id',
    write: async (context, slice) => {
      const many = Math.max(2, Math.round(slice.rows / 2));
      const some = Math.max(2, Math.round(slice.rows / 4));
      const written = [
        await writeOrders(context, slice, ids(many)),
        await writeVisits(context, slice, ids(some)),
        await writeNotices(context, slice, ids(some)),
      ];
      return [...written, await changeVisits(context, slice)];
    },
  };
}

function owners({ random }: TrafficContext, ids: readonly number[]): string[] {
  return ids.map(() => TENANTS[Math.floor(random() * TENANTS.length)] ?? TENANTS[0]);
}

async function writeOrders(context: TrafficContext, slice: Slice, ids: readonly number[]): Promise<Written> {
  await context.query(
    `INSERT INTO shop.orders (tenant_id, id, created_at, product, amount, note)
     SELECT t, i, a::timestamptz, p, c / 100.0, CASE WHEN c % 3 = 0 THEN NULL ELSE jsonb_build_object('cents', c) END
     FROM unnest($1::text[], $2::int8[], $3::text[], $4::text[], $5::int4[]) AS r (t, i, a, p, c)`,
    [
      owners(context, ids),
      ids,
      slice.times(ids.length),
      ids.map(() => PRODUCTS[Math.floor(context.random() * PRODUCTS.length)]),
      ids.map(() => Math.floor(context.random() * 100_000)),
    ],
  );
  return { relation: { schema: 'shop', name: 'orders' }, inserted: ids.length, deleted: 0 };
}

async function writeVisits(context: TrafficContext, slice: Slice, ids: readonly number[]): Promise<Written> {
  await context.query(
    `INSERT INTO shop.visits (tenant_id, id, created_at)
     SELECT t, i, a::timestamptz FROM unnest($1::text[], $2::int8[], $3::text[]) AS r (t, i, a)`,
    [owners(context, ids), ids, slice.times(ids.length)],
  );
  return { relation: { schema: 'shop', name: 'visits' }, inserted: ids.length, deleted: 0 };
}

async function writeNotices(context: TrafficContext, slice: Slice, ids: readonly number[]): Promise<Written> {
  await context.query(
    `INSERT INTO shop.notices (tenant_id, id, sent_at, body)
     SELECT t, i, a::timestamptz, 'notice ' || i FROM unnest($1::text[], $2::int8[], $3::text[]) AS r (t, i, a)`,
    [owners(context, ids), ids, slice.times(ids.length)],
  );
  return { relation: { schema: 'shop', name: 'notices' }, inserted: ids.length, deleted: 0 };
}

async function changeVisits({ query }: TrafficContext, slice: Slice): Promise<Written> {
  await query(
    `UPDATE shop.visits SET state = 'closed', seen_at = $1 WHERE state = 'open' AND created_at >= $2 AND id % 3 = 0`,
    [slice.from, slice.touchFrom],
  );
  const gone = await query(
    `DELETE FROM shop.visits WHERE created_at >= $1 AND created_at < $2 AND id % 17 = 0 RETURNING id`,
    [slice.touchFrom, slice.from],
  );
  return { relation: { schema: 'shop', name: 'visits' }, inserted: 0, deleted: gone.length };
}
