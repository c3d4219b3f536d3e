// A keeper behind PgBouncer in transaction mode, where no session is its own.
import { Client } from 'pg';
import { afterAll, describe, expect } from 'vitest';
import { openKeeper } from '../../src/keep/index.ts';
import { test } from '../cluster/index.ts';
import { installedVersion, startBouncer, type Bouncer } from '../use/bouncer.ts';
import { clockAt, DAY, jobsOf } from './kit.ts';

const version = installedVersion();
const bouncers: Bouncer[] = [];
afterAll(async () => {
  for (const bouncer of bouncers) await bouncer.close();
});

describe.skipIf(version === undefined)(`through PgBouncer ${version ?? '(not installed)'}`, () => {
  test('leads, works, vacuums, ends what takes too long and leaves nothing in other sessions', async ({
    db,
  }) => {
    const login = db.role('keeper');
    await db.query(`CREATE ROLE ${login} LOGIN SUPERUSER PASSWORD 'behind the pool'`);
    await db.query(`ALTER ROLE ${login} SET "TimeZone" = 'Asia/Kathmandu'`);
    await db.query(`ALTER ROLE ${login} SET statement_timeout = '31s'`);
    await db.query('CREATE TABLE heap (id int)');
    const bouncer = await startBouncer(db.urlAs(login, 'behind the pool'));
    bouncers.push(bouncer);
    const SEEN_SQL = `SELECT current_setting('TimeZone') AS zone, current_setting('statement_timeout') AS statement`;
    const seen: unknown[] = [];
    const daily = { schedule: { cron: '10 0 * * *' }, retry: { attempts: 1, pauseMs: 1 } };
    const definition = jobsOf({
      work: {
        ...daily,
        run: async ({ session }) => {
          seen.push(...(await session.query(SEEN_SQL)));
          await session.transaction(async (query) => {
            seen.push(...(await query(SEEN_SQL)));
            await query('INSERT INTO heap VALUES (1)');
          });
          await session.query('VACUUM heap');
          await session.query('CREATE INDEX CONCURRENTLY IF NOT EXISTS heap_id ON heap (id)');
        },
      },
      slow: { ...daily, after: ['work'], timeoutMs: 200, sql: 'SELECT pg_sleep(25)' },
    });
    const clock = clockAt('2026-01-15T12:00:00Z');
    const a = await openKeeper(definition, bouncer.url, { clock, name: 'a' });
    const b = await openKeeper(definition, bouncer.url, { clock, name: 'b' });
    expect((await a.tick()).leading).toBe(true);
    clock.pass(DAY);
    const began = performance.now();
    expect((await a.tick()).runs).toHaveLength(2);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(await b.tick()).toMatchObject({ leading: false, runs: [] });
    // Left as a kill leaves it; the other is the next.
    await a.abandon();
    clock.pass(DAY);
    expect(await b.tick()).toMatchObject({ leading: true, fence: '2' });
    await b.stop();
    const runs = await db.query('SELECT job, state FROM holdfast.job_run ORDER BY run');
    expect(runs).toEqual([
      { job: 'work', state: 'done' },
      { job: 'slow', state: 'failed' },
      { job: 'work', state: 'done' },
      { job: 'slow', state: 'failed' },
    ]);
    expect(seen.slice(0, 2)).toEqual([
      { zone: 'UTC', statement: '0' },
      { zone: 'UTC', statement: '0' },
    ]);
    // The server connections are those that the keepers used.
    for (let turn = 0; turn < 4; turn += 1) {
      const client = new Client(bouncer.url);
      await client.connect();
      const { rows } = await client.query(SEEN_SQL);
      await client.end();
      expect(rows).toEqual([{ zone: 'Asia/Kathmandu', statement: '31s' }]);
    }
  });
});
