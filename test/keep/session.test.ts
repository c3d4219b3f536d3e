// The session that tasks work in.
import { afterEach, describe, expect } from 'vitest';
import type { Definition } from '../../src/define/index.ts';
import { openKeeper, runJob, withTask, type Keeper, type KeepOptions } from '../../src/keep/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { clockAt, DAY, jobsOf } from './kit.ts';

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

describe('the session of a task', () => {
  test('is in UTC, without a statement timeout, and waits for locks as long as it is told', async ({
    db,
  }) => {
    const login = db.role('keeper');
    await db.query(`CREATE ROLE ${login} LOGIN SUPERUSER PASSWORD 'x'`);
    await db.query(`ALTER ROLE ${login} SET statement_timeout = '1s'`);
    await db.query(`ALTER ROLE ${login} SET "TimeZone" = 'Asia/Kathmandu'`);
    await db.query(`ALTER ROLE ${login} SET default_transaction_read_only = on`);
    const SEEN_SQL = `SELECT current_setting('TimeZone') AS zone, current_setting('statement_timeout') AS statement,
      current_setting('lock_timeout') AS lock, current_setting('row_security') AS rls,
      current_setting('transaction_read_only') AS ro, current_setting('idle_in_transaction_session_timeout') AS idle`;
    const seen: unknown[] = [];
    const definition = jobsOf({
      look: {
        ...DAILY,
        run: async ({ session }) => {
          seen.push(...(await session.query(SEEN_SQL)));
          seen.push(...(await session.transaction(async (query) => query(SEEN_SQL), { lockTimeoutMs: 0 })));
          // Outside of it while it is open: another connection, no deadlock of the task with itself.
          await session.transaction(async (query) => {
            await query('CREATE TABLE mine ()');
            expect(await session.query("SELECT to_regclass('mine') AS seen")).toEqual([{ seen: null }]);
          });
          await session.query('VACUUM pg_catalog.pg_class');
        },
      },
    });
    const report = await runJob(definition, db.urlAs(login, 'x'), 'look', {
      clock: clockAt(NOON),
      lockTimeoutMs: 700,
      ...ledger(),
    });
    expect(report.error).toBeNull();
    const common = { zone: 'UTC', statement: '0', rls: 'off', ro: 'off', idle: '1min' };
    expect(seen).toEqual([
      { ...common, lock: '700ms' },
      { ...common, lock: '0' },
    ]);
  });

  test('a statement of a transaction that has ended is refused, and one that failed inside is no commit', async ({
    db,
  }) => {
    const options = { trait: 'probe', leading: false, ...ledger() };
    await withTask(jobsOf({ a: DAILY }), db.url, options, async ({ session }) => {
      const escaped = await session.transaction(async (query) => query);
      await expect(escaped('SELECT 1')).rejects.toMatchObject({ code: 'HF_TRANSACTION_ENDED' });
      const swallowed = session.transaction(async (query) => {
        await query('CREATE TABLE never ()');
        await query('SELECT 1 / 0').catch(() => undefined);
      });
      await expect(swallowed).rejects.toMatchObject({ code: 'HF_ROLLED_BACK' });
      expect(await session.query("SELECT to_regclass('never') AS made")).toEqual([{ made: null }]);
    });
  });

  test('what a job sets in its session is gone for the next', async ({ db }) => {
    const clock = clockAt(NOON);
    const found: unknown[] = [];
    const definition = jobsOf({
      one: { ...DAILY, sql: ["SET search_path = 'nowhere'", 'CREATE TEMP TABLE left_over ()'] },
      two: {
        ...DAILY,
        after: ['one'],
        run: async ({ session }) => {
          const sql = "SELECT current_setting('search_path') AS path, to_regclass('left_over') AS temp";
          found.push(...(await session.query(sql)));
        },
      },
    });
    const keeper = await open(db, definition, { clock, ...ledger() });
    await keeper.tick();
    clock.pass(DAY);
    expect((await keeper.tick()).runs).toHaveLength(2);
    expect(found).toEqual([{ path: '"$user", public', temp: null }]);
  });
});
