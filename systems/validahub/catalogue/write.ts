// Writes a catalogue back: same columns, order and delimiter, RFC 4180 quoting, UTF-8. A cell that a spreadsheet
// would run as a formula is made text by a leading apostrophe.

import type { CatalogueRow, Column, Dialect } from './row.ts';

/** How a catalogue is written. */
export interface WriteOptions {
  /** Whether formula cells get an apostrophe in front. On unless the reader is known to be a program. */
  readonly neutralise?: boolean;
}

// Large enough that a write to disk is worth it, small enough to be forgotten soon. In UTF-16 units.
const CHUNK_LENGTH = 64 * 1024;

/**
 * The catalogue as text, in chunks; pass it to `pipeline` with a file stream. Encoded as UTF-8 it may differ
 * from the input's encoding; a byte order mark is written when the input had one or was not UTF-8, so that
 * spreadsheets read the accents right.
 */
export async function* writeCatalogue(
  catalogue: { readonly columns: readonly Column[]; readonly dialect: Dialect },
  rows: AsyncIterable<CatalogueRow> | Iterable<CatalogueRow>,
  options: WriteOptions = {},
): AsyncGenerator<string, void, undefined> {
  const { columns, dialect } = catalogue;
  const line = lineWriter(dialect, options.neutralise ?? true);
  let text = dialect.bom || dialect.encoding !== 'utf-8' ? '\uFEFF' : '';
  text += line(columns.map((column) => column.header));
  for await (const row of rows) {
    text += line(cellsOf(row));
    if (text.length < CHUNK_LENGTH) continue;
    yield text;
    text = '';
  }
  if (text !== '') yield text;
}

/**
 * True when a spreadsheet could run the cell: it starts with = + - @, tab or carriage return (also the full-width
 * signs), and is not simply a number such as -5.2 or +10.
 */
export function isFormula(cell: string): boolean {
  return /^[=+\-@\t\r\uFF1D\uFF0B\uFF0D\uFF20]/.test(cell) && !/^[+-]?\d+(?:[.,]\d+)*$/.test(cell);
}

function lineWriter(dialect: Dialect, neutralise: boolean): (cells: readonly string[]) => string {
  const special = new RegExp(`["\\r\\n${dialect.delimiter === '|' ? '\\|' : dialect.delimiter}]`);
  const encode = (cell: string): string => {
    const safe = neutralise && isFormula(cell) ? `'${cell}` : cell;
    return special.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return (cells) => {
    const text = cells.map(encode).join(dialect.delimiter);
    // A lone blank cell would read as an empty line.
    return `${text.trim() === '' && cells.length === 1 ? `"${text}"` : text}${dialect.newline}`;
  };
}

// A short row stays short unless something was filled in behind its end.
function cellsOf(row: CatalogueRow): readonly string[] {
  if (row.extra !== undefined) return [...row.cells, ...row.extra];
  if (row.width === undefined) return row.cells;
  const filled = row.cells.findLastIndex((cell) => cell !== '') + 1;
  return row.cells.slice(0, Math.max(row.width, filled));
}
