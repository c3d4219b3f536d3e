// What a mined correction becomes: an entry of the field's learnt rule, or a value that fills an empty field. Pure.
import { createHash } from 'node:crypto';
import { RULE_DEFAULTS } from '../rules/compile.ts';
import type { Rule } from '../rules/rule.ts';
import type { CellValue } from './correction-rows.ts';

/** What a suggestion asks for, as `suggested_implementation` holds it. */
export type Implementation =
  /** One more spelling of the field that is replaced at once. */
  | {
      readonly kind: 'replace';
      readonly field: string;
      readonly from: string;
      readonly to: string;
      readonly before: number;
    }
  /** An empty field is filled. */
  | { readonly kind: 'fill'; readonly field: string; readonly value: string; readonly before: number }
  /** A rule that proposes corrections makes them itself. */
  | { readonly kind: 'act'; readonly ruleId: string };

/** The rules with the implementation in them, or why they cannot take it. */
export type Applied =
  | { readonly rules: readonly Rule[]; readonly ruleId: string; readonly level: 'minor' | 'patch' | null }
  | { readonly refused: string };

/**
 * What a decided correction asks for; null where no rule of this kind can say it: an original with spaces around it
 * (the conditions of rules trim), or one that is empty on both sides.
 * @param before the precedence of the rule that proposed it: the learnt one runs first, so that nothing is proposed twice
 */
export function implementationOf(pattern: {
  readonly field: string;
  readonly original: CellValue;
  readonly corrected: CellValue;
  readonly before: number;
}): Implementation | null {
  const { field, before } = pattern;
  const from = textOf(pattern.original);
  const to = textOf(pattern.corrected);
  if (from.trim() === '') return to.trim() === '' ? null : { kind: 'fill', field, value: to, before };
  return from === from.trim() && from !== to.trim() ? { kind: 'replace', field, from, to, before } : null;
}

/** A cell as the rules see it: text, empty for null. */
export function textOf(value: CellValue): string {
  return value === null ? '' : String(value);
}

/** Puts an implementation into a list of rules: `minor` where it adds a rule, `patch` where it changes one, null for neither. */
export function applied(rules: readonly Rule[], wanted: Implementation): Applied {
  if (wanted.kind === 'act') return acting(rules, wanted.ruleId);
  return wanted.kind === 'fill' ? filling(rules, wanted) : replacing(rules, wanted);
}

function acting(rules: readonly Rule[], ruleId: string): Applied {
  const rule = rules.find((one) => one.id === ruleId);
  if (rule === undefined) return { refused: `the rule ${ruleId} is not in it.` };
  const action = rule.action ?? RULE_DEFAULTS.action;
  if (action === 'transform') return { rules, ruleId, level: null };
  if (action === 'assert')
    return { refused: `the rule ${ruleId} only reports; it has no correction to make.` };
  return { rules: replaced(rules, { ...rule, action: 'transform' }), ruleId, level: 'patch' };
}

function filling(rules: readonly Rule[], wanted: Extract<Implementation, { kind: 'fill' }>): Applied {
  const id = learntId(wanted.field, 'filled');
  const known = rules.find((one) => one.id === id);
  const rule: Rule = {
    id,
    type: 'required',
    field: wanted.field,
    severity: 'warning',
    message: 'It is empty; people have filled it with the same value each time.',
    action: 'transform',
    precedence: earlier(wanted.before),
    fix: [{ step: 'default', value: wanted.value }],
  };
  if (known === undefined) return { rules: [...rules, rule], ruleId: id, level: 'minor' };
  const [step] = known.fix ?? [];
  if (step?.step === 'default' && step.value === wanted.value) return { rules, ruleId: id, level: null };
  return { refused: `the rule ${id} fills the field with another value already.` };
}

function replacing(rules: readonly Rule[], wanted: Extract<Implementation, { kind: 'replace' }>): Applied {
  const id = learntId(wanted.field, 'spelt');
  const known = rules.find((one) => one.id === id);
  const before = known === undefined ? {} : mapOf(known);
  if (before === null) return { refused: `the rule ${id} was rewritten by hand and takes no entries.` };
  const map = withEntry(before, wanted.from, wanted.to);
  if (map === null) return { refused: `the rule ${id} says otherwise of ${JSON.stringify(wanted.from)}.` };
  if (map === before) return { rules, ruleId: id, level: null };
  const rule: Rule = {
    ...(known ?? { severity: 'warning', message: 'It is a spelling that people have corrected before.' }),
    id,
    type: 'composite',
    field: wanted.field,
    action: 'transform',
    precedence: Math.min(known?.precedence ?? 1_000, earlier(wanted.before)),
    params: { not: { field: wanted.field, in: Object.keys(map) } },
    fix: [{ step: 'trim' }, { step: 'replace', map }],
  };
  return known === undefined
    ? { rules: [...rules, rule], ruleId: id, level: 'minor' }
    : { rules: replaced(rules, rule), ruleId: id, level: 'patch' };
}

function mapOf(rule: Rule): Readonly<Record<string, string>> | null {
  const step = (rule.fix ?? []).find((one) => one.step === 'replace');
  return rule.type === 'composite' && step?.step === 'replace' ? step.map : null;
}

/**
 * The map with one more entry. What leads to a spelling that is itself replaced leads on to the end of the way, because a
 * correction must make its rule hold. Null where the map says otherwise, or the way would lead back.
 */
function withEntry(
  map: Readonly<Record<string, string>>,
  from: string,
  wanted: string,
): Readonly<Record<string, string>> | null {
  const to = follow(map, wanted);
  if (Object.hasOwn(map, from)) return map[from] === to ? map : null;
  if (to.trim() === from) return null;
  const redirected = Object.entries(map).map(([key, value]) => [key, value.trim() === from ? to : value]);
  return Object.fromEntries([...redirected, [from, to]]) as Record<string, string>;
}

function follow(map: Readonly<Record<string, string>>, to: string): string {
  const key = to.trim();
  return Object.hasOwn(map, key) ? (map[key] ?? to) : to;
}

function replaced(rules: readonly Rule[], rule: Rule): readonly Rule[] {
  return rules.map((one) => (one.id === rule.id ? rule : one));
}

function earlier(than: number): number {
  return Math.max(1, than - 1);
}

const NAME_CHARACTERS = 40;

const LEARNT = 'learnt_';

/** Whether a rule came of accepted suggestions. */
export function isLearnt(rule: Pick<Rule, 'id'>): boolean {
  return rule.id.startsWith(LEARNT);
}

/** The id of a field's learnt rule: the field's own name where it can stand in an id, else with six digits of its hash. */
function learntId(field: string, ending: 'filled' | 'spelt'): string {
  const plain = field.toLowerCase().replace(/[^a-z0-9]+/g, '_');
  const name = plain.slice(0, NAME_CHARACTERS);
  const exact = name === field ? '' : `_${createHash('sha256').update(field).digest('hex').slice(0, 6)}`;
  return `${LEARNT}${name}${exact}_${ending}`;
}
