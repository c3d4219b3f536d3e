// What a tenant session costs: one point read and one insert, against the same by hand and against no tenancy at all.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { and, eq } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { Pool } from 'pg';
import { database } from 'holdfast/define';
import { withClient, withDatabase } from 'holdfast/server';
import { connect } from 'holdfast/use';
import type { Connected } from 'holdfast/use';
import { compare, ratio } from './measure.ts';
import type { Comparison, Contender, Context, Report } from './measure.ts';

export const name = 'session';

const TENANTS = 50;
const ROWS = 100_000;
const DELAY_MS = 1;
const SETTING = 'app.current_tenant_id';

const noteTable = (named: string) =>
  pgTable(
    named,
    { tenantId: text('tenant_id').notNull(), id: integer().notNull(), body: text().notNull() },
    (table) => [primaryKey({ columns: [table.tenantId, table.id] })],
  );
const plain = noteTable('plain');
const isolated = noteTable('isolated');
const tables = { isolated };

const SCHEMA_SQL = `
CREATE TABLE plain (tenant_id text NOT NULL, id int NOT NULL, body text NOT NULL, PRIMARY KEY (tenant_id, id));
INSERT INTO plain SELECT 't' || i % ${TENANTS}, i, 'note ' || i FROM generate_series(1, ${ROWS}) i;
CREATE TABLE isolated (LIKE plain INCLUDING ALL);
INSERT INTO isolated TABLE plain;
ALTER TABLE isolated ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON isolated USING (tenant_id = nullif(current_setting('${SETTING}', true), ''));
ANALYZE plain, isolated;`;

/** Part (a): ratios on loopback and with {@link DELAY_MS} added to each round trip. */
export async function run(context: Context): Promise<Report> {
  const lab = await openLab(context.serverUrl);
  const line = await delayLine(lab.url, DELAY_MS / 2);
  try {
    const near = await measure(lab.url, 'loopback', context.quick ? 200 : 3000);
    const far = await measure(line.url, `${DELAY_MS} ms added`, context.quick ? 50 : 500);
    return {
      settings: {
        tenants: TENANTS,
        rows: ROWS,
        connections: '1 each, opened before',
        'application role': 'neither superuser nor BYPASSRLS',
        'added delay': `${DELAY_MS / 2} ms each way, by a relay in a thread of its own that spins while a packet waits`,
      },
      comparisons: [...near, ...far],
      aims: [...aims(near, 1.3), ...aims(far, 1.1)],
    };
  } finally {
    await line.close();
    await lab.drop();
  }
}

const RAW = 'raw pg, no row security';
const RAW_PREPARED = 'raw pg, prepared, no row security';
const SESSION = 'session.query';
const SESSION_PREPARED = 'session.query, prepared';

function aims(comparisons: readonly Comparison[], limit: number): Report['aims'] {
  return comparisons.filter(aimed).flatMap((comparison) => [
    { text: `${comparison.title}: session / raw`, limit, measured: ratio(comparison, SESSION, RAW) },
    {
      text: `${comparison.title}: session / raw, both prepared`,
      limit,
      measured: ratio(comparison, SESSION_PREPARED, RAW_PREPARED),
    },
  ]);
}

function aimed(comparison: Comparison): boolean {
  return !comparison.title.includes('synchronous_commit');
}

async function measure(url: string, where: string, runs: number): Promise<readonly Comparison[]> {
  const withoutDisk = new URL(url);
  withoutDisk.searchParams.set('options', '-c synchronous_commit=off');
  return [
    await withLines(url, (lines) => compare(`point read, ${where}`, reads(lines), runs)),
    await withLines(url, (lines) => compare(`insert, ${where}`, inserts(lines), runs)),
    // No aim stands on this one; it shows what an insert costs where COMMIT does not wait for the disk.
    await withLines(withoutDisk.href, (lines) =>
      compare(`insert, synchronous_commit = off, ${where}`, inserts(lines), runs),
    ),
  ];
}

type App = Connected<typeof tables>;

/** A connection for each contender. */
interface Lines {
  readonly raw: Pool;
  readonly prepared: Pool;
  readonly hand: Pool;
  readonly orm: Pool;
  readonly app: App;
  readonly named: App;
  readonly byOrm: App;
}

async function withLines<R>(url: string, work: (lines: Lines) => Promise<R>): Promise<R> {
  const pool = (): Pool => new Pool({ connectionString: url, max: 1 });
  const definition = {
    ...database('bench', { tables }),
    traits: [{ name: 'tenancy', session: { settings: { tenant: { setting: SETTING, pattern: /t\d+/ } } } }],
  };
  const pools = { raw: pool(), prepared: pool(), hand: pool(), orm: pool() };
  const apps = {
    app: await connect(definition, url, { maxConnections: 1 }),
    named: await connect(definition, url, { maxConnections: 1, prepare: true }),
    byOrm: await connect(definition, url, { maxConnections: 1 }),
  };
  try {
    return await work({ ...pools, ...apps });
  } finally {
    await Promise.all([
      ...Object.values(pools).map((one) => one.end()),
      ...Object.values(apps).map((one) => one.close()),
    ]);
  }
}

const readSql = (table: string): string => `SELECT id, body FROM ${table} WHERE tenant_id = $1 AND id = $2`;
const insertSql = (table: string): string => `INSERT INTO ${table} (tenant_id, id, body) VALUES ($1, $2, $3)`;

// Another row each round, spread over the table.
function key(round: number): [string, number] {
  const id = 1 + ((round * 7919) % ROWS);
  return [`t${id % TENANTS}`, id];
}

let lastId = ROWS;

function row(): [string, number, string] {
  lastId += 1;
  return [`t${lastId % TENANTS}`, lastId, 'a new note'];
}

const asValues = ([tenantId, id, body]: [string, number, string]) => ({ tenantId, id, body });

async function one(of: Promise<{ rows: readonly unknown[] }>): Promise<void> {
  if ((await of).rows.length !== 1) throw new Error('the row was not found');
}

function reads({ raw, prepared, hand, orm, app, named, byOrm }: Lines): Contender[] {
  const db = drizzle({ client: orm });
  return [
    { label: RAW, run: (round) => one(raw.query(readSql('plain'), key(round))) },
    {
      label: SESSION,
      run: (round) => one(app.session({ tenant: key(round)[0] }).query(readSql('isolated'), key(round))),
    },
    {
      label: 'by hand, four round trips',
      run: (round) => one(byHand(hand, key(round)[0], readSql('isolated'), key(round))),
    },
    {
      label: RAW_PREPARED,
      run: (round) => one(prepared.query({ name: 'read', text: readSql('plain'), values: key(round) })),
    },
    {
      label: SESSION_PREPARED,
      run: (round) => one(named.session({ tenant: key(round)[0] }).query(readSql('isolated'), key(round))),
    },
    {
      label: 'Drizzle, no row security',
      run: async (round) => {
        const [tenant, id] = key(round);
        await one(
          db
            .select()
            .from(plain)
            .where(and(eq(plain.tenantId, tenant), eq(plain.id, id)))
            .then(asRows),
        );
      },
    },
    {
      label: 'session.db',
      run: async (round) => {
        const [tenant, id] = key(round);
        const session = byOrm.session({ tenant });
        const where = and(eq(isolated.tenantId, tenant), eq(isolated.id, id));
        await one(session.db.select().from(isolated).where(where).then(asRows));
      },
    },
  ];
}

function inserts({ raw, prepared, hand, orm, app, named, byOrm }: Lines): Contender[] {
  const db = drizzle({ client: orm });
  return [
    { label: RAW, run: () => raw.query(insertSql('plain'), row()) },
    { label: SESSION, run: () => sessionInsert(app, insertSql('isolated'), row()) },
    {
      label: 'by hand, four round trips',
      run: () => {
        const values = row();
        return byHand(hand, values[0], insertSql('isolated'), values);
      },
    },
    {
      label: RAW_PREPARED,
      run: () => prepared.query({ name: 'insert', text: insertSql('plain'), values: row() }),
    },
    { label: SESSION_PREPARED, run: () => sessionInsert(named, insertSql('isolated'), row()) },
    { label: 'Drizzle, no row security', run: () => db.insert(plain).values(asValues(row())) },
    {
      label: 'session.db',
      run: () => {
        const values = row();
        return byOrm.session({ tenant: values[0] }).db.insert(isolated).values(asValues(values));
      },
    },
  ];
}

function sessionInsert(app: App, sql: string, values: [string, number, string]): Promise<unknown> {
  return app.session({ tenant: values[0] }).query(sql, values);
}

const asRows = (rows: readonly unknown[]): { rows: readonly unknown[] } => ({ rows });

// What teams write today. Errors would need a ROLLBACK on top.
async function byHand(
  pool: Pool,
  tenant: string,
  ...[text, values]: [string, unknown[]]
): Promise<{ rows: readonly unknown[] }> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(`SELECT set_config('${SETTING}', $1, true)`, [tenant]);
    const result = await client.query(text, values);
    await client.query('COMMIT');
    return result;
  } finally {
    client.release();
  }
}

async function openLab(serverUrl: string): Promise<{ url: string; drop: () => Promise<void> }> {
  const named = `bench_session_${randomBytes(4).toString('hex')}`;
  const password = randomBytes(16).toString('hex');
  await withClient(serverUrl, async (client) => {
    await client.query(`CREATE DATABASE ${named}`);
    await client.query(`CREATE ROLE ${named} LOGIN PASSWORD '${password}'`);
  });
  await withClient(withDatabase(serverUrl, named), async (client) => {
    await client.query(SCHEMA_SQL);
    await client.query(`GRANT SELECT, INSERT ON plain, isolated TO ${named}`);
  });
  const url = new URL(withDatabase(serverUrl, named));
  url.username = named;
  url.password = password;
  return {
    url: url.href,
    drop: () =>
      withClient(serverUrl, async (client) => {
        await client.query(`DROP DATABASE ${named} WITH (FORCE)`);
        await client.query(`DROP ROLE ${named}`);
      }),
  };
}

async function delayLine(
  of: string,
  delayMs: number,
): Promise<{ url: string; close: () => Promise<unknown> }> {
  const url = new URL(of);
  const workerData = { host: url.hostname, port: Number(url.port), delayMs };
  const worker = new Worker(new URL('delay-line.mjs', import.meta.url), { workerData });
  const [port] = (await once(worker, 'message')) as [number];
  url.port = String(port);
  return { url: url.href, close: () => worker.terminate() };
}
