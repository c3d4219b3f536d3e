// Waiting for locks: who is in the way, when to try again, and when to give up.
import type { ClientBase } from 'pg';
import { HoldfastError } from '../error.ts';

/** A session that holds what a step waits for. */
export interface Blocker {
  readonly pid: number;
  readonly application: string;
  /** State as pg_stat_activity has it; '' where the role may not see it. */
  readonly state: string;
  /** Age of its query, in milliseconds; null where the role may not see it. */
  readonly queryAgeMs: number | null;
}

/** Time and chance, so that tests own both. */
export interface Clock {
  readonly nowMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** At least 0, less than 1. */
  readonly random: () => number;
}

/** The machine's own. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  random: Math.random,
};

const BLOCKERS_SQL = `SELECT a.pid, coalesce(a.application_name, '') AS application, coalesce(a.state, '') AS state,
  (extract(epoch FROM pg_catalog.clock_timestamp() - a.query_start) * 1000)::float8 AS "queryAgeMs"
  FROM pg_catalog.pg_stat_activity a WHERE a.pid = ANY (pg_catalog.pg_blocking_pids($1)) ORDER BY a.pid`;

/** Who keeps a session waiting right now; empty when nobody does. */
export async function blockersOf(
  client: Pick<ClientBase, 'query'>,
  pid: number,
): Promise<readonly Blocker[]> {
  const { rows } = await client.query<Blocker>(BLOCKERS_SQL, [pid]);
  return rows;
}

const FIRST_MS = 200;
const LONGEST_MS = 10_000;

/**
 * How long to stay away before the next attempt: exponential with full jitter, so that those who were kept waiting get
 * through first and two runs do not meet again.
 * @param attempt from 1
 * @returns milliseconds, 0 to 10,000
 */
export function backoffMs(attempt: number, random: () => number): number {
  return Math.floor(random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt));
}

/** The end of patience, with the names of those who were waited for. */
export function lockWait(subject: string, waitedMs: number, blockers: readonly Blocker[]): HoldfastError {
  const who =
    blockers.length === 0 ? 'others, who were gone when asked for' : blockers.map(sayBlocker).join('; ');
  return new HoldfastError({
    code: 'HF_LOCK_WAIT',
    subject,
    what: `no lock could be had in ${Math.round(waitedMs / 1000)} s because of ${who}.`,
    fix: 'End those sessions or wait for them, then run the same plan again: it goes on where it stopped.',
  });
}

function sayBlocker(blocker: Blocker): string {
  const application = blocker.application === '' ? '' : ` (${blocker.application})`;
  const age = blocker.queryAgeMs === null ? '' : `, query ${Math.round(blocker.queryAgeMs / 1000)} s old`;
  const state = blocker.state === '' ? '' : `, ${blocker.state}`;
  return `session ${blocker.pid}${application}${state}${age}`;
}
