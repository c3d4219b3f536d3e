// Traps of scheduled jobs: what pg_cron does on a real server, and what the keeper does in its place.
import { Client } from 'pg';
import { expect } from 'vitest';
import type { Definition } from '../../src/define/index.ts';
import { jobStatus, openKeeper, runJob } from '../../src/keep/index.ts';
import { withClient, withDatabase } from '../../src/server/index.ts';
import { cronServer, noCron } from '../cluster/cron-server.ts';
import { test } from '../cluster/index.ts';
import { clockAt, jobsOf } from '../keep/kit.ts';

const MISSING = await noCron();
const hourly = { schedule: { cron: '0 * * * *' } } as const;

const making = (name: string, table: string): Definition =>
  jobsOf({ 'create-partitions': { ...hourly, sql: `CREATE TABLE public.${table} ()` } }, name);

const note = (what: string): string => `INSERT INTO public.notes (what) VALUES ('${what}')`;

/** What the server says to a statement. */
async function told(client: Pick<Client, 'query'>, sql: string): Promise<string> {
  return client.query(sql).then(
    () => 'done',
    (error: Error) => error.message,
  );
}

test('BX-16 pg_cron is not there unless somebody made it; the keeper needs no extension', async ({ db }) => {
  expect(await told(db.pool, `SELECT cron.schedule('refresh', '0 * * * *', 'SELECT 1')`)).toBe(
    'schema "cron" does not exist',
  );
  const definition = jobsOf({ refresh: { ...hourly, sql: 'CREATE TABLE public.refreshed ()' } }, 'bx16');
  const run = await runJob(definition, db.url, 'refresh', { clock: clockAt('2026-11-21T12:00:00Z') });
  expect(run.state).toBe('done');
  expect(await db.query('SELECT FROM public.refreshed')).toEqual([]);
});

test.skipIf(MISSING !== undefined)(
  `BX-16 BX-17 pg_cron lives in one database, and a second job of a name replaces the first${MISSING === undefined ? '' : `: ${MISSING}`}`,
  async () => {
    const server = await cronServer();
    try {
      await withClient(server.url, async (client) => {
        await client.query('CREATE EXTENSION pg_cron');
        expect(await told(client, 'CREATE EXTENSION pg_cron')).toBe('extension "pg_cron" already exists');
        await client.query('CREATE DATABASE shop');
        await client.query('CREATE ROLE clerk LOGIN');
        await client.query('SET ROLE clerk');
        expect(await told(client, `SELECT cron.schedule('mine', '0 * * * *', 'SELECT 1')`)).toBe(
          'permission denied for schema cron',
        );
        await client.query('RESET ROLE');
        const name = 'create-partitions';
        await client.query('SELECT cron.schedule($1, $2, $3)', [name, '0 0 1 * *', 'SELECT one()']);
        await client.query('SELECT cron.schedule($1, $2, $3)', [name, '0 23 20 * *', 'CALL other()']);
        const { rows } = await client.query('SELECT schedule, command FROM cron.job');
        expect(rows).toEqual([{ schedule: '0 23 20 * *', command: 'CALL other()' }]);
      });
      await withClient(withDatabase(server.url, 'shop'), async (client) => {
        expect(await told(client, 'CREATE EXTENSION pg_cron')).toBe(
          'can only create extension in database postgres',
        );
      });
    } finally {
      await server.stop();
    }
  },
);

test('BX-17 two definitions in one database have a job of one name each, and both run', async ({ db }) => {
  const other = await db.another();
  const clock = clockAt('2026-11-21T12:30:00Z');
  for (const definition of [making('catalogue', 'by_catalogue'), making('agents', 'by_agents')]) {
    await runJob(definition, other.url, 'create-partitions', { clock });
  }
  const made = await other.query(`SELECT relname FROM pg_class WHERE relname LIKE 'by\\_%' ORDER BY 1`);
  expect(made).toEqual([{ relname: 'by_agents' }, { relname: 'by_catalogue' }]);
  expect(await other.query('SELECT definition, name FROM holdfast.job ORDER BY 1')).toEqual([
    { definition: 'agents', name: 'create-partitions' },
    { definition: 'catalogue', name: 'create-partitions' },
  ]);
});

test('BX-18 two VACUUMs in one command fail at every run; as statements of a job each stands alone, and what fails is told', async ({
  db,
}) => {
  const other = await db.another();
  await other.query('CREATE TABLE public.a (); CREATE TABLE public.b ()');
  expect(await told(other.pool, 'VACUUM public.a; VACUUM public.b')).toBe(
    'VACUUM cannot run inside a transaction block',
  );
  await other.query(`CREATE FUNCTION public.tidy() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS
    $$ BEGIN EXECUTE 'VACUUM public.a'; END $$`);
  expect(await told(other.pool, 'SELECT public.tidy()')).toBe('VACUUM cannot be executed from a function');

  const clock = clockAt('2026-11-21T12:30:00Z');
  const definition = jobsOf(
    {
      vacuum: { ...hourly, sql: ['VACUUM public.a', 'VACUUM public.b'] },
      archive: { ...hourly, retry: { attempts: 1, pauseMs: 1 }, sql: 'TABLE archive.agent_outputs' },
    },
    'bx18',
  );
  const keeper = await openKeeper(definition, other.url, { clock });
  try {
    await keeper.tick();
    clock.set('2026-11-21T13:00:30Z');
    await keeper.tick();
  } finally {
    await keeper.stop();
  }
  const standing = await withClient(other.url, (client) =>
    jobStatus(definition, client, { now: clock.now() }),
  );
  const shown = standing.map(({ job, failures, lastError }) => ({ job, failures, lastError }));
  expect(shown).toEqual([
    { job: 'vacuum', failures: 0, lastError: null },
    {
      job: 'archive',
      failures: 1,
      lastError: expect.stringContaining('relation "archive.agent_outputs" does not exist'),
    },
  ]);
});

test('BX-33 jobs of one hour pile up as the documents have them; declared, each runs after what it waits for', async ({
  db,
}) => {
  const other = await db.another();
  await other.query('CREATE TABLE public.notes (n int GENERATED ALWAYS AS IDENTITY, what text)');
  const definition = jobsOf(
    {
      backup: { ...hourly, after: ['vacuum'], sql: note('backup') },
      vacuum: { ...hourly, after: ['archive'], sql: note('vacuum') },
      archive: { ...hourly, sql: note('archive') },
    },
    'bx33',
  );
  const clock = clockAt('2026-11-22T01:59:00Z');
  const keeper = await openKeeper(definition, other.url, { clock });
  try {
    await keeper.tick();
    clock.set('2026-11-22T02:00:00Z');
    await keeper.tick();
  } finally {
    await keeper.stop();
  }
  expect(await other.query('SELECT what FROM public.notes ORDER BY n')).toEqual([
    { what: 'archive' },
    { what: 'vacuum' },
    { what: 'backup' },
  ]);
});
