// Who leads: several keepers at once, one that dies, one that sleeps, one that leaves.
import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect } from 'vitest';
import type { MaintenanceSession } from '../../src/define/index.ts';
import {
  keep,
  openKeeper,
  runJob,
  type Keeper,
  type KeepEvent,
  type KeepOptions,
} from '../../src/keep/index.ts';
import { jobRuns, leaderOf } from '../../src/ledger/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { clockAt, DAY, HOUR, jobsOf } from './kit.ts';

const DAILY = { schedule: { cron: '10 0 * * *' } } as const;
const NOON = '2026-01-15T12:00:00Z';
const LEASE_MS = 30_000;
const JITI = 'node_modules/jiti/lib/jiti-cli.mjs';
const PATIENCE_MS = 20_000;
const opened: Keeper[] = [];
const children: ChildProcess[] = [];
const kept: { readonly stop: AbortController; readonly ended: Promise<void> }[] = [];
let ledgers = 0;

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const keeper of opened.splice(0)) await keeper.stop();
  for (const { stop, ended } of kept.splice(0)) {
    stop.abort();
    await ended;
  }
});

const ledger = (): { readonly ledgerSchema: string } => ({ ledgerSchema: `ledger_${(ledgers += 1)}` });

async function open(
  db: TestDatabase,
  definition: Parameters<typeof openKeeper>[0],
  options: KeepOptions,
): Promise<Keeper> {
  const keeper = await openKeeper(definition, db.url, options);
  opened.push(keeper);
  return keeper;
}

/** Looks until it is so; a real server and real processes are waited for. */
async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`in vain: ${what}`);
    await wait(20);
  }
}

interface Child {
  readonly process: ChildProcess;
  readonly out: () => string;
  readonly ended: Promise<number | null>;
}

async function child(db: TestDatabase, ledgerSchema: string, mode: string): Promise<Child> {
  await db.query('DROP TABLE IF EXISTS trail; CREATE TABLE trail (step text)');
  const process = spawn(
    globalThis.process.execPath,
    [JITI, 'test/keep/keeper-child.ts', db.url, ledgerSchema, mode],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  children.push(process);
  let out = '';
  process.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const ended = new Promise<number | null>((done) => process.once('exit', (code) => done(code)));
  return { process, out: () => out, ended };
}

const trail = async (db: TestDatabase): Promise<string[]> =>
  (await db.query<{ step: string }>('SELECT step FROM trail')).map(({ step }) => step);

describe('several keepers', () => {
  test('one leads, and a due time is run once however many look at once', async ({ db }) => {
    const clock = clockAt(NOON);
    const ran: string[] = [];
    const definition = jobsOf({
      daily: { ...DAILY, run: async ({ now }) => void ran.push(now.toISOString()) },
    });
    const options = { clock, ...ledger() };
    const keepers = await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) => open(db, definition, { ...options, name })),
    );
    const first = await Promise.all(keepers.map((keeper) => keeper.tick()));
    expect(first.filter((tick) => tick.leading)).toHaveLength(1);
    for (let day = 1; day <= 8; day += 1) {
      clock.set(new Date(Date.parse('2026-01-15T00:10:00Z') + day * DAY));
      await Promise.all(keepers.map((keeper) => keeper.tick()));
    }
    expect(ran).toHaveLength(8);
    expect(new Set(ran).size).toBe(8);
    const runs = await jobRuns(db.pool, options.ledgerSchema, { definition: 'kept' });
    expect(runs.map((run) => run.state)).toEqual(Array(8).fill('done'));
  });

  test('the lead goes on after the lease, or at once when it is given back; the fence only grows', async ({
    db,
  }) => {
    const clock = clockAt(NOON);
    const definition = jobsOf({ daily: DAILY });
    const options = { clock, leaseMs: LEASE_MS, ...ledger() };
    const a = await open(db, definition, { ...options, name: 'a' });
    const b = await open(db, definition, { ...options, name: 'b' });
    expect(await a.tick()).toMatchObject({ leading: true, fence: '1' });
    expect(await b.tick()).toMatchObject({ leading: false, fence: null });
    await a.abandon();
    clock.pass(LEASE_MS);
    expect(await b.tick()).toMatchObject({ leading: false });
    clock.pass(1);
    expect(await b.tick()).toMatchObject({ leading: true, fence: '2' });
    const c = await open(db, definition, { ...options, name: 'c' });
    expect(await c.tick()).toMatchObject({ leading: false });
    await b.stop();
    expect(await c.tick()).toMatchObject({ leading: true, fence: '3' });
    expect(await leaderOf(db.pool, { schema: options.ledgerSchema, now: clock.now() })).toMatchObject({
      fence: '3',
      holder: 'c',
      silentMs: 0,
      busy: false,
    });
  });

  test('a clock that steps back does not leave the lead with the dead', async ({ db }) => {
    const clock = clockAt(NOON);
    const definition = jobsOf({ daily: DAILY });
    const options = { clock, leaseMs: LEASE_MS, ...ledger() };
    const a = await open(db, definition, options);
    const b = await open(db, definition, options);
    await a.tick();
    await a.abandon();
    clock.step(-2 * HOUR);
    expect(await b.tick()).toMatchObject({ leading: false });
    clock.pass(LEASE_MS);
    expect(await b.tick()).toMatchObject({ leading: false });
    clock.pass(1);
    expect(await b.tick()).toMatchObject({ leading: true });
  });

  test('who was passed over in the middle of a job writes nothing more, not even how it ended', async ({
    db,
  }) => {
    await db.query('CREATE TABLE seen (who text)');
    const clock = clockAt(NOON);
    const options = { clock, leaseMs: LEASE_MS, ...ledger() };
    let went: (() => void) | undefined;
    const gate = new Promise<void>((done) => (went = done));
    const refusals: unknown[] = [];
    const tryAll = async (session: MaintenanceSession): Promise<void> => {
      const query = session.query("INSERT INTO seen VALUES ('alone')");
      refusals.push(await query.catch((error: { code: string }) => error.code));
      const inside = session.transaction(async (query) => query("INSERT INTO seen VALUES ('inside')"));
      refusals.push(await inside.catch((error: { code: string }) => error.code));
    };
    const sleeper = jobsOf({
      daily: {
        ...DAILY,
        run: async ({ session }) => {
          await session.query("INSERT INTO seen VALUES ('in time')");
          await gate;
          await tryAll(session);
        },
      },
    });
    const a = await open(db, sleeper, { ...options, name: 'a' });
    const b = await open(db, jobsOf({ daily: DAILY }), { ...options, name: 'b' });
    await a.tick();
    clock.pass(DAY);
    const asleep = a.tick();
    await until('the job begins', async () => (await db.query('SELECT FROM seen')).length === 1);
    clock.pass(LEASE_MS + 1);
    expect(await b.tick()).toMatchObject({
      leading: true,
      runs: [{ job: 'daily', attempt: 2, state: 'done' }],
    });
    went?.();
    expect(await asleep).toMatchObject({ leading: false, runs: [] });
    expect(refusals).toEqual(['HF_LEASE_LOST', 'HF_LEASE_LOST']);
    expect(await db.query('SELECT who FROM seen')).toEqual([{ who: 'in time' }]);
    const runs = await jobRuns(db.pool, options.ledgerSchema, { definition: 'kept' });
    expect(runs.map(({ state, attempt }) => [state, attempt])).toEqual([
      ['done', 2],
      ['cut off', 1],
    ]);
    expect(runs[1]?.error).toMatch(/^the keeper on .+ was cut off$/);
  });

  test('a job that ends its keeper each time is not begun for ever', async ({ db }) => {
    const clock = clockAt(NOON);
    const options = { clock, leaseMs: LEASE_MS, ...ledger() };
    let begun = 0;
    const definition = jobsOf({
      deadly: {
        ...DAILY,
        atStart: false,
        run: async () => {
          begun += 1;
          await new Promise(() => undefined);
        },
      },
    });
    const dying = async (): Promise<void> => {
      const keeper = await openKeeper(definition, db.url, options);
      const before = begun;
      const tick = keeper.tick();
      await Promise.race([tick, until('it begins', async () => begun > before)]);
      await keeper.abandon();
      await tick;
      clock.pass(LEASE_MS + 1);
    };
    const first = await openKeeper(definition, db.url, options);
    await first.tick();
    await first.stop();
    clock.set('2026-01-16T00:10:00Z');
    for (let times = 0; times < 5; times += 1) await dying();
    expect(begun).toBe(3);
  });

  test('a command steps in between two jobs, and waits in vain while one runs', async ({ db }) => {
    const clock = clockAt(NOON);
    const options = { clock, ...ledger() };
    let went: (() => void) | undefined;
    const gate = new Promise<void>((done) => (went = done));
    const definition = jobsOf({
      long: { ...DAILY, run: async () => gate },
      short: { schedule: { everyMs: DAY * 9 } },
    });
    const keeper = await open(db, definition, { ...options, name: 'the keeper' });
    await keeper.tick();
    expect(await runJob(definition, db.url, 'short', options)).toMatchObject({ state: 'done' });
    expect(await keeper.tick()).toMatchObject({ leading: true });
    clock.set('2026-01-16T00:10:00Z');
    const tick = keeper.tick();
    const busy = async (): Promise<boolean> =>
      (await leaderOf(db.pool, { schema: options.ledgerSchema, now: clock.now() }))?.busy === true;
    await until('the job runs', busy);
    await expect(runJob(definition, db.url, 'short', { ...options, waitMs: 200 })).rejects.toMatchObject({
      code: 'HF_KEEPER_BUSY',
      subject: expect.stringMatching(/^keeper the keeper on /),
    });
    went?.();
    expect(await tick).toMatchObject({ leading: true, runs: [{ job: 'long' }] });
    expect(await busy()).toBe(false);
  });
});

describe('a keeper of its own process', () => {
  test('killed with -9: another takes over within the lease, and its half-done run is cut off', async ({
    db,
  }) => {
    const { ledgerSchema } = ledger();
    const { process, ended } = await child(db, ledgerSchema, 'killed');
    const sleeping = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query = 'SELECT pg_sleep(60)'
      AND state = 'active'`;
    await until('the child is in the middle', async () => (await db.query(sleeping)).length === 1);
    const stop = new AbortController();
    const definition = jobsOf({
      work: {
        schedule: { cron: '0 0 1 1 *' },
        run: async ({ session }) => {
          await session.query("INSERT INTO trail VALUES ('another did it')");
        },
      },
    });
    const events: KeepEvent[] = [];
    const other = keep(definition, db.url, {
      ledgerSchema,
      leaseMs: 800,
      name: 'other',
      signal: stop.signal,
      onEvent: (event) => void events.push(event),
    });
    kept.push({ stop, ended: other });
    await until('it waits behind', async () => events.some(({ kind }) => kind === 'following'));
    expect(events[0]).toMatchObject({ kind: 'following', leader: expect.stringMatching(/^child on /) });
    // It beats beside its transaction, which holds the row all the time: nobody passes it over while it lives.
    const beatOf = async (): Promise<number> =>
      Number((await leaderOf(db.pool, { schema: ledgerSchema }))?.beat ?? 0);
    const beat = await beatOf();
    await until('the child beats for longer than its lease', async () => (await beatOf()) >= beat + 4);
    expect(events.filter(({ kind }) => kind === 'leading')).toEqual([]);
    const killedMs = performance.now();
    process.kill('SIGKILL');
    await ended;
    await until('the other leads', async () => events.some(({ kind }) => kind === 'leading'));
    const tookMs = performance.now() - killedMs;
    await until('the job is done', async () => events.some(({ kind }) => kind === 'finished'));
    stop.abort();
    await other;
    expect(tookMs).toBeLessThan(800 + 1_500);
    expect(await trail(db)).toEqual(['child begun', 'another did it']);
    const runs = await jobRuns(db.pool, ledgerSchema, { definition: 'kept' });
    expect(runs.map(({ state, attempt }) => [state, attempt])).toEqual([
      ['done', 2],
      ['cut off', 1],
    ]);
    expect(await db.query(sleeping)).toEqual([]);
    expect((await leaderOf(db.pool, { schema: ledgerSchema }))?.holder).toBeNull();
  });

  test('paused for longer than its lease: it cannot commit what it had begun, and goes on as a follower', async ({
    db,
  }) => {
    const { ledgerSchema } = ledger();
    const { process, out } = await child(db, ledgerSchema, 'paused');
    await until('the child is inside its transaction', async () => out().includes('inside'));
    process.kill('SIGSTOP');
    const stop = new AbortController();
    const events: KeepEvent[] = [];
    const definition = jobsOf({ work: { schedule: { cron: '0 0 1 1 *' } } });
    const other = keep(definition, db.url, {
      ledgerSchema,
      leaseMs: 800,
      signal: stop.signal,
      onEvent: (event) => void events.push(event),
    });
    kept.push({ stop, ended: other });
    await until('the other does the job', async () => events.some(({ kind }) => kind === 'finished'));
    process.kill('SIGCONT');
    const line = await until('the child wakes', async () => out().split('\n')[1] || undefined);
    const { written, after } = JSON.parse(line) as { written: string; after: string };
    expect(written).not.toBe('committed');
    expect(after).toBe('HF_LEASE_LOST');
    expect(await trail(db)).toEqual(['child begun']);
    expect(process.exitCode).toBeNull();
    stop.abort();
    await other;
    // It was behind the other all the time, and the lead is free now.
    await until('the child leads again', async () => {
      const leader = await leaderOf(db.pool, { schema: ledgerSchema });
      return leader?.holder === 'child';
    });
  });

  test('asked to stop: it finishes its batch, gives the lead back, and the next one goes on', async ({
    db,
  }) => {
    const { ledgerSchema } = ledger();
    const { process, out, ended } = await child(db, ledgerSchema, 'stopped');
    await until('a few batches', async () => (await trail(db)).length > 4);
    const askedMs = performance.now();
    process.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(performance.now() - askedMs).toBeLessThan(5_000);
    expect(out()).toBe('left\n');
    const steps = (await trail(db)).slice(1);
    expect(steps.length % 2).toBe(0);
    expect((await leaderOf(db.pool, { schema: ledgerSchema }))?.holder).toBeNull();
    const [run] = await jobRuns(db.pool, ledgerSchema, { definition: 'kept' });
    expect(run).toMatchObject({ state: 'cut off', attempt: 1, error: 'the keeper was stopped' });
    const next = await open(db, jobsOf({ work: { schedule: { cron: '0 0 1 1 *' } } }), { ledgerSchema });
    expect(await next.tick()).toMatchObject({
      leading: true,
      runs: [{ job: 'work', attempt: 1, state: 'done' }],
    });
  });
});

describe('a keeper whose connections break', () => {
  test('goes on with new ones', async ({ db }) => {
    const { ledgerSchema } = ledger();
    const stop = new AbortController();
    const events: KeepEvent[] = [];
    let broken = false;
    const definition = jobsOf({
      often: {
        schedule: { everyMs: 100 },
        retry: { attempts: 1, pauseMs: 1 },
        run: async ({ session }) => {
          if (broken) return;
          broken = true;
          await session.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%keeper%' AND datname = current_database()",
          );
        },
      },
    });
    const ended = keep(definition, db.url, {
      ledgerSchema,
      leaseMs: 600,
      signal: stop.signal,
      onEvent: (event) => void events.push(event),
    });
    kept.push({ stop, ended });
    const states = (): string[] =>
      events.flatMap((event) => (event.kind === 'finished' ? [event.report.state] : []));
    await until('it runs again', async () => states().filter((state) => state === 'done').length >= 3);
    stop.abort();
    await ended;
    const runs = await jobRuns(db.pool, ledgerSchema, { definition: 'kept' });
    expect(runs.at(-1)?.state).toMatch(/failed|cut off/);
    expect(runs.filter(({ state }) => state === 'running')).toEqual([]);
  });
});
