// One Parquet file: rows go in group by group and come out the same way, so that memory is bounded by one group.
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetRead } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { ArchivedColumn } from '../port.ts';
import { fromFile, parquetSchemas, toFile, type FileValue } from './stored.ts';
import { zstd } from './zstd.ts';

/** Rows as columns of canonical text; null is SQL's NULL. */
export type TextColumns = readonly (readonly (string | null)[])[];

/** A Parquet file that is being written. */
export interface OpenParquet {
  /** Takes rows; writes a row group when enough are there. Throws NotExact for a value its column cannot hold. */
  readonly add: (rows: TextColumns) => Promise<void>;
  /** Bytes on disk so far. */
  readonly bytes: () => number;
  /** Ends the file and flushes it to the disk. */
  readonly finish: () => Promise<{ readonly rows: number; readonly bytes: number; readonly sha256: string }>;
  /** Closes it as it is; the caller removes it. */
  readonly abandon: () => Promise<void>;
}

// A group is what a reader holds at a time. 100,000 rows is what engines plan with; wide rows end it earlier.
const GROUP_ROWS = 100_000;
const GROUP_CHARACTERS = 24 * 1024 * 1024;
// Keeps the file's owner and nobody else, whatever the umask says.
const OWNER_ONLY = 0o600;

/**
 * Begins a Parquet file with zstd pages.
 * @param path a file that is not there yet
 * @param meta texts for the footer, by key
 */
export async function writeParquet(
  path: string,
  columns: readonly ArchivedColumn[],
  meta: Readonly<Record<string, string>>,
): Promise<OpenParquet> {
  const { compress } = await zstd();
  const handle = await open(path, 'wx', OWNER_ONLY);
  const hash = createHash('sha256');
  const schemas = parquetSchemas(columns);
  const bytes = new ByteWriter();
  const writer = new ParquetWriter({
    writer: bytes,
    schema: schemas.writing,
    codec: 'ZSTD',
    compressors: { ZSTD: compress },
    kvMetadata: Object.entries(meta).map(([key, value]) => ({ key, value })),
    createdBy: 'holdfast',
  });
  const group = emptyGroup(columns);
  let rows = 0;
  const drain = async (): Promise<void> => {
    const chunk = bytes.getBytes();
    hash.update(chunk);
    await writeAll(handle, chunk);
    bytes.index = 0;
  };
  const flush = async (): Promise<void> => {
    if (group.rows === 0) return;
    const columnData = columns.map(({ name }, at) => ({ name, data: group.values[at] ?? [] }));
    await writer.write({ columnData, rowGroupSize: group.rows });
    rows += group.rows;
    group.clear();
    await drain();
  };
  return {
    add: async (more) => {
      group.take(more);
      if (group.rows >= GROUP_ROWS || group.characters >= GROUP_CHARACTERS) await flush();
    },
    bytes: () => bytes.offset,
    finish: async () => {
      await flush();
      writer.schema = schemas.footer;
      await writer.finish();
      await drain();
      await handle.sync();
      await handle.close();
      return { rows, bytes: bytes.offset, sha256: hash.digest('hex') };
    },
    abandon: async () => handle.close(),
  };
}

interface Group {
  rows: number;
  characters: number;
  values: (FileValue | null)[][];
  readonly take: (more: TextColumns) => void;
  readonly clear: () => void;
}

function emptyGroup(columns: readonly ArchivedColumn[]): Group {
  const group: Group = {
    rows: 0,
    characters: 0,
    values: columns.map(() => []),
    take: (more) => {
      columns.forEach((column, at) => {
        const into = group.values[at];
        for (const value of more[at] ?? []) {
          into?.push(value === null ? null : toFile(column, value));
          group.characters += value?.length ?? 0;
        }
      });
      group.rows += more[0]?.length ?? 0;
    },
    clear: () => {
      group.values = columns.map(() => []);
      group.rows = 0;
      group.characters = 0;
    },
  };
  return group;
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at)).bytesWritten;
}

/**
 * Reads a Parquet file that {@link writeParquet} wrote, a row group at a time.
 * @param columns as the manifest has them; the file's own must be the same, in the same order
 * @throws Error when it is no such file; the caller says which piece it belongs to
 */
export async function* readParquet(
  path: string,
  columns: readonly ArchivedColumn[],
): AsyncGenerator<TextColumns> {
  const { decompress } = await zstd();
  const handle = await open(path, 'r');
  try {
    const file = await bufferOf(handle);
    const metadata = await parquetMetadataAsync(file);
    const names = metadata.schema.slice(1).map(({ name }) => name);
    if (JSON.stringify(names) !== JSON.stringify(columns.map(({ name }) => name)))
      throw new Error(`its columns are ${names.join(', ')}`);
    const physical = withoutMeaning(metadata);
    let start = 0;
    for (const { num_rows } of metadata.row_groups) {
      const end = start + Number(num_rows);
      const held = new Map<string, FileValue[][]>();
      await parquetRead({
        file,
        metadata: physical,
        compressors: { ZSTD: (input) => decompress(input) },
        utf8: false,
        rowStart: start,
        rowEnd: end,
        onChunk: ({ columnName, columnData }) => {
          held.set(columnName, [...(held.get(columnName) ?? []), columnData as FileValue[]]);
        },
      });
      yield columns.map((column) => texts(column, held.get(column.name) ?? [], end - start));
      start = end;
    }
  } finally {
    await handle.close();
  }
}

// Without their meaning the reader gives values as they lie in the file: it would make floats of decimals, cut
// timestamps to milliseconds, and its text decoder drops a leading byte order mark.
function withoutMeaning(metadata: FileMetaData): FileMetaData {
  const schema = metadata.schema.map(
    ({ logical_type: _logical, converted_type: _converted, ...rest }) => rest,
  );
  return { ...metadata, schema };
}

function texts(
  column: ArchivedColumn,
  chunks: readonly FileValue[][],
  rows: number,
): readonly (string | null)[] {
  const values: (string | null)[] = [];
  for (const chunk of chunks) {
    for (const value of chunk as (FileValue | null | undefined)[])
      values.push(value === null || value === undefined ? null : fromFile(column, value));
  }
  if (values.length !== rows) throw new Error(`column ${column.name} has ${values.length} of ${rows} rows`);
  return values;
}

async function bufferOf(handle: FileHandle): Promise<AsyncBuffer> {
  const { size } = await handle.stat();
  return {
    byteLength: size,
    slice: async (start, end = size) => {
      const from = start < 0 ? size + start : start;
      const into = new Uint8Array(end - from);
      let got = 0;
      while (got < into.length) {
        const { bytesRead } = await handle.read(into, got, into.length - got, from + got);
        if (bytesRead === 0) throw new Error('it ends early');
        got += bytesRead;
      }
      return into.buffer;
    },
  };
}
