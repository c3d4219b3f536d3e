// Whether rows of the days to come find a place, and whether kept figures equal the same figures computed anew.
import {
  label,
  type CatalogueQuery,
  type Horizon,
  type Place,
  type RelationName,
  type Sum,
} from '../../define/index.ts';
import { qualified } from '../../sql.ts';
import type { Booked } from './book.ts';
import type { Finding } from './residence.ts';

const DAY_MS = 86_400_000;

/** One relation's horizon at one moment. */
export interface HorizonScene {
  readonly horizon: Horizon;
  readonly places: readonly Place[];
  readonly now: Date;
  /** When the job last was due and ran; null before its first run. */
  readonly ranAt: Date | null;
}

/** How far the places reach without a gap from `now`; `now` itself where there is none. */
export function reach(places: readonly Place[], now: Date): Date {
  let toMs = now.getTime();
  for (const place of [...places].sort((left, right) => left.from.getTime() - right.from.getTime())) {
    if (place.from.getTime() <= toMs && place.to.getTime() > toMs) toMs = place.to.getTime();
  }
  return new Date(toMs);
}

/** What is wrong with the room ahead, and how much there is. */
export function checkHorizon({ horizon, places, now, ranAt }: HorizonScene): {
  readonly findings: readonly Finding[];
  readonly headroomMs: number;
} {
  const reached = reach(places, now);
  const headroomMs = reached.getTime() - now.getTime();
  const subject = `table ${label(horizon.of)}`;
  const findings: Finding[] = [];
  if (headroomMs < horizon.leastMs) {
    findings.push({
      check: 'there is room ahead',
      subject,
      expected: `room for ${days(horizon.leastMs)} from ${now.toISOString()}`,
      found: `${days(headroomMs)}, to ${reached.toISOString()}`,
    });
  }
  const promised = ranAt === null ? null : horizon.reachesTo(ranAt);
  if (promised !== null && reached < promised) {
    findings.push({
      check: 'room is made as promised',
      subject,
      expected: `room to ${promised.toISOString()} once job ${horizon.job} has run`,
      found: `to ${reached.toISOString()}`,
    });
  }
  return { findings, headroomMs };
}

/** `92.5 days`. */
export function days(ms: number): string {
  return `${(ms / DAY_MS).toFixed(1)} days`;
}

/** Rows that only one of the two has, by exact comparison of whole rows as text. */
export async function checkSum(
  query: CatalogueQuery,
  sum: Sum,
  books: readonly Booked[],
): Promise<readonly Finding[]> {
  const recomputed = sum.recomputed((of) => qualified(sum.of === 'ever' ? everOf(of, books) : of));
  const [found] = await query<{ kept: string[] | null; anew: string[] | null }>(
    `WITH kept AS MATERIALIZED (${asText(sum.kept)}), anew AS MATERIALIZED (${asText(recomputed)})
     SELECT (SELECT pg_catalog.array_agg(row ORDER BY row)
         FROM (SELECT row FROM kept EXCEPT ALL SELECT row FROM anew) k) AS kept,
       (SELECT pg_catalog.array_agg(row ORDER BY row)
         FROM (SELECT row FROM anew EXCEPT ALL SELECT row FROM kept) a) AS anew`,
  );
  const [kept, anew] = [found?.kept ?? [], found?.anew ?? []];
  if (kept.length === 0 && anew.length === 0) return [];
  return [
    {
      check: 'kept figures equal a full recomputation',
      subject: sum.subject,
      expected: `${anew.length} rows that are not there${anew.length === 0 ? '' : `, such as ${anew[0]}`}`,
      found: `${kept.length} rows in their place${kept.length === 0 ? '' : `, such as ${kept[0]}`}`,
    },
  ];
}

function asText(sql: string): string {
  return `SELECT ROW(r.*)::pg_catalog.text AS row FROM (${sql}) r`;
}

// Where nothing ever leaves, the relation is its own book.
function everOf(of: RelationName, books: readonly Booked[]): RelationName {
  return books.find((book) => book.of.schema === of.schema && book.of.name === of.name)?.copy ?? of;
}
