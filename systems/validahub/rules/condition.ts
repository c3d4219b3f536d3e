// Conditions: what `dependency` and `composite` rules are built from. A condition asks something of one field
// of the row, or joins other conditions with all, any, not.

import { compilePattern, found } from './pattern.ts';
import { toNumber } from './decimal.ts';

/** A condition as it is written in a rule. A bound may be a number or another field of the same row. */
export type Condition =
  | { readonly field: string; readonly is: 'present' | 'absent' }
  | { readonly field: string; readonly equals: string | number }
  | { readonly field: string; readonly in: readonly string[] }
  | { readonly field: string; readonly matches: string }
  | {
      readonly field: string;
      readonly min?: Bound;
      readonly max?: Bound;
      readonly above?: Bound;
      readonly below?: Bound;
    }
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly not: Condition };

export type Bound = number | { readonly field: string };

/** Reads a field of the row at hand; undefined when the file has no such column. */
export type ReadField = (field: string) => string | undefined;

const DEPTH_LIMIT = 8;
const BOUNDS = ['min', 'max', 'above', 'below'] as const;

/** Why `value` is no condition, as `path: message` texts; empty when it is one. */
export function conditionErrors(value: unknown, path: string, depth = 1): [path: string, message: string][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [[path, 'must be a condition such as { field: brand, is: present }.']];
  }
  if (depth > DEPTH_LIMIT) return [[path, `is nested deeper than ${DEPTH_LIMIT} conditions.`]];
  const condition = value as Record<string, unknown>;
  for (const join of ['all', 'any'] as const) {
    if (join in condition) return joinErrors(condition, `${path}.${join}`, { join, depth });
  }
  if ('not' in condition) {
    return onlyKeys(condition, ['not'], path) ?? conditionErrors(condition['not'], `${path}.not`, depth + 1);
  }
  if (typeof condition['field'] !== 'string' || condition['field'] === '') {
    return [[`${path}.field`, 'must name a field.']];
  }
  return testErrors(condition, path);
}

/** Turns a checked condition into a function of the row. A bound on a value that is no number fails. */
export function prepareCondition(condition: Condition): (read: ReadField) => boolean {
  if ('all' in condition) {
    const parts = condition.all.map(prepareCondition);
    return (read) => parts.every((holds) => holds(read));
  }
  if ('any' in condition) {
    const parts = condition.any.map(prepareCondition);
    return (read) => parts.some((holds) => holds(read));
  }
  if ('not' in condition) {
    const holds = prepareCondition(condition.not);
    return (read) => !holds(read);
  }
  return prepareTest(condition);
}

type Test = Extract<Condition, { readonly field: string }>;

function prepareTest(test: Test): (read: ReadField) => boolean {
  const { field } = test;
  if ('is' in test) return (read) => isEmpty(read(field)) === (test.is === 'absent');
  if ('equals' in test) return (read) => read(field)?.trim() === String(test.equals);
  if ('in' in test) {
    const values = new Set(test.in);
    return (read) => values.has((read(field) ?? '').trim());
  }
  if ('matches' in test) {
    const { pattern } = compilePattern(test.matches);
    return (read) => pattern !== null && found(pattern, read(field) ?? '');
  }
  return (read) => withinBounds(test, read);
}

function withinBounds(test: Extract<Test, { readonly min?: Bound }>, read: ReadField): boolean {
  const value = toNumber(read(test.field) ?? '');
  if (value === null) return false;
  return BOUNDS.every((name) => {
    const bound = test[name];
    if (bound === undefined) return true;
    const limit = typeof bound === 'number' ? bound : toNumber(read(bound.field) ?? '');
    if (limit === null) return false;
    if (name === 'min') return value >= limit;
    if (name === 'max') return value <= limit;
    return name === 'above' ? value > limit : value < limit;
  });
}

/** True for a missing value and for one of white space only. */
export function isEmpty(value: string | undefined): boolean {
  return value === undefined || value.trim() === '';
}

function joinErrors(
  condition: Record<string, unknown>,
  path: string,
  at: { readonly join: string; readonly depth: number },
): [string, string][] {
  const parts = condition[at.join];
  if (!Array.isArray(parts) || parts.length === 0)
    return [[path, 'must be a list of conditions, not empty.']];
  const extra = onlyKeys(condition, [at.join], path);
  return extra ?? parts.flatMap((part, i) => conditionErrors(part, `${path}[${i}]`, at.depth + 1));
}

function testErrors(condition: Record<string, unknown>, path: string): [string, string][] {
  const tests = Object.keys(condition).filter((key) => key !== 'field');
  const bounded = tests.length > 0 && tests.every((key) => (BOUNDS as readonly string[]).includes(key));
  if (bounded) return tests.flatMap((key) => boundErrors(condition[key], `${path}.${key}`));
  const [test] = tests;
  if (tests.length !== 1 || test === undefined) {
    return [[path, 'must ask one thing: is, equals, in, matches, or bounds (min, max, above, below).']];
  }
  const value = condition[test];
  const reason = Object.hasOwn(TEST_ERRORS, test) ? TEST_ERRORS[test] : undefined;
  const message = reason === undefined ? 'is not a test known here.' : reason(value);
  return message === null ? [] : [[`${path}.${test}`, message]];
}

const TEST_ERRORS: Readonly<Record<string, (value: unknown) => string | null>> = {
  is: (value) => (value === 'present' || value === 'absent' ? null : 'must be present or absent.'),
  equals: (value) =>
    typeof value === 'string' || typeof value === 'number' ? null : 'must be a text or a number.',
  in: (value) =>
    Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string')
      ? null
      : 'must be a list of texts, not empty.',
  matches: (value) => (typeof value === 'string' ? compilePattern(value).error : 'must be a pattern.'),
};

function boundErrors(value: unknown, path: string): [string, string][] {
  if (typeof value === 'number' && Number.isFinite(value)) return [];
  const field = typeof value === 'object' && value !== null && 'field' in value ? value.field : undefined;
  return typeof field === 'string' && field !== '' ? [] : [[path, 'must be a number or { field: … }.']];
}

function onlyKeys(
  value: Record<string, unknown>,
  keys: readonly string[],
  path: string,
): [string, string][] | null {
  const extra = Object.keys(value).filter((key) => !keys.includes(key));
  return extra.length === 0 ? null : [[path, `cannot stand beside ${extra.join(', ')}.`]];
}
