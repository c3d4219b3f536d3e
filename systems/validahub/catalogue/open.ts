// Opens a catalogue: one pass over the whole file tells its SHA-256, its encoding and how it is put together;
// after that its rows can be read as often as needed. What comes as a stream is kept in a temporary file.

import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HoldfastError } from 'holdfast';
import { byteOrderMark, Utf8Check, type Encoding } from './encoding.ts';
import { columnsOf } from './mapping.ts';
import { readHeader, readRows } from './read.ts';
import type { CatalogueRow, Column, Dialect, Mapping } from './row.ts';
import { detectDelimiter, detectNewline, quotes, ShapeCount, type Shape } from './structure.ts';

/** What is known beforehand; everything left out is found out. */
export interface OpenOptions {
  readonly mapping?: Mapping;
  readonly delimiter?: Dialect['delimiter'];
  /** False when `"` is an ordinary character. */
  readonly quote?: boolean;
  readonly encoding?: Encoding;
  /** What errors call the file; by default the base name of the path. */
  readonly name?: string;
}

/** A catalogue ready to be read. */
export interface Catalogue {
  readonly name: string;
  /** SHA-256 of the bytes of the file, hex. */
  readonly sha256: string;
  /** Size in bytes. */
  readonly size: number;
  readonly dialect: Dialect;
  readonly columns: readonly Column[];
  /** The data rows from the first; may be called again, also at the same time. */
  readonly rows: () => AsyncGenerator<CatalogueRow, void, undefined>;
  /** The same catalogue with its columns mapped otherwise. */
  readonly mapped: (mapping: Mapping) => Catalogue;
  /** Removes the temporary file of a stream; must be called once the rows are no longer needed. */
  readonly close: () => Promise<void>;
}

/**
 * Opens a CSV file with a header line.
 * @param source a path, or a stream of bytes (spooled to a private temporary file until `close`).
 * @throws HoldfastError HF_CATALOGUE_MISSING, HF_CATALOGUE_UPLOAD (the stream broke off), HF_CATALOGUE_EMPTY,
 * HF_CATALOGUE_QUOTE (a quoted cell never ends).
 */
export async function openCatalogue(
  source: string | Readable,
  options: OpenOptions = {},
): Promise<Catalogue> {
  if (typeof source === 'string') return openFile(source, options, async () => {});
  const folder = await mkdtemp(join(tmpdir(), 'validahub-'));
  const close = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const path = join(folder, 'catalogue.csv');
    await keep(source, path);
    return await openFile(path, { name: 'catalogue', ...options }, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function keep(source: Readable, path: string): Promise<void> {
  await pipeline(source, createWriteStream(path, { mode: 0o600 })).catch((cause: unknown) => {
    throw new HoldfastError({
      code: 'HF_CATALOGUE_UPLOAD',
      subject: 'catalogue',
      what: 'The upload broke off, or there was no room to keep it.',
      fix: 'Send the file again.',
      cause,
    });
  });
}

async function openFile(path: string, options: OpenOptions, close: () => Promise<void>): Promise<Catalogue> {
  const name = options.name ?? basename(path);
  const scan = await scanFile(path, { ...options, name });
  const file = { path, name, ...scan };
  const headers = await readHeader(file);
  if (headers === null) throw emptyFile(name);
  const withMapping = (mapping: Mapping): Catalogue => {
    const columns = columnsOf(headers, mapping);
    return {
      name,
      sha256: scan.sha256,
      size: scan.size,
      dialect: scan.dialect,
      columns,
      rows: () => readRows(file, columns),
      mapped: withMapping,
      close,
    };
  };
  return withMapping(options.mapping ?? {});
}

interface Scan {
  readonly sha256: string;
  readonly size: number;
  readonly modifiedMs: number;
  readonly dialect: Dialect;
  /** Bytes of the byte order mark. */
  readonly skip: number;
}

// Enough lines to tell the delimiter by.
const HEAD_BYTES = 256 * 1024;

async function scanFile(path: string, options: OpenOptions & { readonly name: string }): Promise<Scan> {
  const { size, mtimeMs } = await statFile(path, options.name);
  const head = await readHead(path, options.name);
  const mark = byteOrderMark(head);
  const skip = mark?.length ?? 0;
  const told = options.encoding ?? mark?.encoding;
  const start = asciiView(told)(head.subarray(skip));
  const newline = detectNewline(start);
  const delimiter = options.delimiter ?? detectDelimiter(start, newline, head.length === size);
  const hash = createHash('sha256');
  const utf8 = new Utf8Check();
  const quoted = new ShapeCount({ delimiter, quote: true, newline });
  const plain = new ShapeCount({ delimiter, quote: false, newline });
  const view = asciiView(told);
  let ahead = skip;
  for await (const chunk of createReadStream(path, { highWaterMark: HEAD_BYTES })) {
    const bytes = chunk as Buffer;
    hash.update(bytes);
    utf8.push(bytes);
    const text = view(bytes.subarray(ahead));
    ahead = 0;
    quoted.push(text);
    plain.push(text);
  }
  const quote = options.quote ?? quotes(quoted.shape(), plain.shape());
  if (quote) refuseOpenQuote(quoted.shape(), options.name);
  const found =
    mark !== null && mark.encoding !== 'utf-8' ? mark.encoding : utf8.valid ? 'utf-8' : 'windows-1252';
  const encoding = options.encoding ?? found;
  const dialect: Dialect = { delimiter, quote, encoding, bom: mark !== null, newline };
  return { sha256: hash.digest('hex'), size, modifiedMs: mtimeMs, dialect, skip };
}

async function statFile(path: string, name: string): Promise<{ size: number; mtimeMs: number }> {
  const found = await stat(path).catch((cause: unknown) => {
    throw unreadableFile(name, cause);
  });
  if (!found.isFile()) throw unreadableFile(name, undefined);
  if (found.size === 0) throw emptyFile(name);
  return found;
}

async function readHead(path: string, name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of createReadStream(path, { end: HEAD_BYTES - 1 })) chunks.push(chunk as Buffer);
  } catch (cause) {
    throw unreadableFile(name, cause);
  }
  return Buffer.concat(chunks);
}

// One byte per UTF-16 unit, so that delimiters and quotes are counted alike in every encoding. Keeps the first
// half of a unit that a chunk ends in.
function asciiView(encoding: Encoding | undefined): (bytes: Buffer) => Uint8Array {
  if (encoding !== 'utf-16le' && encoding !== 'utf-16be') return (bytes) => bytes;
  const low = encoding === 'utf-16le' ? 0 : 1;
  let rest = Buffer.alloc(0);
  return (chunk) => {
    const bytes = Buffer.concat([rest, chunk]);
    const view = new Uint8Array(bytes.length >> 1);
    rest = Buffer.from(bytes.subarray(view.length * 2));
    for (let i = 0; i < view.length; i += 1) {
      const [unit, high] = [bytes[2 * i + low] ?? 0, bytes[2 * i + 1 - low] ?? 0];
      view[i] = high === 0 && unit < 0x80 ? unit : 0x78;
    }
    return view;
  };
}

function refuseOpenQuote(shape: Shape, name: string): void {
  if (shape.openedOn === 0) return;
  throw new HoldfastError({
    code: 'HF_CATALOGUE_QUOTE',
    subject: `catalogue ${name}, line ${shape.openedOn}`,
    what: 'A quoted cell starts here and never ends.',
    fix: 'Close the quote, or write a quote inside a cell twice.',
  });
}

function unreadableFile(name: string, cause: unknown): HoldfastError {
  return new HoldfastError({
    code: 'HF_CATALOGUE_MISSING',
    subject: `catalogue ${name}`,
    what: 'The file cannot be opened.',
    fix: 'Give the path of a CSV file that exists and may be read.',
    cause,
  });
}

function emptyFile(name: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_CATALOGUE_EMPTY',
    subject: `catalogue ${name}`,
    what: 'The file has no header line.',
    fix: 'Give a CSV file whose first line names the columns.',
  });
}
