// Drizzle's `sql` values as SQL text that stands alone: names quoted by Drizzle's own dialect, parameters as literals.
import { is, SQL, sql, type SQLWrapper } from 'drizzle-orm';
import { PgDialect } from 'drizzle-orm/pg-core';
import { toCamelCase, toSnakeCase } from 'drizzle-orm/casing';
import { HoldfastError } from '../../error.ts';
import { literal } from '../../sql.ts';

/** How Drizzle was told to turn keys without a name into column names. */
export type Casing = 'snake_case' | 'camelCase';

/** What reads names and expressions of one schema. */
export interface Expressions {
  /** SQL text of a value of Drizzle's `sql` or of a query. */
  readonly text: (value: SQLWrapper) => string;
  /** The same where columns stand without their table: index elements. */
  readonly indexText: (value: SQLWrapper) => string;
  /** The name a column has in the database. */
  readonly columnName: (column: { readonly name: string; readonly keyAsName?: boolean }) => string;
}

/**
 * Makes the reader of names and expressions for one casing.
 * @param casing what drizzle-kit's `casing` says for this schema, if anything
 * @throws HoldfastError HF_CASING when this Drizzle sets the casing per table and cannot be told it here
 */
export function expressions(casing?: Casing): Expressions {
  const dialect = casing === undefined ? new LiteralDialect() : new LiteralDialect({ casing });
  if (casing !== undefined && !('casing' in dialect)) {
    throw new HoldfastError({
      code: 'HF_CASING',
      subject: `option casing ${casing}`,
      what: 'this version of drizzle-orm sets the casing where a table is made and knows no casing for a whole schema.',
      fix: "Leave the option out and make the tables with drizzle-orm's snakeCase.table or camelCase.table.",
    });
  }
  const text = (value: SQLWrapper, source?: 'indexes'): string =>
    dialect.sqlToQuery(whole(value), source).sql;
  return {
    text: (value) => text(value),
    indexText: (value) => text(value, 'indexes'),
    columnName: (column) => {
      if (casing === undefined || column.keyAsName !== true) return column.name;
      return casing === 'snake_case' ? toSnakeCase(column.name) : toCamelCase(column.name);
    },
  };
}

/**
 * A value of JavaScript as an SQL literal, as Drizzle's encoders hand it on (dates are text by then, or ISO here).
 * @throws HoldfastError HF_LITERAL for what has no SQL form (a symbol, a function, an invalid date)
 */
export function literalOf(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'string') return literal(value);
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : literal(String(value));
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (value instanceof Date && !Number.isNaN(value.getTime())) return literal(value.toISOString());
  if (value instanceof Uint8Array) return `'\\x${Buffer.from(value).toString('hex')}'`;
  if (Array.isArray(value)) return literal(arrayText(value));
  if (typeof value === 'object' && !(value instanceof Date)) return literal(JSON.stringify(value));
  throw new HoldfastError({
    code: 'HF_LITERAL',
    subject: `a value of type ${typeof value}`,
    what: 'it has no form as an SQL literal.',
    fix: 'Write it as sql`…` instead.',
  });
}

/**
 * An array as PostgreSQL's array text: `{1,"a b",NULL}`. Nested arrays nest.
 * @see https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
 */
export function arrayText(
  values: readonly unknown[],
  element: (value: unknown) => string = elementText,
): string {
  const parts = values.map((value) => {
    if (Array.isArray(value)) return arrayText(value, element);
    if (value === null || value === undefined) return 'NULL';
    if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
      return String(value);
    return `"${element(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  });
  return `{${parts.join(',')}}`;
}

function elementText(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

// Drizzle numbers its parameters; DDL takes none, so each becomes the literal it stands for.
class LiteralDialect extends PgDialect {
  override escapeParam(_number: number, value?: unknown): string {
    return literalOf(value);
  }
}

function whole(value: SQLWrapper): SQL {
  return is(value, SQL) ? value : sql`${value}`;
}
