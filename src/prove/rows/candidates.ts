// Which values a column may get in a row, in the order to try them: what its default says, what its type and name suggest,
// what the rules that mention it compare it with.
import type { Column, Rule, Type } from './catalogue.ts';
import { likesIn, numbersIn, patternsIn, textsIn } from './expression.ts';
import { objectsFor } from './json-keys.ts';
import { textFor } from './pattern.ts';
import { hashOf, uuidOf } from './random.ts';
import { valuesOf, type Place } from './values.ts';

const TEXTS = new Set(['text', 'varchar', 'bpchar', 'citext', 'name']);
const INTEGERS: Readonly<Record<string, number>> = {
  int2: 32_767,
  int4: 2_147_483_647,
  int8: Number.MAX_SAFE_INTEGER,
};
const FRACTIONS = new Set(['numeric', 'float4', 'float8', 'money']);
const TRIES_A_PATTERN = 4;

/** The type under domains, and the modifier that goes with it. */
export function baseOf(
  column: Pick<Column, 'type' | 'modifier'>,
  types: ReadonlyMap<number, Type>,
): { readonly type: Type | undefined; readonly modifier: number } {
  const type = types.get(column.type);
  if (type?.kind !== 'd') return { type, modifier: column.modifier };
  return baseOf(
    { type: type.inner, modifier: type.modifier === -1 ? column.modifier : type.modifier },
    types,
  );
}

/** The rules of the domains a column is of, about the column. */
export function domainRules(column: Column, types: ReadonlyMap<number, Type>): readonly Rule[] {
  const rules: Rule[] = [];
  for (let type = types.get(column.type); type?.kind === 'd'; type = types.get(type.inner)) {
    const name = `"${column.name.replaceAll('"', '""')}"`;
    rules.push(
      ...type.checks.map((check) => ({
        name: type?.name ?? '',
        expression: check.replaceAll(/\bVALUE\b/g, name),
      })),
    );
  }
  return rules;
}

/** Whether a column, its domains included, takes no NULL. */
export function refusesNull(column: Column, types: ReadonlyMap<number, Type>): boolean {
  if (column.notNull) return true;
  for (let type = types.get(column.type); type?.kind === 'd'; type = types.get(type.inner))
    if (type.notNull) return true;
  return false;
}

/** What {@link candidatesFor} is asked about. */
export interface Asked {
  readonly column: Column;
  readonly at: Place;
  readonly types: ReadonlyMap<number, Type>;
  /** The rules that mention the column. */
  readonly rules: readonly Rule[];
  /** The default's value, where it is one that stays the same. */
  readonly byDefault: string | undefined;
  /** What the database's own code compares a column of this name with. */
  readonly spoken: readonly string[];
}

/** Set, these take a row out of sight. */
const ENDED =
  /delet|revok|archiv|cancel|disabl|remov|expired|banned|suspend|locked|closed|merged|hidden|ended|inactive|anonymi/i;
const LASTING = /expir|until|valid_to|ends|due|deadline/i;
const GOOD = /active|enabled|visible|verified|approved|published|valid/i;
const DAY_MS = 86_400_000;
const YEARS_MS = 3_650 * DAY_MS;

/**
 * Values for one column of one row, in the order to try them; null is the last where the column takes it.
 */
export function candidatesFor(asked: Asked): readonly (string | null)[] {
  const { column, at, types, rules } = asked;
  const { type, modifier } = baseOf(column, types);
  const made = valuesOf(column, at, types);
  const chosen =
    type?.kind === 'e' ||
    type?.name === 'bool' ||
    rules.length > 0 ||
    (type?.kind !== 'b' && type?.kind !== 'd');
  const first = asked.byDefault !== undefined && (chosen || type?.category === 'A') ? [asked.byDefault] : [];
  const suggested = type === undefined ? [] : suggestedBy(rules, { type, modifier, at });
  const ahead = made.slice(0, 2);
  const named = type === undefined ? [] : namedValues(asked, type);
  const values: (string | null)[] = [...new Set([...named, ...first, ...ahead, ...suggested, ...made])];
  if (refusesNull(column, types)) return values;
  const out = ENDED.test(column.name) && /^(date|timestamp|timestamptz)$/.test(type?.name ?? '');
  return out ? [null, ...values] : [...values, null];
}

/** What the column's name asks for: rows that are in sight, and in the states that the database's code asks about. */
function namedValues({ column, at, spoken, rules }: Asked, type: Type): readonly string[] {
  if (type.name === 'bool' && ENDED.test(column.name)) return ['false'];
  if (type.name === 'bool' && GOOD.test(column.name)) return ['true'];
  if (/^timestamp|^date$/.test(type.name) && LASTING.test(column.name) && rules.length === 0) {
    const later = new Date(at.now.getTime() + YEARS_MS + (at.row + at.turn) * DAY_MS).toISOString();
    return [type.name === 'date' ? later.slice(0, 10) : `${later.slice(0, 19)}+00`];
  }
  if (spoken.length === 0 || !(TEXTS.has(type.name) || type.kind === 'e')) return [];
  const by = (at.row + at.turn) % spoken.length;
  return [...spoken.slice(by), ...spoken.slice(0, by)].filter(
    (text) => type.kind !== 'e' || type.labels.includes(text),
  );
}

/** What the rules compare with, as far as the type takes it. */
function suggestedBy(
  rules: readonly Rule[],
  given: { readonly type: Type; readonly modifier: number; readonly at: Place },
): readonly string[] {
  const { type, modifier, at } = given;
  const whole = rules.map(({ expression }) => expression).join(' ');
  if (rules.length === 0) return [];
  const most = INTEGERS[type.name];
  if (most !== undefined)
    return around(numbersIn(whole), 1)
      .filter((n) => Math.abs(n) <= most && Number.isInteger(n))
      .map(String);
  if (FRACTIONS.has(type.name)) return around(numbersIn(whole), 0.5).map(String);
  if (/^timestamp|^date$/.test(type.name))
    return instantsAround(
      textsIn(whole).filter((text) => readable(text, type)),
      given,
    );
  if (/^jsonb?$/.test(type.name)) return objectsFor(whole, `${at.marker}-${at.row + 1}`);
  if (!TEXTS.has(type.name)) return textsIn(whole).filter((text) => readable(text, type));
  const texts = textsIn(whole);
  const turned =
    texts.length === 0
      ? texts
      : [...texts.slice(at.turn % texts.length), ...texts.slice(0, at.turn % texts.length)];
  const lengths = numbersIn(whole)
    .filter((n) => n > 0 && n <= 4_096)
    .flatMap((n) => padded(at, n));
  const room = modifier < 4 ? Number.MAX_SAFE_INTEGER : modifier - 4;
  const read = readAs(whole, at);
  return [...patterned(whole, at), ...likesIn(whole, at.marker), ...read, ...lengths, ...turned].filter(
    (text) => text.length <= room,
  );
}

/** Each instant in a rule, and shortly after it, another for each row. */
function instantsAround(
  texts: readonly string[],
  { type, at }: { readonly type: Type; readonly at: Place },
): readonly string[] {
  const step = type.name === 'date' ? DAY_MS : DAY_MS / 24;
  return texts.flatMap((text) => {
    const ms = Date.parse(text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'));
    if (Number.isNaN(ms)) return [text];
    const after = new Date(ms + (at.row + at.turn * 3 + at.world) * step).toISOString();
    return [type.name === 'date' ? after.slice(0, 10) : `${after.slice(0, 19)}+00`, text];
  });
}

function around(numbers: readonly number[], step: number): readonly number[] {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middles = sorted.slice(1).map((number, at) => (number + (sorted[at] ?? 0)) / 2);
  const near = sorted.flatMap((number) => [number, number + step, number - step]);
  return [...new Set([...near, ...middles.map((middle) => (step < 1 ? middle : Math.floor(middle)))])];
}

function padded(at: Place, length: number): readonly string[] {
  const mark = `${at.marker}-${at.row + at.turn * 10 + 1}`;
  return [length, length + 1].map((wanted) =>
    mark.length >= wanted ? mark.slice(-wanted) : mark.padEnd(wanted, 'x'),
  );
}

/** Texts that a rule reads as something else. */
function readAs(whole: string, at: Place): readonly string[] {
  const found: string[] = [];
  if (/::(integer|bigint|smallint|numeric|double|real)/.test(whole))
    found.push(...around(numbersIn(whole), 1).map(String), '1', '100');
  if (/::(date|timestamp)/.test(whole))
    found.push(at.now.toISOString().slice(0, 10), '2000-01-01', '2100-01-01');
  if (/::uuid/.test(whole)) found.push(uuidOf(at.seed, at.table, at.world, at.row, at.turn));
  if (/::jsonb?|::boolean/.test(whole)) found.push('{}', '[]', 'true');
  return found;
}

function patterned(whole: string, at: Place): readonly string[] {
  return patternsIn(whole).flatMap((pattern) => [
    ...marked(pattern, at),
    ...Array.from({ length: TRIES_A_PATTERN }, (_, attempt) => {
      let count = 0;
      return textFor(pattern, () =>
        hashOf(at.seed, at.table, at.world, at.row, at.turn, attempt, (count += 1)),
      );
    }).filter((text) => text !== undefined),
  ]);
}

/** The pattern's plain beginning with the marker after it: it fits where what follows is letters and digits. */
function marked(pattern: string, at: Place): readonly string[] {
  const start = /^\^?([\w-]*?)(?=[[\\(.])/.exec(pattern)?.[1] ?? '';
  const number = at.row + at.turn * 10 + 1;
  return [
    `${start}${at.marker}-${number}`,
    `${start}${at.marker}_${number}`,
    `${start}${at.marker}x${number}`,
  ];
}

const FORMS: Readonly<Record<string, RegExp>> = {
  date: /^\d{4}-\d\d-\d\d$/,
  timestamp: /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d/,
  timestamptz: /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d/,
  time: /^\d\d:\d\d/,
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  interval: /^-?\d+ \w+|^\d\d:\d\d:\d\d/,
  inet: /^[\d.]+(\/\d+)?$/,
  bool: /^(true|false)$/,
};

function readable(text: string, type: Type): boolean {
  if (type.kind === 'e') return type.labels.includes(text);
  return FORMS[type.name]?.test(text) ?? false;
}
