// Reads the rows of a scanned file. Nothing a row can hold stops it: wrong widths and NUL characters are noted
// on the row. Only a file that changed since it was scanned, or a record without end, is an error.

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { CsvError, parse, type Info } from 'csv-parse';
import { HoldfastError } from 'holdfast';
import { decode } from './encoding.ts';
import type { CatalogueRow, Column, Dialect, RowIssue } from './row.ts';

/** A file whose encoding and dialect are known. */
export interface ScannedFile {
  readonly path: string;
  readonly name: string;
  readonly size: number;
  readonly modifiedMs: number;
  readonly dialect: Dialect;
  /** Bytes of the byte order mark. */
  readonly skip: number;
}

// A record larger than this is a quote that was never closed, not a product. In bytes of UTF-8.
const RECORD_LIMIT = 4 * 1024 * 1024;

/**
 * The data rows of the file, one at a time; stopping early closes the file.
 * @throws HoldfastError HF_CATALOGUE_CHANGED, HF_CATALOGUE_RECORD (no end within 4 MiB), while reading.
 */
export async function* readRows(
  file: ScannedFile,
  columns: readonly Column[],
): AsyncGenerator<CatalogueRow, void, undefined> {
  let recordNumber = 0;
  for await (const record of records(file)) {
    if (record.header) continue;
    recordNumber += 1;
    yield rowOf(record, recordNumber, columns.length);
  }
}

/** The header cells as they stand; null when the file has only empty lines. */
export async function readHeader(file: ScannedFile): Promise<string[] | null> {
  for await (const record of records(file)) return record.cells;
  return null;
}

interface CsvRecord {
  readonly cells: string[];
  readonly line: number;
  readonly header: boolean;
}

async function* records(file: ScannedFile): AsyncGenerator<CsvRecord, void, undefined> {
  await refuseChanged(file);
  const newline = file.dialect.newline === '\r' ? '\r' : '\n';
  let line = 1;
  let emptyLines = 0;
  let width = 0;
  try {
    for await (const { record, info } of parsed(file)) {
      line += info.empty_lines - emptyLines;
      emptyLines = info.empty_lines;
      // A line of blanks is no row; in a file of one column it is a row whose cell is blank.
      const blank = record.length === 1 && width !== 1 && (record[0] ?? '').trim() === '';
      if (!blank) yield { cells: record, line, header: width === 0 };
      if (!blank && width === 0) width = record.length;
      line += 1 + newlinesIn(record, newline);
    }
  } catch (error) {
    throw error instanceof CsvError ? unreadable(file, { line, error }) : error;
  }
}

interface Parsed {
  readonly record: string[];
  readonly info: Info;
}

function parsed(file: ScannedFile): AsyncIterable<Parsed> {
  const { delimiter, quote, encoding, newline } = file.dialect;
  const parser = parse({
    delimiter,
    quote: quote ? '"' : null,
    record_delimiter: newline === '\r' ? ['\r'] : ['\r\n', '\n'],
    relax_quotes: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: RECORD_LIMIT,
    info: true,
  });
  const bytes = createReadStream(file.path, { start: file.skip, highWaterMark: 256 * 1024 });
  if (encoding === 'utf-8') pipeline(bytes, parser, toReader);
  else pipeline(bytes, (chunks: AsyncIterable<Buffer>) => decode(chunks, encoding), parser, toReader);
  return parser as AsyncIterable<Parsed>;
}

// The parser carries any error on to whoever reads it; nothing is left to tell here.
function toReader(): void {}

// Lines are counted here because the parser counts a CRLF within quotes as two.
function newlinesIn(cells: readonly string[], newline: string): number {
  let count = 0;
  for (const cell of cells) {
    for (let at = cell.indexOf(newline); at >= 0; at = cell.indexOf(newline, at + 1)) count += 1;
  }
  return count;
}

function rowOf(record: CsvRecord, recordNumber: number, columns: number): CatalogueRow {
  const { line } = record;
  const issues: RowIssue[] = [];
  let { cells } = record;
  if (cells.some((cell) => cell.includes('\0'))) {
    cells = cells.map((cell) => cell.replaceAll('\0', ''));
    issues.push({ code: 'csv_nul_byte', message: 'The row held NUL characters; they were taken out.' });
  }
  const width = cells.length;
  if (width === columns)
    return issues.length === 0 ? { recordNumber, line, cells } : { recordNumber, line, cells, issues };
  issues.push({ code: 'csv_row_width', message: `The row has ${width} cells, the header has ${columns}.` });
  if (width > columns) {
    return { recordNumber, line, cells: cells.slice(0, columns), extra: cells.slice(columns), issues };
  }
  const padding = Array.from({ length: columns - width }, () => '');
  return { recordNumber, line, cells: [...cells, ...padding], width, issues };
}

async function refuseChanged(file: ScannedFile): Promise<void> {
  const now = await stat(file.path).catch(() => null);
  if (now !== null && now.size === file.size && now.mtimeMs === file.modifiedMs) return;
  throw new HoldfastError({
    code: 'HF_CATALOGUE_CHANGED',
    subject: `catalogue ${file.name}`,
    what: now === null ? 'The file is gone.' : 'The file was changed after it was opened.',
    fix: 'Open the catalogue again and leave the file alone until the job has ended.',
  });
}

function unreadable(
  file: ScannedFile,
  at: { readonly line: number; readonly error: CsvError },
): HoldfastError {
  return new HoldfastError({
    code: 'HF_CATALOGUE_RECORD',
    subject: `catalogue ${file.name}, line ${at.line}`,
    what: 'The row that starts here has no end within 4 MiB.',
    fix: 'Look for a quote that is never closed, and close it or write it twice.',
    cause: at.error,
  });
}
