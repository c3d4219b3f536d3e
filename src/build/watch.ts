// The second session of a run: says who keeps the first one waiting, and renews the lease while that one is busy.
import type { Client } from 'pg';
import { close } from '../server/index.ts';
import { renewLease, type Lease } from '../ledger/index.ts';
import { openSession } from './session.ts';
import { blockersOf, type Blocker } from './waiting.ts';

const LOOK_EVERY_MS = 200;
const RENEW_EVERY_MS = 5_000;

/** A watch over one session. */
export interface Watcher {
  /** From now on, reports each time somebody is in the way. */
  readonly look: (report: (blockers: readonly Blocker[]) => void) => void;
  readonly lookAway: () => void;
  /** The last who were in the way. */
  readonly seen: () => readonly Blocker[];
  readonly stop: () => Promise<void>;
}

/**
 * Watches a session until stopped. It looks on by real time because it looks at a real server.
 * @param url the same database
 * @param client the session that runs the steps
 */
export async function watch(url: string, client: Client, lease: Lease): Promise<Watcher> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid');
  const pid = rows[0]?.pid ?? 0;
  const eyes = await openSession(url, 'holdfast watch');
  let report: ((blockers: readonly Blocker[]) => void) | undefined;
  let seen: readonly Blocker[] = [];
  let renewedAt = performance.now();
  let busy: Promise<void> | undefined;

  const turn = async (): Promise<void> => {
    if (performance.now() - renewedAt >= RENEW_EVERY_MS) {
      renewedAt = performance.now();
      await renewLease(eyes, lease);
    }
    if (report === undefined) return;
    const blockers = await blockersOf(eyes, pid);
    if (blockers.length === 0) return;
    seen = blockers;
    report?.(blockers);
  };
  const timer = setInterval(() => {
    // A watcher that lost its session leaves the run without reports; the lease then depends on the living backend.
    busy ??= turn()
      .catch(() => undefined)
      .finally(() => {
        busy = undefined;
      });
  }, LOOK_EVERY_MS);

  return {
    look: (next) => {
      report = next;
    },
    lookAway: () => {
      report = undefined;
    },
    seen: () => seen,
    stop: async () => {
      clearInterval(timer);
      await busy;
      await close(eyes);
    },
  };
}
