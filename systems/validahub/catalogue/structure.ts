// How a CSV file is put together: which delimiter, and whether `"` quotes. Both are decided by counting cells:
// the right reading is the one in which all rows are as wide as the header.

import type { Dialect } from './row.ts';

/** Delimiters a catalogue may use; the first of equally good ones wins. */
export const DELIMITERS: readonly Dialect['delimiter'][] = [',', ';', '\t', '|', '#'];

/** What one reading of the file gives. */
export interface Shape {
  /** Cells of the first line that is not empty. */
  readonly width: number;
  /** Rows, header included, empty lines not. */
  readonly records: number;
  /** Rows of another width, plus quotes that close in the middle of a cell. */
  readonly ragged: number;
  /** Line on which a quoted cell starts that never ends; 0 when there is none. */
  readonly openedOn: number;
}

const LF = 10;
const CR = 13;
const QUOTE = 34;

/** Counts rows and cells in bytes (ASCII-compatible) as they stream by, under one reading. */
export class ShapeCount {
  readonly #delimiter: number;
  readonly #newline: number;
  readonly #quote: boolean;
  #width = 0;
  #records = 0;
  #ragged = 0;
  #cells = 1;
  #lineEmpty = true;
  #line = 1;
  #openedOn = 0;
  // 0 at the start of a cell, 1 in a plain cell, 2 within quotes, 3 behind a quote that may have closed.
  #state = 0;

  constructor(reading: {
    readonly delimiter: Dialect['delimiter'];
    readonly quote: boolean;
    readonly newline: Dialect['newline'];
  }) {
    this.#delimiter = reading.delimiter.charCodeAt(0);
    this.#quote = reading.quote;
    this.#newline = reading.newline === '\r' ? CR : LF;
  }

  push(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i += 1) this.#byte(bytes[i] ?? 0);
  }

  /** The shape of everything pushed so far, taken as a whole file. */
  shape(): Shape {
    const open = this.#state === 2;
    const last = this.#lineEmpty ? 0 : 1;
    const wrong = last === 1 && this.#records > 0 && this.#cells !== this.#width ? 1 : 0;
    return {
      width: this.#records === 0 && last === 1 ? this.#cells : this.#width,
      records: this.#records + last,
      ragged: this.#ragged + wrong + (open ? 1 : 0),
      openedOn: open ? this.#openedOn : 0,
    };
  }

  #byte(byte: number): void {
    if (byte === this.#newline) this.#line += 1;
    if (this.#state === 2) {
      if (byte === QUOTE) this.#state = 3;
      return;
    }
    if (byte === this.#delimiter || byte === this.#newline) {
      this.#endCell(byte === this.#newline);
      return;
    }
    if (byte === CR) return;
    this.#lineEmpty = false;
    if (this.#state === 0) this.#startCell(byte);
    else if (this.#state === 3) this.#afterQuote(byte);
  }

  #startCell(byte: number): void {
    const opens = this.#quote && byte === QUOTE;
    if (opens) this.#openedOn = this.#line;
    this.#state = opens ? 2 : 1;
  }

  #afterQuote(byte: number): void {
    if (byte !== QUOTE) this.#ragged += 1;
    this.#state = byte === QUOTE ? 2 : 1;
  }

  #endCell(endOfLine: boolean): void {
    this.#state = 0;
    if (!endOfLine) {
      this.#cells += 1;
      this.#lineEmpty = false;
      return;
    }
    if (!this.#lineEmpty) {
      if (this.#records === 0) this.#width = this.#cells;
      else if (this.#cells !== this.#width) this.#ragged += 1;
      this.#records += 1;
    }
    this.#cells = 1;
    this.#lineEmpty = true;
  }
}

/**
 * The delimiter of a file, from its first lines: the one under which the header has several cells and most rows
 * are as wide; of equally fitting ones the one with more cells. A file with one column counts as `,`.
 * @param head ASCII-compatible bytes from the start of the file. `whole` tells that they are all of it.
 */
export function detectDelimiter(
  head: Uint8Array,
  newline: Dialect['newline'],
  whole: boolean,
): Dialect['delimiter'] {
  const end = whole ? head.length : head.lastIndexOf(newline === '\r' ? CR : LF) + 1;
  const sample = end === 0 ? head : head.subarray(0, end);
  let best: { readonly delimiter: Dialect['delimiter']; readonly score: number } | null = null;
  for (const delimiter of DELIMITERS) {
    const score = Math.max(
      ...[true, false].map((quote) => {
        const count = new ShapeCount({ delimiter, quote, newline });
        count.push(sample);
        return scoreOf(count.shape());
      }),
    );
    if (best === null || score > best.score) best = { delimiter, score };
  }
  return best?.delimiter ?? ',';
}

// Tenths of rows that fit count before the number of cells.
function scoreOf(shape: Shape): number {
  if (shape.width < 2) return 0;
  const fitting = Math.max(0, shape.records - shape.ragged) / shape.records;
  return Math.round(fitting * 10) * 10_000 + Math.min(shape.width, 9_999);
}

/**
 * Whether `"` quotes in this file: when both readings fit equally well it does. A quote that closes in the middle
 * of a cell counts against it, so a list of titles that begin with an inch sign is read as it was meant.
 */
export function quotes(quoted: Shape, plain: Shape): boolean {
  return quoted.ragged <= plain.ragged;
}

/** The line end of a file, from its first bytes: the first one found, LF when there is none. */
export function detectNewline(head: Uint8Array): Dialect['newline'] {
  const lf = head.indexOf(LF);
  const cr = head.indexOf(CR);
  if (cr < 0 || (lf >= 0 && lf < cr)) return '\n';
  return head[cr + 1] === LF ? '\r\n' : '\r';
}
