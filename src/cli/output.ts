// What a person sees: aligned columns, colour on a terminal, one moving line on stderr while something takes long.
import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** Where a command writes. Results go to `out`, progress and hints to `err`, so that `--json` output stays clean. */
export interface Terminal {
  readonly out: NodeJS.WritableStream;
  readonly err: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly colour: boolean;
  readonly now: () => number;
}

/** The process's own streams; colour only on a terminal and never with NO_COLOR (https://no-color.org). */
export function processTerminal(): Terminal {
  return {
    out: process.stdout,
    err: process.stderr,
    colour: process.stdout.isTTY && process.env['NO_COLOR'] === undefined,
    now: () => performance.now(),
  };
}

/** Writes one line of result. */
export function say(terminal: Terminal, line = ''): void {
  terminal.out.write(`${line}\n`);
}

/** The text in a style where colour is on, unchanged elsewhere. */
export function paint(terminal: Terminal, style: Style, text: string): string {
  return terminal.colour ? styleText(style, text, { validateStream: false }) : text;
}

/** `1 step`, `2 steps`. */
export function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** Rows as aligned columns, two spaces apart; the last column is not padded. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, at) => {
      widths[at] = Math.max(widths[at] ?? 0, cell.length);
    });
  }
  return rows.map((row) =>
    row
      .map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** A moving line for work that may take long. */
export interface Progress {
  /** Shows what is being done; `part` of `of` draws a bar. */
  readonly show: (text: string, part?: number, of?: number) => void;
  /** Clears the line. */
  readonly end: () => void;
}

const BAR_WIDTH = 24;
const REDRAW_MS = 80;
const PLAIN_MS = 2000;

/**
 * Progress on stderr: a redrawn line on a terminal; elsewhere (a log, CI) one plain line that begins with `…`, at most every two seconds.
 * Nothing is written for work that ends before it was first due.
 */
export function progress(terminal: Terminal): Progress {
  const live = terminal.err.isTTY === true;
  const every = live ? REDRAW_MS : PLAIN_MS;
  let last = terminal.now();
  let drawn = false;
  return {
    show: (text, part, of) => {
      const at = terminal.now();
      if (at - last < every) return;
      last = at;
      const line =
        part !== undefined && of !== undefined && of > 0 ? `${bar(part / of)} ${part}/${of} ${text}` : text;
      terminal.err.write(live ? `\r\u001B[2K${line.slice(0, 110)}` : `… ${line}\n`);
      drawn = live;
    },
    end: () => {
      if (drawn) terminal.err.write('\r\u001B[2K');
      drawn = false;
    },
  };
}

function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_WIDTH);
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_WIDTH - full)}]`;
}
