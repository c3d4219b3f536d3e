// What a change of a column's type costs: whether PostgreSQL rewrites the table, and whether values can be lost.
// https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES (a change that is binary
// coercible, or only lifts a limit, keeps the heap as it is); the list is held to a real server by a test.

/** The price of one change of type. */
export interface Retype {
  readonly rewrites: boolean;
  /** Values may be rounded or cut without an error. */
  readonly loses: boolean;
  /** The assignment cast does: a value that does not fit is an error, where an explicit cast would cut it. */
  readonly byAssignment: boolean;
}

interface TypeName {
  readonly base: string;
  readonly modifiers: readonly number[];
  readonly array: boolean;
}

const TYPE = /^([a-z ]+?)(?:\(([\d,-]+)\))?( with(?:out)? time zone)?((?:\[\])*)$/;
const CHARACTERS = ['text', 'character varying'];
const INTEGERS = ['smallint', 'integer', 'bigint'];
const FRACTIONS = [
  'timestamp without time zone',
  'timestamp with time zone',
  'time without time zone',
  'time with time zone',
  'interval',
];
// Wider on the right; no value of the left is lost on the way.
const WIDER: readonly (readonly string[])[] = [
  [...INTEGERS, 'numeric'],
  ['real', 'double precision'],
  ['character', 'character varying', 'text'],
  ['date', 'timestamp without time zone'],
  ['json', 'jsonb'],
  ['cidr', 'inet'],
];

/**
 * Judges a change from one type to another, both as `format_type` writes them. What is not known is taken to rewrite
 * and to lose.
 */
export function retype(from: string, to: string): Retype {
  const before = readType(from);
  const after = readType(to);
  if (before === undefined || after === undefined || before.array !== after.array) return worst;
  const cost = ofElements(before, after);
  // Elements are converted one by one, even where a bare value would keep its bytes.
  return before.array ? { ...cost, rewrites: true } : cost;
}

function ofElements(before: TypeName, after: TypeName): Retype {
  if (isCharacters(before) && isCharacters(after)) return characters(before, after);
  if (before.base === after.base) return modifiers(before, after);
  if (before.base === 'cidr' && after.base === 'inet')
    return { rewrites: false, loses: false, byAssignment: true };
  const ladder = WIDER.find((names) => names.includes(before.base) && names.includes(after.base));
  const widens = ladder !== undefined && ladder.indexOf(before.base) < ladder.indexOf(after.base);
  const integers = INTEGERS.includes(before.base) && INTEGERS.includes(after.base);
  if (integers || (widens && after.modifiers.length === 0))
    return { rewrites: true, loses: false, byAssignment: true };
  return worst;
}

const worst: Retype = { rewrites: true, loses: true, byAssignment: false };

function readType(name: string): TypeName | undefined {
  const parts = TYPE.exec(name);
  if (parts === null) return undefined;
  const [, base, modifiers, zone, array] = parts;
  return {
    base: `${base}${zone ?? ''}`,
    modifiers: modifiers === undefined ? [] : modifiers.split(',').map(Number),
    array: array !== '',
  };
}

function isCharacters(type: TypeName): boolean {
  return CHARACTERS.includes(type.base);
}

function characters(before: TypeName, after: TypeName): Retype {
  const had = before.modifiers[0] ?? Infinity;
  const has = after.modifiers[0] ?? Infinity;
  return { rewrites: has < had, loses: false, byAssignment: true };
}

function modifiers(before: TypeName, after: TypeName): Retype {
  const { base } = after;
  if (base === 'numeric') return numeric(before.modifiers, after.modifiers);
  if (FRACTIONS.includes(base)) {
    const shorter = (after.modifiers[0] ?? 6) < (before.modifiers[0] ?? 6);
    return { rewrites: shorter, loses: shorter, byAssignment: true };
  }
  if (base === 'bit varying') {
    const shorter = (after.modifiers[0] ?? Infinity) < (before.modifiers[0] ?? Infinity);
    return { rewrites: shorter, loses: false, byAssignment: true };
  }
  return { rewrites: true, loses: false, byAssignment: true };
}

function numeric(before: readonly number[], after: readonly number[]): Retype {
  if (after.length === 0) return { rewrites: false, loses: false, byAssignment: true };
  if (before.length === 0) return { rewrites: true, loses: true, byAssignment: true };
  const [precision = 0, scale = 0] = before;
  const [newPrecision = 0, newScale = 0] = after;
  const keeps = newScale === scale && newPrecision >= precision;
  return { rewrites: !keeps, loses: newScale < scale, byAssignment: true };
}
