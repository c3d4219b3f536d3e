// One Drizzle column as a column of the model. Defaults follow drizzle-kit, so that a database it made reads the same.
import { is, SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { HoldfastError } from '../../error.ts';
import { ident, literal } from '../../sql.ts';
import type { Column } from '../model.ts';
import { arrayText, type Expressions, literalOf } from './expression.ts';
import { storedName } from './name.ts';

/** What is read of a column beyond Drizzle's public type; the same keys in 0.x and 1.0. */
interface ColumnFacts extends PgColumn {
  /** 0.x nests arrays as columns of columns. */
  readonly baseColumn?: ColumnFacts;
  readonly size?: number;
  /** 1.0 counts the array's dimensions; 0.x has the length of bit strings and vectors here, which 1.0 calls length. */
  readonly dimensions?: number;
  readonly length?: number;
  readonly vectorDimensions?: number;
  readonly enum?: { readonly enumName: string; readonly schema?: string | undefined };
}

/** Where the column stands: its table decides names of sequences, and the schema they are in. */
export interface ColumnPlace {
  readonly schema: string;
  readonly table: string;
  readonly read: Expressions;
}

/** Gives the model's column for a Drizzle column. `$defaultFn` and `$onUpdate` act in the application and say nothing here. */
export function readColumn(column: PgColumn, place: ColumnPlace): Column {
  const name = storedName(place.read.columnName(column));
  const given = defaultOf(column, place.read);
  const { generated, generatedIdentity: identity } = column;
  return {
    name,
    type: typeOf(column),
    notNull: column.notNull,
    ...(given !== undefined && { default: given }),
    ...(generated && { generated: { as: expressionOf(generated.as, place.read), kind: 'stored' as const } }),
    ...(identity && {
      identity: {
        kind: identity.type === 'always' ? ('always' as const) : ('by default' as const),
        options: identityOptions(identity, { ...place, column: name }),
      },
    }),
  };
}

/**
 * The column's type as SQL text: enums qualified, arrays with their brackets.
 * @param column any pg-core column, of Drizzle 0.x (arrays nest) or 1.0 (arrays count)
 */
export function typeOf(column: PgColumn): string {
  const facts = column as ColumnFacts;
  if (facts.baseColumn !== undefined) {
    return `${typeOf(facts.baseColumn)}[${typeof facts.size === 'number' ? facts.size : ''}]`;
  }
  const element = facts.enum === undefined ? facts.getSQLType() : enumName(facts.enum);
  return element + '[]'.repeat(arrayDimensions(facts));
}

const LENGTH_AS_DIMENSIONS = /^Pg(BinaryVector|Vector|HalfVector|SparseVector)$/;

function arrayDimensions(facts: ColumnFacts): number {
  const elsewhere = facts.length ?? facts.vectorDimensions;
  if (LENGTH_AS_DIMENSIONS.test(facts.columnType) && elsewhere === undefined) return 0;
  return facts.dimensions ?? 0;
}

function enumName(type: { readonly enumName: string; readonly schema?: string | undefined }): string {
  return `${ident(type.schema ?? 'public')}.${ident(storedName(type.enumName))}`;
}

function defaultOf(column: PgColumn, read: Expressions): string | undefined {
  const value: unknown = column.default;
  if (value === undefined) return undefined;
  if (is(value, SQL)) return read.text(value);
  if (typeof value === 'string') return literal(value);
  const type = typeOf(column).toLowerCase();
  if (type === 'json' || type === 'jsonb') return `${literal(JSON.stringify(value))}::${type}`;
  if (value instanceof Date) return literal(dateText(value, type));
  if (Array.isArray(value) && type.endsWith(']')) {
    const element = type.replace(/[[(].*$/, '').trim();
    return literal(arrayText(value, (one) => elementText(one, element)));
  }
  if (typeof value !== 'object' || value === null) return literalOf(value);
  const sent: unknown = column.mapToDriverValue(value);
  return is(sent, SQL) ? read.text(sent) : literalOf(sent);
}

// The server ignores the zone of text given for `timestamp` and the time of text given for `date`.
function dateText(value: Date, type: string): string {
  const iso = value.toISOString();
  if (type.startsWith('date')) return iso.slice(0, 10);
  return type === 'timestamp' ? iso.replace('T', ' ').slice(0, 23) : iso;
}

function elementText(value: unknown, type: string): string {
  if (value instanceof Date) return dateText(value, type);
  return typeof value === 'object' || type === 'json' || type === 'jsonb'
    ? JSON.stringify(value)
    : String(value);
}

function expressionOf(as: unknown, read: Expressions): string {
  const value: unknown = typeof as === 'function' && !is(as, SQL) ? as() : as;
  return is(value, SQL) ? read.text(value) : literalOf(value);
}

interface Identity {
  readonly sequenceName?: string | undefined;
  readonly sequenceOptions?: SequenceOptions | undefined;
}

function identityOptions(identity: Identity, place: ColumnPlace & { readonly column: string }): string {
  const sequence = storedName(identity.sequenceName ?? `${place.table}_${place.column}_seq`);
  const options = sequenceOptions(identity.sequenceOptions ?? {});
  return `SEQUENCE NAME ${ident(place.schema)}.${ident(sequence)}${options === '' ? '' : ` ${options}`}`;
}

/** Options of a sequence as Drizzle gives them; numbers may be text, to hold what a double cannot. */
export interface SequenceOptions {
  readonly increment?: number | string | undefined;
  readonly minValue?: number | string | undefined;
  readonly maxValue?: number | string | undefined;
  readonly startWith?: number | string | undefined;
  readonly cache?: number | string | undefined;
  readonly cycle?: boolean | undefined;
}

/** A sequence's options as SQL text; what is absent is left to PostgreSQL, whose defaults drizzle-kit spells out. */
export function sequenceOptions(options: SequenceOptions): string {
  const parts: readonly (readonly [string, number | string | undefined])[] = [
    ['INCREMENT BY', options.increment],
    ['MINVALUE', options.minValue],
    ['MAXVALUE', options.maxValue],
    ['START WITH', options.startWith],
    ['CACHE', options.cache],
  ];
  const given = parts
    .filter(([, value]) => value !== undefined)
    .map(([word, value]) => `${word} ${wholeNumber(word, String(value))}`);
  return [...given, ...(options.cycle === true ? ['CYCLE'] : [])].join(' ');
}

function wholeNumber(word: string, value: string): string {
  if (/^[+-]?\d+$/.test(value)) return value;
  throw new HoldfastError({
    code: 'HF_SEQUENCE',
    subject: `${word} ${JSON.stringify(value)} of a sequence`,
    what: 'it is not a whole number.',
    fix: 'Write a whole number, as text where it is beyond 2^53.',
  });
}

/** The enum types a column is made of, for the schema to hold. */
export function enumOf(column: PgColumn): { readonly schema: string; readonly name: string } | undefined {
  const facts = column as ColumnFacts;
  if (facts.baseColumn !== undefined) return enumOf(facts.baseColumn);
  return facts.enum && { schema: facts.enum.schema ?? 'public', name: storedName(facts.enum.enumName) };
}
