// The books of a replay: a copy of every row that was written, which nothing but the traffic changes. Whatever a promise
// moves or deletes is held against it. Plain unlogged tables in a schema of the scratch database.
import { findTable, label, type CatalogueQuery, type Model, type RelationName } from '../../define/index.ts';
import { HoldfastError } from '../../error.ts';
import { ident, qualified } from '../../sql.ts';

/** The schema of the books. */
export const BOOK_SCHEMA = 'holdfast_lapse';

/** A relation whose rows are booked. */
export interface Booked {
  readonly of: RelationName;
  /** The column that holds a row's time. */
  readonly column: string;
  /** The column that holds the tenant, where the relation has it. */
  readonly tenant: string | undefined;
  /** All columns of the relation, in order. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** The copy. */
  readonly copy: RelationName;
}

/** What {@link openBooks} needs. */
export interface BookRequest {
  readonly query: CatalogueQuery;
  readonly model: Model;
  /** Relations with the column of their time; each once. */
  readonly relations: readonly { readonly of: RelationName; readonly column: string }[];
  readonly tenant: string | undefined;
}

/**
 * Makes the books of the given relations, filled with what is in them already.
 * @throws HoldfastError HF_LAPSE_RELATION when a promise names a relation the definition does not have
 */
export async function openBooks(request: BookRequest): Promise<readonly Booked[]> {
  const { query } = request;
  await query(`CREATE SCHEMA ${ident(BOOK_SCHEMA)}`);
  const books: Booked[] = [];
  for (const [at, relation] of request.relations.entries()) {
    const book = booked(request, relation, `row_${at + 1}`);
    await query(`CREATE UNLOGGED TABLE ${qualified(book.copy)} (LIKE ${qualified(book.of)})`);
    await query(`CREATE INDEX ON ${qualified(book.copy)} (${ident(book.column)})`);
    await query(`INSERT INTO ${qualified(book.copy)} (${columnList(book)}) ${selection(book)}`);
    books.push(book);
  }
  return books;
}

function booked(
  { model, tenant }: BookRequest,
  { of, column }: { readonly of: RelationName; readonly column: string },
  name: string,
): Booked {
  const table = findTable(model, of);
  if (table === undefined) {
    throw new HoldfastError({
      code: 'HF_LAPSE_RELATION',
      subject: `table ${label(of)}`,
      what: 'a promise about time names it, and the definition has no such table.',
      fix: 'Add the table, or take the promise out.',
    });
  }
  return {
    of,
    column,
    tenant: table.columns.some((one) => one.name === tenant) ? tenant : undefined,
    columns: table.columns.map(({ name: called, type }) => ({ name: called, type })),
    copy: { schema: BOOK_SCHEMA, name },
  };
}

/** What a copy grew by. */
export interface Growth {
  readonly book: Booked;
  readonly rows: number;
}

/**
 * Books what the traffic wrote: rows of `since` and later are copied anew, since it may have changed them.
 * Rows before are not looked at, so what a promise moves or deletes stays in the books.
 */
export async function bookRows(
  query: CatalogueQuery,
  books: readonly Booked[],
  since: Date,
): Promise<readonly Growth[]> {
  const growth: Growth[] = [];
  for (const book of books) {
    const from = `${ident(book.column)} >= $1`;
    const copy = qualified(book.copy);
    const [before] = await query<{ rows: number }>(
      `WITH gone AS (DELETE FROM ${copy} WHERE ${from} RETURNING 1) SELECT count(*)::int4 AS rows FROM gone`,
      [since],
    );
    const [after] = await query<{ rows: number }>(
      `WITH come AS (INSERT INTO ${copy} (${columnList(book)}) ${selection(book)} WHERE ${from} RETURNING 1)
       SELECT count(*)::int4 AS rows FROM come`,
      [since],
    );
    growth.push({ book, rows: (after?.rows ?? 0) - (before?.rows ?? 0) });
  }
  return growth;
}

/** The columns of a relation in the order of the books, for a SELECT or an INSERT. */
export function columnList(book: Booked): string {
  return book.columns.map(({ name }) => ident(name)).join(', ');
}

function selection(book: Booked): string {
  return `SELECT ${columnList(book)} FROM ${qualified(book.of)}`;
}
