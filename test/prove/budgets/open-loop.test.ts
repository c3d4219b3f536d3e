import { expect } from 'vitest';
import { openLoop, type Arrivals } from '../../../src/prove/budgets/open-loop.ts';
import { classes, spread } from '../../../src/prove/budgets/percentile.ts';
import { chanceOf } from '../../../src/prove/budgets/chance.ts';
import { test } from '../../cluster/index.ts';
import { SimulatedClock } from './clock.ts';

const arrivals = (over: Partial<Arrivals> & Pick<Arrivals, 'clock'>): Arrivals => ({
  ratePerSecond: 100,
  clients: 1,
  count: 10,
  graceMs: 60_000,
  ...over,
});

test('a stall counts for everyone who waited behind it', async () => {
  const clock = new SimulatedClock();
  const answered = await openLoop(arrivals({ clock }), (number) => clock.pass(number === 2 ? 65 : 1));
  // Due every 10 ms; the third takes 65 ms, and those behind it were due 10 ms later each.
  expect([...answered.latencies]).toEqual([1, 1, 65, 56, 47, 38, 29, 20, 11, 2]);
  expect([...answered.services]).toEqual([1, 1, 65, 1, 1, 1, 1, 1, 1, 1]);
  expect(answered).toMatchObject({ unserved: 0, failures: [], elapsedMs: 92 });
});

test('the same stall, measured by sending after the answer, would have shown in one request alone', async () => {
  const clock = new SimulatedClock();
  const answered = await openLoop(arrivals({ clock, count: 1_000 }), (number) =>
    clock.pass(number === 100 ? 1_001 : 1),
  );
  const closed = spread(answered.services);
  const open = spread(answered.latencies);
  expect(closed).toMatchObject({ p50: 1, p95: 1, p99: 1, max: 1_001 });
  expect(open.p50).toBe(1);
  expect(open.p95).toBe(551);
  expect(open.max).toBe(1_001);
});

test('more clients pass one that is stalled', async () => {
  const clock = new SimulatedClock();
  const answered = await openLoop(arrivals({ clock, clients: 2 }), (number) =>
    clock.pass(number === 0 ? 1_000 : 1),
  );
  expect([...answered.latencies]).toEqual([1_000, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
});

test('the rate is kept whatever the answers take, and no more than the clients are in flight', async () => {
  const clock = new SimulatedClock();
  const sent: number[] = [];
  let flying = 0;
  let most = 0;
  await openLoop(arrivals({ clock, clients: 3, count: 50 }), async () => {
    sent.push(clock.now());
    flying += 1;
    most = Math.max(most, flying);
    await clock.pass(25);
    flying -= 1;
  });
  expect(sent).toEqual(Array.from({ length: 50 }, (_, number) => 10 + 10 * number));
  expect(most).toBe(3);
});

test('what cannot be kept up with is given up, and counts with the time it had waited', async () => {
  const clock = new SimulatedClock();
  const answered = await openLoop(arrivals({ clock, count: 20, graceMs: 50 }), () => clock.pass(100));
  // The last is due at 200; what is not sent by 250 is given up when the one in flight is answered, at 310.
  expect(answered.unserved).toBe(17);
  expect([...answered.latencies].slice(0, 5)).toEqual([100, 190, 280, 270, 260]);
  expect([...answered.latencies].at(-1)).toBe(110);
  expect([...answered.services].slice(2, 4)).toEqual([100, Number.NaN]);
});

test('what fails is counted, timed, and ends nothing', async () => {
  const clock = new SimulatedClock();
  const answered = await openLoop(arrivals({ clock }), async (number) => {
    await clock.pass(3);
    if (number % 4 === 1) throw new Error(`no ${number}`);
  });
  expect(answered.failures.map(({ number, error }) => [number, String(error)])).toEqual([
    [1, 'Error: no 1'],
    [5, 'Error: no 5'],
    [9, 'Error: no 9'],
  ]);
  expect([...answered.latencies]).toEqual(Array.from({ length: 10 }, () => 3));
});

test('a signal ends it; what was not sent is not served', async () => {
  const clock = new SimulatedClock();
  const controller = new AbortController();
  const answered = await openLoop(arrivals({ clock, signal: controller.signal }), async (number) => {
    await clock.pass(1);
    if (number === 3) controller.abort();
  });
  expect(answered.unserved).toBe(6);
});

test('a server that stalls is seen through a connection as it is', async ({ db }) => {
  const clock = new SimulatedClock();
  const answered = await openLoop(arrivals({ clock }), async (number) => {
    // The server really holds the session; how long that was is the clock's to say.
    await clock.held(() => db.query('SELECT pg_catalog.pg_sleep($1)', [number === 4 ? 0.05 : 0]));
    await clock.pass(number === 4 ? 40 : 2);
  });
  expect([...answered.latencies]).toEqual([2, 2, 2, 2, 40, 32, 24, 16, 8, 2]);
});

test('percentiles are times that were seen: the nearest rank', () => {
  expect(spread([5])).toMatchObject({ samples: 1, p50: 5, p95: 5, p99: 5, max: 5 });
  expect(spread(Array.from({ length: 100 }, (_, at) => 100 - at))).toMatchObject({
    p50: 50,
    p95: 95,
    p99: 99,
  });
  expect(spread([1, 2, 3, 4])).toMatchObject({ p50: 2, p95: 4, mean: 2.5 });
  expect(spread([])).toMatchObject({ samples: 0, p50: Number.NaN });
  const chance = chanceOf(1, 1);
  const times = Array.from({ length: 997 }, () => chance() * 1_000);
  for (const [name, share] of [
    ['p50', 0.5],
    ['p95', 0.95],
    ['p99', 0.99],
  ] as const) {
    const found = spread(times)[name];
    const notAbove = times.filter((time) => time <= found).length;
    expect(notAbove / times.length).toBeGreaterThanOrEqual(share);
    expect((notAbove - 1) / times.length).toBeLessThan(share);
  }
});

test('classes hold every time once, between the first and the last that is not empty', () => {
  const times = Float64Array.from([0.4, 0.5, 0.51, 3, 3.1, 80, 1e12]);
  const found = classes(times);
  expect(found[0]).toEqual({ upToMs: 0.5, count: 2 });
  expect(found.filter(({ count }) => count > 0).map(({ upToMs }) => upToMs)).toEqual([
    0.5, 0.7, 3, 5, 100, 7e6,
  ]);
  expect(found.reduce((sum, { count }) => sum + count, 0)).toBe(times.length);
  expect(classes(Float64Array.from([]))).toEqual([]);
});
