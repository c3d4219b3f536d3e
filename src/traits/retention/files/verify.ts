// Reads a piece back from its store and compares it, file by file and row by row, before anything may be dropped.
import type { TaskContext } from '../../../define/job.ts';
import { HoldfastError } from '../../../error.ts';
import { stat } from 'node:fs/promises';
import type { ArchivedColumn, ArchivedFile, ArchiveReceipt, ArchiveSource, Manifest } from '../port.ts';
import { type Content, contentOf, contentOfTable, names, shownTime, summing, timeColumn } from './content.ts';
import { damaged, readManifest } from './manifest.ts';
import { readParquet, type TextColumns } from './parquet-file.ts';
import { columnsOf } from './source.ts';
import { type Draft, sha256Of, type Store } from './store.ts';

/** As `ArchiveFiles.verify` says. */
export async function verifyPiece(
  context: TaskContext,
  store: Store,
  { receipt, source }: { readonly receipt: ArchiveReceipt; readonly source?: ArchiveSource | undefined },
): Promise<Manifest> {
  const manifest = await manifestOf(store, receipt);
  const time = timeColumn(manifest.columns, manifest.range);
  const total = summing(time);
  for await (const rows of rowsOfPiece(store, { path: receipt.path, manifest, signal: context.signal }))
    total.add(contentOf(rows, manifest.columns, time));
  compare(store, receipt, { manifest, other: total.total(), whose: 'its files hold' });
  if (source === undefined) return manifest;
  const own = await columnsOf(context, source);
  if (names(own) !== names(manifest.columns))
    throw differs(
      store,
      receipt.path,
      `the table has columns ${names(own)}, the piece ${names(manifest.columns)}`,
    );
  const content = await contentOfTable(context, source, { columns: manifest.columns, time });
  compare(store, receipt, { manifest, other: content, whose: `table ${source.schema}.${source.name} holds` });
  return manifest;
}

/**
 * The manifest a receipt speaks of.
 * @throws HoldfastError HF_ARCHIVE_MISSING when there is none, HF_ARCHIVE_DAMAGED when it is another
 */
export async function manifestOf(
  store: Store,
  receipt: Pick<ArchiveReceipt, 'path' | 'manifest'>,
): Promise<Manifest> {
  const found = await readManifest(store, receipt.path);
  if (found === undefined) throw missing(store, receipt.path, 'the piece has no manifest');
  if (found.receipt.manifest !== receipt.manifest)
    throw damaged(store, receipt.path, 'its manifest is not the one that was written');
  return found.manifest;
}

/**
 * The rows of a piece, each file first compared with its SHA-256.
 * @throws HoldfastError HF_ARCHIVE_MISSING, HF_ARCHIVE_DAMAGED, HF_ABORTED
 */
export async function* rowsOfPiece(
  store: Store,
  of: { readonly path: string; readonly manifest: Manifest; readonly signal: AbortSignal },
): AsyncGenerator<TextColumns> {
  for (const file of of.manifest.files) {
    const at = `${of.path}/${file.name}`;
    const found = await fetchFile(store, at, file);
    try {
      for await (const rows of rowsOfFile(store, at, { file: found.file, columns: of.manifest.columns })) {
        unlessStopped(store, at, of.signal);
        yield rows;
      }
    } finally {
      await found.done();
    }
  }
}

async function* rowsOfFile(
  store: Store,
  at: string,
  of: { readonly file: string; readonly columns: readonly ArchivedColumn[] },
): AsyncGenerator<TextColumns> {
  const rows = readParquet(of.file, of.columns);
  const next = async (): Promise<IteratorResult<TextColumns, void>> => {
    try {
      return await rows.next();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw damaged(store, at, `it is no Parquet file of this piece: ${reason}`);
    }
  };
  try {
    for (let one = await next(); one.done !== true; one = await next()) yield one.value;
  } finally {
    await rows.return(undefined);
  }
}

/** A data file on this machine's disk, its size and SHA-256 compared. */
export async function fetchFile(store: Store, at: string, file: ArchivedFile): Promise<Draft> {
  const found = await store.get(at);
  if (found === undefined) throw missing(store, at, 'the file is gone');
  const { size } = await stat(found.file);
  const same = size === file.bytes && (await sha256Of(found.file)) === file.sha256;
  if (same) return found;
  await found.done();
  const what =
    size === file.bytes
      ? 'its bytes are not those that were written'
      : `it has ${size} of ${file.bytes} bytes`;
  throw damaged(store, at, what);
}

function compare(
  store: Store,
  { path }: ArchiveReceipt,
  {
    manifest,
    other,
    whose,
  }: { readonly manifest: Manifest; readonly other: Content; readonly whose: string },
): void {
  const time = timeColumn(manifest.columns, manifest.range);
  const shown = (end: string | null): string | null =>
    time === undefined || end === null ? null : shownTime(time, end);
  const pairs: readonly (readonly [string, string | number | null, string | number | null])[] = [
    ['rows', other.rows, manifest.rows],
    ['oldest', shown(other.min), manifest.min],
    ['newest', shown(other.max), manifest.max],
    ['content', other.sum, manifest.content],
  ];
  const wrong = pairs.find(([, left, right]) => left !== right);
  if (wrong === undefined) return;
  const [what, left, right] = wrong;
  throw differs(store, path, `${whose} ${what} ${String(left)}, its manifest says ${String(right)}`);
}

function differs(store: Store, path: string, what: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_ARCHIVE_DIFFERS',
    subject: `archive ${store.shown}/${path}`,
    what: `${what}.`,
    fix: 'Nothing was dropped. If rows came or changed meanwhile, remove the piece and let the next run write it anew.',
  });
}

function missing(store: Store, path: string, what: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_ARCHIVE_MISSING',
    subject: `archive ${store.shown}/${path}`,
    what: `${what}.`,
    fix: 'Nothing was dropped on its account. Bring it back from a copy of the store.',
  });
}

function unlessStopped(store: Store, path: string, signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new HoldfastError({
    code: 'HF_ABORTED',
    subject: `archive ${store.shown}/${path}`,
    what: 'reading it was stopped.',
    fix: 'Run it again.',
  });
}
