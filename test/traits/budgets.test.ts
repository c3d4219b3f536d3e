// What is wrong with budgets is said before anything is measured.
import { integer, pgTable } from 'drizzle-orm/pg-core';
import { expect, test } from 'vitest';
import { database, type Budget } from '../../src/define/index.ts';
import { budget, budgets, figure, skewed, volume, type BudgetOptions } from '../../src/traits/index.ts';
import type { Connected } from '../../src/use/index.ts';
import { chanceOf } from '../../src/prove/budgets/chance.ts';

const things = pgTable('things', { id: integer().primaryKey() });
const data = volume('things', {
  rows: { things: { into: things, columns: [things.id], row: (n) => [n] } },
});

type Over = Partial<Omit<BudgetOptions<Connected, undefined>, 'open' | 'run'>>;

const one = (name: string, over: Over = {}) =>
  budget(name, { data, at: { things: 10 }, run: { sql: 'SELECT 1' }, ...over });

function mistakes(...list: readonly Budget[]): readonly string[] {
  try {
    database('things', { tables: { things }, traits: [budgets(...list)] });
    return [];
  } catch (error) {
    const { diagnostics } = error as { diagnostics: { subject: string; what: string; fix: string }[] };
    return diagnostics.map(({ subject, what, fix }) => `${subject}: ${what} ${fix}`);
  }
}

test('budgets that are whole are values of the definition', () => {
  const list = [
    one('a', { p95: '500 us', p99: '2 s', rate: 50 }),
    figure('b', { data, at: {}, measure: async () => 1 }),
  ];
  const { proofs } = database('things', { tables: { things }, traits: [budgets(...list)] });
  expect(proofs.budgets).toEqual(list);
  expect(proofs.budgets[0]).toMatchObject({
    kind: 'time',
    limitsMs: { p95: 0.5, p99: 2_000 },
    ratePerSecond: 50,
    clients: 4,
    samples: 1_000,
    prepare: false,
  });
  expect(proofs.budgets[1]).toMatchObject({ kind: 'figure', unit: '' });
});

test('every mistake is found at once', () => {
  const elsewhere = volume('elsewhere', {
    rows: {
      gone: { into: 'public.gone', columns: ['id'], row: () => [1] },
      things: { into: things, columns: ['id', 'name'], row: () => [1, 'x'] },
    },
  });
  expect(
    mistakes(
      one('twice'),
      one('twice'),
      one('size', { at: { others: 1 } }),
      one('half', { at: { things: 0.5 } }),
      one('load', { clients: 0 }),
      one('role', { role: 'nobody' }),
      one('few', { p99: '1 ms', samples: 499 }),
      one('rows', { data: elsewhere, at: { gone: 1 } }),
    ),
  ).toEqual([
    'budget twice: another budget has this name. Give each a name of its own.',
    'budget size: volume things has no others. It has things.',
    'budget half: 0.5 things is no size. Give a whole number from 0.',
    'budget load: 0 clients at 100 requests a second is no load. Give one client at least, and a rate above 0.',
    'budget role: there is no role nobody. Name one of the definition, or none.',
    'budget few: 499 requests say too little of p99: 5 should lie beyond it. Measure 500 at least.',
    'budget rows: its volume fills public.gone, which is no table of the definition. Name one that is.',
    'budget rows: its volume fills column name, which public.things has not. Name its own columns.',
  ]);
});

test('a limit is a length of time', () => {
  for (const wrong of ['1', '1ms', '0 ms', '-1 ms', 'fast', '1 min', '']) {
    expect(() => one('x', { p95: wrong })).toThrow(
      expect.objectContaining({
        code: 'HF_BUDGET_TIME',
        subject: 'budget x, p95',
        what: `${JSON.stringify(wrong)} is no length of time.`,
      }),
    );
  }
});

test('skewed owners: the first has its share, the others the rest alike; the same seed, the same owners', () => {
  const pick = skewed(['a', 'b', 'c'], 0.5);
  const drawn = (): string[] => Array.from({ length: 6_000 }, (_, n) => pick(chanceOf(7, n)));
  const all = drawn();
  const of = (owner: string): number => all.filter((one) => one === owner).length;
  expect(of('a')).toBeGreaterThan(2_850);
  expect(of('a')).toBeLessThan(3_150);
  expect(of('b')).toBeGreaterThan(1_350);
  expect(of('c')).toBeGreaterThan(1_350);
  expect(drawn()).toEqual(drawn());
  expect(skewed(['only'], 0)(() => 0.9)).toBe('only');
  expect(skewed(['a', 'b'], 1)(() => 0.999)).toBe('a');
  expect(() => skewed([], 0.5)).toThrow('skewed() needs one owner at least.');
});
