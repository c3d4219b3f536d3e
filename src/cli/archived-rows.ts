// The archived rows that a statement speaks of, brought to this machine: checked Parquet files, and tables of the archive.
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { label, type RelationName, type TaskContext } from '../define/index.ts';
import { HoldfastError } from '../error.ts';
import { manifestOf, fetchFile, rowsOfPiece } from '../traits/retention/files/verify.ts';
import { type TextColumns, writeParquet } from '../traits/retention/files/parquet-file.ts';
import { columnsOf, rowsOf } from '../traits/retention/files/source.ts';
import { NotExact, storedColumn } from '../traits/retention/files/stored.ts';
import type { ArchivedColumn } from '../traits/retention/port.ts';
import type { Shelf, ShelvedPart } from '../traits/retention/shelf.ts';

/** One part of an archive that can be read, and how. */
export interface ArchivedPart {
  readonly columns: readonly ArchivedColumn[];
  /** Its rows as canonical text, batch by batch. */
  readonly rows: () => AsyncGenerator<TextColumns>;
  /** Its Parquet files on this machine, checked; rows that lie in a table are written to one. */
  readonly files: () => Promise<{
    readonly paths: readonly string[];
    readonly columns: readonly ArchivedColumn[];
  }>;
}

/** The archive of one table. */
export interface ArchivedTable {
  readonly of: RelationName;
  readonly parts: readonly ArchivedPart[];
}

/**
 * The archives whose table's name stands in a statement; one that is not named is not fetched.
 * @param work is given them; copies on this machine are removed when it ends
 */
export async function withArchived<T>(
  context: TaskContext,
  of: { readonly shelves: readonly Shelf[]; readonly statement: string },
  work: (tables: readonly ArchivedTable[]) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-query-'));
  const leave: (() => Promise<void>)[] = [];
  try {
    const pieces = await context.pieces.list();
    const said = of.statement.toLowerCase();
    const tables: ArchivedTable[] = [];
    for (const shelf of of.shelves.filter((one) => said.includes(one.of.name.toLowerCase()))) {
      const parts: ArchivedPart[] = [];
      for (const part of shelf.parts(pieces))
        parts.push(await readable(context, { shelf, part, folder, leave }));
      tables.push({ of: shelf.of, parts });
    }
    return await work(tables);
  } finally {
    for (const done of leave) await done();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Place {
  readonly shelf: Shelf;
  readonly part: ShelvedPart;
  readonly folder: string;
  readonly leave: (() => Promise<void>)[];
}

async function readable(context: TaskContext, place: Place): Promise<ArchivedPart> {
  const { shelf, part, folder, leave } = place;
  if ('table' in part.place) return inTable(context, part.place.table, folder);
  const store = shelf.files?.store;
  if (store === undefined) throw noStore(shelf.of);
  const { receipt } = part.place;
  const manifest = await manifestOf(store, receipt);
  return {
    columns: manifest.columns,
    rows: () => rowsOfPiece(store, { path: receipt.path, manifest, signal: context.signal }),
    files: async () => {
      const paths: string[] = [];
      for (const file of manifest.files) {
        const copy = await fetchFile(store, `${receipt.path}/${file.name}`, file);
        leave.push(copy.done);
        paths.push(copy.file);
      }
      return { paths, columns: manifest.columns };
    },
  };
}

async function inTable(context: TaskContext, table: RelationName, folder: string): Promise<ArchivedPart> {
  const found = await columnsOf(context, table);
  const columns = found.map((column) => storedColumn(column, new Set()));
  return {
    columns,
    rows: () => rowsOf(context, table, columns),
    files: async () => {
      const asText = new Set<string>();
      for (;;) {
        const path = join(folder, `${randomUUID()}.parquet`);
        const stored = found.map((column) => storedColumn(column, asText));
        const parquet = await writeParquet(path, stored, {});
        try {
          for await (const rows of rowsOf(context, table, stored)) await parquet.add(rows);
          await parquet.finish();
          return { paths: [path], columns: stored };
        } catch (error) {
          await parquet.abandon();
          if (!(error instanceof NotExact) || asText.has(error.column)) throw error;
          asText.add(error.column);
        }
      }
    },
  };
}

function noStore(of: RelationName): HoldfastError {
  return new HoldfastError({
    code: 'HF_ARCHIVE_STORE',
    subject: `table ${label(of)}`,
    what: 'parts of its archive are in files, and the definition names no store any more.',
    fix: 'Bring back the `store` of its retention.',
  });
}
