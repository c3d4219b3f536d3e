// When the planner finds nothing to do, the other reader has the last word: what it sees and the planner does not is
// either said or refused, never passed over.
import { HoldfastError } from '../error.ts';
import type { Dump, DumpLine } from './catalogue-dump.ts';
import { compare, tell, type Difference } from './compare.ts';

/** What is known of the two sides. */
export interface Judged {
  /** The definition speaks of schema public itself. */
  readonly publicTouched: boolean;
}

// What the planner does not compare of a column, an index or a comment, in the dump's words. On a server that has them and
// a definition that does not say them they are somebody's tuning, and stay.
const ATTRIBUTES =
  /(?:\b\d+ )?\bstatistics \d+|\bstorage [a-z]\b|\bcompression [a-z]\b|\boptions \{[^}]*\}|\bclustered\b|\bcomment E?'(?:[^']|'')*'/g;

/** Whether all that tells the two sides apart is an attribute that no plan sets, and that the goal (right) has. */
export function lacksAttribute({ left, right }: Difference): boolean {
  if (left === undefined || right === undefined) return false;
  const has = new Set(left.match(ATTRIBUTES));
  const lacking = (right.match(ATTRIBUTES) ?? []).filter((one) => !has.has(one));
  return lacking.length > 0 && bare(left) === bare(right);
}

function bare(value: string): string {
  return value
    .replaceAll(ATTRIBUTES, '')
    .replaceAll(/[\s,]+/g, ' ')
    .trim();
}

/**
 * Refuses a definition that holds what the target lacks though the planner calls both equal.
 * @throws HoldfastError HF_NOT_MANAGED naming what is missing
 */
export function refuseUnmanaged(found: Dump, goal: Dump, judged: Judged): void {
  const lacking = compare(found, goal, (line, other) => counts(line, other, judged)).filter(
    (one) => (one.left === undefined && !one.textOnly) || lacksAttribute(one),
  );
  const [first] = lacking;
  if (first === undefined) return;
  throw new HoldfastError({
    code: 'HF_NOT_MANAGED',
    subject: first.object,
    what: `the definition has what Holdfast cannot plan: ${tell(lacking, { left: 'on the server', right: 'in the definition' })}.`,
    fix: 'Make it by hand on the server, exactly as the definition has it; the plan then finds nothing to do for it.',
  });
}

function counts(line: DumpLine, other: DumpLine | undefined, judged: Judged): boolean {
  if (line.partition || other?.partition === true) return false;
  if (line.facet === 'owner') return false;
  return line.object !== 'schema public' || judged.publicTouched;
}
