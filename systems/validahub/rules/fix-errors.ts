// Why a list of fix steps is refused. A fix that could not possibly make its rule hold is told at once, not
// after a million rows.

import type { Finding } from './params.ts';
import { compilePattern } from './pattern.ts';

type Check = (value: unknown) => boolean;

interface Parameter {
  readonly check: Check;
  readonly must: string;
  readonly optional?: true;
}

const text: Check = (value) => typeof value === 'string';
const wholeBetween =
  (low: number, high: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= low && (value as number) <= high;

const STEPS: Readonly<Record<string, Readonly<Record<string, Parameter>>>> = {
  trim: {},
  collapse_spaces: {},
  lower: {},
  upper: {},
  title_case: {},
  strip_html: {},
  digits: {},
  remove: {},
  check_digit: {},
  nearest: {},
  truncate_words: { max: { check: wholeBetween(1, 100_000), must: 'must be a whole number from 1.' } },
  decimal: {
    places: { check: wholeBetween(0, 10), must: 'must be a whole number from 0 to 10.', optional: true },
    locale: {
      check: (value) => value === 'auto' || value === 'pt' || value === 'en',
      must: 'must be auto, pt or en.',
      optional: true,
    },
  },
  date: {
    order: {
      check: (value) => value === 'dmy' || value === 'mdy',
      must: 'must be dmy or mdy.',
      optional: true,
    },
  },
  pad_left: {
    length: { check: wholeBetween(1, 1_000), must: 'must be a whole number from 1 to 1000.' },
    with: {
      check: (value) => typeof value === 'string' && value.length === 1,
      must: 'must be one character.',
      optional: true,
    },
  },
  default: {
    value: { check: (value) => typeof value === 'string' && value.trim() !== '', must: 'must be a text.' },
  },
  copy: {
    field: { check: (value) => typeof value === 'string' && value !== '', must: 'must name a field.' },
  },
  replace: {
    map: {
      check: (value) =>
        typeof value === 'object' &&
        value !== null &&
        !Array.isArray(value) &&
        Object.values(value).every(text),
      must: 'must map texts to texts.',
    },
  },
  replace_pattern: {
    pattern: { check: text, must: 'must be a pattern.' },
    with: { check: text, must: 'must be a text.' },
  },
};

/** Everything wrong with one step; empty when it can be run. `type` and `params` are its rule's. */
export function stepErrors(
  step: unknown,
  path: string,
  rule: { readonly type: unknown; readonly params: Readonly<Record<string, unknown>> },
): Finding[] {
  if (typeof step !== 'object' || step === null || Array.isArray(step)) {
    return [[path, 'must be a step such as { step: trim }.']];
  }
  const { step: name, ...given } = step as Record<string, unknown>;
  if (typeof name !== 'string' || !Object.hasOwn(STEPS, name)) {
    return [[`${path}.step`, `must be one of ${Object.keys(STEPS).join(', ')}.`]];
  }
  const parameters = STEPS[name] ?? {};
  const unknown = Object.keys(given).filter((key) => !Object.hasOwn(parameters, key));
  if (unknown.length > 0) return [[`${path}.${unknown[0]}`, `is not known for the step ${name}.`]];
  const findings: Finding[] = Object.entries(parameters)
    .filter(([key, parameter]) => !(parameter.optional && given[key] === undefined))
    .filter(([key, parameter]) => !parameter.check(given[key]))
    .map(([key, parameter]) => [`${path}.${key}`, parameter.must]);
  return findings.length > 0 ? findings : fittingErrors({ name, given, path }, rule);
}

function fittingErrors(
  step: { readonly name: string; readonly given: Readonly<Record<string, unknown>>; readonly path: string },
  rule: { readonly type: unknown; readonly params: Readonly<Record<string, unknown>> },
): Finding[] {
  if (step.name === 'nearest' && rule.type !== 'enum') {
    return [[`${step.path}.step`, 'nearest is for enum rules: it looks among their values.']];
  }
  if (step.name === 'check_digit' && rule.params['format'] !== 'gtin') {
    return [[`${step.path}.step`, 'check_digit is for rules of the format gtin.']];
  }
  if (step.name !== 'replace_pattern') return [];
  return replacementErrors(step);
}

// JavaScript's replacement signs: $1, $<name>, $& for the match, $$ for the sign itself. A group the pattern
// lacks would be written out as it stands; refused, since nobody means that.
function replacementErrors(step: {
  readonly given: Readonly<Record<string, unknown>>;
  readonly path: string;
}): Finding[] {
  const { pattern, error } = compilePattern(String(step.given['pattern']));
  if (pattern === null) return [[`${step.path}.pattern`, error]];
  const groups = pattern.namedGroups();
  for (const [sign, number, name] of String(step.given['with']).matchAll(/\$(?:(\d)|<(\w+)>|[$&])?/g)) {
    const known =
      sign === '$$' ||
      sign === '$&' ||
      (number !== undefined && Number(number) >= 1 && Number(number) <= pattern.groupCount()) ||
      (name !== undefined && Object.hasOwn(groups, name));
    if (!known) return [[`${step.path}.with`, `${sign} names no group of the pattern; write $$ for a sign.`]];
  }
  return [];
}
