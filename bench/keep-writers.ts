// What 32 writers notice of a keeper: each statement's time while nothing else happens, while partitions are made and
// attached, while indexes of partitions with rows are built and dropped, and while partitions are detached.
import { bigint, foreignKey, pgSchema, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import { database, type Definition, partitions } from 'holdfast';
import { apply, plan } from 'holdfast/build';
import { keepDefaults, runJob } from 'holdfast/keep';
import { close, connect, withClient, withDatabase } from 'holdfast/server';
import type { Client } from 'pg';
import { type Context, quantile, type Report, type Timing } from './measure.ts';

export const name = 'keep-writers';

const DATABASE = 'hf_bench_keep_writers';
const WRITERS = 32;
const MONTHS = 6;
const FIRST = Date.UTC(2026, 7);
const ALONE = 'nothing beside them';

/** Part: 32 writers while a keeper works. */
export async function run({ serverUrl, quick }: Context): Promise<Report> {
  const url = withDatabase(serverUrl, DATABASE);
  const drop = (): Promise<unknown> =>
    withClient(serverUrl, (admin) => admin.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`));
  await drop();
  await withClient(serverUrl, (admin) => admin.query(`CREATE DATABASE ${DATABASE} TEMPLATE template0`));
  try {
    const rows = quick ? 20_000 : 1_000_000;
    await apply(await plan(written(false), url, { now: month(MONTHS) }), url);
    await withClient(url, (client) => fill(client, rows));
    return await measured(url, { rows, seconds: quick ? 2 : 10 });
  } finally {
    await drop();
  }
}

/** A partitioned table whose rows point at another: a new partition then locks that one too, for a moment. */
function written(hot: boolean): Definition {
  const schema = pgSchema('shop');
  const owners = schema.table(
    'owners',
    { tenantId: text('tenant_id').notNull(), id: bigint({ mode: 'number' }).notNull() },
    (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
  );
  const events = schema.table(
    'events',
    {
      tenantId: text('tenant_id').notNull(),
      id: bigint({ mode: 'number' }).generatedByDefaultAsIdentity().notNull(),
      ownerId: bigint('owner_id', { mode: 'number' }).notNull(),
      at: timestamp({ withTimezone: true }).notNull(),
      note: text().notNull(),
    },
    (t) => [
      primaryKey({ columns: [t.tenantId, t.id, t.at] }),
      foreignKey({ columns: [t.tenantId, t.ownerId], foreignColumns: [owners.tenantId, owners.id] }),
    ],
  );
  const indexes = [
    { name: 'recent', on: ['tenant_id', { column: 'at', order: 'desc' as const }] },
    { name: 'notes', on: ['tenant_id', 'note'] },
  ];
  const trait = partitions(events, {
    by: events.at,
    every: 'month',
    ahead: 3,
    from: new Date(FIRST),
    ...(hot && { hot: { newest: 3, indexes } }),
  });
  return database('shop', { tables: { schema, owners, events }, traits: [trait] });
}

/** The month so many after the first, on its second day. */
function month(after: number): Date {
  return new Date(Date.UTC(2026, 7 + after, 2));
}

async function fill(client: Client, rows: number): Promise<void> {
  await client.query(`INSERT INTO shop.owners SELECT 't', n FROM generate_series(1, 1000) n`);
  await client.query(
    `INSERT INTO shop.events (tenant_id, owner_id, at, note)
     SELECT 't', 1 + n % 1000, $1::timestamptz + n * ($2::interval / $3), md5(n::text) FROM generate_series(1, $3) n`,
    [new Date(FIRST), `${MONTHS * 30} days`, rows],
  );
  await client.query('VACUUM (ANALYZE)');
}

const WRITES = [
  `INSERT INTO shop.events (tenant_id, owner_id, at, note) VALUES ('t', 1 + floor(random() * 1000), '2027-02-02'::timestamptz + random() * interval '80 days', 'one')`,
  `INSERT INTO shop.events (tenant_id, owner_id, at, note) SELECT 't', n, '2027-02-02'::timestamptz + n * interval '2 days', 'many' FROM generate_series(1, 20) n`,
  `INSERT INTO shop.owners VALUES ('t', 1000 + floor(random() * 1e15)) ON CONFLICT DO NOTHING`,
];

/** The writers' sessions, and the phase whose times they take. */
interface Crowd {
  readonly during: (label: string, work: () => Promise<unknown>) => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly times: ReadonlyMap<string, readonly number[]>;
  readonly refused: ReadonlySet<string>;
}

async function gather(url: string): Promise<Crowd> {
  const times = new Map<string, number[]>();
  const refused = new Set<string>();
  const state = { going: true, label: ALONE };
  const write = async (client: Client, from: number): Promise<void> => {
    for (let turn = from; state.going; turn += 1) {
      // A wait counts to the phase it began in, and to the one it ended in.
      const began = performance.now();
      const labels = [state.label];
      await client.query(WRITES[turn % WRITES.length] ?? '').catch((error: unknown) => {
        refused.add(error instanceof Error ? error.message : String(error));
      });
      if (!labels.includes(state.label)) labels.push(state.label);
      for (const label of labels) times.get(label)?.push(performance.now() - began);
    }
  };
  const clients = await Promise.all(Array.from({ length: WRITERS }, () => connect(url)));
  const running = clients.map((client, at) => write(client, at));
  return {
    times,
    refused,
    during: async (label, work) => {
      times.set(label, times.get(label) ?? []);
      state.label = label;
      await work();
      state.label = 'between';
    },
    stop: async () => {
      state.going = false;
      await Promise.all(running);
      await Promise.all(clients.map(close));
    },
  };
}

async function measured(
  url: string,
  { rows, seconds }: { readonly rows: number; readonly seconds: number },
): Promise<Report> {
  const crowd = await gather(url);
  const at = (after: number, job: string) => async (): Promise<void> => {
    const now = month(after);
    const clock = { now: () => now, monotonicMs: () => performance.now(), sleep: pause };
    const { error } = await runJob(written(true), url, job, { clock });
    if (error !== null) throw new Error(error);
  };
  try {
    await crowd.during(ALONE, () => pause(seconds * 1000));
    await crowd.during('indexes of partitions with rows are built', at(MONTHS, 'hot-indexes'));
    for (let after = 1; after <= 6; after += 1)
      await crowd.during('partitions are made and attached', at(MONTHS + after, 'partitions'));
    await crowd.during('indexes of cooled partitions are dropped', at(MONTHS + 5, 'hot-indexes'));
    await crowd.during('partitions are detached concurrently', () => detach(url));
  } finally {
    await crowd.stop();
  }
  return reported(crowd, rows);
}

async function detach(url: string): Promise<void> {
  await withClient(url, async (client) => {
    for (const name of ['events_y2026m08', 'events_y2026m09', 'events_y2026m10'])
      await client.query(`ALTER TABLE shop.events DETACH PARTITION shop.${name} CONCURRENTLY`);
  });
}

async function pause(ms: number): Promise<void> {
  await new Promise((done) => setTimeout(done, ms));
}

function reported({ times, refused }: Crowd, rows: number): Report {
  const phases = [...times].map(([label, taken]) => ({ label, sorted: [...taken].sort((a, b) => a - b) }));
  const base = quantile(phases[0]?.sorted ?? [], 0.5);
  const timings = phases.map(({ label, sorted }): Timing => {
    const median = quantile(sorted, 0.5);
    return { label, median, p95: quantile(sorted, 0.95), p99: quantile(sorted, 0.99), ratio: median / base };
  });
  const longest = phases.map(({ label, sorted }) => [
    `longest stall while ${label}`,
    `${(sorted.at(-1) ?? 0).toFixed(1)} ms of ${sorted.length} statements`,
  ]);
  const beside = phases.filter(({ label }) => label !== ALONE).flatMap(({ sorted }) => sorted.at(-1) ?? 0);
  return {
    settings: {
      rows: `${rows} at the start, in ${MONTHS} partitions by month; a primary key and a foreign key`,
      writers: `${WRITERS}, each statement by itself: one row, twenty rows in three partitions, one row of the referenced table`,
      ...Object.fromEntries(longest),
      'refused writes': refused.size === 0 ? 'none' : [...refused].join('; '),
    },
    comparisons: [{ title: 'Statements of the writers', runs: phases.length, timings }],
    aims: [
      { text: 'failed writes', limit: 0, measured: refused.size },
      {
        text: 'longest stall of a writer, ms, under the lock timeout',
        limit: keepDefaults.lockTimeoutMs,
        measured: Math.max(...beside),
      },
    ],
  };
}
