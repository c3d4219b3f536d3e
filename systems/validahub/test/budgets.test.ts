// ValidaHub's budgets on a fiftieth of their data: what plans must be like, which does not depend on how busy a machine is.
import { expect } from 'vitest';
import { mapTables, type Definition } from 'holdfast/define';
import { brokenPlans, proveBudgets } from 'holdfast/prove';
import { test, type TestDatabase } from '../../../test/cluster/index.ts';
import { defineValidahub } from '../define.ts';

const SCALE = 0.02;

function definitionFor(db: TestDatabase): Definition {
  return defineValidahub({
    app: db.role('vh_app'),
    analytics: db.role('vh_analytics'),
    admin: db.role('vh_admin'),
    system: db.role('vh_system'),
    owner: db.role('vh_owner'),
  });
}

const looked = (db: TestDatabase, definition: Definition, only?: readonly string[]) =>
  proveBudgets({
    definition,
    url: db.url,
    now: new Date(),
    scale: SCALE,
    times: false,
    plans: 'possible',
    ...(only !== undefined && { only }),
  });

test('every target of the document is a budget, and its plans are what they must be', async ({ db }) => {
  const measured = await looked(db, definitionFor(db));
  expect(brokenPlans(measured)).toEqual([]);
  expect(
    measured.results.map(({ budget, document }) => [budget.name, budget.document?.target, document]),
  ).toEqual([
    ['rule lookup', '< 1 ms', null],
    ['rule lookup of a new process', '< 1 ms', null],
    ['effectiveness of all rules', '< 500 ms', null],
    ['a channel in 30 days', '< 500 ms', null],
    ['a week counted anew', '< 500 ms', null],
    ['most broken fields of 30 days', '< 500 ms', null],
    ['suggestion mining', '< 100 ms', null],
    // With the eighteen indexes of the newest months, about 20 % cannot be had.
    ['indexes by data of the log', 'about 0.2', 'missed'],
    ['indexes by data of a cold month', 'about 0.2', 'missed'],
    ['correction insert', '< 5 ms', null],
    ['a thousand corrections', undefined, null],
    ['corrections written', '1,000,000 a month', 'met'],
  ]);
  for (const one of measured.results) {
    expect(one.sizes).toMatchObject({
      corrections: 20_000,
      patterns: 2_000,
      suggestions: 2_660,
      violations: 2_000,
    });
    if ('value' in one) expect(one.value).toBeGreaterThan(0);
    else expect([one.role, one.planned?.line]).not.toContain(undefined);
  }
  const rows = (name: string): number | undefined =>
    measured.results.flatMap((one) =>
      'planned' in one && one.budget.name === name ? [one.planned?.rows] : [],
    )[0];
  expect([rows('rule lookup of a new process'), rows('correction insert')]).toEqual([1, 1]);
});

test('mining without the index it pages through breaks its plan', async ({ db }) => {
  const whole = definitionFor(db);
  const model = mapTables(
    whole.model,
    (table) => table.name === 'correction_patterns',
    (table) => ({ ...table, indexes: table.indexes.filter(({ name }) => !name.endsWith('_surest')) }),
  );
  const measured = await looked(db, { ...whole, model }, ['suggestion mining']);
  expect(brokenPlans(measured)).toEqual([
    expect.stringMatching(/^suggestion mining: uses index idx_correction_patterns_surest; seen: /),
  ]);
});
