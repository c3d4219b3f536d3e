// Prepares one compiled rule for running: a function that says whether a row keeps the rule.

import { isEmpty, prepareCondition, type Condition, type ReadField } from './condition.ts';
import { toNumber } from './decimal.ts';
import { prepareFix } from './fix.ts';
import { formatCheck, type Format } from './formats.ts';
import { compilePattern, found } from './pattern.ts';
import type { CompiledRule } from './rule.ts';
import { SeenKeys } from './seen.ts';

/**
 * True when the rule holds. `recordNumber` serves the global rules, which remember what went by: a check is
 * prepared anew for every run, and sees every row once, in order.
 */
export type Check = (value: string, read: ReadField, recordNumber: number) => boolean;

/** The check of a compiled rule. Only `required` and conditions look at empty values; all others let them be. */
export function prepareCheck(rule: CompiledRule): Check {
  const { params } = rule;
  switch (rule.type) {
    case 'required':
      return prepareRequired(params);
    case 'dependency': {
      const when = prepareCondition(params['when'] as Condition);
      const must = prepareCondition(params['must'] as Condition);
      return (_value, read) => !when(read) || must(read);
    }
    case 'composite': {
      const holds = prepareCondition(params as unknown as Condition);
      return (_value, read) => holds(read);
    }
    case 'business':
      return prepareBusiness(rule);
    default: {
      const holds = prepareValueCheck(rule);
      return (value, read) => isEmptyFor(rule, value) || holds(value, read);
    }
  }
}

// White space alone is empty to people, but a rule on the form of the text may well take it out.
function isEmptyFor(rule: CompiledRule, value: string): boolean {
  return rule.params['format'] === 'normalized' ? value === '' : isEmpty(value);
}

function prepareRequired(params: CompiledRule['params']): Check {
  const empties = new Set((params['empty_values'] as readonly string[] | undefined) ?? []);
  return (value) => !isEmpty(value) && !empties.has(value.trim());
}

function prepareValueCheck(rule: CompiledRule): (value: string, read: ReadField) => boolean {
  switch (rule.type) {
    case 'format':
      return prepareFormat(rule);
    case 'length':
      return prepareLength(rule.params);
    case 'range':
      return prepareRange(rule.params);
    case 'enum':
      return prepareEnum(rule.params);
    default:
      return preparePattern(rule.params);
  }
}

function prepareFormat(rule: CompiledRule): (value: string, read: ReadField) => boolean {
  const format = rule.params['format'] as Format;
  if (format === 'normalized') {
    const fix = prepareFix(rule);
    return (value, read) => fix(value, read)?.value === value;
  }
  const fits = formatCheck(format, String(rule.params['separator'] ?? 'any'));
  const list = rule.params['list'] as string | undefined;
  if (list === undefined) return fits;
  return (value) => value.split(list).every((item) => fits(item.trim()));
}

// Characters are code points, as PostgreSQL's char_length counts them; one that needs two UTF-16 units is one.
function prepareLength(params: CompiledRule['params']): (value: string) => boolean {
  const { min = 0, max = Infinity } = params as { readonly min?: number; readonly max?: number };
  return (value) => {
    if (value.length < min) return false;
    if (value.length <= max && value.length >= 2 * min) return true;
    const length = Array.from(value).length;
    return length >= min && length <= max;
  };
}

function prepareRange(params: CompiledRule['params']): (value: string) => boolean {
  const { min, max, above, below } = params as Readonly<Record<string, number | undefined>>;
  return (value) => {
    const number = toNumber(value);
    if (number === null) return false;
    if ((min !== undefined && number < min) || (max !== undefined && number > max)) return false;
    return !((above !== undefined && number <= above) || (below !== undefined && number >= below));
  };
}

function prepareEnum(params: CompiledRule['params']): (value: string) => boolean {
  const separator = params['separator'] as string | undefined;
  const ignoreCase = params['ignore_case'] === true;
  const form = (value: string): string => {
    const path = separator === undefined ? value : value.split(separator).map(trimmed).join(separator);
    return ignoreCase ? path.toLowerCase() : path;
  };
  const values = new Set((params['values'] as readonly string[]).map(form));
  return (value) => values.has(form(value));
}

function trimmed(value: string): string {
  return value.trim();
}

function preparePattern(params: CompiledRule['params']): (value: string) => boolean {
  const { pattern } = compilePattern(params['pattern'] as string, params['ignore_case'] === true);
  const wanted = params['deny'] !== true;
  return (value) => pattern !== null && found(pattern, value) === wanted;
}

function prepareBusiness(rule: CompiledRule): Check {
  const { params } = rule;
  if (params['check'] === 'compare') return prepareCompare(params);
  const seen = new SeenKeys();
  const by = params['by'] as string | undefined;
  const form = keyForm(params);
  if (params['check'] === 'unique') {
    return (value, read, recordNumber) => {
      if (isEmpty(value)) return true;
      const key = by === undefined ? form(value) : JSON.stringify([form(read(by) ?? ''), form(value)]);
      return seen.firstSeen(key, recordNumber) === 0;
    };
  }
  return prepareConsistent({ form, by: by ?? '' });
}

// The first value seen for a group is the one the others must have. Both the group and its value are keys of
// one table each: a row keeps the rule when its pair was first seen where its group was.
function prepareConsistent(rule: { readonly form: (value: string) => string; readonly by: string }): Check {
  const groups = new SeenKeys();
  const pairs = new SeenKeys();
  return (value, read, recordNumber) => {
    const group = read(rule.by) ?? '';
    if (isEmpty(group) || isEmpty(value)) return true;
    const first = groups.firstSeen(rule.form(group), recordNumber) || recordNumber;
    const pair = pairs.firstSeen(JSON.stringify([rule.form(group), rule.form(value)]), recordNumber);
    return (pair || recordNumber) === first;
  };
}

function keyForm(params: CompiledRule['params']): (value: string) => string {
  const ignoreCase = params['ignore_case'] === true;
  const ignoreSpaces = params['ignore_spaces'] === true;
  return (value) => {
    const spaced = ignoreSpaces ? value.replace(/\s+/g, '') : value;
    return ignoreCase ? spaced.toLowerCase() : spaced;
  };
}

const COMPARISONS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '=': (a, b) => a === b,
  '<>': (a, b) => a !== b,
};

// A side that is empty cannot be compared and lets the rule hold; one that is no number breaks it.
function prepareCompare(params: CompiledRule['params']): Check {
  const compare = COMPARISONS[params['op'] as string];
  const factor = (params['factor'] as number | undefined) ?? 1;
  const other = params['other'] as string | undefined;
  return (value, read) => {
    const against = other === undefined ? String(params['value']) : (read(other) ?? '');
    if (isEmpty(value) || isEmpty(against)) return true;
    const [left, right] = [toNumber(value), toNumber(against)];
    return compare !== undefined && left !== null && right !== null && compare(left, right * factor);
  };
}
