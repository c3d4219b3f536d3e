import { describe, expect, test } from 'vitest';
import { runRules } from '../rules/index.ts';
import { SeenKeys } from '../rules/seen.ts';
import { planOf, rule, runAll, table } from './engine.ts';

const trim = rule({
  id: 'trimmed',
  type: 'format',
  action: 'transform',
  precedence: 10,
  params: { format: 'normalized' },
  fix: [{ step: 'trim' }],
});

describe('order', () => {
  test('a transform changes the row that later rules see; a suggestion does not', async () => {
    const shorten = {
      type: 'length',
      params: { max: 3 },
      fix: [{ step: 'truncate_words', max: 3 }],
    };
    const rules = [
      rule({ id: 'assert_short', type: 'length', precedence: 30, params: { max: 3 } }),
      rule({ id: 'suggest_short', action: 'suggest', precedence: 20, ...shorten }),
      trim,
    ];
    const { rows, options } = table(['title'], [' abc '], [' abcd ']);
    const { cells, violations, corrections } = await runAll(planOf(rules), rows, options);
    expect(cells).toEqual([['abc'], ['abcd']]);
    expect(violations.map((v) => [v.recordNumber, v.ruleId, v.originalValue])).toEqual([
      [2, 'assert_short', 'abcd'],
    ]);
    expect(corrections.map((c) => [c.ruleId, c.originalValue, c.correctedValue, c.status])).toEqual([
      ['trimmed', ' abc ', 'abc', 'applied'],
      ['trimmed', ' abcd ', 'abcd', 'applied'],
      ['suggest_short', 'abcd', 'abc', 'pending'],
    ]);
    const late = [rule({ id: 'assert_short', type: 'length', precedence: 5, params: { max: 3 } }), trim];
    expect((await runAll(planOf(late), rows, options)).violations).toHaveLength(2);
  });

  test('a correction that does not make its rule hold is a violation', async () => {
    const plan = planOf([
      rule({
        type: 'pattern',
        action: 'transform',
        params: { pattern: '^[0-9]+$' },
        fix: [{ step: 'trim' }],
      }),
    ]);
    const { rows, options } = table(['title'], [' 12 '], [' 1x ']);
    const { cells, violations, corrections, batches } = await runAll(plan, rows, options);
    expect(cells).toEqual([['12'], [' 1x ']]);
    expect(corrections).toHaveLength(1);
    expect(violations[0]).toEqual({
      recordNumber: 2,
      line: 3,
      field: 'title',
      ruleId: 'rule_1',
      severity: 'error',
      originalValue: ' 1x ',
      message: 'Not right.',
    });
    expect(batches[0]?.outcomes).toEqual([{ ruleId: 'rule_1', broke: 2, corrected: 1, pending: 0 }]);
  });
});

describe('limits', () => {
  test('a value too long for the correction log is reported, not corrected', async () => {
    const long = ` ${'x'.repeat(1_000)}`;
    const { rows, options } = table(['title'], [long], [' ok']);
    const { cells, violations } = await runAll(planOf([trim]), rows, options);
    expect(cells).toEqual([[long], ['ok']]);
    expect(violations[0]?.originalValue).toBe(`${long.slice(0, 999)}…`);
    const wide = await runAll(planOf([trim]), rows, { ...options, valueLimit: 1_001 });
    expect(wide.cells[0]).toEqual([long.trim()]);
  });

  test('a rule that fails on one row is reported there, and all others go on', async () => {
    // Patterns do not look at values of more than 100,000 characters.
    const plan = planOf([
      rule({ id: 'failing', type: 'pattern', params: { pattern: 'x$' } }),
      rule({ id: 'short', type: 'length', params: { max: 2 } }),
    ]);
    const { rows, options } = table(['title'], ['y'.repeat(100_001)], ['ax'], ['abc']);
    const { violations, batches } = await runAll(plan, rows, options);
    expect(violations.map((v) => [v.recordNumber, v.ruleId, v.message])).toEqual([
      [1, 'failing', 'The rule could not be run on this row: The value has more than 100000 characters.'],
      [1, 'short', 'Not right.'],
      [3, 'failing', 'Not right.'],
      [3, 'short', 'Not right.'],
    ]);
    expect(batches[0]?.outcomes[0]).toEqual({ ruleId: 'failing', broke: 2, corrected: 0, pending: 0 });
  });

  test('a plan of another compiler is refused', async () => {
    const plan = { ...planOf([trim]), compiler: 999 };
    const { rows, options } = table(['title'], ['a']);
    await expect(runAll(plan, rows, options)).rejects.toMatchObject({ code: 'HF_PLAN_COMPILER' });
  });
});

describe('columns the file does not have', () => {
  test('required breaks, a fix has nowhere to write, the rest holds', async () => {
    const plan = planOf([
      rule({ id: 'needed', type: 'required', field: 'sku' }),
      rule({
        id: 'filled',
        type: 'required',
        field: 'currency',
        action: 'transform',
        fix: [{ step: 'default', value: 'BRL' }],
      }),
      rule({ id: 'sized', type: 'length', field: 'brand', params: { min: 3 } }),
    ]);
    const { rows, options } = table(['title'], ['a'], ['b']);
    const { violations, corrections } = await runAll(plan, rows, options);
    expect(corrections).toEqual([]);
    expect(violations.map((v) => [v.recordNumber, v.ruleId, v.originalValue])).toEqual([
      [1, 'needed', null],
      [2, 'needed', null],
    ]);
  });
});

describe('streaming', () => {
  const plan = planOf([trim]);

  test('batches hold as many rows as asked, in order, the last one the rest', async () => {
    const { rows, options } = table(['title'], ...Array.from({ length: 2_500 }, (_, i) => [`t${i}`]));
    const { batches, cells } = await runAll(plan, rows, options);
    expect(batches.map((b) => [b.index, b.rows.length])).toEqual([
      [0, 1_000],
      [1, 1_000],
      [2, 500],
    ]);
    expect(cells[2_499]).toEqual(['t2499']);
    expect((await runAll(plan, [], options)).batches).toEqual([]);
  });

  test('it reads one batch ahead at most, and stopping early closes the source', async () => {
    const { options } = table(['title']);
    let read = 0;
    let closed = false;
    async function* endless(): AsyncGenerator<{ recordNumber: number; line: number; cells: string[] }> {
      try {
        for (;;) {
          read += 1;
          yield { recordNumber: read, line: read + 1, cells: ['x'] };
        }
      } finally {
        closed = true;
      }
    }
    for await (const batch of runRules(plan, endless(), { ...options, batchSize: 10 })) {
      if (batch.index === 1) break;
    }
    expect([read, closed]).toEqual([20, true]);
  });

  test('rows that nothing changed are handed on as they are', async () => {
    const { rows, options } = table(['title'], ['a'], [' b']);
    const { batches } = await runAll(plan, rows, options);
    expect(batches[0]?.rows[0]).toBe(rows[0]);
    expect(rows[1]?.cells).toEqual([' b']);
  });
});

test('global rules remember a million keys in 32 MiB', () => {
  const seen = new SeenKeys();
  for (let i = 1; i <= 1_000_000; i += 1) {
    if (seen.firstSeen(`sku-${i}`, i) !== 0) throw new Error(`A new key was called repeated: ${i}.`);
  }
  expect(seen.bytes).toBe(32 * 1024 * 1024);
  expect(seen.firstSeen('sku-1', 5)).toBe(1);
  expect(seen.firstSeen('sku-1000000', 5)).toBe(1_000_000);
});
