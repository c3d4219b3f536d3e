// One keeper and its jobs, by an injected clock.
import { afterEach, describe, expect } from 'vitest';
import { openKeeper, type Keeper } from '../../src/keep/index.ts';
import { test } from '../cluster/index.ts';
import { clockAt, jobsOf } from './kit.ts';

const DAILY = { schedule: { cron: '10 0 * * *' } } as const;
const opened: Keeper[] = [];
afterEach(async () => {
  for (const keeper of opened.splice(0)) await keeper.stop();
});

describe('a keeper', () => {
  test('runs a job when its time has come, once', async ({ db }) => {
    const clock = clockAt('2026-01-15T12:00:00Z');
    const ran: string[] = [];
    const definition = jobsOf({
      daily: { ...DAILY, run: async ({ now }) => void ran.push(now.toISOString()) },
    });
    const keeper = await openKeeper(definition, db.url, { clock });
    opened.push(keeper);
    expect((await keeper.tick()).runs).toEqual([]);
    clock.set('2026-01-16T00:10:00Z');
    const { runs } = await keeper.tick();
    expect(runs).toMatchObject([
      { job: 'daily', state: 'done', attempt: 1, dueAt: new Date('2026-01-16T00:10:00Z'), error: null },
    ]);
    expect((await keeper.tick()).runs).toEqual([]);
    expect(ran).toEqual(['2026-01-16T00:10:00.000Z']);
  });
});
