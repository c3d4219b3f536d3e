// Reads a table that nobody writes to any more, in short transactions over ranges of its blocks: no sort, no index, no
// long snapshot, and bounded memory. The server prints every value in a form that no setting of the session changes.
import type { TaskContext } from '../../../define/job.ts';
import type { CatalogueQuery } from '../../../define/trait.ts';
import { HoldfastError } from '../../../error.ts';
import { ident, qualified } from '../../../sql.ts';
import type { ArchivedColumn, ArchiveSource } from '../port.ts';
import type { TextColumns } from './parquet-file.ts';
import { type CatalogueColumn, readSql } from './stored.ts';

/**
 * Settings of every transaction that reads or writes archived rows: what remains text (arrays, intervals, ranges,
 * composite types) is printed and read one way everywhere, and type names come qualified. Row security that would hide
 * rows is an error. A batch is too short for the compiler to pay.
 */
export const EXACT_SQL = `SELECT pg_catalog.set_config(name, value, true) FROM (VALUES
  ('search_path', 'pg_catalog'), ('datestyle', 'ISO, YMD'), ('intervalstyle', 'postgres'), ('timezone', 'UTC'),
  ('extra_float_digits', '1'), ('bytea_output', 'hex'), ('lc_monetary', 'C'), ('xmloption', 'content'),
  ('row_security', 'off'), ('jit', 'off')) AS exact (name, value)`;

const COLUMNS_SQL = `
  WITH RECURSIVE below AS (
    SELECT a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, a.atttypid AS base,
           a.atttypmod AS modifier
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = $1::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT b.attnum, b.attname, b.type, t.typbasetype, t.typtypmod
    FROM below b JOIN pg_catalog.pg_type t ON t.oid = b.base WHERE t.typtype = 'd'
  )
  SELECT b.attname AS name, b.type, b.base::pg_catalog.int8::pg_catalog.float8 AS base, b.modifier
  FROM below b JOIN pg_catalog.pg_type t ON t.oid = b.base WHERE t.typtype <> 'd' ORDER BY b.attnum`;

// Ordinary tables below a relation, itself included, with their blocks and the bytes a block of theirs stands for
// (TOAST counts). Blocks are counted now, not by the last ANALYZE.
const LEAVES_SQL = `
  SELECT n.nspname AS schema, c.relname AS name,
         (pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::pg_catalog.int8)::pg_catalog.float8 AS blocks,
         pg_catalog.pg_table_size(c.oid)::pg_catalog.float8 AS bytes
  FROM (SELECT $1::pg_catalog.regclass AS relid
        UNION SELECT relid FROM pg_catalog.pg_partition_tree($1::pg_catalog.regclass)) p
  JOIN pg_catalog.pg_class c ON c.oid = p.relid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' ORDER BY 1, 2`;

// What one statement may bring: about this many bytes, from at most so many blocks.
const BATCH_BYTES = 8 * 1024 * 1024;
const MAX_BLOCKS = 4096;

/** Runs work in one short transaction with the exact settings. */
export async function exactly<T>(
  context: TaskContext,
  work: (query: CatalogueQuery) => Promise<T>,
): Promise<T> {
  return context.session.transaction(async (query) => {
    await query(EXACT_SQL);
    return work(query);
  });
}

/**
 * The columns of a table, generated ones included.
 * @throws HoldfastError HF_ARCHIVE_SOURCE when there is no such table or it has no column
 */
export async function columnsOf(
  context: TaskContext,
  source: ArchiveSource,
): Promise<readonly CatalogueColumn[]> {
  const columns = await exactly(context, async (query) => {
    const [found] = await query<{ there: boolean }>(
      'SELECT pg_catalog.to_regclass($1) IS NOT NULL AS there',
      [qualified(source)],
    );
    return found?.there === true ? query<CatalogueColumn>(COLUMNS_SQL, [qualified(source)]) : [];
  });
  if (columns.length > 0) return columns;
  throw new HoldfastError({
    code: 'HF_ARCHIVE_SOURCE',
    subject: `table ${source.schema}.${source.name}`,
    what: 'it is not there, or it has no columns.',
    fix: 'Nothing was written or dropped; look what became of it.',
  });
}

/** All rows of a table as columns of canonical text, a batch at a time. Stops with HF_ABORTED when the signal aborts. */
export async function* rowsOf(
  context: TaskContext,
  source: ArchiveSource,
  columns: readonly ArchivedColumn[],
): AsyncGenerator<TextColumns> {
  const list = columns.map((column, at) => `${readSql(column, ident(column.name))} AS c${at}`).join(', ');
  const read = (leaf: string): string => `SELECT ${list} FROM ONLY ${leaf} WHERE ${BLOCKS}`;
  for await (const rows of batches<Record<string, string | null>>(context, source, read)) {
    if (rows.length === 0) continue;
    yield columns.map((_, at) => rows.map((row) => row[`c${at}`] ?? null));
  }
}

/** The rows of a batch's statement for every range of blocks; `sql` is given each ordinary table below the source. */
export async function* batches<Row extends object>(
  context: TaskContext,
  source: ArchiveSource,
  sql: (leaf: string) => string,
): AsyncGenerator<readonly Row[]> {
  const leaves = await context.session.query<Leaf>(LEAVES_SQL, [qualified(source)]);
  for (const leaf of leaves) {
    const statement = sql(qualified(leaf));
    const step = Math.max(1, Math.min(MAX_BLOCKS, Math.floor(BATCH_BYTES / (leaf.bytes / leaf.blocks))));
    for (let at = 0; at < leaf.blocks; at += step) {
      if (context.signal.aborted) throw aborted(source);
      const bounds = [`(${at},0)`, `(${at + step},0)`];
      yield exactly(context, async (query) => query<Row>(statement, bounds));
    }
  }
}

/** The condition of a batch's statement: rows of the blocks from $1 (included) to $2, read without an index. */
export const BLOCKS = 'ctid >= $1::pg_catalog.tid AND ctid < $2::pg_catalog.tid';

interface Leaf {
  readonly schema: string;
  readonly name: string;
  readonly blocks: number;
  readonly bytes: number;
}

/** What is thrown when the signal was aborted between two batches. */
export function aborted(source: ArchiveSource): HoldfastError {
  return new HoldfastError({
    code: 'HF_ABORTED',
    subject: `table ${source.schema}.${source.name}`,
    what: 'archiving it was stopped between two batches.',
    fix: 'Nothing was dropped; the next run goes on.',
  });
}
