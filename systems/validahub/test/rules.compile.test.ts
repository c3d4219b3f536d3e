import { describe, expect, test } from 'vitest';
import { checksum, compatibility, compileRules, COMPILER_VERSION } from '../rules/index.ts';
import { planOf, refusals, rule } from './engine.ts';

describe('a rule is refused with its place and reason', () => {
  test('its own parts', () => {
    expect(refusals(rule({ id: 'A', type: 'required' }))).toEqual([
      'id must be 3 to 64 small letters, digits and _, the first a letter.',
    ]);
    expect(refusals(rule({ type: 'requires' }))).toEqual([
      'type must be one of required, format, length, range, enum, pattern, dependency, business, composite.',
    ]);
    expect(refusals(rule({ type: 'required', field: 'x'.repeat(101) }))).toEqual([
      'field must be a field name of 1 to 100 characters.',
    ]);
    expect(refusals(rule({ type: 'required', message: 'x'.repeat(501) }))).toEqual([
      'message must be a text of 1 to 500 characters.',
    ]);
    expect(refusals(rule({ type: 'required', severity: 'fatal' }))).toEqual([
      'severity must be one of error, warning, info.',
    ]);
    expect(refusals(rule({ type: 'required', action: 'drop' }))).toEqual([
      'action must be one of assert, transform, suggest.',
    ]);
    for (const precedence of [0, 1_001, 1.5, '5']) {
      expect(refusals(rule({ type: 'required', precedence }))).toEqual([
        'precedence must be a whole number from 1 to 1000.',
      ]);
    }
    expect(refusals(rule({ type: 'required', scope: 'file' }))).toEqual([
      'scope must be one of row, global.',
    ]);
    expect(refusals(rule({ type: 'required', servity: 'info' }))).toEqual([
      'servity is not known; a rule has id, type, field, severity, message, action, precedence, scope, params, fix, confidence.',
    ]);
    expect(refusals(rule({ type: 'required', message: 'a\0b' }))).toEqual([
      'holds a NUL or half a character, which no database text can.',
    ]);
    expect(refusals(rule({ type: 'enum', params: { values: ['\ud800'] } }))).toEqual([
      'holds a NUL or half a character, which no database text can.',
    ]);
    expect(refusals('required')).toEqual(['must be a rule with id and type.']);
  });

  test('the bounds themselves are accepted', () => {
    const longest = { id: `a${'b'.repeat(63)}`, field: 'f'.repeat(100), message: 'm'.repeat(500) };
    planOf([rule({ type: 'required', ...longest, precedence: 1 })]);
    planOf([rule({ type: 'required', id: 'abc', precedence: 1_000 })]);
    expect(refusals(rule({ type: 'required', id: `a${'b'.repeat(64)}` }))).toHaveLength(1);
  });

  test('the list as a whole', () => {
    expect(refusals()).toEqual(['rules must be a list with at least one rule.']);
    expect(compileRules('rules').errors[0]?.message).toBe('must be a list with at least one rule.');
    const twice = compileRules([rule({ type: 'required' }), rule({ type: 'required' })]);
    expect(twice.errors).toEqual([
      { ruleId: 'rule_1', index: 1, path: 'id', message: 'is the id of an earlier rule.' },
    ]);
    const many = Array.from({ length: 501 }, (_, i) => rule({ id: `rule_${i}`, type: 'required' }));
    expect(refusals(...many)).toEqual(['rules are more than 500.']);
  });

  test('the mapping', () => {
    const { errors } = compileRules([rule({ type: 'required' })], { a: 'brand', b: 'brand', c: 'colour' });
    expect(errors.map((error) => error.path)).toEqual(['mapping.b', 'mapping.c']);
    expect(errors[0]?.message).toBe('maps to brand, as a already does.');
  });

  test('parameters of its type', () => {
    expect(refusals(rule({ type: 'format' }))).toEqual([
      'params.format must be one of gtin, ncm, url, email, currency, decimal, integer, date, plain_text, normalized.',
    ]);
    expect(refusals(rule({ type: 'format', params: { format: 'gtin', separator: 'dot' } }))).toEqual([
      'params.separator is for the format decimal only.',
    ]);
    expect(refusals(rule({ type: 'length', params: {} }))).toEqual([
      'params must set at least one of min, max.',
    ]);
    expect(refusals(rule({ type: 'length', params: { min: 5, max: 4 } }))).toEqual([
      'params leave no value between the lower and the upper bound.',
    ]);
    expect(refusals(rule({ type: 'length', params: { minimum: 5 } }))).toEqual([
      'params.minimum is not known for length; use min, max.',
    ]);
    expect(refusals(rule({ type: 'range', params: { min: Number.NaN } }))).toEqual([
      'params.min must be a number.',
    ]);
    expect(refusals(rule({ type: 'enum', params: { values: [] } }))).toEqual([
      'params.values must be a list of texts, not empty.',
    ]);
    expect(refusals(rule({ type: 'enum', params: { constructor: 1 } }))).toEqual([
      'params.constructor is not known for enum; use values, ignore_case, separator.',
    ]);
    expect(refusals(rule({ type: 'business', params: { check: 'compare', op: '<' } }))).toEqual([
      'params must set either other (a field) or value (a number).',
    ]);
    expect(refusals(rule({ type: 'business', params: { check: 'unique' } }))).toEqual([
      'scope must be global: unique compares rows.',
    ]);
    expect(refusals(rule({ type: 'required', scope: 'global' }))).toEqual([
      'scope must be row: only unique and consistent look at the whole file.',
    ]);
  });

  test('patterns that cannot run in linear time, each naming its rule', () => {
    const { errors } = compileRules([
      rule({ id: 'ahead', type: 'pattern', params: { pattern: '(?=a)b' } }),
      rule({ id: 'behind', type: 'pattern', params: { pattern: '(?<=a)b' } }),
      rule({ id: 'back', type: 'pattern', params: { pattern: String.raw`(a)\1` } }),
      rule({ id: 'broken', type: 'pattern', params: { pattern: '[' } }),
      rule({ id: 'large', type: 'pattern', params: { pattern: '(?:\\pL{1,90}x){1,11}' } }),
      rule({ id: 'long', type: 'pattern', params: { pattern: 'a'.repeat(1_001) } }),
    ]);
    expect(errors.map((error) => [error.ruleId, error.path])).toEqual(
      ['ahead', 'behind', 'back', 'broken', 'large', 'long'].map((id) => [id, 'params.pattern']),
    );
    expect(errors[0]?.message).toMatch(/^cannot run in linear time or is not a pattern: .*`\(\?=`$/);
    expect(errors[5]?.message).toBe('is longer than 1000 characters.');
  });

  test('conditions', () => {
    const when = { field: 'brand', is: 'present' };
    expect(refusals(rule({ type: 'dependency', params: { when } }))).toEqual([
      'params.must must be a condition such as { field: brand, is: present }.',
    ]);
    expect(refusals(rule({ type: 'composite', params: { all: [] } }))).toEqual([
      'params.all must be a list of conditions, not empty.',
    ]);
    expect(refusals(rule({ type: 'composite', params: { field: 'brand', toString: 1 } }))).toEqual([
      'params.toString is not a test known here.',
    ]);
    expect(refusals(rule({ type: 'composite', params: { all: [when], any: [when] } }))).toEqual([
      'params.all cannot stand beside any.',
    ]);
    const deep = Array.from({ length: 9 }).reduce<object>((inner) => ({ not: inner }), when);
    expect(refusals(rule({ type: 'composite', params: deep }))).toEqual([
      'params.not.not.not.not.not.not.not.not is nested deeper than 8 conditions.',
    ]);
  });

  test('fixes', () => {
    const length = { type: 'length', params: { max: 5 } };
    expect(refusals(rule({ ...length, action: 'transform' }))).toEqual([
      'fix must have at least one step for transform.',
    ]);
    expect(refusals(rule({ ...length, fix: [{ step: 'trim' }] }))).toEqual([
      'fix is for the actions transform and suggest; an assert changes nothing.',
    ]);
    const wrong = (step: object): string[] => refusals(rule({ ...length, action: 'suggest', fix: [step] }));
    expect(wrong({ step: 'nearest' })).toEqual([
      'fix[0].step nearest is for enum rules: it looks among their values.',
    ]);
    expect(wrong({ step: 'check_digit' })).toEqual([
      'fix[0].step check_digit is for rules of the format gtin.',
    ]);
    expect(wrong({ step: 'truncate_words' })).toEqual(['fix[0].max must be a whole number from 1.']);
    expect(wrong({ step: 'trim', max: 3 })).toEqual(['fix[0].max is not known for the step trim.']);
    expect(wrong({ step: '__proto__' })[0]).toMatch(/^fix\[0\]\.step must be one of trim, /);
    expect(wrong({ step: 'replace_pattern', pattern: '(a)', with: '$2' })).toEqual([
      'fix[0].with $2 names no group of the pattern; write $$ for a sign.',
    ]);
    expect(wrong({ step: 'replace_pattern', pattern: '(?<n>a)', with: '$<m>' })).toHaveLength(1);
    expect(wrong({ step: 'replace_pattern', pattern: 'a', with: '5 $' })).toHaveLength(1);
    expect(wrong({ step: 'replace_pattern', pattern: '(?=a)', with: '' })[0]).toMatch(
      /^fix\[0\]\.pattern cannot run in linear time/,
    );
  });
});

describe('a plan', () => {
  const rules = [
    rule({ id: 'late', type: 'required', precedence: 900 }),
    rule({ id: 'b_same', type: 'required' }),
    rule({ id: 'a_same', type: 'required' }),
    rule({ id: 'whole', type: 'business', scope: 'global', precedence: 999, params: { check: 'unique' } }),
    rule({ id: 'early', type: 'required', precedence: 1 }),
  ];

  test('runs global rules first, then by precedence and id', () => {
    expect(planOf(rules).rules.map((r) => r.id)).toEqual(['whole', 'early', 'a_same', 'b_same', 'late']);
  });

  test('is JSON: it survives a jsonb column unchanged', () => {
    const plan = planOf(rules, { Marca: 'brand' });
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
    expect(plan.compiler).toBe(COMPILER_VERSION);
    expect(plan.rules[1]).toEqual({
      id: 'early',
      type: 'required',
      field: 'title',
      message: 'Not right.',
      severity: 'error',
      action: 'assert',
      precedence: 1,
      scope: 'row',
      params: {},
      fix: [],
      confidence: null,
    });
  });

  test('has a checksum that follows content and not spelling', () => {
    const plan = planOf(rules, { Marca: 'brand', EAN: 'gtin' });
    expect(plan.checksum).toMatch(/^[a-f0-9]{64}$/);
    const shuffled = rules.map((r) => Object.fromEntries(Object.entries(r).reverse()));
    expect(checksum({ EAN: 'gtin', Marca: 'brand' }, shuffled)).toBe(plan.checksum);
    expect(checksum({ Marca: 'brand' }, rules)).not.toBe(plan.checksum);
    expect(checksum({ Marca: 'brand', EAN: 'gtin' }, [...rules].reverse())).not.toBe(plan.checksum);
  });
});

test('compatibility: removed or retyped is major, added is minor, the rest is a patch', () => {
  const a = { id: 'aaa', type: 'required' } as const;
  const b = { id: 'bbb', type: 'length' } as const;
  expect(compatibility([a], [a])).toEqual({ level: 'patch', breaking: [], added: [] });
  expect(compatibility([a], [a, b]).level).toBe('minor');
  expect(compatibility([a, b], [b])).toEqual({
    level: 'major',
    breaking: [{ ruleId: 'aaa', change: 'removed' }],
    added: [],
  });
  expect(compatibility([a], [{ ...a, type: 'enum' }, b])).toEqual({
    level: 'major',
    breaking: [{ ruleId: 'aaa', change: 'type_changed' }],
    added: [{ ruleId: 'bbb', change: 'added' }],
  });
  expect(compatibility(null, [a]).level).toBe('major');
});
