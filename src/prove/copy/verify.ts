// A copy is believed only when it reads like the target: both catalogues, by the reader that judges plans.
import type { Pool } from 'pg';
import { catalogueDump, compare, type StructureDifference } from '../../build/index.ts';
import type { Left } from './copy.ts';
import { OUTWARD } from './structure/index.ts';

/**
 * Compares the structures of two databases.
 * @param target sessions to the database that was copied
 * @param copy sessions to the copy
 * @returns a line for each place where the copy differs; comments, and spellings of the same expression, do not count
 */
export async function verify(target: Pool, copy: Pool): Promise<readonly Left[]> {
  const [theirs, ours] = await Promise.all([catalogueDump(target), catalogueDump(copy)]);
  const foreign = new Set(theirs.flatMap(({ object }) => /^foreign (table .*)$/.exec(object)?.[1] ?? []));
  return compare(theirs, ours, (line) => line.facet !== 'comment')
    .filter((one) => !sameSpelling(one) && !isOutside(one, foreign))
    .map((one) => ({ subject: `${one.object}, ${one.facet}`, why: whyOf(one) }));
}

/** What leads out of a database is not in its copy, as is told of each; a foreign table is an ordinary one there. */
function isOutside({ object }: StructureDifference, foreign: ReadonlySet<string>): boolean {
  const [, extension] = /^extension (.*)$/.exec(object) ?? [];
  if (extension !== undefined) return OUTWARD.includes(extension);
  return /^(foreign table|server|foreign-data wrapper) /.test(object) || foreign.has(object);
}

function whyOf(one: StructureDifference): string {
  if (one.right === undefined) return 'it is missing in the copy';
  if (one.left === undefined) return 'the copy has it, the target has not';
  return `on the target it is ${JSON.stringify(one.left)}, in the copy ${JSON.stringify(one.right)}`;
}

// PostgreSQL deparses what it stored; loaded again, the same expression may come back with other casts and brackets.
function sameSpelling(one: StructureDifference): boolean {
  return one.left !== undefined && one.right !== undefined && plain(one.left) === plain(one.right);
}

function plain(text: string): string {
  return text
    .replaceAll(/ comment '(?:[^']|'')*'/g, '')
    .replaceAll(
      /::(?:"[^"]+"|[\w.]+)(?: varying| precision| without time zone| with time zone)?(?:\(\d+(?:,\d+)?\))?(?:\[\])*/g,
      '',
    )
    .replaceAll(/[()\s]/g, '');
}
