// A file of the archive without the rows that are erased: the new one is written and read back, takes the old one's place in
// the ledger, and only then the old one goes. Killed anywhere, no row that stays is lost and no file is forgotten.
import type { RowText, SubjectRows } from '../../define/erasure.ts';
import type { TaskContext } from '../../define/job.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import { HoldfastError } from '../../error.ts';
import type { TextColumns } from './files/parquet-file.ts';
import { piecePath } from './files/place.ts';
import { exactly } from './files/source.ts';
import { readSql, toSql } from './files/stored.ts';
import { manifestOf, rowsOfPiece, verifyPiece } from './files/verify.ts';
import { writeRows } from './files/write.ts';
import type { ArchivedColumn, ArchiveFiles, ArchiveReceipt, Manifest } from './port.ts';
import { move, type Run, unfiltered, unitsNow } from './run.ts';
import type { Terms } from './terms.ts';
import { asPiece, timeOf, type Unit } from './unit.ts';

/** What a file is asked for. */
export interface Refiling {
  readonly unit: Unit;
  readonly receipt: ArchiveReceipt;
  readonly rows: SubjectRows;
  /** Refuses in the transaction in which rows of these tenants go; null stands for a row of nobody's. */
  readonly mayGo: (query: CatalogueQuery, whose: ReadonlySet<string | null>) => Promise<void>;
}

/** The rows of a file as PostgreSQL prints them. */
export async function* filedTexts(run: Run, receipt: ArchiveReceipt): AsyncGenerator<RowText> {
  const store = filesOf(run).store;
  const manifest = await manifestOf(store, receipt);
  const piece = { path: receipt.path, manifest, signal: run.context.signal };
  for await (const rows of rowsOfPiece(store, piece))
    for (let at = 0; at < (rows[0]?.length ?? 0); at += 1) yield textOf(manifest.columns, rows, at);
}

/** Removes what a cut-off rewriting left of a part's files: the draft of the new one, the old one that was replaced. */
export async function withoutLeftovers(run: Run, unit: Unit): Promise<Unit> {
  const { fresh, stale, ...rest } = unit;
  if (fresh === undefined && stale === undefined) return unit;
  const files = filesOf(run);
  if (fresh !== undefined)
    await files.remove({ path: pathOf(run.terms, run.context, { ...unit, serial: fresh }) });
  if (stale !== undefined) await files.remove({ path: stale });
  await unfiltered(run, (query) => run.context.pieces.put(query, asPiece(run.terms, rest), unit.state));
  return rest;
}

/**
 * Writes a part's file anew without the subject's rows, or with their columns changed. A part that holds nothing else goes.
 * @returns rows that went or changed; 0 where the file has none of the subject's
 */
export async function refile(run: Run, { unit: begun, receipt, rows, mayGo }: Refiling): Promise<number> {
  const unit = await withoutLeftovers(run, begun);
  const { store } = filesOf(run);
  const manifest = await manifestOf(store, receipt);
  const reading = { context: run.context, manifest, rows, canonical: new Map<string, string | null>() };
  const { changed, kept, whose } = await lookThrough(run, receipt, reading);
  if (changed === 0) return 0;
  const place = `archive files of ${rows.of.schema}.${rows.of.name}`;
  if (kept === 0) {
    const empty = await unfiltered(run, async (query) => {
      await mayGo(query, whose);
      const next: Unit = { ...unit, state: 'removing', rows: 0, since: run.context.now };
      await run.context.pieces.put(query, asPiece(run.terms, next), unit.state);
      await rows.note(query, { place, rows: changed, files: 1 });
      return next;
    });
    await filesOf(run).remove(receipt);
    await move(run, empty, { to: { state: 'gone' } });
    return changed;
  }
  const begins = await announced(run, unit);
  const fresh = await writeRows(
    run.context,
    { store, source: run.terms.of, piece: pieceOf(run.terms, { ...unit, serial: begins.fresh }) },
    { columns: manifest.columns, rows: remaining(run, receipt, reading) },
  );
  await verifyPiece(run.context, store, { receipt: fresh });
  if (fresh.rows !== kept) throw differs(run, receipt, { kept, rows: fresh.rows });
  const replaced = await unfiltered(run, async (query) => {
    await mayGo(query, whose);
    const { fresh: serial, ...rest } = begins;
    const next: Unit = {
      ...rest,
      serial,
      rows: fresh.rows,
      bytes: fresh.bytes,
      receipt: fresh,
      stale: receipt.path,
      since: run.context.now,
    };
    await run.context.pieces.put(query, asPiece(run.terms, next), unit.state);
    await rows.note(query, { place, rows: changed, files: 1 });
    return next;
  });
  await withoutLeftovers(run, replaced);
  return changed;
}

interface Reading {
  readonly context: TaskContext;
  readonly manifest: Manifest;
  readonly rows: SubjectRows;
  /** Replaced values in the form their column is stored in. */
  readonly canonical: Map<string, string | null>;
}

async function lookThrough(
  run: Run,
  receipt: ArchiveReceipt,
  { rows }: Reading,
): Promise<{ readonly changed: number; readonly kept: number; readonly whose: ReadonlySet<string | null> }> {
  let [changed, kept] = [0, 0];
  const whose = new Set<string | null>();
  const { tenant } = run.terms;
  for await (const row of filedTexts(run, receipt)) {
    const becomes = rows.theirs(row) ? rows.change(row) : new Map();
    if (becomes !== null) kept += 1;
    if (becomes !== null && becomes.size === 0) continue;
    changed += 1;
    whose.add(tenant === undefined ? null : (row[tenant] ?? null));
  }
  return { changed, kept, whose };
}

async function* remaining(run: Run, receipt: ArchiveReceipt, reading: Reading): AsyncGenerator<TextColumns> {
  const { manifest } = reading;
  const piece = { path: receipt.path, manifest, signal: run.context.signal };
  for await (const rows of rowsOfPiece(filesOf(run).store, piece)) yield changedRows(rows, reading);
}

async function changedRows(rows: TextColumns, reading: Reading): Promise<TextColumns> {
  const { columns } = reading.manifest;
  const into: (string | null)[][] = columns.map(() => []);
  for (let at = 0; at < (rows[0]?.length ?? 0); at += 1) {
    const row = textOf(columns, rows, at);
    const becomes = reading.rows.theirs(row) ? reading.rows.change(row) : new Map<string, string | null>();
    if (becomes === null) continue;
    for (const [number, column] of columns.entries()) {
      const value = becomes.has(column.name)
        ? await canonicalOf(reading, column, becomes.get(column.name) ?? null)
        : (rows[number]?.[at] ?? null);
      into[number]?.push(value);
    }
  }
  return into;
}

/** A value as its column is stored: the server prints it, as it does for every archived value. */
async function canonicalOf(
  reading: Reading,
  column: ArchivedColumn,
  text: string | null,
): Promise<string | null> {
  if (text === null) return null;
  const key = `${column.name}\0${text}`;
  const known = reading.canonical.get(key);
  if (known !== undefined) return known;
  const [row] = await exactly(reading.context, async (query) =>
    query<{ value: string | null }>(
      `SELECT ${readSql(column, 'v.v')} AS value FROM (SELECT $1::pg_catalog.text::${column.type} AS v) AS v`,
      [text],
    ),
  );
  const value = row?.value ?? null;
  reading.canonical.set(key, value);
  return value;
}

/** Says in the ledger under which serial the new file will lie, so that nothing of it is ever taken for somebody else's. */
async function announced(run: Run, unit: Unit): Promise<Unit & { readonly fresh: number }> {
  const units = await unitsNow(run);
  const same = units.filter((one) => timeOf(one.from) === timeOf(unit.from));
  let fresh = 1 + Math.max(unit.serial, ...same.map((one) => one.serial));
  const { store } = filesOf(run);
  while ((await store.list(pathOf(run.terms, run.context, { ...unit, serial: fresh }))).length > 0)
    fresh += 1;
  const next = { ...unit, fresh };
  await unfiltered(run, (query) => run.context.pieces.put(query, asPiece(run.terms, next), unit.state));
  return next;
}

function textOf(columns: readonly ArchivedColumn[], rows: TextColumns, at: number): RowText {
  return Object.fromEntries(
    columns.map((column, number) => {
      const value = rows[number]?.[at] ?? null;
      return [column.name, value === null ? null : toSql(column, value)];
    }),
  );
}

function pieceOf(terms: Terms, unit: Pick<Unit, 'from' | 'to' | 'serial'>) {
  const { from, to, serial } = unit;
  return { of: terms.of, range: { column: terms.by, from, to }, serial };
}

function pathOf(terms: Terms, context: TaskContext, unit: Unit): string {
  return piecePath(context.model.name, pieceOf(terms, unit));
}

/** The store of a retention's files. */
function filesOf(run: Run): ArchiveFiles {
  const files = run.terms.archive?.files;
  if (files !== undefined) return files;
  throw new HoldfastError({
    code: 'HF_ARCHIVE_STORE',
    subject: `table ${run.terms.of.schema}.${run.terms.of.name}`,
    what: 'parts of its archive are in files, and the definition names no store any more.',
    fix: 'Bring back the `store` of its retention.',
  });
}

function differs(
  run: Run,
  receipt: ArchiveReceipt,
  by: { readonly kept: number; readonly rows: number },
): HoldfastError {
  return new HoldfastError({
    code: 'HF_ARCHIVE_DIFFERS',
    subject: `archive ${filesOf(run).shown}/${receipt.path}`,
    what: `${by.kept} of its rows stay, and the file that was to replace it holds ${by.rows}.`,
    fix: 'Nothing was replaced; run the erasure again.',
  });
}
