// A clean stop of a keeper whose tasks do not want to stop.
import { expect } from 'vitest';
import { openKeeper } from '../../src/keep/index.ts';
import { jobRuns, leaderOf } from '../../src/ledger/index.ts';
import { test } from '../cluster/index.ts';
import { clockAt, jobsOf } from './kit.ts';

test('a long statement is cancelled and a function that never ends is left, in less than ten seconds', async ({
  db,
}) => {
  await db.query('CREATE TABLE trail (step text)');
  const daily = { schedule: { cron: '10 0 * * *' }, atStart: true } as const;
  let deaf: (() => void) | undefined;
  const hearsNothing = new Promise<void>((done) => (deaf = done));
  const definition = jobsOf({
    statement: {
      ...daily,
      run: async ({ session }) =>
        session.transaction(async (query) => {
          await query("INSERT INTO trail VALUES ('half of it')");
          await query('SELECT pg_sleep(60)');
        }),
    },
    deaf: {
      ...daily,
      run: async () => {
        deaf?.();
        await new Promise(() => undefined);
      },
    },
  });
  const keeper = await openKeeper(definition, db.url, { clock: clockAt('2026-01-15T12:00:00Z') });
  const tick = keeper.tick();
  await hearsNothing;
  const began = performance.now();
  await keeper.stop();
  expect(performance.now() - began).toBeLessThan(10_000);
  expect((await tick).runs.map(({ job, state, error }) => [job, state, error]).toSorted()).toEqual([
    ['deaf', 'cut off', 'the keeper was stopped'],
    ['statement', 'cut off', 'the keeper was stopped'],
  ]);
  expect(await db.query('SELECT FROM trail')).toEqual([]);
  expect(await leaderOf(db.pool, { schema: 'holdfast' })).toMatchObject({ holder: null, busy: false });
  const runs = await jobRuns(db.pool, 'holdfast', { definition: 'kept' });
  expect(runs.map(({ state }) => state)).toEqual(['cut off', 'cut off']);
  expect(await db.query("SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%'")).toEqual([]);
}, 20_000);
