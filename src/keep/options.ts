// How a keeper is configured.
import { ledgerDefaults } from '../ledger/index.ts';
import { systemClock, type Clock } from './clock.ts';
import type { KeepEvent } from './report.ts';

/** Options of everything that runs jobs. */
export interface KeepOptions {
  /** Injected in tests; jobs are due, and the lead grows silent, by it. Default: the machine's, and the server's for the lead. */
  readonly clock?: Clock;
  /** Where the ledger lives; made when it is not there. */
  readonly ledgerSchema?: string;
  /** Shown as who leads. */
  readonly name?: string;
  /** After this long without a word from the leader another keeper takes over, in milliseconds. */
  readonly leaseMs?: number;
  /** How long a statement of a job waits for a lock, in milliseconds. */
  readonly lockTimeoutMs?: number;
  /** How many jobs may run side by side. */
  readonly parallel?: number;
  /**
   * `pg_cron`: jobs that are SQL alone are registered with pg_cron, and the keeper leaves them to it. `keeper`: entries
   * that were registered are removed. Absent: pg_cron is not looked at.
   */
  readonly scheduler?: 'keeper' | 'pg_cron';
  /** How long a command waits for the keeper to be between two jobs, in milliseconds. */
  readonly waitMs?: number;
  /** When aborted: the batch at hand is finished or backed out, and the lead given back. */
  readonly signal?: AbortSignal;
  /** Told what happens; what it throws is ignored. */
  readonly onEvent?: (event: KeepEvent) => void;
}

/** What stands where {@link KeepOptions} say nothing. */
export const keepDefaults = {
  ledgerSchema: ledgerDefaults.schema,
  leaseMs: 30_000,
  lockTimeoutMs: 2_000,
  parallel: 2,
  waitMs: 30_000,
} as const;

/** Options with every default filled in. */
export interface Settings {
  readonly clock: Clock;
  /** Whether the lead's times come from the clock instead of the server. */
  readonly injected: boolean;
  readonly schema: string;
  readonly name: string;
  readonly leaseMs: number;
  readonly lockTimeoutMs: number;
  readonly parallel: number;
  readonly waitMs: number;
  readonly emit: (event: KeepEvent) => void;
}

/** Fills in the defaults. */
export function settle(options: KeepOptions): Settings {
  return {
    clock: options.clock ?? systemClock,
    injected: options.clock !== undefined,
    schema: options.ledgerSchema ?? keepDefaults.ledgerSchema,
    name: options.name ?? `process ${process.pid}`,
    leaseMs: options.leaseMs ?? keepDefaults.leaseMs,
    lockTimeoutMs: options.lockTimeoutMs ?? keepDefaults.lockTimeoutMs,
    parallel: options.parallel ?? keepDefaults.parallel,
    waitMs: options.waitMs ?? keepDefaults.waitMs,
    emit: (event) => {
      try {
        options.onEvent?.(event);
      } catch {
        // Whoever only watches must not be able to stop the jobs.
      }
    },
  };
}
