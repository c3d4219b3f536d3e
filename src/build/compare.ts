// Two structures side by side, by a reader that is not the planner. What is equal here is equal.
import { lineKey, type Dump, type DumpLine } from './catalogue-dump.ts';

/** One place where two structures differ; undefined: it is not there. */
export interface Difference {
  readonly object: string;
  readonly facet: string;
  readonly left: string | undefined;
  readonly right: string | undefined;
  /** Only what the server deparsed differs, not what it is. */
  readonly textOnly: boolean;
}

/**
 * Compares two structures.
 * @param left one dump
 * @param right the other
 * @param counts which lines matter; asked with the line and the other side's, undefined where it has none
 * @returns differences in the dump's order; none means equal
 */
export function compare(
  left: Dump,
  right: Dump,
  counts: (line: DumpLine, other?: DumpLine) => boolean,
): Difference[] {
  const others = new Map(right.map((line) => [lineKey(line), line]));
  const found: Difference[] = [];
  for (const line of left) {
    const other = others.get(lineKey(line));
    others.delete(lineKey(line));
    if (other !== undefined && other.value === line.value && other.text === line.text) continue;
    if (counts(line, other)) found.push(difference(line, other));
  }
  for (const line of others.values()) if (counts(line)) found.push(difference(undefined, line));
  return found;
}

/** The first differences in a sentence each, for an error: `table public.t, index i: "INVALID" there, "" here`. */
export function tell(differences: readonly Difference[], names: { left: string; right: string }): string {
  const shown = differences.slice(0, 5).map((one) => {
    const left = one.left === undefined ? 'missing' : JSON.stringify(one.left);
    const right = one.right === undefined ? 'missing' : JSON.stringify(one.right);
    return `${one.object}, ${one.facet}: ${left} ${names.left}, ${right} ${names.right}`;
  });
  const more = differences.length - shown.length;
  return `${shown.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

function difference(left: DumpLine | undefined, right: DumpLine | undefined): Difference {
  const at = (left ?? right) as DumpLine;
  return {
    object: at.object,
    facet: at.facet,
    left: left === undefined ? undefined : shown(left),
    right: right === undefined ? undefined : shown(right),
    textOnly: left !== undefined && right !== undefined && left.value === right.value,
  };
}

function shown(line: DumpLine): string {
  return [line.value, line.text].filter((part) => part !== '').join(' ');
}
