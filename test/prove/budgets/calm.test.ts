import { expect, test } from 'vitest';
import { calmLimits, disturbances, readCalm, type Calm } from '../../../src/prove/budgets/calm.ts';
import { stopwatch } from '../../../src/prove/budgets/stopwatch.ts';
import { withClient } from '../../../src/server/index.ts';
import { test as onServer } from '../../cluster/index.ts';

const quiet: Calm = {
  stream: { samples: 200, p50: 0.2, p95: 0.3, p99: 0.4, max: 1, mean: 0.2 },
  latenessMs: 0.05,
  others: 0.1,
  processor: { all: 1_000, idle: 500, stolen: 0, ownSeconds: 1 },
};
const later = { ...quiet, processor: { all: 2_000, idle: 1_000, stolen: 0, ownSeconds: 2 } };

test('a quiet machine disturbs nothing', () => {
  expect(disturbances(quiet, later)).toEqual([]);
  const at = { ...quiet.stream, p95: quiet.stream.p50 * (calmLimits.spread - 0.1) };
  expect(disturbances({ ...quiet, stream: at }, later)).toEqual([]);
});

test('each disturbance is told by itself', () => {
  const slow = { ...quiet, stream: { ...quiet.stream, p95: 0.7 } };
  expect(disturbances(slow, later)).toEqual(['p95 of SELECT 1 before it was 3.5 times its p50']);
  const moved = { ...later, stream: { ...quiet.stream, p50: 0.4, p95: 0.5 } };
  expect(disturbances(quiet, moved)).toEqual(['SELECT 1 took 2.0 times as long after it as before']);
  expect(disturbances(moved, later)).toEqual(['SELECT 1 took 0.5 times as long after it as before']);
  expect(disturbances(quiet, { ...later, latenessMs: 3 })).toEqual([
    'SELECT 1 after it was sent late: p95 3.0 ms',
  ]);
  expect(disturbances({ ...quiet, others: 1.25 }, later)).toEqual([
    'others kept 1.3 processors busy before it',
  ]);
  const robbed = { ...later, processor: { ...later.processor, stolen: 50 } };
  expect(disturbances(quiet, robbed)).toEqual(['the host took 5 % of the processors']);
});

test('a system that does not tell of its processors is judged by what was measured alone', () => {
  const silent = { ...quiet, others: null, processor: null };
  expect(disturbances(silent, silent)).toEqual([]);
});

onServer('the stream is measured on a real session', async ({ db }) => {
  const calm = await withClient(db.url, (client) => readCalm(client, stopwatch));
  expect(calm.stream.samples).toBe(200);
  expect(calm.stream.p50).toBeLessThanOrEqual(calm.stream.p95);
  expect(calm.others === null || calm.others >= 0).toBe(true);
});
