// What `params` may hold for each rule type, and why a given one is refused. One table, so that the language
// can be read in one place.

import { conditionErrors } from './condition.ts';
import { FORMATS } from './formats.ts';
import { compilePattern } from './pattern.ts';
import type { RuleType } from './rule.ts';

/** Path inside the rule and what is wrong there. */
export type Finding = readonly [path: string, message: string];

type Params = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => string | null;

interface ParamSpec {
  /** Each parameter the type knows, and its check. */
  readonly known: Readonly<Record<string, Check>>;
  /** What must hold between them. */
  readonly together?: (params: Params) => Finding[];
}

/** Everything wrong with the parameters of a rule of that type; empty when they can be run. */
export function paramErrors(type: RuleType, params: Params): Finding[] {
  if (type === 'composite') return [...conditionErrors(params, 'params')];
  if (type === 'dependency') return dependencyErrors(params);
  const spec = PARAMS[type];
  const findings: Finding[] = [];
  for (const [name, value] of Object.entries(params)) {
    const check = Object.hasOwn(spec.known, name) ? spec.known[name] : undefined;
    const message =
      check === undefined ? `is not known for ${type}; use ${names(spec.known)}.` : check(value);
    if (message !== null) findings.push([`params.${name}`, message]);
  }
  return findings.length > 0 ? findings : (spec.together?.(params) ?? []);
}

const flag: Check = (value) => (typeof value === 'boolean' ? null : 'must be true or false.');
const number: Check = (value) =>
  typeof value === 'number' && Number.isFinite(value) ? null : 'must be a number.';
const count: Check = (value) =>
  Number.isInteger(value) && (value as number) >= 0 ? null : 'must be a whole number from 0.';
const texts: Check = (value) =>
  Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string')
    ? null
    : 'must be a list of texts, not empty.';
const oneOf =
  (values: readonly string[]): Check =>
  (value) =>
    typeof value === 'string' && values.includes(value) ? null : `must be one of ${values.join(', ')}.`;
const pattern: Check = (value) =>
  typeof value === 'string' && value !== '' ? compilePattern(value).error : 'must be a pattern.';
const character: Check = (value) =>
  typeof value === 'string' && value.length > 0 && value.length <= 3 ? null : 'must be 1 to 3 characters.';
const name: Check = (value) =>
  typeof value === 'string' && value !== '' && value.length <= 100 ? null : 'must name a field.';

const PARAMS: Readonly<Record<Exclude<RuleType, 'composite' | 'dependency'>, ParamSpec>> = {
  required: { known: { empty_values: texts } },
  format: {
    known: { format: oneOf(FORMATS), separator: oneOf(['any', 'dot', 'comma']), list: character },
    together: (params) => {
      if (params['format'] === undefined) return [['params.format', `must be one of ${FORMATS.join(', ')}.`]];
      return params['separator'] !== undefined && params['format'] !== 'decimal'
        ? [['params.separator', 'is for the format decimal only.']]
        : [];
    },
  },
  length: { known: { min: count, max: count }, together: boundsErrors(['min', 'max']) },
  range: {
    known: { min: number, max: number, above: number, below: number },
    together: boundsErrors(['min', 'max', 'above', 'below']),
  },
  enum: {
    known: { values: texts, ignore_case: flag, separator: character },
    together: (params) =>
      params['values'] === undefined ? [['params.values', 'must list the values allowed.']] : [],
  },
  pattern: {
    known: { pattern, ignore_case: flag, deny: flag },
    together: (params) => (params['pattern'] === undefined ? [['params.pattern', 'must be a pattern.']] : []),
  },
  business: {
    known: {
      check: oneOf(['unique', 'consistent', 'compare']),
      ignore_case: flag,
      ignore_spaces: flag,
      by: name,
      op: oneOf(['<', '<=', '>', '>=', '=', '<>']),
      other: name,
      value: number,
      factor: number,
    },
    together: businessErrors,
  },
};

function names(known: Readonly<Record<string, Check>>): string {
  return Object.keys(known).join(', ');
}

function boundsErrors(bounds: readonly string[]): (params: Params) => Finding[] {
  return (params) => {
    if (!bounds.some((bound) => params[bound] !== undefined)) {
      return [['params', `must set at least one of ${bounds.join(', ')}.`]];
    }
    const low = Math.max(
      ...[params['min'], params['above']].map((n) => (typeof n === 'number' ? n : -Infinity)),
    );
    const high = Math.min(
      ...[params['max'], params['below']].map((n) => (typeof n === 'number' ? n : Infinity)),
    );
    return low > high ? [['params', 'leave no value between the lower and the upper bound.']] : [];
  };
}

function dependencyErrors(params: Params): Finding[] {
  const extra = Object.keys(params).filter((key) => key !== 'when' && key !== 'must');
  if (extra.length > 0) return [[`params.${extra[0]}`, 'is not known for dependency; use when, must.']];
  return [
    ...conditionErrors(params['when'], 'params.when'),
    ...conditionErrors(params['must'], 'params.must'),
  ];
}

const BUSINESS_PARAMS: Readonly<Record<string, readonly string[]>> = {
  unique: ['check', 'ignore_case', 'ignore_spaces', 'by'],
  consistent: ['check', 'ignore_case', 'ignore_spaces', 'by'],
  compare: ['check', 'op', 'other', 'value', 'factor'],
};

function businessErrors(params: Params): Finding[] {
  const check = params['check'];
  const allowed = typeof check === 'string' ? BUSINESS_PARAMS[check] : undefined;
  if (allowed === undefined) return [['params.check', 'must be one of unique, consistent, compare.']];
  const extra = Object.keys(params).find((key) => !allowed.includes(key));
  if (extra !== undefined) return [[`params.${extra}`, `is not known for ${String(check)}.`]];
  if (check === 'consistent' && params['by'] === undefined) {
    return [['params.by', 'must name the field that decides which rows belong together.']];
  }
  if (check !== 'compare') return [];
  if (params['op'] === undefined) return [['params.op', 'must be one of <, <=, >, >=, =, <>.']];
  return (params['other'] === undefined) === (params['value'] === undefined)
    ? [['params', 'must set either other (a field) or value (a number).']]
    : [];
}
