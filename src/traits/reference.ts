// What a user may write where a trait asks for a table, a view or a column.
import { is } from 'drizzle-orm';
import {
  getMaterializedViewConfig,
  getTableConfig,
  getViewConfig,
  PgMaterializedView,
  type PgTable,
  PgView,
} from 'drizzle-orm/pg-core';
import type { RelationName } from '../define/model.ts';
import { HoldfastError } from '../error.ts';

/** A Drizzle table, `{ schema, name }`, or `'schema.name'` (`'name'` alone means schema `public`). */
export type TableReference = PgTable | RelationName | string;

/** A Drizzle view or materialised view, `{ schema, name }`, or `'schema.name'`. */
export type ViewReference = PgView | PgMaterializedView | RelationName | string;

/** A Drizzle column or its name in the database. */
export type ColumnReference = string | { readonly name: string };

/**
 * Names the relation a user pointed at.
 * @throws HoldfastError HF_REFERENCE when the value names none
 */
export function relationOf(reference: TableReference | ViewReference): RelationName {
  if (typeof reference === 'string') return fromText(reference);
  if (is(reference, PgView)) return inSchema(getViewConfig(reference));
  if (is(reference, PgMaterializedView)) return inSchema(getMaterializedViewConfig(reference));
  if ('schema' in reference && 'name' in reference && typeof reference.name === 'string') {
    if (typeof reference.schema === 'string') return { schema: reference.schema, name: reference.name };
  }
  return inSchema(getTableConfig(reference as PgTable));
}

/** Names the column a user pointed at, as the database spells it. */
export function columnOf(reference: ColumnReference): string {
  return typeof reference === 'string' ? reference : reference.name;
}

function inSchema(of: { readonly schema?: string | undefined; readonly name: string }): RelationName {
  return { schema: of.schema ?? 'public', name: of.name };
}

function fromText(text: string): RelationName {
  const parts = text.split('.');
  const [first = '', second] = parts;
  if (parts.length > 2 || parts.includes('')) {
    throw new HoldfastError({
      code: 'HF_REFERENCE',
      subject: `table reference ${JSON.stringify(text)}`,
      what: 'it is not a name or schema.name.',
      fix: 'Give the Drizzle table itself, or { schema, name } for names that hold a dot.',
    });
  }
  return second === undefined ? { schema: 'public', name: first } : { schema: first, name: second };
}
