// Jobs handed to a real pg_cron, on a server of the test's own.
import { existsSync } from 'node:fs';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jobStatus, openKeeper, registerCron, splitForCron, withCronLog } from '../../src/keep/index.ts';
import { embedded, withDatabase, type Embedded } from '../../src/server/index.ts';
import { clockAt, DAY, jobsOf, MINUTE } from './kit.ts';

const daily = { schedule: { cron: '10 0 * * *' } } as const;

describe('which jobs pg_cron may have', () => {
  test('those that are one statement of SQL each, by five fields in UTC, without order and start', () => {
    const definition = jobsOf({
      plain: { ...daily, sql: 'SELECT 1' },
      utc: { schedule: { cron: '0 1 * * *', zone: 'Etc/UTC' }, sql: 'SELECT 2' },
      code: { ...daily, run: async () => ({}) },
      two: { ...daily, sql: ['SELECT 1', 'SELECT 2'] },
      zoned: { schedule: { cron: '0 1 * * *', zone: 'America/Sao_Paulo' }, sql: 'SELECT 1' },
      often: { schedule: { everyMs: 1_000 }, sql: 'SELECT 1' },
      seconds: { schedule: { cron: '* * * * * *' }, sql: 'SELECT 1' },
      start: { ...daily, atStart: true, sql: 'SELECT 1' },
      first: { ...daily, sql: 'SELECT 1' },
      second: { ...daily, after: ['first'], sql: 'SELECT 1' },
    });
    const { entries, kept } = splitForCron(definition, 'shop');
    expect(entries).toEqual([
      {
        name: 'shop:kept/plain',
        job: 'plain',
        schedule: '10 0 * * *',
        command: '/* holdfast kept */ SELECT 1',
      },
      { name: 'shop:kept/utc', job: 'utc', schedule: '0 1 * * *', command: '/* holdfast kept */ SELECT 2' },
    ]);
    expect(Object.fromEntries(kept.map(({ job, why }) => [job, why]))).toEqual({
      code: 'a task of it is not one statement of SQL',
      two: 'a task of it is not one statement of SQL',
      zoned: 'pg_cron knows no time zone but GMT, and it runs in America/Sao_Paulo',
      often: 'it runs at an interval',
      seconds: 'its schedule is not one expression of five fields',
      start: 'it runs at start too',
      first: 'it has an order with other jobs',
      second: 'it has an order with other jobs',
    });
  });
});

const installed = existsSync('/usr/lib/postgresql/15/lib/pg_cron.so');

describe.skipIf(!installed)(
  `a real pg_cron${installed ? '' : ' (postgresql-15-cron is not installed)'}`,
  () => {
    let server: Embedded;
    let home: Client;
    let url = '';

    beforeAll(async () => {
      server = await embedded({
        ephemeral: true,
        major: 15,
        settings: {
          shared_preload_libraries: 'pg_cron',
          'cron.database_name': 'postgres',
          'cron.use_background_workers': 'on',
        },
      });
      home = new Client(withDatabase(server.url, 'postgres'));
      await home.connect();
      await home.query('CREATE EXTENSION pg_cron');
      await home.query('CREATE DATABASE shop');
      url = withDatabase(server.url, 'shop');
    });
    afterAll(async () => {
      await home?.end();
      await server?.stop();
    });

    const entries = async (): Promise<unknown[]> =>
      (await home.query('SELECT jobname, schedule, command, database FROM cron.job ORDER BY jobname')).rows;

    test('gets its jobs under their own names, keeps what is not ours, and the keeper leaves them alone', async () => {
      await home.query("SELECT cron.schedule('create-partitions', '0 0 1 * *', 'SELECT 1')");
      await home.query(
        "SELECT cron.schedule_in_database('shop:other/plain', '0 0 1 * *', 'SELECT 1', 'shop')",
      );
      const foreign = await entries();
      const clock = clockAt('2026-01-15T12:00:00Z');
      let ran = 0;
      const definition = jobsOf({
        plain: { ...daily, sql: 'SELECT 1' },
        code: { ...daily, run: async () => void (ran += 1) },
      });
      const keeper = await openKeeper(definition, url, { clock, scheduler: 'pg_cron' });
      await keeper.tick();
      clock.pass(DAY);
      expect((await keeper.tick()).runs.map(({ job }) => job)).toEqual(['code']);
      expect(ran).toBe(1);
      await keeper.stop();
      const own = { database: 'shop', jobname: 'shop:kept/plain' };
      expect(await entries()).toEqual(
        [...foreign, { ...own, schedule: '10 0 * * *', command: '/* holdfast kept */ SELECT 1' }].toSorted(
          (a, b) => ((a as { jobname: string }).jobname < (b as { jobname: string }).jobname ? -1 : 1),
        ),
      );
      // Another command of ours, another time; then none.
      const changed = jobsOf({ plain: { schedule: { cron: '5 5 * * *' }, sql: 'SELECT 3' } });
      const { entries: wanted } = splitForCron(changed, 'shop');
      expect(await registerCron(changed, url, wanted)).toEqual({ written: 1, removed: 0 });
      expect(await registerCron(changed, url, wanted)).toEqual({ written: 0, removed: 0 });
      expect(await entries()).toContainEqual({
        ...own,
        schedule: '5 5 * * *',
        command: '/* holdfast kept */ SELECT 3',
      });
      const back = await openKeeper(changed, url, { clock, scheduler: 'keeper' });
      await back.stop();
      expect(await entries()).toEqual(foreign);
    });

    test('a name that runs something else is refused, and nothing is changed', async () => {
      const definition = jobsOf(
        { first: { ...daily, sql: 'SELECT 1' }, plain: { ...daily, sql: 'SELECT 2' } },
        'taken',
      );
      await home.query(
        "SELECT cron.schedule_in_database('shop:taken/plain', '0 0 1 * *', 'TRUNCATE x', 'shop')",
      );
      const before = await entries();
      await expect(openKeeper(definition, url, { scheduler: 'pg_cron' })).rejects.toMatchObject({
        code: 'HF_CRON_TAKEN',
        subject: 'pg_cron job shop:taken/plain',
        what: 'it exists and runs something else in database shop: TRUNCATE x.',
      });
      expect(await entries()).toEqual(before);
    });

    test('its run log is in the status', async () => {
      const definition = jobsOf(
        { good: { ...daily, sql: 'SELECT 1' }, bad: { ...daily, sql: 'SELECT 1/0' } },
        'log',
      );
      await registerCron(definition, url, splitForCron(definition, 'shop').entries);
      // Runs as pg_cron writes them; its own clock knows no seconds.
      await home.query(`INSERT INTO cron.job_run_details (jobid, runid, status, return_message, start_time, end_time)
      SELECT jobid, 1000 + n * 10 + jobid, CASE WHEN jobname LIKE '%bad' AND n > 1 THEN 'failed' ELSE 'succeeded' END,
        CASE WHEN jobname LIKE '%bad' AND n > 1 THEN 'ERROR:  division by zero' ELSE '1 row' END,
        timestamptz '2026-01-10 00:10Z' + n * interval '1 day', timestamptz '2026-01-10 00:11Z' + n * interval '1 day'
      FROM cron.job, generate_series(1, 3) n WHERE jobname LIKE 'shop:log/%'`);
      const client = new Client(url);
      await client.connect();
      const known = await jobStatus(definition, client, { now: new Date('2026-01-14T00:00:00Z') });
      await client.end();
      expect(await withCronLog(definition, url, known)).toMatchObject([
        {
          job: 'good',
          scheduler: 'pg_cron',
          lastSuccessAt: new Date('2026-01-13T00:11:00Z'),
          failures: 0,
          lastError: null,
        },
        {
          job: 'bad',
          scheduler: 'pg_cron',
          lastSuccessAt: new Date('2026-01-11T00:11:00Z'),
          failures: 2,
          lastError: 'ERROR:  division by zero',
        },
      ]);
    });

    test('what it logs is in the ledger too, where metrics and alerts look', async () => {
      const definition = jobsOf(
        { good: { ...daily, sql: 'SELECT 1' }, bad: { ...daily, sql: 'SELECT 1/0' } },
        'log',
      );
      const clock = clockAt('2026-01-14T00:20:00Z');
      const options = { clock, scheduler: 'pg_cron', ledgerSchema: 'ledger_log' } as const;
      const keeper = await openKeeper(definition, url, options);
      expect(await keeper.tick()).toMatchObject({ leading: true, runs: [] });
      await keeper.stop();
      const client = new Client(url);
      await client.connect();
      const known = await jobStatus(definition, client, { now: clock.now(), ...options });
      await client.end();
      expect(known).toMatchObject([
        { job: 'good', seen: true, lateMs: 10 * MINUTE, failures: 0, lastError: null },
        { job: 'bad', seen: true, lateMs: 2 * DAY + 10 * MINUTE, failures: 2 },
      ]);
    });

    test('a server without it says how to get it', async () => {
      const definition = jobsOf({ plain: { ...daily, sql: 'SELECT 1' } });
      await home.query('DROP EXTENSION pg_cron');
      await expect(registerCron(definition, url, [])).rejects.toMatchObject({
        code: 'HF_CRON_MISSING',
        what: 'database postgres does not have the extension.',
      });
      const client = new Client(url);
      await client.connect();
      const known = await jobStatus(definition, client, { now: new Date() });
      await client.end();
      expect(await withCronLog(definition, url, known)).toEqual(known);
    });
  },
);
