// Archived rows back into a table of PostgreSQL: exactly the values that left.
import type { CatalogueQuery } from '../../../define/trait.ts';
import type { RelationName } from '../../../define/model.ts';
import { ident, qualified } from '../../../sql.ts';
import type { ArchivedColumn } from '../port.ts';
import { contentSql, type Content } from './content.ts';
import type { TextColumns } from './parquet-file.ts';
import { toSql } from './stored.ts';

/** Where rows go and which of their columns. */
export interface Into {
  readonly table: RelationName;
  /** As the manifest has them. */
  readonly columns: readonly ArchivedColumn[];
  /** Columns whose values the table computes itself. */
  readonly generated?: ReadonlySet<string>;
}

// One statement's worth: enough to be quick, little enough for the server's memory.
const ROWS_A_STATEMENT = 5_000;

/**
 * Inserts rows, in the caller's transaction, which has the exact settings.
 * @returns how many went in; with `skipThere` those whose key is there already did not
 */
export async function insertRows(
  query: CatalogueQuery,
  into: Into,
  of: { readonly rows: TextColumns; readonly skipThere?: boolean },
): Promise<number> {
  const kept = into.columns.flatMap((column, at) =>
    into.generated?.has(column.name) === true ? [] : [{ column, at }],
  );
  const names = kept.map(({ column }) => ident(column.name)).join(', ');
  const values = kept.map(({ column }, at) => `r.c${at}::${column.type}`).join(', ');
  const arrays = kept.map((_, at) => `$${at + 1}::pg_catalog.text[]`).join(', ');
  const aliases = kept.map((_, at) => `c${at}`).join(', ');
  const conflict = of.skipThere === true ? ' ON CONFLICT DO NOTHING' : '';
  const sql = `
    WITH done AS (
      INSERT INTO ${qualified(into.table)} (${names}) OVERRIDING SYSTEM VALUE
      SELECT ${values} FROM unnest(${arrays}) AS r (${aliases})${conflict} RETURNING 1)
    SELECT pg_catalog.count(*)::pg_catalog.float8 AS rows FROM done`;
  let inserted = 0;
  for (const part of parts(of.rows)) {
    const given = kept.map(({ column, at }) =>
      (part[at] ?? []).map((value) => (value === null ? null : toSql(column, value))),
    );
    const [done] = await query<{ rows: number }>(sql, given);
    inserted += done?.rows ?? 0;
  }
  return inserted;
}

/**
 * The sum of the rows of a table that have the keys of the given ones: equal to the sum of the given rows when each of
 * them is there as it was.
 */
export async function contentByKey(
  query: CatalogueQuery,
  into: Into,
  of: { readonly rows: TextColumns; readonly key: readonly string[] },
): Promise<Content> {
  const keys = of.key.map((name) => into.columns.findIndex((column) => column.name === name));
  const same = keys
    .map((at, number) => {
      const column = into.columns[at];
      return column === undefined ? 'false' : `t.${ident(column.name)} = k.c${number}::${column.type}`;
    })
    .join(' AND ');
  const arrays = keys.map((_, at) => `$${at + 1}::pg_catalog.text[]`).join(', ');
  const aliases = keys.map((_, at) => `c${at}`).join(', ');
  const from = `${qualified(into.table)} AS t JOIN unnest(${arrays}) AS k (${aliases}) ON ${same}`;
  const [found] = await query<Content>(
    contentSql(into.columns, { from, time: undefined, alias: 't' }),
    keys.map((at) => {
      const column = into.columns[at];
      return (of.rows[at] ?? []).map((value) =>
        value === null || column === undefined ? null : toSql(column, value),
      );
    }),
  );
  return found ?? { rows: 0, min: null, max: null, sum: '0:0' };
}

function* parts(rows: TextColumns): Generator<TextColumns> {
  const count = rows[0]?.length ?? 0;
  for (let at = 0; at < count; at += ROWS_A_STATEMENT)
    yield rows.map((column) => column.slice(at, at + ROWS_A_STATEMENT));
}

/** Text of an ordinary table that holds the rows of a piece, with the manifest's types. */
export function tableSql(table: RelationName, columns: readonly ArchivedColumn[]): string {
  const list = columns.map((column) => `${ident(column.name)} ${column.type}`).join(', ');
  return `CREATE TABLE ${qualified(table)} (${list})`;
}
