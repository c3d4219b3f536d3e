// What the server counted while something ran: differences of its own counters, over tables of the definition alone.
// https://www.postgresql.org/docs/current/monitoring-stats.html
import type { CatalogueQuery } from '../../define/index.ts';

/** Counters at one moment. */
export interface Counters {
  readonly blocksHit: number;
  readonly blocksRead: number;
  readonly indexScans: number;
  readonly sequentialScans: number;
  readonly commits: number;
  readonly rollbacks: number;
  readonly tempBytes: number;
}

/** Rates over a time; null where nothing of the kind happened. */
export interface Rates {
  /** hits ÷ (hits + reads) of blocks of tables, indexes and TOAST in shared buffers. */
  readonly cacheHit: number | null;
  /** index scans ÷ (index scans + sequential scans) begun. */
  readonly indexHit: number | null;
  readonly tempBytes: number;
}

/** How {@link Rates} are made, as it is shown with them. */
export const RATES_SAID =
  'cache = Δ(heap, index and toast blocks hit) / Δ(hit + read) of pg_statio_user_tables; index = Δidx_scan / Δ(idx_scan + seq_scan) of pg_stat_user_tables; both over warm-up and measurement together';

const COUNTERS_SQL = `
  SELECT coalesce(sum(io.heap_blks_hit + coalesce(io.idx_blks_hit, 0) + coalesce(io.toast_blks_hit, 0)
                      + coalesce(io.tidx_blks_hit, 0)), 0)::pg_catalog.float8 AS "blocksHit",
         coalesce(sum(io.heap_blks_read + coalesce(io.idx_blks_read, 0) + coalesce(io.toast_blks_read, 0)
                      + coalesce(io.tidx_blks_read, 0)), 0)::pg_catalog.float8 AS "blocksRead",
         coalesce(sum(t.idx_scan), 0)::pg_catalog.float8 AS "indexScans",
         coalesce(sum(t.seq_scan), 0)::pg_catalog.float8 AS "sequentialScans",
         max(d.xact_commit)::pg_catalog.float8 AS commits, max(d.xact_rollback)::pg_catalog.float8 AS rollbacks,
         max(d.temp_bytes)::pg_catalog.float8 AS "tempBytes"
  FROM pg_catalog.pg_stat_database d
  LEFT JOIN pg_catalog.pg_statio_user_tables io ON true
  LEFT JOIN pg_catalog.pg_stat_user_tables t ON t.relid = io.relid
  WHERE d.datname = pg_catalog.current_database()`;

const BUSY_SQL = `
  SELECT count(*)::pg_catalog.int4 AS sessions FROM pg_catalog.pg_stat_activity
  WHERE datname = pg_catalog.current_database() AND application_name = $1`;

/** A session that has ended reports what it counted as it goes; this long it may take to go. */
const GONE_WITHIN = 100;

/**
 * Reads the counters once the sessions of that name are gone: only then has each of them reported all it did.
 * @param applicationName of the sessions to wait for; two seconds at most
 */
export async function readCounters(query: CatalogueQuery, applicationName: string): Promise<Counters> {
  for (let look = 0; look < GONE_WITHIN; look += 1) {
    const [row] = await query<{ sessions: number }>(BUSY_SQL, [applicationName]);
    if ((row?.sessions ?? 0) === 0) break;
    await query('SELECT pg_catalog.pg_sleep(0.02)');
  }
  const [counters] = await query<Counters>(COUNTERS_SQL);
  if (counters === undefined) throw new Error('the server gave no counters');
  return counters;
}

/** The rates between two moments. */
export function ratesBetween(before: Counters, after: Counters): Rates {
  const by = (name: keyof Counters): number => after[name] - before[name];
  return {
    cacheHit: share(by('blocksHit'), by('blocksRead')),
    indexHit: share(by('indexScans'), by('sequentialScans')),
    tempBytes: by('tempBytes'),
  };
}

function share(part: number, rest: number): number | null {
  return part + rest > 0 ? part / (part + rest) : null;
}
