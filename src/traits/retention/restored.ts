// Archived rows of a range, copied into a table of their own: whole and compared, or not at all.
import type { TaskContext } from '../../define/job.ts';
import { label, type RelationName } from '../../define/model.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import { HoldfastError } from '../../error.ts';
import { ident, literal, qualified } from '../../sql.ts';
import { type Content, contentOf, contentSql, names, summing } from './files/content.ts';
import { damaged } from './files/manifest.ts';
import { insertRows, tableSql } from './files/restore.ts';
import { columnsOf, exactly } from './files/source.ts';
import { storedColumn } from './files/stored.ts';
import { manifestOf, rowsOfPiece } from './files/verify.ts';
import type { ArchivedColumn, ArchiveFiles, ArchiveReceipt, Manifest } from './port.ts';
import type { ShelvedPart } from './shelf.ts';
import { instantOf, type Terms } from './terms.ts';

/** What was restored. */
export interface Restored {
  readonly table: RelationName;
  readonly rows: number;
  readonly parts: number;
}

/** What is copied: a table of the archive, or a piece of files with its manifest. */
type Source = { readonly columns: readonly ArchivedColumn[] } & (
  | { readonly table: RelationName }
  | { readonly receipt: ArchiveReceipt; readonly manifest: Manifest; readonly files: ArchiveFiles }
);

/**
 * Copies rows into a table that is not there yet. The copy is compared with what was archived before the rows outside the
 * range are taken out of it. Killed at any moment, there is no table or a whole one.
 * @throws HoldfastError HF_ARCHIVE_NOTHING, HF_ARCHIVE_TARGET, HF_ARCHIVE_COLUMNS, HF_ARCHIVE_DAMAGED
 */
export async function restored(
  context: TaskContext,
  terms: Terms,
  of: {
    readonly into: RelationName;
    readonly range: { readonly from: Date; readonly to: Date };
    readonly parts: readonly ShelvedPart[];
  },
): Promise<Restored> {
  const { into, range, parts } = of;
  if (parts.length === 0) throw nothing(terms, range);
  const sources: Source[] = [];
  for (const part of parts) sources.push(await sourceOf(context, terms, part));
  const columns = joined(terms, sources);
  return exactly(context, async (query) => {
    await makeTable(query, into, { columns, terms });
    const total = summing(undefined);
    for (const source of sources) total.add(await copy(context, query, { source, into }));
    const alike = sources.every((source) => names(source.columns) === names(columns));
    const [found] = await query<Content>(contentSql(columns, { from: qualified(into), time: undefined }));
    const { rows, sum } = total.total();
    if (found?.rows !== rows || (alike && found.sum !== sum)) throw unlike(into);
    const kept = await trim(query, into, { terms, range });
    return { table: into, rows: kept, parts: parts.length };
  });
}

/** There is nothing in the archive of that range. */
export function nothing(terms: Terms, range: { readonly from: Date; readonly to: Date }): HoldfastError {
  return new HoldfastError({
    code: 'HF_ARCHIVE_NOTHING',
    subject: `table ${label(terms.of)}`,
    what: `its archive holds nothing from ${range.from.toISOString()} to ${range.to.toISOString()}.`,
    fix: 'Look at holdfast archive list for the ranges it holds.',
  });
}

async function sourceOf(context: TaskContext, terms: Terms, part: ShelvedPart): Promise<Source> {
  if ('table' in part.place) {
    const found = await columnsOf(context, part.place.table);
    const none: ReadonlySet<string> = new Set();
    return { columns: found.map((column) => storedColumn(column, none)), table: part.place.table };
  }
  const files = terms.archive?.files;
  if (files === undefined) throw nothing(terms, { from: part.from ?? new Date(0), to: part.to });
  const manifest = await manifestOf(files.store, part.place.receipt);
  return { columns: manifest.columns, receipt: part.place.receipt, manifest, files };
}

/** The columns of all sources; one that the table got later is NULL in older rows. */
function joined(terms: Terms, sources: readonly Source[]): readonly ArchivedColumn[] {
  const all = new Map<string, ArchivedColumn>();
  for (const column of sources.flatMap((source) => source.columns)) {
    const earlier = all.get(column.name);
    if (earlier !== undefined && earlier.type !== column.type) {
      throw new HoldfastError({
        code: 'HF_ARCHIVE_COLUMNS',
        subject: `table ${label(terms.of)}`,
        what: `column ${column.name} was ${earlier.type} and became ${column.type} within the range.`,
        fix: 'Restore the ranges before and after the change into two tables.',
      });
    }
    all.set(column.name, earlier ?? column);
  }
  return [...all.values()];
}

async function makeTable(
  query: CatalogueQuery,
  into: RelationName,
  { columns, terms }: { readonly columns: readonly ArchivedColumn[]; readonly terms: Terms },
): Promise<void> {
  const [there] = await query<{ there: boolean }>('SELECT pg_catalog.to_regclass($1) IS NOT NULL AS there', [
    qualified(into),
  ]);
  if (there?.there === true) {
    throw new HoldfastError({
      code: 'HF_ARCHIVE_TARGET',
      subject: `table ${label(into)}`,
      what: 'it is there already.',
      fix: 'Drop it when it is no longer needed, or name another with --into.',
    });
  }
  await query(`CREATE SCHEMA IF NOT EXISTS ${ident(into.schema)}`);
  await query(tableSql(into, columns));
  // It holds every tenant's rows: without a policy row security lets nobody read it but its owner, whatever is granted.
  await query(`ALTER TABLE ${qualified(into)} ENABLE ROW LEVEL SECURITY`);
  const comment = `Rows of ${label(terms.of)} out of the archive, for the time they are looked at.`;
  await query(`COMMENT ON TABLE ${qualified(into)} IS ${literal(comment).trim()}`);
}

async function copy(
  context: TaskContext,
  query: CatalogueQuery,
  { source, into }: { readonly source: Source; readonly into: RelationName },
): Promise<Content> {
  const { columns } = source;
  if ('table' in source) {
    const list = columns.map((column) => ident(column.name)).join(', ');
    const from = `ONLY ${qualified(source.table)}`;
    await query(`INSERT INTO ${qualified(into)} (${list}) SELECT ${list} FROM ${from}`);
    const [content] = await query<Content>(contentSql(columns, { from, time: undefined }));
    return content ?? summing(undefined).total();
  }
  const { receipt, manifest, files } = source;
  const total = summing(undefined);
  const piece = { path: receipt.path, manifest, signal: context.signal };
  for await (const rows of rowsOfPiece(files.store, piece)) {
    total.add(contentOf(rows, columns, undefined));
    await insertRows(query, { table: into, columns }, { rows });
    context.tell(`${label(into)}: ${total.total().rows} rows restored`);
  }
  const content = total.total();
  if (content.rows === manifest.rows && content.sum === manifest.content) return content;
  throw damaged(files.store, receipt.path, 'its files hold other rows than its manifest says');
}

async function trim(
  query: CatalogueQuery,
  into: RelationName,
  of: { readonly terms: Terms; readonly range: { readonly from: Date; readonly to: Date } },
): Promise<number> {
  const { terms, range } = of;
  const by = ident(terms.by);
  const bounds = [instantOf(terms, range.from), instantOf(terms, range.to)];
  await query(
    `DELETE FROM ${qualified(into)} WHERE NOT (${by} >= $1::${terms.type} AND ${by} < $2::${terms.type})`,
    bounds,
  );
  const [row] = await query<{ rows: number }>(
    `SELECT pg_catalog.count(*)::pg_catalog.float8 AS rows FROM ${qualified(into)}`,
  );
  return row?.rows ?? 0;
}

function unlike(into: RelationName): HoldfastError {
  return new HoldfastError({
    code: 'HF_ARCHIVE_DIFFERS',
    subject: `table ${label(into)}`,
    what: 'what arrived in it is not what was archived; it was not made.',
    fix: 'Look for triggers on all tables (event triggers) of this database, and try again.',
  });
}
