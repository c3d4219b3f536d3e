// Writes a piece: data files of bounded size, then the manifest.
import type { TaskContext } from '../../../define/job.ts';
import { HoldfastError } from '../../../error.ts';
import type {
  ArchivedColumn,
  ArchivedFile,
  ArchivePiece,
  ArchiveReceipt,
  ArchiveSource,
  Manifest,
} from '../port.ts';
import {
  type Content,
  contentOf,
  contentOfTable,
  names,
  order,
  shownTime,
  summing,
  timeColumn,
} from './content.ts';
import { readManifest, writeManifest } from './manifest.ts';
import { type OpenParquet, type TextColumns, writeParquet } from './parquet-file.ts';
import { fileName, piecePath } from './place.ts';
import { aborted, columnsOf, rowsOf } from './source.ts';
import { type Draft, type Store, taken } from './store.ts';
import { type CatalogueColumn, NotExact, storedColumn } from './stored.ts';

/** What is written and where. */
export interface Writing {
  readonly store: Store;
  readonly piece: ArchivePiece;
  readonly source: ArchiveSource;
}

// One request to an S3 store, and what is read back at a time.
const FILE_BYTES = 64 * 1024 * 1024;
const EPOCH_2000_MS = 946_684_800_000;

/** As `ArchiveFiles.write` says. */
export async function writePiece(context: TaskContext, writing: Writing): Promise<ArchiveReceipt> {
  const { store, piece, source } = writing;
  const path = piecePath(context.model.name, piece);
  const found = await columnsOf(context, source);
  if (!found.some(({ name }) => name === piece.range.column)) throw noColumn(piece, source);
  const complete = await readManifest(store, path);
  if (complete !== undefined) {
    if (await holdsSame(context, source, complete.manifest)) return complete.receipt;
    throw taken(store, path);
  }
  const asText = new Set<string>();
  for (;;) {
    await clear(store, path);
    const columns = found.map((column: CatalogueColumn) => storedColumn(column, asText));
    try {
      const rows = rowsOf(context, source, columns);
      const { files, content } = await writeFiles(context, writing, { path, columns, rows });
      return await writeManifest(store, path, manifestOf(context, piece, { columns, files, content }));
    } catch (error) {
      // A value without an exact form in its column's Parquet type: the column is stored as PostgreSQL's text.
      if (!(error instanceof NotExact) || asText.has(error.column)) throw error;
      asText.add(error.column);
    }
  }
}

async function holdsSame(context: TaskContext, source: ArchiveSource, manifest: Manifest): Promise<boolean> {
  if (names(manifest.columns) !== names(await columnsOf(context, source))) return false;
  const content = await contentOfTable(context, source, { columns: manifest.columns, time: undefined });
  return content.rows === manifest.rows && content.sum === manifest.content;
}

/**
 * Writes a piece from rows that are at hand as canonical text, under a path that holds nothing: what a cut-off run left of it
 * is removed first.
 * @param of.source what the rows are of, for messages
 */
export async function writeRows(
  context: TaskContext,
  of: Writing,
  given: { readonly columns: readonly ArchivedColumn[]; readonly rows: AsyncIterable<TextColumns> },
): Promise<ArchiveReceipt> {
  const { store, piece } = of;
  const path = piecePath(context.model.name, piece);
  await clear(store, path);
  const { columns } = given;
  const { files, content } = await writeFiles(context, of, { path, ...given });
  return writeManifest(store, path, manifestOf(context, piece, { columns, files, content }));
}

// Without a manifest nothing refers to them.
async function clear(store: Store, path: string): Promise<void> {
  await store.tidy(path);
  for (const left of await store.list(path)) await store.remove(left);
}

interface Target {
  readonly path: string;
  readonly columns: readonly ArchivedColumn[];
  readonly rows: AsyncIterable<TextColumns>;
}

async function writeFiles(
  context: TaskContext,
  { store, piece, source }: Writing,
  { path, columns, rows: all }: Target,
): Promise<{ files: readonly ArchivedFile[]; content: Content }> {
  const time = timeColumn(columns, piece.range);
  const total = summing(time);
  const files: ArchivedFile[] = [];
  let current: { draft: Draft; parquet: OpenParquet; path: string; name: string } | undefined;
  const close = async (): Promise<void> => {
    if (current === undefined) return;
    const { draft, parquet, path: place, name } = current;
    files.push({ name, ...(await parquet.finish()) });
    current = undefined;
    await store.put(place, draft);
  };
  const take = async (rows: TextColumns): Promise<void> => {
    if (current === undefined) {
      const name = fileName(files.length);
      const draft = await store.draft(`${path}/${name}`);
      const meta = {
        'holdfast.relation': `${piece.of.schema}.${piece.of.name}`,
        'holdfast.columns': JSON.stringify(columns),
      };
      current = {
        draft,
        name,
        path: `${path}/${name}`,
        parquet: await writeParquet(draft.file, columns, meta),
      };
    }
    await current.parquet.add(rows);
    const part = contentOf(rows, columns, time);
    total.add(part);
    context.tell(`${source.schema}.${source.name}: ${total.total().rows} rows written`);
    if (current.parquet.bytes() >= FILE_BYTES) await close();
  };
  try {
    for await (const rows of all) await take(rows);
    await close();
  } finally {
    await current?.parquet.abandon();
    await current?.draft.done();
  }
  if (context.signal.aborted) throw aborted(source);
  const content = total.total();
  within(piece, source, { time, content });
  return { files, content };
}

/** A piece that held rows of another range would be looked for in the wrong place. */
function within(
  piece: ArchivePiece,
  source: ArchiveSource,
  { time, content }: { readonly time: ArchivedColumn | undefined; readonly content: Content },
): void {
  if (time === undefined || content.min === null || content.max === null) return;
  const { from, to } = piece.range;
  const early = from !== null && order(time, content.min) < microsOf(from);
  if (!early && order(time, content.max) < microsOf(to)) return;
  throw new HoldfastError({
    code: 'HF_ARCHIVE_SOURCE',
    subject: `table ${source.schema}.${source.name}`,
    what: `its rows reach from ${shownTime(time, content.min)} to ${shownTime(time, content.max)}, outside the piece's range.`,
    fix: 'Nothing was dropped; find out who wrote them there.',
  });
}

function microsOf(at: Date): bigint {
  return BigInt(at.getTime() - EPOCH_2000_MS) * 1000n;
}

function manifestOf(
  context: TaskContext,
  piece: ArchivePiece,
  written: {
    readonly columns: readonly ArchivedColumn[];
    readonly files: readonly ArchivedFile[];
    readonly content: Content;
  },
): Manifest {
  const { columns, files, content } = written;
  const { column, from, to } = piece.range;
  const time = timeColumn(columns, piece.range);
  const shown = (end: string | null): string | null =>
    time === undefined || end === null ? null : shownTime(time, end);
  return {
    format: 'holdfast-archive/1',
    definition: context.model.name,
    relation: { schema: piece.of.schema, name: piece.of.name },
    range: { column, from: from?.toISOString() ?? null, to: to.toISOString() },
    serial: piece.serial ?? 0,
    columns,
    rows: content.rows,
    min: shown(content.min),
    max: shown(content.max),
    content: content.sum,
    files,
    createdAt: context.now.toISOString(),
  };
}

function noColumn(piece: ArchivePiece, source: ArchiveSource): HoldfastError {
  return new HoldfastError({
    code: 'HF_ARCHIVE_SOURCE',
    subject: `table ${source.schema}.${source.name}`,
    what: `it has no column ${piece.range.column}, which says how old a row is.`,
    fix: 'Name a column of the table in the promise.',
  });
}
