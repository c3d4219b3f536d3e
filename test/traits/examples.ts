// One example a trait, by its folder's name: what the conformance test puts each through. A new trait adds its line.
import { sql } from 'drizzle-orm';
import { date, integer, pgSchema, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import type { Trait } from '../../src/define/trait.ts';
import {
  budget,
  budgets,
  erasure,
  immutability,
  incremental,
  partitions,
  retention,
  rollups,
  tenancy,
  versioning,
  volume,
} from '../../src/traits/index.ts';

const schema = pgSchema('conform');
const events = schema.table(
  'events',
  {
    tenantId: text('tenant_id').notNull(),
    id: integer().notNull(),
    at: timestamp({ withTimezone: true }).notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.id, t.at] })],
);
const drafts = schema.table(
  'drafts',
  {
    tenantId: text('tenant_id').notNull(),
    id: integer().notNull(),
    status: text().notNull().default('draft'),
    body: text(),
    version: integer().notNull().default(1),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
);
const daily = schema.table(
  'daily',
  {
    tenantId: text('tenant_id').notNull(),
    day: date().notNull(),
    n: integer().notNull(),
    highest: integer(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.day] })],
);
const totals = schema
  .materializedView('totals', { tenantId: text('tenant_id'), n: integer() })
  .as(sql`SELECT tenant_id, count(*)::int AS n FROM conform.events GROUP BY tenant_id`);

/** The tables every example is about. */
export const tables = { schema, events, drafts, daily, totals };

/** Examples by trait; `role` gives role names that are free in the cluster, the same for the same prefix. */
export function examples(role: (prefix: string) => string): Readonly<Record<string, readonly Trait[]>> {
  return {
    tenancy: [
      tenancy({
        column: 'tenant_id',
        setting: 'app.tenant',
        roles: {
          app: role('app'),
          analytics: role('analytics'),
          bypass: [role('system')],
          owner: role('owner'),
        },
      }),
    ],
    partitions: [partitions(events, { by: events.at, every: 'month' })],
    immutability: [
      immutability(events, { kind: 'append-only' }),
      immutability(drafts, {
        kind: 'frozen',
        when: { column: 'status', is: ['published', 'archived'] },
        order: { status: ['published', 'archived'] },
      }),
    ],
    retention: [
      retention(events, {
        by: events.at,
        online: '90 days',
        archive: { to: 'schema', for: '2 years', readers: [role('analytics')] },
        then: 'delete',
      }),
    ],
    rollups: [
      rollups(totals, {
        key: ['tenant_id'],
        refreshedBy: role('system'),
        guard: { name: 'totals_v', column: 'tenant_id', setting: 'app.tenant', readers: [role('app')] },
      }),
      incremental(daily, {
        of: events,
        key: { tenant_id: 'source.tenant_id' },
        time: events.at,
        bucket: { column: daily.day, every: 'day' },
        count: daily.n,
        recounted: { highest: 'max(source.id)' },
        refreshedBy: role('system'),
        callers: [role('app')],
      }),
    ],
    erasure: [
      erasure({
        subjects: {
          tenant: {
            everywhere: 'tenant_id',
            tables: [
              { table: events, despiteImmutability: true },
              { table: drafts, despiteImmutability: true },
            ],
          },
        },
      }),
    ],
    versioning: [versioning(drafts, { revision: drafts.version })],
    budgets: [
      budgets(
        budget('an event', {
          data: volume('events', {
            rows: {
              events: {
                into: events,
                columns: [events.tenantId, events.id, events.at],
                row: (n) => ['t', n, '2026-11-21'],
              },
            },
          }),
          at: { events: 1_000 },
          run: { sql: 'SELECT FROM conform.events WHERE tenant_id = $1', values: () => ['t'] },
          p95: '10 ms',
        }),
      ),
    ],
  };
}
