// One keeper and its jobs, by an injected clock.
import { afterEach, describe, expect } from 'vitest';
import { job, database, type Definition, type Task } from '../../src/define/index.ts';
import {
  jobStatus,
  keepOnce,
  openKeeper,
  runJob,
  type Keeper,
  type KeepOptions,
} from '../../src/keep/index.ts';
import { jobRuns } from '../../src/ledger/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { clockAt, DAY, HOUR, jobsOf, MINUTE } from './kit.ts';

const DAILY = { schedule: { cron: '10 0 * * *' } } as const;
const NOON = '2026-01-15T12:00:00Z';
const opened: Keeper[] = [];
let ledgers = 0;

afterEach(async () => {
  for (const keeper of opened.splice(0)) await keeper.stop();
});

/** Each test has a ledger of its own. */
const ledger = (): { readonly ledgerSchema: string } => ({ ledgerSchema: `ledger_${(ledgers += 1)}` });

async function open(db: TestDatabase, definition: Definition, options: KeepOptions): Promise<Keeper> {
  const keeper = await openKeeper(definition, db.url, options);
  opened.push(keeper);
  return keeper;
}

const names = (report: { readonly runs: readonly { readonly job: string }[] }): string[] =>
  report.runs.map((run) => run.job);

const gaps = (of: readonly number[] = []): number[] =>
  of.slice(1).map((minute, at) => minute - (of[at] ?? 0));

const tasked = (tasks: readonly Pick<Task, 'subject' | 'run'>[], settings = {}): Definition =>
  database('tasked', {
    traits: [
      {
        name: 'probe',
        keep: () => ({
          jobs: { work: { ...DAILY, atStart: true, ...settings } },
          tasks: tasks.map((task) => ({ job: 'work', trait: 'probe', ...task })),
        }),
      },
    ],
  });

describe('when a job is due', () => {
  test('it runs at its time, once', async ({ db }) => {
    const clock = clockAt(NOON);
    const ran: string[] = [];
    const definition = jobsOf({
      daily: { ...DAILY, run: async ({ now }) => void ran.push(now.toISOString()) },
    });
    const keeper = await open(db, definition, { clock, ...ledger() });
    expect((await keeper.tick()).runs).toEqual([]);
    clock.set('2026-01-16T00:10:00Z');
    expect((await keeper.tick()).runs).toMatchObject([
      { job: 'daily', state: 'done', attempt: 1, dueAt: new Date('2026-01-16T00:10:00Z'), error: null },
    ]);
    expect((await keeper.tick()).runs).toEqual([]);
    expect(ran).toEqual(['2026-01-16T00:10:00.000Z']);
  });

  test('of several expressions any will do', async ({ db }) => {
    const clock = clockAt(NOON);
    const definition = jobsOf({ both: { schedule: { cron: ['0 13 * * *', '30 13 * * *'] } } });
    const keeper = await open(db, definition, { clock, ...ledger() });
    await keeper.tick();
    clock.set('2026-01-15T13:00:00Z');
    expect(names(await keeper.tick())).toEqual(['both']);
    clock.set('2026-01-15T13:29:59Z');
    expect(names(await keeper.tick())).toEqual([]);
    clock.set('2026-01-15T13:31:00Z');
    expect(names(await keeper.tick())).toEqual(['both']);
  });

  test('an interval counts from the run before', async ({ db }) => {
    const clock = clockAt(NOON);
    const keeper = await open(db, jobsOf({ often: { schedule: { everyMs: 5 * MINUTE } } }), {
      clock,
      ...ledger(),
    });
    const ran: number[] = [];
    for (let minute = 0; minute <= 16; minute += 1) {
      if (names(await keeper.tick()).length > 0) ran.push(minute);
      clock.pass(MINUTE);
    }
    expect(ran).toEqual([5, 10, 15]);
  });

  test('after forty days without a keeper it runs once, or not at all where it says so', async ({ db }) => {
    const clock = clockAt(NOON);
    const definition = jobsOf({ once: DAILY, skipped: { ...DAILY, missed: 'skip' } });
    const options = { clock, ...ledger() };
    const first = await open(db, definition, options);
    await first.tick();
    await first.stop();
    clock.pass(40 * DAY);
    const second = await open(db, definition, options);
    const tick = await second.tick();
    expect(names(tick)).toEqual(['once']);
    expect(tick.skipped).toEqual(['skipped']);
    expect(tick.runs[0]?.dueAt).toEqual(new Date('2026-02-24T00:10:00Z'));
    // The keeper that was there all the time but slept through it is no better.
    clock.pass(40 * DAY);
    expect((await second.tick()).skipped).toEqual(['skipped']);
    // In time again.
    clock.set('2026-04-06T00:09:50Z');
    await second.tick();
    clock.pass(20_000);
    expect(names(await second.tick()).sort()).toEqual(['once', 'skipped']);
  });

  test('at start: whenever a keeper takes the lead, and not when a command steps in', async ({ db }) => {
    const clock = clockAt(NOON);
    const definition = jobsOf({ start: { ...DAILY, atStart: true }, other: DAILY });
    const options = { clock, ...ledger() };
    const first = await open(db, definition, options);
    expect(names(await first.tick())).toEqual(['start']);
    expect(names(await first.tick())).toEqual([]);
    expect(await runJob(definition, db.url, 'other', options)).toMatchObject({ job: 'other', state: 'done' });
    expect(await first.tick()).toMatchObject({ leading: true, runs: [] });
    await first.stop();
    const second = await open(db, definition, options);
    expect(names(await second.tick())).toEqual(['start']);
  });

  test('a clock that steps back two hours neither repeats a time nor strands a job', async ({ db }) => {
    const clock = clockAt(NOON);
    const definition = jobsOf({
      daily: { schedule: { cron: '30 12 * * *' } },
      hourly: { schedule: { cron: '0 * * * *' } },
      often: { schedule: { everyMs: 10 * MINUTE } },
    });
    const keeper = await open(db, definition, { clock, ...ledger() });
    const ran: Record<string, number[]> = { daily: [], hourly: [], often: [] };
    const look = async (minutes: number): Promise<void> => {
      for (let minute = 0; minute < minutes; minute += 10) {
        for (const name of names(await keeper.tick()))
          ran[name]?.push(Math.round((clock.monotonicMs() - 1_000) / MINUTE));
        clock.pass(10 * MINUTE);
      }
    };
    await look(70);
    clock.step(-2 * HOUR);
    await look(5 * 60);
    clock.set('2026-01-16T09:00:00Z');
    // By the time that really passed: the step is at minute 70, where 13:10 becomes 11:10.
    expect(ran['daily']).toEqual([30]);
    expect(new Set(gaps(ran['hourly']))).toEqual(new Set([60]));
    expect(new Set(gaps(ran['often']))).toEqual(new Set([10]));
    await look(4 * 60);
    expect(ran['daily']).toEqual([30, 24 * 60 + 2 * 60 + 30]);
  });

  test('a clock that was years ahead is forgotten after one period', async ({ db }) => {
    const clock = clockAt('2031-06-01T12:00:00Z');
    const definition = jobsOf({ hourly: { schedule: { cron: '0 * * * *' } } });
    const options = { clock, ...ledger() };
    const keeper = await open(db, definition, options);
    await keeper.tick();
    clock.pass(HOUR);
    expect(names(await keeper.tick())).toEqual(['hourly']);
    await keeper.stop();
    const mended = clockAt('2026-01-15T12:30:00Z');
    const next = await open(db, definition, { ...options, clock: mended });
    expect(names(await next.tick())).toEqual([]);
    mended.pass(HOUR);
    expect(names(await next.tick())).toEqual(['hourly']);
    mended.set('2026-01-15T14:00:00Z');
    expect(names(await next.tick())).toEqual(['hourly']);
  });
});

describe('a run', () => {
  test('goes on after a task that fails, and says which', async ({ db }) => {
    const definition = tasked(
      [
        { subject: 'table a', run: async () => ({ rows: 2, bytes: 10, what: 'moved 2' }) },
        {
          subject: 'table b',
          run: async ({ session }) => {
            await session.query('SELECT 1 / 0');
            return {};
          },
        },
        {
          subject: 'table c',
          run: () => {
            throw new Error('before its first await');
          },
        },
        { subject: 'table d', run: async () => ({ rows: 3 }) },
      ],
      { retry: { attempts: 1, pauseMs: 1 } },
    );
    const options = { clock: clockAt(NOON), ...ledger() };
    const keeper = await open(db, definition, options);
    const { runs } = await keeper.tick();
    expect(runs).toMatchObject([
      {
        job: 'work',
        state: 'failed',
        rows: 5,
        bytes: 10,
        retryAt: null,
        error:
          '2 of 4 tasks failed: table b: division by zero (SQLSTATE 22012); table c: before its first await',
        tasks: [
          { subject: 'table a', state: 'done', rows: 2, bytes: 10, what: 'moved 2', error: null },
          { subject: 'table b', state: 'failed' },
          { subject: 'table c', state: 'failed' },
          { subject: 'table d', state: 'done', rows: 3, what: null },
        ],
      },
    ]);
    const [row] = await jobRuns(db.pool, options.ledgerSchema, { definition: 'tasked' });
    expect(row).toMatchObject({ state: 'failed', rows: 5, bytes: 10, error: runs[0]?.error });
    expect(row?.tasks).toMatchObject([{ subject: 'table a' }, {}, {}, { subject: 'table d' }]);
  });

  test('counts the rows its SQL touched where it does not say', async ({ db }) => {
    await db.query('CREATE TABLE heap (id int); INSERT INTO heap SELECT generate_series(1, 10)');
    const definition = jobsOf({
      clean: { ...DAILY, sql: ['DELETE FROM heap WHERE id <= 4', 'UPDATE heap SET id = -id'] },
    });
    const report = await runJob(definition, db.url, 'clean', { clock: clockAt(NOON), ...ledger() });
    expect(report).toMatchObject({ state: 'done', rows: 10 });
  });

  test('is tried again after pauses that double, then waits for its next time', async ({ db }) => {
    const clock = clockAt(NOON);
    const definition = jobsOf({
      shaky: {
        ...DAILY,
        retry: { attempts: 3, pauseMs: MINUTE },
        run: async () => Promise.reject(new Error('no')),
      },
    });
    const options = { clock, ...ledger() };
    const keeper = await open(db, definition, options);
    await keeper.tick();
    clock.set('2026-01-16T00:10:00Z');
    const attempts: [number, number][] = [];
    for (let second = 0; second < 3 * HOUR; second += 20_000) {
      for (const { attempt } of (await keeper.tick()).runs) attempts.push([second / 1_000, attempt]);
      clock.pass(20_000);
      if (attempts.length === 3 && second > 600_000) break;
    }
    expect(attempts).toEqual([
      [0, 1],
      [60, 2],
      [180, 3],
    ]);
    const [status] = await jobStatus(definition, db.pool, { now: clock.now(), ...options });
    expect(status).toMatchObject({ failures: 3, lastError: 'job shaky: no', lastSuccessAt: null });
    expect(status?.nextDueAt).toEqual(new Date('2026-01-17T00:10:00Z'));
    expect(status?.lateMs).toBe(clock.now().getTime() - Date.parse('2026-01-16T00:10:00Z'));
    clock.set('2026-01-17T00:10:00Z');
    expect((await keeper.tick()).runs).toMatchObject([{ attempt: 1 }]);
  });

  test('that takes too long is ended on the server too, and the session serves the next', async ({ db }) => {
    const clock = clockAt(NOON);
    const definition = jobsOf({
      slow: { ...DAILY, timeoutMs: 150, retry: { attempts: 1, pauseMs: 1 }, sql: 'SELECT pg_sleep(30)' },
      quick: { ...DAILY, after: ['slow'], sql: 'SELECT 1' },
    });
    const keeper = await open(db, definition, { clock, ...ledger() });
    await keeper.tick();
    clock.pass(DAY);
    const began = performance.now();
    const { runs } = await keeper.tick();
    expect(runs).toMatchObject([
      {
        job: 'slow',
        state: 'failed',
        error: 'job slow: it took longer than its timeout of 0.15 s and was ended',
      },
      { job: 'quick', state: 'done' },
    ]);
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(
      await db.query(
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND state = 'active' AND pid <> pg_backend_pid()",
      ),
    ).toEqual([]);
  });

  test('whose function never ends is given up, and what it still tries is refused', async ({ db }) => {
    const tried: Promise<unknown>[] = [];
    const definition = jobsOf({
      stuck: {
        ...DAILY,
        timeoutMs: 50,
        run: async ({ session, signal }) => {
          signal.addEventListener('abort', () => {
            tried.push(session.query('CREATE TABLE too_late ()').catch((error: Error) => error.message));
          });
          await new Promise(() => undefined);
        },
      },
    });
    const report = await runJob(definition, db.url, 'stuck', { clock: clockAt(NOON), ...ledger() });
    expect(report.state).toBe('failed');
    expect(await Promise.all(tried)).toEqual([
      'job stuck: it took longer than its timeout of 0.05 s and was ended. ' +
        'Raise timeoutMs of the job, or let its tasks do less at a time. [HF_JOB_TIMEOUT]',
    ]);
    expect(await db.query("SELECT to_regclass('too_late') AS made")).toEqual([{ made: null }]);
  }, 15_000);

  test('leaves no more rows in the ledger than its job keeps', async ({ db }) => {
    const clock = clockAt(NOON);
    const options = { clock, ...ledger() };
    const definition = jobsOf({ a: { ...DAILY, keepRuns: 3 }, b: { ...DAILY, keepRuns: 1 } });
    for (let runs = 0; runs < 5; runs += 1) {
      await runJob(definition, db.url, 'a', options);
      await runJob(definition, db.url, 'b', options);
    }
    const left = await jobRuns(db.pool, options.ledgerSchema, { definition: 'kept' });
    expect(left.map((run) => `${run.job}${run.run}`)).toEqual(['b10', 'a9', 'a7', 'a5']);
  });

  test('says no secret, whoever put it into an error', async ({ db }) => {
    const url = new URL(db.url);
    const password = decodeURIComponent(url.password);
    process.env['BUCKET_SECRET_ACCESS_KEY'] = 'hunter2-hunter2';
    const definition = jobsOf({
      leaky: {
        ...DAILY,
        run: async () => {
          throw new Error(
            `could not reach postgres://me:swordfish@host/db nor ${db.url} with hunter2-hunter2`,
          );
        },
      },
    });
    const options = { clock: clockAt(NOON), ...ledger() };
    try {
      const report = await runJob(definition, db.url, 'leaky', options);
      expect(report.error).toContain('job leaky: could not reach postgres://me:***@host/db');
      const kept = JSON.stringify(await jobRuns(db.pool, options.ledgerSchema, { definition: 'kept' }));
      for (const secret of ['swordfish', 'hunter2', ...(password === '' ? [] : [`:${password}@`])])
        expect(kept + JSON.stringify(report)).not.toContain(secret);
    } finally {
      delete process.env['BUCKET_SECRET_ACCESS_KEY'];
    }
  });
});

describe('order', () => {
  test('jobs that `after` connects never overlap and keep their order; others run side by side', async ({
    db,
  }) => {
    const clock = clockAt(NOON);
    const log: string[] = [];
    let inside = 0;
    let most = 0;
    const noted = (name: string) => ({
      ...DAILY,
      run: async () => {
        inside += 1;
        most = Math.max(most, inside);
        log.push(`${name} begins`);
        for (let turn = 0; turn < 500; turn += 1) await new Promise(setImmediate);
        log.push(`${name} ends`);
        inside -= 1;
      },
    });
    const definition = jobsOf({
      backup: { ...noted('backup'), after: ['vacuum'] },
      archive: noted('archive'),
      vacuum: { ...noted('vacuum'), after: ['archive'] },
      refresh: noted('refresh'),
    });
    const keeper = await open(db, definition, { clock, ...ledger() });
    await keeper.tick();
    clock.pass(DAY);
    expect(names(await keeper.tick()).filter((name) => name !== 'refresh')).toEqual([
      'archive',
      'vacuum',
      'backup',
    ]);
    const group = log.filter((line) => !line.startsWith('refresh'));
    expect(group).toEqual(
      ['archive', 'vacuum', 'backup'].flatMap((name) => [`${name} begins`, `${name} ends`]),
    );
    expect(most).toBe(2);
    most = 0;
    const alone = await open(db, definition, { clock, parallel: 1, ...ledger() });
    await alone.tick();
    clock.pass(DAY);
    expect((await alone.tick()).runs).toHaveLength(4);
    expect(most).toBe(1);
  });

  test('one that fails does not stop those after it', async ({ db }) => {
    const clock = clockAt(NOON);
    const definition = jobsOf({
      first: { ...DAILY, run: async () => Promise.reject(new Error('no')) },
      second: { ...DAILY, after: ['first'] },
    });
    const keeper = await open(db, definition, { clock, ...ledger() });
    await keeper.tick();
    clock.pass(DAY);
    expect((await keeper.tick()).runs).toMatchObject([
      { job: 'first', state: 'failed' },
      { job: 'second', state: 'done' },
    ]);
  });
});

describe('by hand', () => {
  test('keepOnce runs what is due and leaves', async ({ db }) => {
    const clock = clockAt(NOON);
    const options = { clock, ...ledger() };
    const definition = jobsOf({ daily: DAILY, start: { ...DAILY, atStart: true } });
    expect((await keepOnce(definition, db.url, options)).map((run) => run.job)).toEqual(['start']);
    clock.set('2026-01-16T00:10:00Z');
    expect((await keepOnce(definition, db.url, options)).map((run) => run.job).sort()).toEqual([
      'daily',
      'start',
    ]);
  });

  test('a job that is not there is named with those that are', async ({ db }) => {
    await expect(runJob(jobsOf({ a: DAILY, b: DAILY }), db.url, 'c', ledger())).rejects.toMatchObject({
      code: 'HF_NO_JOB',
      fix: 'Its jobs are a, b.',
    });
  });

  test('status knows of jobs before any keeper, and when the next run is', async ({ db }) => {
    const now = new Date(NOON);
    const definition = database('kept', { jobs: [job('daily', DAILY, { sql: 'SELECT 1' })] });
    expect(await jobStatus(definition, db.pool, { now, ...ledger() })).toEqual([
      {
        job: 'daily',
        schedule: '10 0 * * * UTC',
        scheduler: 'keeper',
        seen: false,
        lastStartedAt: null,
        lastSuccessAt: null,
        nextDueAt: new Date('2026-01-16T00:10:00Z'),
        lateMs: 0,
        failures: 0,
        lastError: null,
        runningSince: null,
        lastRun: null,
        leader: null,
      },
    ]);
  });
});
