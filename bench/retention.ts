// What it costs to let a month of rows go: a partition by the keeper's retention job against DELETE and VACUUM on a plain
// table of the same rows. Time, bytes of write-ahead log, and bytes that stay behind, at two sizes.
import { bigint, index, numeric, pgSchema, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import { database, type Definition, job, partitions, retention } from 'holdfast';
import { apply, plan } from 'holdfast/build';
import { runJob } from 'holdfast/keep';
import { withClient, withDatabase } from 'holdfast/server';
import type { Client } from 'pg';
import type { Comparison, Context, Report, Timing } from './measure.ts';

export const name = 'retention';

const SIZES = [1_000_000, 10_000_000] as const;
const SIZES_QUICK = [20_000, 100_000] as const;
/** The month that leaves, and the instant the job runs at. */
const MONTH = ['2026-06-01T00:00:00Z', '2026-07-01T00:00:00Z'] as const;
const NOW = new Date('2026-11-21T00:00:00Z');
const EARLIER = new Date('2026-06-15T00:00:00Z');

const DELETED = 'plain table: DELETE, then VACUUM';
const DROPPED = 'partition: retention, then deleted';
const ARCHIVED = 'partition: retention, to schema archive';

/** Part: retention of one month. */
export async function run({ serverUrl, quick }: Context): Promise<Report> {
  const comparisons: Comparison[] = [];
  const figures: Record<string, string> = {};
  for (const rows of quick ? SIZES_QUICK : SIZES) {
    const costs = [
      await measured(serverUrl, rows, { label: DELETED, how: plainTable }),
      await measured(serverUrl, rows, {
        label: DROPPED,
        how: partitioned({ online: '90 days', then: 'delete' }),
      }),
      await measured(serverUrl, rows, {
        label: ARCHIVED,
        how: partitioned({ online: '90 days', archive: { to: 'schema', for: '2 years' }, then: 'delete' }),
      }),
    ];
    comparisons.push(compared(rows, costs));
    for (const cost of costs) figures[`${millions(rows)}, ${cost.label}`] = told(cost);
  }
  return {
    settings: {
      'a row': 'bigint, tenant, timestamptz, numeric, 40 characters of text; primary key and one index',
      'the table':
        'the plain one and the partitioned one hold as many rows again, of the last weeks, which stay',
      ...figures,
    },
    comparisons,
    aims: [],
  };
}

interface Cost {
  readonly label: string;
  readonly ms: number;
  readonly walBytes: number;
  /** Size of the table, its indexes and partitions, before and after. */
  readonly before: number;
  readonly after: number;
}

interface Stage {
  readonly client: Client;
  readonly url: string;
  /** Rows of the month that leaves; as many younger ones stay. */
  readonly rows: number;
}

/** Fills what is to be measured and gives the work and the relation whose size counts. */
type Way = (stage: Stage) => Promise<{ readonly work: () => Promise<unknown>; readonly relation: string }>;

async function measured(
  serverUrl: string,
  rows: number,
  { label, how }: { readonly label: string; readonly how: Way },
): Promise<Cost> {
  const url = withDatabase(serverUrl, 'hf_bench_retention');
  await withClient(serverUrl, async (admin) => {
    await admin.query('DROP DATABASE IF EXISTS hf_bench_retention WITH (FORCE)');
    await admin.query('CREATE DATABASE hf_bench_retention TEMPLATE template0');
  });
  try {
    return await withClient(url, async (client) => {
      const { work, relation } = await how({ client, url, rows });
      await client.query('CHECKPOINT');
      const before = await sizeOf(client, relation);
      const from = await lsn(client);
      const began = process.hrtime.bigint();
      await work();
      const ms = Number(process.hrtime.bigint() - began) / 1e6;
      return {
        label,
        ms,
        walBytes: (await lsn(client)) - from,
        before,
        after: await sizeOf(client, relation),
      };
    });
  } finally {
    await withClient(serverUrl, (admin) =>
      admin.query('DROP DATABASE IF EXISTS hf_bench_retention WITH (FORCE)'),
    );
  }
}

async function plainTable({ client, rows }: Stage): Promise<Awaited<ReturnType<Way>>> {
  await client.query(`CREATE SCHEMA shop; CREATE TABLE shop.events (id bigint NOT NULL, tenant_id text NOT NULL,
    created_at timestamptz NOT NULL, amount numeric(12,2) NOT NULL, note text NOT NULL,
    PRIMARY KEY (tenant_id, id, created_at)); CREATE INDEX events_by_time ON shop.events (tenant_id, created_at)`);
  await fill(client, rows);
  const work = async (): Promise<void> => {
    await client.query('DELETE FROM shop.events WHERE created_at < $1', [MONTH[1]]);
    await client.query('VACUUM shop.events');
  };
  return { work, relation: 'shop.events' };
}

function partitioned(options: Parameters<typeof retention>[1]): Way {
  return async ({ client, url, rows }) => {
    const definition = define(options);
    await apply(await plan(definition, url, { now: EARLIER }), url);
    await fill(client, rows);
    const clock = { now: () => NOW, monotonicMs: () => performance.now(), sleep: async () => undefined };
    const work = (): Promise<unknown> => runJob(definition, url, 'retention', { clock });
    return { work, relation: 'shop.events' };
  };
}

function define(options: Parameters<typeof retention>[1]): Definition {
  const shop = pgSchema('shop');
  const events = shop.table(
    'events',
    {
      id: bigint({ mode: 'bigint' }).notNull(),
      tenant_id: text().notNull(),
      created_at: timestamp({ withTimezone: true }).notNull(),
      amount: numeric({ precision: 12, scale: 2 }).notNull(),
      note: text().notNull(),
    },
    (t) => [
      primaryKey({ columns: [t.tenant_id, t.id, t.created_at] }),
      index('events_by_time').on(t.tenant_id, t.created_at),
    ],
  );
  return database('hf_bench_retention', {
    tables: { shop, events },
    traits: [
      partitions(events, { by: 'created_at', every: 'month', ahead: 6, from: MONTH[0] }),
      retention(events, options),
    ],
    jobs: [job('retention', { schedule: { cron: '0 1 * * *' } })],
  });
}

/** The month that leaves and as many rows of the last weeks, twenty tenants. */
async function fill(client: Client, rows: number): Promise<void> {
  await client.query(
    `INSERT INTO shop.events SELECT n, 't_' || n % 20, $1::timestamptz + (n % $2) * interval '30 days' / $2
       + CASE WHEN n > $2 THEN interval '150 days' ELSE interval '0' END, (n % 100000) / 100.0, repeat(md5(n::text), 1) || 'a note.'
     FROM generate_series(1, 2 * $2::bigint) AS n`,
    [MONTH[0], rows],
  );
  await client.query('VACUUM ANALYZE shop.events');
}

const SIZE_SQL = `SELECT (pg_catalog.pg_total_relation_size($1::pg_catalog.regclass)
    + coalesce((SELECT sum(pg_catalog.pg_total_relation_size(t.relid))
        FROM pg_catalog.pg_partition_tree($1::pg_catalog.regclass) t WHERE t.level > 0), 0))::float8 AS bytes`;

async function sizeOf(client: Client, relation: string): Promise<number> {
  const { rows } = await client.query<{ bytes: number }>(SIZE_SQL, [relation]);
  return rows[0]?.bytes ?? Number.NaN;
}

async function lsn(client: Client): Promise<number> {
  const { rows } = await client.query<{ at: number }>(
    `SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::float8 AS at`,
  );
  return rows[0]?.at ?? Number.NaN;
}

function compared(rows: number, costs: readonly Cost[]): Comparison {
  const base = costs[0]?.ms ?? Number.NaN;
  const timings = costs.map(({ label, ms }): Timing => ({
    label,
    median: ms,
    p95: ms,
    p99: ms,
    ratio: ms / base,
  }));
  return { title: `a month of ${millions(rows)} leaves`, runs: 1, timings };
}

function told({ ms, walBytes, before, after }: Cost): string {
  return `${Math.round(ms)} ms, ${mb(walBytes)} of WAL, ${mb(before)} before and ${mb(after)} after`;
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function millions(rows: number): string {
  return rows >= 1e6 ? `${rows / 1e6}M rows` : `${rows / 1e3}k rows`;
}
