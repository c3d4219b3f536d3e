// The parts of a replay that need no server: chance, the clock, slices of time, the picture.
import { describe, expect, test } from 'vitest';
import { SimulatedClock } from '../../src/prove/lapse/clock.ts';
import { reach } from '../../src/prove/lapse/horizon.ts';
import { between, pick, seeded } from '../../src/prove/lapse/random.ts';
import { slicesOf } from '../../src/prove/lapse/slices.ts';
import { timeline, type Picture } from '../../src/prove/lapse/timeline.ts';
import { variantOf, variants } from '../../src/prove/lapse/variants.ts';
import { wellFormed } from './well-formed.ts';

const at = (text: string): Date => new Date(text);

describe('chance with a seed', () => {
  test('the same seed gives the same numbers, another seed gives others', () => {
    const [one, same, other] = [seeded(7), seeded(7), seeded(8)];
    const drawn = Array.from({ length: 50 }, one);
    expect(Array.from({ length: 50 }, same)).toEqual(drawn);
    expect(Array.from({ length: 50 }, other)).not.toEqual(drawn);
    expect(drawn.every((number) => number >= 0 && number < 1)).toBe(true);
    expect(new Set(drawn).size).toBe(50);
  });

  test('between reaches both ends and pick every value', () => {
    const random = seeded(1);
    const drawn = new Set(Array.from({ length: 200 }, () => between(random, 3, 6)));
    expect([...drawn].sort()).toEqual([3, 4, 5, 6]);
    expect(new Set(Array.from({ length: 100 }, () => pick(random, ['a', 'b', 'c']))).size).toBe(3);
  });
});

describe('slices of time', () => {
  const stretch = {
    began: at('2026-01-15T00:00:00Z'),
    from: at('2026-01-15T13:00:00Z'),
    to: at('2026-01-16T01:30:00Z'),
    rowsPerDay: 48,
    touchDays: 3,
  };

  test('no slice crosses midnight UTC, and rows follow their length', () => {
    const slices = slicesOf({ ...stretch, random: seeded(1) });
    expect(
      slices.map(({ from, to, day, rows }) => [from.toISOString(), to.toISOString(), day, rows]),
    ).toEqual([
      ['2026-01-15T13:00:00.000Z', '2026-01-16T00:00:00.000Z', 0, 22],
      ['2026-01-16T00:00:00.000Z', '2026-01-16T01:30:00.000Z', 1, 3],
    ]);
    expect(slices[1]?.touchFrom).toEqual(at('2026-01-13T00:00:00Z'));
  });

  test('row times lie in the slice, its first and last microsecond among them', () => {
    const [evening] = slicesOf({ ...stretch, random: seeded(1) });
    const times = evening?.times(5) ?? [];
    expect(times[0]).toBe('2026-01-15 13:00:00.000000+00');
    expect(times[4]).toBe('2026-01-15 23:59:59.999999+00');
    expect([...times].sort()).toEqual(times);
    expect(evening?.times(1)).toHaveLength(1);
  });
});

describe('the simulated clock', () => {
  test('stands still, passes, and steps back without the monotonic one', async () => {
    const clock = new SimulatedClock(at('2026-01-15T00:00:00Z'));
    const { signal } = new AbortController();
    let awake = false;
    const slept = clock.sleep(1000, signal).then(() => (awake = true));
    clock.pass(999);
    await Promise.resolve();
    expect(awake).toBe(false);
    expect(clock.nextWakeMs()).toBe(1);
    clock.set(at('2026-01-14T22:00:00Z'));
    expect(clock.monotonicMs()).toBe(999);
    clock.pass(1);
    await slept;
    expect(clock.now()).toEqual(at('2026-01-14T22:00:00.001Z'));
    expect(clock.nextWakeMs()).toBeUndefined();
  });

  test('a sleeper whose signal aborts wakes at once', async () => {
    const clock = new SimulatedClock(at('2026-01-15T00:00:00Z'));
    const stop = new AbortController();
    const slept = clock.sleep(1e9, stop.signal);
    stop.abort();
    await slept;
    expect(clock.nextWakeMs()).toBeUndefined();
  });
});

test('places reach as far as they follow each other without a gap', () => {
  const place = (from: string, to: string) => ({ name: from, from: at(from), to: at(to) });
  const places = [
    place('2026-03-01', '2026-04-01'),
    place('2026-01-01', '2026-02-01'),
    place('2026-02-01', '2026-03-01'),
  ];
  expect(reach(places, at('2026-01-10'))).toEqual(at('2026-04-01'));
  expect(reach(places.slice(0, 2), at('2026-01-10'))).toEqual(at('2026-02-01'));
  expect(reach([], at('2026-01-10'))).toEqual(at('2026-01-10'));
});

test('variants have names of their own, and another name is refused', () => {
  expect(new Set(variants.map((one) => one.name)).size).toBe(variants.length);
  expect(() => variantOf('flood')).toThrow(
    'variant flood: there is no such variant of a replay. Use one of plain, keeper-down, zones, leap-day, clock-back, two-keepers, killed, or all. [HF_LAPSE_VARIANT]',
  );
});

describe('the picture', () => {
  const picture: Picture = {
    title: 'shop <&"> \u0000',
    from: at('2026-01-15'),
    to: at('2027-01-15'),
    tracks: [
      {
        relation: 'shop.orders',
        lives: [
          {
            name: 'orders_y2026m01',
            from: at('2026-01-01'),
            to: at('2026-02-01'),
            madeAt: at('2026-01-15'),
            leftAt: at('2026-05-02'),
            goneAt: at('2026-11-03'),
            archived: true,
          },
          {
            name: 'orders_y2027m01',
            from: at('2027-01-01'),
            to: at('2027-02-01'),
            madeAt: at('2026-10-01'),
            archived: false,
          },
        ],
      },
    ],
    marks: [
      { from: at('2026-03-01'), to: at('2026-04-10'), text: 'no keeper' },
      { from: at('2026-06-01'), text: 'keeper killed' },
    ],
  };

  test('is well-formed XML and says what it shows', () => {
    const svg = timeline(picture);
    expect(wellFormed(svg)).toEqual([]);
    expect(svg).toContain('<title>shop &lt;&amp;&quot;&gt; \uFFFD</title>');
    for (const said of [
      'orders_y2026m01: online 2026-01-15 to 2026-05-02',
      'orders_y2026m01: archived 2026-05-02 to 2026-11-03',
      'orders_y2027m01: ahead 2026-10-01 to 2027-01-01',
      'no keeper, 2026-03-01 to 2026-04-10',
    ])
      expect(svg).toContain(`<title>${said}</title>`);
    expect(svg).not.toMatch(/<script|<style|href=|url\(/);
  });

  test('many partitions get thin lines without names', () => {
    const [life] = picture.tracks[0]?.lives ?? [];
    const lives = Array.from({ length: 200 }, (_, number) => ({ ...life!, name: `p${number}` }));
    const svg = timeline({ ...picture, tracks: [{ relation: 'shop.orders', lives }] });
    expect(wellFormed(svg)).toEqual([]);
    expect(svg).not.toContain('>p7</text>');
  });

  test('what is not well-formed is found', () => {
    expect(wellFormed('<svg><g></svg>')).toEqual(['</svg> closes <g>']);
    expect(wellFormed('<svg a=1/>')).toEqual(['attribute without quotes in <svg a=1/>']);
    expect(wellFormed('<svg>a & b</svg>')).toEqual(['a bare & in "a & b"']);
    expect(wellFormed('<svg/><svg/>')).toEqual(['a second root <svg/>']);
  });
});
