// A keeper at work and what is measured of it: the same that `status` says, and counters that only grow.
import { Client } from 'pg';
import { expect } from 'vitest';
import { database, job, type Definition } from '../../src/define/index.ts';
import { jobStatus, openKeeper } from '../../src/keep/index.ts';
import { card, collect, type Collection } from '../../src/watch/index.ts';
import { test } from '../cluster/index.ts';
import { clockAt, DAY, HOUR } from '../keep/kit.ts';

/** A job that works on three rows and one that fails until it is mended. */
function kept(state: { broken: boolean }): Definition {
  return database('shop', {
    jobs: [
      job(
        'hourly',
        { schedule: { cron: '0 * * * *' }, keepRuns: 2 },
        { run: async () => ({ rows: 3, bytes: 100 }) },
      ),
      job(
        'daily',
        { schedule: { cron: '30 1 * * *' }, retry: { attempts: 1, pauseMs: 1000 } },
        {
          run: async () => {
            if (state.broken) throw new Error('out of order');
            return { rows: 1 };
          },
        },
      ),
    ],
  });
}

function value({ samples }: Collection, metric: string, ...labels: readonly string[]): number | undefined {
  return samples.find(
    (one) => one.metric === `holdfast_${metric}` && Object.values(one.labels).join() === labels.join(),
  )?.value;
}

test('days of a keeper, failures and a pause of its own', async ({ db }) => {
  const state = { broken: true };
  const definition = kept(state);
  const clock = clockAt('2026-01-15T12:00:00Z');
  const client = new Client(db.url);
  await client.connect();
  const keeper = await openKeeper(definition, db.url, { clock });
  const look = async (): Promise<Collection> => {
    const found = await collect(definition, client, { now: clock.now() });
    expect(found.notes).toEqual([]);
    for (const one of await jobStatus(definition, client, { now: clock.now() })) {
      expect(value(found, 'job_late_seconds', one.job)).toBe(one.lateMs / 1000);
      expect(value(found, 'job_consecutive_failures', one.job)).toBe(one.failures);
      const success = one.lastSuccessAt === null ? undefined : one.lastSuccessAt.getTime() / 1000;
      expect(value(found, 'job_last_success_timestamp_seconds', one.job)).toBe(success);
    }
    return found;
  };
  try {
    await keeper.tick();
    const before = await look();
    expect(value(before, 'keeper_leader')).toBe(1);
    expect(value(before, 'job_runs_total', 'hourly', 'done')).toBe(0);
    const grown: number[] = [];
    for (let hour = 0; hour < 30; hour += 1) {
      clock.pass(HOUR);
      await keeper.tick();
      const found = await look();
      grown.push(value(found, 'job_runs_total', 'hourly', 'done') ?? -1);
      expect(value(found, 'job_rows_total', 'hourly')).toBe(3 * (hour + 1));
      expect(value(found, 'job_bytes_total', 'hourly')).toBe(100 * (hour + 1));
    }
    expect(grown).toEqual(Array.from({ length: 30 }, (_, hour) => hour + 1));
    expect(await db.query(`SELECT count(*)::int AS runs FROM holdfast.job_run WHERE job = 'hourly'`)).toEqual(
      [{ runs: 2 }],
    );

    const failing = await look();
    expect(value(failing, 'job_failures_total', 'daily')).toBe(1);
    expect(value(failing, 'job_runs_total', 'daily', 'failed')).toBe(1);
    expect(value(failing, 'job_late_seconds', 'daily')).toBe(16.5 * 3600);
    expect(value(failing, 'job_late_seconds', 'hourly')).toBe(0);
    state.broken = false;
    clock.pass(DAY);
    await keeper.tick();
    const mended = await look();
    expect(value(mended, 'job_late_seconds', 'daily')).toBe(0);
    expect(value(mended, 'job_failures_total', 'daily')).toBe(1);
    expect(value(mended, 'job_rows_total', 'daily')).toBe(1);

    await keeper.stop();
    clock.pass(3 * HOUR);
    const stopped = await look();
    expect(value(stopped, 'keeper_leader')).toBe(0);
    expect(value(stopped, 'job_late_seconds', 'hourly')).toBe(2 * 3600);
    expect(card(stopped)).toEqual([
      {
        topic: 'keeper',
        subject: 'none leads',
        text: 'none has led yet, or the last one stopped',
        late: true,
      },
    ]);
  } finally {
    await keeper.stop();
    await client.end();
  }
});
