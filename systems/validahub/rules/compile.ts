// Turns rules as people write them into a plan that can be run and stored, or says what is wrong with which rule.
//
// Parameters by type (empty values hold everywhere but in `required` and the conditions):
//   required    empty_values: texts that count as empty, such as N/A
//   format      format: gtin ncm url email currency decimal integer date plain_text normalized;
//               separator (decimal): any dot comma; list: sign between several values, each checked
//   length      min, max: characters (code points)
//   range       min, max, above, below: numbers; a value that is no number breaks the rule
//   enum        values, ignore_case; separator: spaces around it are ignored (category paths)
//   pattern     pattern (RE2, found anywhere), ignore_case, deny: true breaks on a match
//   dependency  when, must: conditions; broken where `when` holds and `must` does not
//   composite   a condition built with all, any, not
//   business    check: unique (scope global; by: within rows of the same value), consistent (scope global; by:
//               same `by`, same field), compare (op, other field or value, factor times other)

import { checksum, COMPILER_VERSION } from './checksum.ts';
import { mappingErrors } from '../catalogue/mapping.ts';
import { stepErrors } from './fix-errors.ts';
import { paramErrors, type Finding } from './params.ts';
import { ACTIONS, RULE_TYPES, SCOPES, SEVERITIES } from './rule.ts';
import type { CompiledPlan, CompiledRule, FixStep, RuleError, RuleType } from './rule.ts';
import type { Mapping } from '../catalogue/row.ts';

/** A plan, or every reason why there is none; never both. */
export type Compilation =
  | { readonly plan: CompiledPlan; readonly errors: readonly [] }
  | { readonly plan: null; readonly errors: readonly RuleError[] };

/** What a rule has when it does not say. */
export const RULE_DEFAULTS = {
  severity: 'error',
  action: 'assert',
  precedence: 500,
  scope: 'row',
} as const;

/** Most rules a set may hold; each costs time on every row. */
export const RULES_LIMIT = 500;

/**
 * Checks rules and mapping and compiles them. Takes anything (rules come from files and from JSON columns) and
 * never throws: what is wrong comes back as errors that name the rule and the place in it.
 * @param rules a list of {@link import('./rule.ts').Rule}.
 * @param mapping source column → canonical field; {} when the columns carry the fields' names.
 */
export function compileRules(rules: unknown, mapping: unknown = {}): Compilation {
  const errors = mappingErrors(mapping).map(([path, message]) => setError(path, message));
  if (!Array.isArray(rules) || rules.length === 0) {
    return { plan: null, errors: [...errors, setError('rules', 'must be a list with at least one rule.')] };
  }
  if (rules.length > RULES_LIMIT) {
    return { plan: null, errors: [...errors, setError('rules', `are more than ${RULES_LIMIT}.`)] };
  }
  const seen = new Set<string>();
  for (const [index, rule] of rules.entries()) errors.push(...ruleErrors(rule, index, seen));
  if (errors.length > 0) return { plan: null, errors };
  const compiled = rules.map((rule) => compileRule(rule as Record<string, unknown>)).sort(inRunningOrder);
  const known = mapping as Mapping;
  const plan = {
    compiler: COMPILER_VERSION,
    checksum: checksum(known, rules),
    mapping: known,
    rules: compiled,
  };
  return { plan, errors: [] };
}

const KEYS = [
  'id',
  'type',
  'field',
  'severity',
  'message',
  'action',
  'precedence',
  'scope',
  'params',
  'fix',
  'confidence',
];

function ruleErrors(rule: unknown, index: number, seen: Set<string>): RuleError[] {
  if (!isRecord(rule))
    return [{ ruleId: null, index, path: '', message: 'must be a rule with id and type.' }];
  const ruleId = typeof rule['id'] === 'string' ? rule['id'] : null;
  const findings = [...shapeErrors(rule), ...repeatedErrors(ruleId, seen)];
  if (findings.length === 0) findings.push(...contentErrors(rule));
  return findings.map(([path, message]) => ({ ruleId, index, path, message }));
}

function shapeErrors(rule: Record<string, unknown>): Finding[] {
  const findings: Finding[] = Object.keys(rule)
    .filter((key) => !KEYS.includes(key))
    .map((key) => [key, `is not known; a rule has ${KEYS.join(', ')}.`]);
  for (const [key, must, check] of SHAPE) {
    if (!check(rule[key])) findings.push([key, must]);
  }
  if (hasUnstorableText(rule))
    findings.push(['', 'holds a NUL or half a character, which no database text can.']);
  return findings;
}

const textOf =
  (max: number): ((value: unknown) => boolean) =>
  (value) =>
    typeof value === 'string' && value.trim() !== '' && Array.from(value).length <= max;
const oneOf =
  (values: readonly string[]): ((value: unknown) => boolean) =>
  (value) =>
    typeof value === 'string' && values.includes(value);
const optional =
  (check: (value: unknown) => boolean): ((value: unknown) => boolean) =>
  (value) =>
    value === undefined || check(value);

const SHAPE: readonly (readonly [key: string, must: string, check: (value: unknown) => boolean])[] = [
  [
    'id',
    'must be 3 to 64 small letters, digits and _, the first a letter.',
    (value) => typeof value === 'string' && /^[a-z][a-z0-9_]{2,63}$/.test(value),
  ],
  ['type', `must be one of ${RULE_TYPES.join(', ')}.`, oneOf(RULE_TYPES)],
  ['field', 'must be a field name of 1 to 100 characters.', textOf(100)],
  ['severity', `must be one of ${SEVERITIES.join(', ')}.`, optional(oneOf(SEVERITIES))],
  ['message', 'must be a text of 1 to 500 characters.', textOf(500)],
  ['action', `must be one of ${ACTIONS.join(', ')}.`, optional(oneOf(ACTIONS))],
  [
    'precedence',
    'must be a whole number from 1 to 1000.',
    optional((value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 1_000),
  ],
  ['scope', `must be one of ${SCOPES.join(', ')}.`, optional(oneOf(SCOPES))],
  ['params', 'must be a map of parameters.', optional(isRecord)],
  ['fix', 'must be a list of steps.', optional(Array.isArray)],
  [
    'confidence',
    'must be a number from 0 to 1.',
    optional((value) => typeof value === 'number' && value >= 0 && value <= 1),
  ],
];

function repeatedErrors(ruleId: string | null, seen: Set<string>): Finding[] {
  if (ruleId === null) return [];
  if (seen.has(ruleId)) return [['id', 'is the id of an earlier rule.']];
  seen.add(ruleId);
  return [];
}

function contentErrors(rule: Record<string, unknown>): Finding[] {
  const type = rule['type'] as RuleType;
  const params = (rule['params'] ?? {}) as Record<string, unknown>;
  return [...paramErrors(type, params), ...actionErrors(rule, params), ...scopeErrors(rule, params)];
}

function actionErrors(rule: Record<string, unknown>, params: Record<string, unknown>): Finding[] {
  const action = rule['action'] ?? RULE_DEFAULTS.action;
  const fix = (rule['fix'] ?? []) as unknown[];
  const normalized = params['format'] === 'normalized';
  if (action === 'assert' && fix.length > 0 && !normalized) {
    return [['fix', 'is for the actions transform and suggest; an assert changes nothing.']];
  }
  if (action === 'assert' && rule['confidence'] !== undefined) {
    return [['confidence', 'is for the actions transform and suggest.']];
  }
  if (fix.length === 0 && (action !== 'assert' || normalized)) {
    return [
      ['fix', `must have at least one step for ${normalized ? 'the format normalized' : String(action)}.`],
    ];
  }
  const at = { type: rule['type'], params };
  return fix.flatMap((step, i) => stepErrors(step, `fix[${i}]`, at));
}

function scopeErrors(rule: Record<string, unknown>, params: Record<string, unknown>): Finding[] {
  const global = rule['scope'] === 'global';
  const needsFile = params['check'] === 'unique' || params['check'] === 'consistent';
  if (needsFile && !global) return [['scope', `must be global: ${String(params['check'])} compares rows.`]];
  if (!global) return [];
  if (!needsFile) return [['scope', 'must be row: only unique and consistent look at the whole file.']];
  const action = rule['action'] ?? RULE_DEFAULTS.action;
  return action === 'assert' ? [] : [['action', 'must be assert for a global rule.']];
}

function compileRule(rule: Record<string, unknown>): CompiledRule {
  return {
    ...RULE_DEFAULTS,
    params: {},
    fix: [] as readonly FixStep[],
    confidence: null,
    ...(rule as Pick<CompiledRule, 'id' | 'type' | 'field' | 'message'>),
  };
}

function inRunningOrder(a: CompiledRule, b: CompiledRule): number {
  if (a.scope !== b.scope) return a.scope === 'global' ? -1 : 1;
  if (a.precedence !== b.precedence) return a.precedence - b.precedence;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

function setError(path: string, message: string): RuleError {
  return { ruleId: null, index: -1, path, message };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// PostgreSQL's jsonb refuses \u0000 and lone surrogates.
function hasUnstorableText(value: unknown): boolean {
  if (typeof value === 'string') return /\0|\p{Surrogate}/u.test(value);
  if (Array.isArray(value)) return value.some(hasUnstorableText);
  if (!isRecord(value)) return false;
  return Object.entries(value).some(([key, item]) => hasUnstorableText(key) || hasUnstorableText(item));
}
