// Who keeps rows that are gone: what is waited for is what makes VACUUM FULL copy them, each held against the server itself.
import { Client } from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { TaskContext } from '../../src/define/job.ts';
import { embedded, type Embedded } from '../../src/server/index.ts';
import { untilUnseen } from '../../src/traits/erasure/horizon.ts';

const major = Number(process.env['HOLDFAST_TEST_PG'] ?? 18);
// Two kinds of holders that no server has by default.
const SETTINGS = { fsync: 'off', max_prepared_transactions: '5', wal_level: 'logical' };

let server: Embedded;
let client: Client;
beforeAll(async () => {
  server = await embedded({ ephemeral: true, major, settings: SETTINGS });
  client = await session();
  await client.query('CREATE DATABASE elsewhere');
});
afterAll(async () => {
  await client.end();
  await server.stop();
});

async function session(database = 'postgres'): Promise<Client> {
  const url = new URL(server.url);
  url.pathname = `/${database}`;
  const made = new Client(url.href);
  made.on('error', () => undefined);
  await made.connect();
  return made;
}

/** A session for the time of one test. */
async function guest(database?: string): Promise<Client> {
  const made = await session(database);
  onTestFinished(() => made.end().catch(() => undefined));
  return made;
}

/** Whom it waited for; undefined where it did not wait. */
async function waitedFor(): Promise<string | undefined> {
  let told: string | undefined;
  const stop = new AbortController();
  const context = {
    session: { query: async (sql: string, values?: unknown[]) => (await client.query(sql, values)).rows },
    signal: stop.signal,
    pause: async () => stop.abort(),
    tell: (text: string) => (told = text),
  } as unknown as TaskContext;
  await untilUnseen({ context }).catch((error: unknown) => {
    expect(error).toMatchObject({ code: 'HF_ERASURE_WAITING' });
  });
  return told?.replace(/^waits for /, '').replace(/\d+/, 'N');
}

const KEPT_SQL = `
  SELECT (pg_relation_size('kept') > 0)::text AS kept`;

/** The only row of a table goes, under whoever holds something. */
async function lost(hold: () => Promise<unknown> = async () => undefined): Promise<void> {
  await client.query(
    "DROP TABLE IF EXISTS kept; CREATE TABLE kept WITH (autovacuum_enabled = off) AS SELECT 'somebody' AS name",
  );
  await hold();
  await client.query('DELETE FROM kept');
}

/** Whether VACUUM FULL copies the row that is gone: the table has no other, and its file is empty where it does not. */
async function copied(): Promise<boolean> {
  await client.query('VACUUM (FULL) kept');
  const { rows } = await client.query<{ kept: string }>(KEPT_SQL);
  return rows[0]?.kept === 'true';
}

const POSTGRES = 'process N of database postgres, postgres';

test('nobody', async () => {
  await lost();
  expect(await waitedFor()).toBeUndefined();
  expect(await copied()).toBe(false);
});

const WRITING = 'BEGIN; SELECT pg_current_xact_id()';
const READING = 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1';
const ELSEWHERE = 'process N of database elsewhere, postgres';

test.each([
  { name: 'a snapshot of this database', database: 'postgres', sql: READING, who: POSTGRES },
  { name: 'a write in this database', database: 'postgres', sql: WRITING, who: POSTGRES },
  { name: 'a write in another database', database: 'elsewhere', sql: WRITING, who: ELSEWHERE },
  { name: 'a snapshot of another database', database: 'elsewhere', sql: READING, who: undefined },
  { name: 'a transaction that sees nothing yet', database: 'postgres', sql: 'BEGIN', who: undefined },
])('$name', async ({ database, sql, who }) => {
  const other = await guest(database);
  await lost(async () => other.query(sql));
  expect(await waitedFor()).toBe(who);
  expect(await copied()).toBe(who !== undefined);
  await other.query('ROLLBACK');
  expect(await waitedFor()).toBeUndefined();
  expect(await copied()).toBe(false);
});

test('a prepared transaction of another database, which no session holds', async () => {
  const other = await guest('elsewhere');
  await lost(async () => other.query("BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'left alone'"));
  expect(await waitedFor()).toBe('prepared transaction left alone of database elsewhere');
  expect(await copied()).toBe(true);
  await other.query("ROLLBACK PREPARED 'left alone'");
  expect(await waitedFor()).toBeUndefined();
  expect(await copied()).toBe(false);
});

test('a slot of logical replication, for what stands in catalogues', async () => {
  await client.query("SELECT pg_create_logical_replication_slot('subscriber', 'pgoutput')");
  // Statistics and large objects lie in catalogues: the slot keeps those, and no rows of tables.
  await lost();
  expect(await waitedFor()).toBe('replication slot subscriber');
  expect(await copied()).toBe(false);
  await client.query("SELECT lo_from_bytea(4711, 'somebody'); SELECT lo_unlink(4711)");
  const size = async (): Promise<unknown> => {
    await client.query('VACUUM (FULL) pg_largeobject');
    return (await client.query("SELECT pg_relation_size('pg_largeobject')::int AS bytes")).rows[0];
  };
  expect(await size()).toEqual({ bytes: 8192 });
  await client.query("SELECT pg_drop_replication_slot('subscriber')");
  expect(await waitedFor()).toBeUndefined();
  expect(await size()).toEqual({ bytes: 0 });
});

test('a VACUUM that is under way keeps nothing, though it shows a snapshot', async () => {
  await client.query('CREATE TABLE large AS SELECT n FROM generate_series(1, 200000) n');
  const other = await guest();
  await lost(async () => {
    await other.query('SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1');
    const vacuum = other.query('VACUUM large').catch(() => undefined);
    onTestFinished(async () => {
      await client.query('SELECT pg_cancel_backend(pid) FROM pg_stat_progress_vacuum');
      await vacuum;
    });
    const under = `SELECT backend_xmin IS NOT NULL AS shown FROM pg_stat_activity JOIN pg_stat_progress_vacuum USING (pid)`;
    await expect
      .poll(async () => (await client.query(under)).rows, { timeout: 20_000 })
      .toEqual([{ shown: true }]);
  });
  expect(await waitedFor()).toBeUndefined();
  expect(await copied()).toBe(false);
});
