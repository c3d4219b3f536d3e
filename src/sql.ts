// The only place where a name or a value becomes SQL text. Statements that can carry parameters use `$n` instead;
// these functions are for DDL, which cannot.
import { HoldfastError } from './error.ts';

const MAX_IDENTIFIER_BYTES = 63;

/**
 * Quotes one SQL name.
 * @param name the name as PostgreSQL stores it, 1 to 63 bytes
 * @returns the name in double quotes, quotes inside doubled
 * @throws HoldfastError HF_NAME when it is empty, holds a zero byte or is longer than PostgreSQL keeps
 * @see https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
 */
export function ident(name: string): string {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > MAX_IDENTIFIER_BYTES || name.includes('\0')) {
    throw new HoldfastError({
      code: 'HF_NAME',
      subject: `name ${JSON.stringify(name)}`,
      what: `PostgreSQL keeps names of 1 to ${MAX_IDENTIFIER_BYTES} bytes without a zero byte; this one has ${bytes} bytes.`,
      fix: 'Give it a shorter name.',
    });
  }
  return `"${name.replaceAll('"', '""')}"`;
}

/** Quotes a schema-qualified name: `"schema"."name"`. Errors as {@link ident}. */
export function qualified(of: { readonly schema: string; readonly name: string }): string {
  return `${ident(of.schema)}.${ident(of.name)}`;
}

/**
 * Quotes a string as an SQL literal that means the same whatever `standard_conforming_strings` says.
 * @throws HoldfastError HF_LITERAL when the value holds a zero byte, which no PostgreSQL text can
 */
export function literal(value: string): string {
  if (value.includes('\0')) {
    throw new HoldfastError({
      code: 'HF_LITERAL',
      subject: 'a text value',
      what: 'it holds a zero byte, which PostgreSQL cannot store.',
      fix: 'Remove the zero byte.',
    });
  }
  const quoted = `'${value.replaceAll("'", "''")}'`;
  return quoted.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}
