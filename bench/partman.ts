// Maintenance of 100 partitioned tables: the keeper's look beside pg_partman's procedure, each in a database of its own
// on one server of this part's, of PostgreSQL 15 with Debian's postgresql-15-partman.
import { bigint, pgSchema, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import { database, type Definition, job, partitions } from 'holdfast';
import { apply, plan } from 'holdfast/build';
import { type Clock, openKeeper } from 'holdfast/keep';
import { connect, embedded, withClient } from 'holdfast/server';
import { describeMachine } from './machine.ts';
import { type Comparison, type Context, compare, ratio, type Report } from './measure.ts';

export const name = 'partman';

const OURS = 'ours: one look of a keeper that runs';
const WARM = 'pg_partman: run_maintenance_proc, again in one session';
const FRESH = 'pg_partman: run_maintenance_proc, in a session of its own as its worker and pg_cron do';
const AHEAD = 3;
const BEHIND = 8;
const MAJOR = 15;

/** One way of doing it, in its own database. */
interface Side {
  /** A run that finds every partition there. */
  readonly idle: () => Promise<unknown>;
  /** A run that finds one partition of each table missing. */
  readonly busy: () => Promise<unknown>;
  readonly close: () => Promise<void>;
}

/** Part: 100 tables of 12 partitions, with nothing to do and with one partition of each table to make. */
export async function run({ quick }: Context): Promise<Report> {
  const server = await embedded({ ephemeral: true, major: MAJOR });
  try {
    const version = await withClient(server.url, async (admin) => {
      const { rows } = await admin.query<{ version: string }>(VERSION_SQL);
      for (const each of ['ours', 'warm', 'fresh']) await admin.query(`CREATE DATABASE ${each}`);
      return rows[0]?.version;
    });
    if (version === undefined) {
      const skipped = 'nothing was measured: Debian package postgresql-15-partman is not installed';
      return { settings: { skipped }, comparisons: [], aims: [] };
    }
    const tables = quick ? 10 : 100;
    const about = {
      ...(await describeMachine(server.url)),
      pg_partman: `${version}, infinite_time_partitions, no DEFAULT partitions, no pg_jobmon`,
      tables: `${tables}, each with ${BEHIND + 1 + AHEAD} partitions by month and a primary key; one row each`,
      'one look of ours':
        'renews the lead, runs the job, checks every partition against its table, writes the ledger',
    };
    return { settings: about, ...(await measured(server.url, { tables, quick })) };
  } finally {
    await server.stop();
  }
}

const VERSION_SQL = `SELECT default_version AS version FROM pg_catalog.pg_available_extensions WHERE name = 'pg_partman'`;

async function measured(
  url: string,
  { tables, quick }: { readonly tables: number; readonly quick: boolean },
): Promise<Pick<Report, 'comparisons' | 'aims'>> {
  const sides = [
    await theirs(within(url, 'warm'), { tables, fresh: false }),
    await theirs(within(url, 'fresh'), { tables, fresh: true }),
    await ours(within(url, 'ours'), tables),
  ] as const;
  const contenders = (way: 'idle' | 'busy') =>
    [WARM, FRESH, OURS].map((label, at) => ({ label, run: async () => sides[at]?.[way]() }));
  try {
    const idle = await compare('Nothing to do', contenders('idle'), quick ? 3 : 20);
    const busy = await compare('One partition of each table to make', contenders('busy'), quick ? 2 : 10);
    await sameCounts(url, tables);
    return { comparisons: [idle, busy], aims: [...aims(idle), ...aims(busy)] };
  } finally {
    for (const side of sides) await side.close();
  }
}

function aims(comparison: Comparison): Report['aims'] {
  return [FRESH, WARM].map((label) => ({
    text: `${comparison.title}: ours over ${label}`,
    limit: 0.5,
    measured: ratio(comparison, OURS, label),
  }));
}

const TABLE = (name: string): string =>
  `CREATE TABLE bench.${name} (tenant_id text NOT NULL, id bigint NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (tenant_id, id, at)) PARTITION BY RANGE (at)`;

async function theirs(
  url: string,
  { tables, fresh }: { readonly tables: number; readonly fresh: boolean },
): Promise<Side> {
  const client = await connect(url);
  await client.query(
    'CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman; CREATE SCHEMA bench',
  );
  for (let at = 1; at <= tables; at += 1) {
    await client.query(TABLE(`t${at}`));
    await client.query(
      `SELECT partman.create_parent('bench.t${at}', 'at', 'native', 'monthly', p_premake := ${AHEAD},
         p_start_partition := (pg_catalog.now() - interval '${BEHIND} months')::text)`,
    );
    await client.query(
      `DROP TABLE bench.t${at}_default; INSERT INTO bench.t${at} VALUES ('t', 1, pg_catalog.now())`,
    );
  }
  await client.query('UPDATE partman.part_config SET infinite_time_partitions = true');
  const call = 'CALL partman.run_maintenance_proc()';
  await client.query(call);
  await client.query(CUT_SQL);
  await client.query('ANALYZE');
  const idle = fresh ? () => withClient(url, (one) => one.query(call)) : () => client.query(call);
  return {
    idle,
    // What is ahead is counted by partitions: one more is wanted each time.
    busy: async () => {
      await client.query('UPDATE partman.part_config SET premake = premake + 1');
      await idle();
    },
    close: () => client.end(),
  };
}

// pg_partman rounds what is ahead to whole intervals, so that late in a month its first run makes one more: the oldest go.
const CUT_SQL = `DO $do$
  DECLARE parent regclass; partition regclass;
  BEGIN
    FOR parent IN SELECT parent_table::regclass FROM partman.part_config LOOP
      FOR partition IN SELECT inhrelid::regclass FROM pg_catalog.pg_inherits WHERE inhparent = parent
          ORDER BY inhrelid::regclass::text DESC OFFSET ${BEHIND + 1 + AHEAD} LOOP
        EXECUTE 'DROP TABLE ' || partition;
      END LOOP;
    END LOOP;
  END $do$`;

/** A clock that stands still between the looks. */
class Calendar implements Clock {
  #now = startOfMonth(new Date());

  readonly now = (): Date => this.#now;
  readonly monotonicMs = (): number => this.#now.getTime();
  readonly sleep = async (): Promise<void> => undefined;

  nextDay(): void {
    this.#now = new Date(this.#now.getTime() + 86_400_000);
  }

  nextMonth(): void {
    this.#now = startOfMonth(new Date(Date.UTC(this.#now.getUTCFullYear(), this.#now.getUTCMonth() + 1)));
  }
}

/** The second of the month at noon: the partitions' day has begun in every zone. */
function startOfMonth(of: Date): Date {
  return new Date(Date.UTC(of.getUTCFullYear(), of.getUTCMonth(), 2, 12));
}

async function ours(url: string, tables: number): Promise<Side> {
  const calendar = new Calendar();
  const definition = defined(tables, calendar.now());
  await apply(await plan(definition, url, { now: calendar.now() }), url);
  await withClient(url, async (client) => {
    for (let at = 1; at <= tables; at += 1)
      await client.query(`INSERT INTO bench.t${at} VALUES ('t', 1, $1)`, [calendar.now()]);
    await client.query('ANALYZE');
  });
  const keeper = await openKeeper(definition, url, { clock: calendar });
  const look = async (): Promise<void> => {
    const { runs } = await keeper.tick();
    const failed = runs.find((one) => one.state !== 'done');
    if (runs.length !== 1 || failed !== undefined)
      throw new Error(`The keeper ran ${runs.length} jobs: ${failed?.error ?? 'none failed'}.`);
  };
  await look();
  return {
    idle: async () => {
      calendar.nextDay();
      await look();
    },
    busy: async () => {
      calendar.nextMonth();
      await look();
    },
    close: () => keeper.stop(),
  };
}

function defined(count: number, now: Date): Definition {
  const schema = pgSchema('bench');
  const tables = Array.from({ length: count }, (_, at) =>
    schema.table(
      `t${at + 1}`,
      {
        tenantId: text('tenant_id').notNull(),
        id: bigint({ mode: 'number' }).notNull(),
        at: timestamp({ withTimezone: true }).notNull(),
      },
      (t) => [primaryKey({ columns: [t.tenantId, t.id, t.at] })],
    ),
  );
  const from = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - BEHIND));
  return database('bench', {
    tables: { schema, ...Object.fromEntries(tables.map((table, at) => [`t${at}`, table])) },
    traits: tables.map((table) => partitions(table, { by: 'at', every: 'month', ahead: AHEAD, from })),
    // Statistics are none of pg_partman's work on this server; the job is there and not due.
    jobs: [job('analyze', { schedule: { cron: '0 4 29 2 *' } })],
  });
}

async function sameCounts(url: string, tables: number): Promise<void> {
  const counts = await Promise.all(
    ['ours', 'warm', 'fresh'].map((each) =>
      withClient(within(url, each), async (client) => {
        const { rows } = await client.query<{ count: number }>(COUNT_SQL);
        return rows[0]?.count ?? 0;
      }),
    ),
  );
  if (new Set(counts).size !== 1 || (counts[0] ?? 0) < tables * (BEHIND + 2 + AHEAD))
    throw new Error(`The sides have made different partitions: ${counts.join(', ')}.`);
}

const COUNT_SQL = `
  SELECT pg_catalog.count(*)::pg_catalog.int4 AS count FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class p ON p.oid = i.inhparent AND p.relkind = 'p' AND p.relnamespace = 'bench'::pg_catalog.regnamespace`;

function within(url: string, name: string): string {
  const to = new URL(url);
  to.pathname = `/${name}`;
  return to.href;
}
