// What it costs to bring figures up to date: the incremental rollup against REFRESH … CONCURRENTLY of the same figures, over
// a history of a million and of ten million rows with the same number of touched buckets; and what noting costs writers.
import { sql } from 'drizzle-orm';
import { bigint, date, index, numeric, pgSchema, primaryKey, smallint, timestamp } from 'drizzle-orm/pg-core';
import { database, type Definition } from 'holdfast';
import { apply, plan } from 'holdfast/build';
import { withClient, withDatabase } from 'holdfast/server';
import { incremental, rollups } from 'holdfast/traits';
import type { Client } from 'pg';
import {
  type Aim,
  compare,
  type Comparison,
  type Context,
  quantile,
  ratio,
  type Report,
  type Timing,
} from './measure.ts';

export const name = 'rollup';

/** A day has this many rows in 200 buckets, whatever the size: a longer history has more days, not fuller ones. */
const ROWS_A_DAY = 5_000;
const [TENANTS, ITEMS] = [10, 20];
const DAY_ZERO = '2020-01-01 00:00:00+00';
/** Rows written between two times of bringing up to date, over the last days. */
const CHANGES = 1_000;
const DAYS_TOUCHED = 4;
const SETTLE = 'rollup: what changed';
const REFRESH = 'view: REFRESH … CONCURRENTLY';

const schema = pgSchema('figures');
const columns = {
  tenant: smallint().notNull(),
  item: smallint().notNull(),
  at: timestamp({ withTimezone: true }).notNull(),
  price: numeric({ precision: 8, scale: 2 }).notNull(),
};
const sales = schema.table('sales', columns, (t) => [index('sales_bucket').on(t.tenant, t.item, t.at)]);
const plain = schema.table('plain', columns, (t) => [index('plain_bucket').on(t.tenant, t.item, t.at)]);
const days = schema.table(
  'days',
  {
    tenant: smallint().notNull(),
    item: smallint().notNull(),
    day: date().notNull(),
    n: bigint({ mode: 'number' }).notNull(),
    total: numeric().notNull(),
    median: numeric(),
  },
  (t) => [primaryKey({ columns: [t.tenant, t.item, t.day] })],
);
const view = schema.materializedView('days_view', {
  tenant: smallint(),
  item: smallint(),
  day: date(),
  n: bigint({ mode: 'number' }),
  total: numeric(),
  median: numeric(),
}).as(sql`SELECT tenant, item, (at AT TIME ZONE 'UTC')::date AS day, count(*) AS n, sum(price) AS total,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY price)::numeric(12,4) AS median FROM figures.sales GROUP BY 1, 2, 3`);

/** Runs the part. */
export async function run({ serverUrl, quick }: Context): Promise<Report> {
  const sizes = quick ? [100_000, 200_000] : [1_000_000, 10_000_000];
  const comparisons: Comparison[] = [];
  const settles: number[] = [];
  const fills: string[] = [];
  for (const size of sizes) {
    const found = await atSize(serverUrl, size, quick ? 3 : 5);
    comparisons.push(...found.comparisons);
    settles.push(found.settle);
    fills.push(`${size} rows in ${found.fillSeconds.toFixed(1)} s`);
  }
  const [small = NaN, large = NaN] = settles;
  const last = comparisons.findLast(({ title }) => title.startsWith('Up to date'));
  const aims: Aim[] = [
    {
      text: `bringing the rollup up to date over ten times the rows takes as long (${sizes.join(' and ')} rows)`,
      limit: 1.5,
      measured: large / small,
    },
  ];
  if (last !== undefined) {
    aims.push({
      text: `it takes this part of a full refresh at ${sizes.at(-1)} rows`,
      limit: 0.1,
      measured: ratio(last, SETTLE, REFRESH),
    });
  }
  return {
    settings: {
      'rows of the source': sizes.join(', '),
      'a row': 'smallint, smallint, timestamptz, numeric(8,2); one index',
      'figures of a bucket': 'count, sum, median; 200 buckets a day of 25 rows each',
      'changes before each time': `${CHANGES} rows inserted and ${CHANGES / 5} updated in the last ${DAYS_TOUCHED} days (at most ${DAYS_TOUCHED * TENANTS * ITEMS} buckets)`,
      'first fill of the rollup': fills.join('; '),
    },
    comparisons,
    aims,
  };
}

interface Found {
  readonly comparisons: readonly Comparison[];
  readonly settle: number;
  readonly fillSeconds: number;
}

async function atSize(serverUrl: string, size: number, rounds: number): Promise<Found> {
  const target = `hf_bench_rollup_${size}`;
  const url = withDatabase(serverUrl, target);
  await withClient(serverUrl, async (client) => {
    await client.query(`DROP DATABASE IF EXISTS ${target}`);
    await client.query(`CREATE DATABASE ${target}`);
  });
  try {
    await made(database('figures', { tables: { schema, sales, plain } }), url);
    await withClient(url, (client) => fill(client, size));
    await made(definition(), url);
    return await withClient(url, async (client) => {
      const fillSeconds = (await timed(client, 'SELECT FROM figures.days_settle()')) / 1000;
      await client.query('VACUUM ANALYZE');
      const fresh = await upToDate(client, { size, rounds });
      const writing = await writers(client, size);
      return { comparisons: [fresh, ...writing], settle: median(fresh, SETTLE), fillSeconds };
    });
  } finally {
    await withClient(serverUrl, (client) => client.query(`DROP DATABASE IF EXISTS ${target} WITH (FORCE)`));
  }
}

function definition(): Definition {
  const refreshedBy = 'hf_bench_rollup_system';
  return database('figures', {
    tables: { schema, sales, plain, days, view },
    traits: [
      incremental(days, {
        of: sales,
        key: { tenant: 'source.tenant', item: 'source.item' },
        time: 'at',
        bucket: { column: 'day', every: 'day' },
        count: 'n',
        sums: { total: 'source.price' },
        recounted: { median: 'percentile_cont(0.5) WITHIN GROUP (ORDER BY source.price)::numeric(12,4)' },
        refreshedBy,
      }),
      rollups(view, { key: ['tenant', 'item', 'day'], refreshedBy }),
    ],
  });
}

async function made(of: Definition, url: string): Promise<void> {
  await apply(await plan(of, url, { now: new Date() }), url);
}

async function fill(client: Client, size: number): Promise<void> {
  await client.query(
    `INSERT INTO figures.sales SELECT n % ${TENANTS}, (n / ${TENANTS}) % ${ITEMS},
       timestamptz '${DAY_ZERO}' + n * (interval '1 day' / ${ROWS_A_DAY}), (random() * 1000)::numeric(8,2)
     FROM generate_series(0, $1::int - 1) n`,
    [size],
  );
  await client.query('VACUUM ANALYZE figures.sales');
}

async function upToDate(
  client: Client,
  { size, rounds }: { readonly size: number; readonly rounds: number },
): Promise<Comparison> {
  const last = `timestamptz '${DAY_ZERO}' + interval '1 day' * ${size / ROWS_A_DAY - DAYS_TOUCHED}`;
  const [settles, refreshes]: [number[], number[]] = [[], []];
  for (let round = 0; round <= rounds; round += 1) {
    await client.query(`INSERT INTO figures.sales SELECT random() * ${TENANTS - 1}, random() * ${ITEMS - 1},
      ${last} + random() * ${DAYS_TOUCHED} * interval '1 day', n FROM generate_series(1, ${CHANGES}) n`);
    await client.query(`UPDATE figures.sales SET price = price + 1 WHERE ctid IN
      (SELECT ctid FROM figures.sales WHERE tenant = 1 AND item = 1 AND at >= ${last} LIMIT ${CHANGES / 5})`);
    const settle = await timed(client, 'SELECT FROM figures.days_settle()');
    const refresh = await timed(client, 'SELECT FROM figures.days_view_refresh()');
    // The first time fills caches and plans.
    if (round > 0) {
      settles.push(settle);
      refreshes.push(refresh);
    }
  }
  await same(client);
  return {
    title: `Up to date after ${CHANGES} changes, ${size} rows of history`,
    runs: rounds,
    timings: [timing(REFRESH, refreshes, refreshes), timing(SETTLE, settles, refreshes)],
  };
}

async function same(client: Client): Promise<void> {
  const columnsOfBoth = 'tenant, item, day, n, total, median';
  const { rows } = await client.query(`SELECT ${columnsOfBoth} FROM figures.days
    EXCEPT SELECT ${columnsOfBoth} FROM figures.days_view LIMIT 1`);
  if (rows.length > 0) throw new Error('The rollup and the view differ.');
}

async function writers(client: Client, size: number): Promise<Comparison[]> {
  const insert = (table: string, rows: number) => () =>
    client.query(
      `INSERT INTO figures.${table} SELECT n % ${TENANTS}, n % ${ITEMS}, now(), n FROM generate_series(1, $1::int) n`,
      [rows],
    );
  const versus = (rows: number, runs: number): Promise<Comparison> =>
    compare(
      `Writing ${rows === 1 ? 'one row' : `${rows} rows`} in one statement, ${size} rows there`,
      [
        { label: 'table without a rollup', run: insert('plain', rows) },
        { label: 'table with a rollup', run: insert('sales', rows) },
      ],
      runs,
    );
  return [await versus(1, 500), await versus(1000, 30)];
}

async function timed(client: Client, statement: string): Promise<number> {
  const began = performance.now();
  await client.query(statement);
  return performance.now() - began;
}

function timing(label: string, times: readonly number[], base: readonly number[]): Timing {
  const sorted = times.toSorted((a, b) => a - b);
  const of = (at: number): number => quantile(sorted, at);
  const baseline = quantile(
    base.toSorted((a, b) => a - b),
    0.5,
  );
  return { label, median: of(0.5), p95: of(0.95), p99: of(0.99), ratio: of(0.5) / baseline };
}

function median(comparison: Comparison, label: string): number {
  return comparison.timings.find((one) => one.label === label)?.median ?? NaN;
}
