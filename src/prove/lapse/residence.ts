// Whether the rows of one relation are where the promise says: counted per tenant, online and in the archive, against
// the books.
import { label, type CatalogueQuery, type Residence, type Stay } from '../../define/index.ts';
import { ident, qualified } from '../../sql.ts';
import type { OpenPart } from './archive.ts';
import { columnList, type Booked } from './book.ts';

/** Something that is not as promised. */
export interface Finding {
  readonly check: string;
  readonly subject: string;
  readonly expected: string;
  readonly found: string;
}

/** One relation with its promise, at one moment. */
export interface ResidenceScene {
  readonly book: Booked;
  /** Absent: nothing may ever leave. */
  readonly residence: Residence | undefined;
  readonly parts: readonly OpenPart[];
  readonly now: Date;
  /** When the job last was due and ran; null before its first run. */
  readonly ranAt: Date | null;
}

/** Rows of one relation by place, over all tenants. */
export interface Tally {
  readonly online: number;
  readonly archived: number;
  /** The oldest row's time online and in the archive; null where none is. */
  readonly oldestOnline: Date | null;
  readonly oldestArchived: Date | null;
  /** The youngest row that has left the table, and the youngest that is in no place. */
  readonly youngestLeft: Date | null;
}

interface Count {
  readonly place: 'book' | 'online' | 'archive';
  readonly tenant: string | null;
  readonly rows: number;
  readonly kept: number;
  readonly kept_in_all: number;
  readonly late: number;
  readonly late_in_all: number;
  readonly oldest: Date | null;
}

const ALWAYS: Stay = { keepsFrom: () => null, clearsBefore: () => null };

/** Counts the relation's rows and gives what is not as promised, by tenant. */
export async function checkResidence(
  query: CatalogueQuery,
  scene: ResidenceScene,
): Promise<{ readonly findings: readonly Finding[]; readonly tally: Tally }> {
  const limits = limitsOf(scene);
  const counts = await query<Count>(countSql(scene), limits);
  const tenants = [...new Set(counts.map((one) => one.tenant))];
  const findings = tenants.flatMap((tenant) =>
    compare(scene, { tenant, counts: counts.filter((one) => one.tenant === tenant) }),
  );
  return { findings, tally: await tallyOf(query, scene, counts) };
}

/** Rows of now that differ from the books in any column: those that should be in a place, and those that should not. */
export async function checkContent(
  query: CatalogueQuery,
  scene: ResidenceScene,
): Promise<readonly Finding[]> {
  const { book, parts } = scene;
  const [, inAll] = limitsOf(scene);
  const rows = (from: string): string =>
    `SELECT ROW(${columnList(book)})::pg_catalog.text AS row FROM ${from}`;
  const places = [qualified(book.of), ...parts.map((part) => part.sql)].map(rows).join(' UNION ALL ');
  const kept = `${rows(qualified(book.copy))} WHERE ${time(book)} >= $1`;
  const sql = `WITH places AS MATERIALIZED (${places}),
      missing AS MATERIALIZED (${kept} EXCEPT ALL SELECT row FROM places),
      strange AS MATERIALIZED (SELECT row FROM places EXCEPT ALL ${rows(qualified(book.copy))})
    SELECT (SELECT count(*) FROM missing)::int4 AS missing, (SELECT count(*) FROM strange)::int4 AS strange,
      (SELECT min(row) FROM missing) AS example_missing, (SELECT min(row) FROM strange) AS example_strange`;
  const [found] = await query<{
    missing: number;
    strange: number;
    example_missing: string | null;
    example_strange: string | null;
  }>(sql, [inAll]);
  const { missing = 0, strange = 0 } = found ?? {};
  if (missing === 0 && strange === 0) return [];
  return [
    {
      check: 'rows keep their content',
      subject: `table ${label(book.of)}`,
      expected: `every row that must be there once, as it was written${example(found?.example_missing)}`,
      found: `${missing} missing, ${strange} that were never written so${example(found?.example_strange)}`,
    },
  ];
}

function example(row: string | null | undefined): string {
  return row === null || row === undefined ? '' : ` (such as ${row.slice(0, 200)})`;
}

/** Four instants: online keeps from, all places keep from, online clears before, all places clear before. */
function limitsOf({ residence, now, ranAt }: ResidenceScene): readonly string[] {
  const online = residence?.online ?? ALWAYS;
  const inAll = residence?.archive ?? online;
  const clears = (stay: Stay): Date | null => (ranAt === null ? null : stay.clearsBefore(ranAt));
  return [online.keepsFrom(now), inAll.keepsFrom(now), clears(online), clears(inAll)].map(
    (at) => at?.toISOString() ?? '-infinity',
  );
}

function time({ column }: Booked): string {
  return `${ident(column)}::pg_catalog.timestamptz`;
}

function countSql({ book, parts }: ResidenceScene): string {
  const tenant = book.tenant === undefined ? 'NULL::text' : `${ident(book.tenant)}::pg_catalog.text`;
  const from = (place: Count['place'], relation: string): string =>
    `SELECT '${place}' AS place, ${tenant} AS tenant, ${time(book)} AS at FROM ${relation}`;
  // What may be nowhere any more is not counted: the books only grow.
  const within = `WHERE ${time(book)} >= least($2::pg_catalog.timestamptz, $4::pg_catalog.timestamptz)`;
  const places = [
    from('book', `${qualified(book.copy)} ${within}`),
    from('online', qualified(book.of)),
    ...parts.map((part) => from('archive', part.sql)),
  ];
  return `SELECT place, tenant, count(*)::int4 AS rows,
      count(*) FILTER (WHERE at >= $1::pg_catalog.timestamptz)::int4 AS kept,
      count(*) FILTER (WHERE at >= $2::pg_catalog.timestamptz)::int4 AS kept_in_all,
      count(*) FILTER (WHERE at < $3::pg_catalog.timestamptz)::int4 AS late,
      count(*) FILTER (WHERE at < $4::pg_catalog.timestamptz)::int4 AS late_in_all,
      min(at) AS oldest
    FROM (${places.join(' UNION ALL ')}) r GROUP BY place, tenant`;
}

interface OfTenant {
  readonly tenant: string | null;
  readonly counts: readonly Count[];
}

function compare(scene: ResidenceScene, { tenant, counts }: OfTenant): Finding[] {
  const { book, residence } = scene;
  const of = (
    place: Count['place'],
    what: 'rows' | 'kept' | 'kept_in_all' | 'late' | 'late_in_all',
  ): number => counts.find((one) => one.place === place)?.[what] ?? 0;
  const here = (what: 'rows' | 'kept_in_all' | 'late_in_all'): number =>
    of('online', what) + of('archive', what);
  const findings: Finding[] = [];
  const whose = tenant === null ? '' : `, tenant ${tenant}`;
  const expect = (
    check: string,
    is: { readonly good: boolean; readonly expected: string; readonly found: string },
  ): void => {
    if (!is.good) findings.push({ check, subject: `table ${label(book.of)}${whose}`, ...is });
  };
  expect('no row leaves early', {
    good: of('online', 'kept') === of('book', 'kept'),
    expected: `${of('book', 'kept')} rows online that are too young to leave`,
    found: String(of('online', 'kept')),
  });
  expect('no row leaves late', {
    good: of('online', 'late') === 0,
    expected: 'no row online that is older than the promise and its exactness',
    found: `${of('online', 'late')} of them, the oldest of ${oldest(counts, 'online')}`,
  });
  // Rows that should be gone altogether are the business of the checks for late ones.
  const there = here('rows') - here('late_in_all');
  expect('online + archived + deleted = inserted', {
    good: there <= of('book', 'rows'),
    expected: `at most ${of('book', 'rows')} rows online and in the archive, since no more were written`,
    found: String(there),
  });
  if (residence?.archive === undefined) return findings;
  expect('no row is lost or doubled', {
    good: here('kept_in_all') === of('book', 'kept_in_all'),
    expected: `${of('book', 'kept_in_all')} rows online and in the archive that must not be deleted yet`,
    found: `${here('kept_in_all')} (${of('online', 'kept_in_all')} online, ${of('archive', 'kept_in_all')} archived)`,
  });
  expect('no row is deleted late', {
    good: of('archive', 'late_in_all') === 0,
    expected: 'no row in the archive that is older than the promise and its exactness',
    found: `${of('archive', 'late_in_all')} of them, the oldest of ${oldest(counts, 'archive')}`,
  });
  return findings;
}

function oldest(counts: readonly Count[], place: Count['place']): string {
  return counts.find((one) => one.place === place)?.oldest?.toISOString() ?? 'unknown time';
}

async function tallyOf(
  query: CatalogueQuery,
  { book }: ResidenceScene,
  counts: readonly Count[],
): Promise<Tally> {
  const rows = (place: Count['place']): number =>
    counts.reduce((sum, one) => sum + (one.place === place ? one.rows : 0), 0);
  const first = (place: Count['place']): Date | null => {
    const times = counts.flatMap((one) =>
      one.place === place && one.oldest !== null ? [one.oldest.getTime()] : [],
    );
    return times.length === 0 ? null : new Date(Math.min(...times));
  };
  const oldestOnline = first('online');
  const [left] = await query<{ at: Date | null }>(
    `SELECT max(${time(book)}) AS at FROM ${qualified(book.copy)} WHERE ${time(book)} < $1::pg_catalog.timestamptz`,
    [oldestOnline?.toISOString() ?? 'infinity'],
  );
  return {
    online: rows('online'),
    archived: rows('archive'),
    oldestOnline,
    oldestArchived: first('archive'),
    youngestLeft: left?.at ?? null,
  };
}
