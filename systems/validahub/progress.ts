// One line that says what is being done: redrawn on a terminal, now and then a plain line elsewhere.

/** A moving line. */
export interface ProgressLine {
  /** Shows what is being done; `part` of `of` draws a bar. */
  readonly show: (what: string, part?: number, of?: number) => void;
  /** Clears the line; may be called twice. */
  readonly end: () => void;
}

const BAR_WIDTH = 24;
const REDRAW_MS = 80;
const PLAIN_MS = 2_000;

/** A line on a stream. Nothing is written for work that ends before it was first due. */
export function progressLine(
  to: NodeJS.WritableStream & { readonly isTTY?: boolean },
  now: () => number = () => performance.now(),
): ProgressLine {
  const live = to.isTTY === true;
  let last = now();
  let drawn = false;
  return {
    show: (what, part, of) => {
      if (now() - last < (live ? REDRAW_MS : PLAIN_MS)) return;
      last = now();
      const line = part === undefined || of === undefined ? what : `${bar(part, of)} ${part}/${of} ${what}`;
      to.write(live ? `\r\u001B[2K${line.slice(0, 100)}` : `${line}\n`);
      drawn = live;
    },
    end: () => {
      if (drawn) to.write('\r\u001B[2K');
      drawn = false;
    },
  };
}

function bar(part: number, of: number): string {
  const full = of > 0 ? Math.round(Math.min(1, part / of) * BAR_WIDTH) : 0;
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_WIDTH - full)}]`;
}
