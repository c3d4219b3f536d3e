// Running a whole transaction again when the server says that only its timing was wrong.
import { setTimeout as wait } from 'node:timers/promises';
import { HoldfastError } from '../error.ts';
import { SQLSTATE, isSqlstate } from '../server/index.ts';

/** When and how often a transaction that met another one is run again. */
export interface RetryOptions {
  /** Runs at most, the first included; 1 never retries. */
  readonly attempts: number;
  /** Upper bound of the first pause in milliseconds; it doubles each time. */
  readonly baseDelayMs?: number;
  /** Upper bound of any pause in milliseconds. */
  readonly maxDelayMs?: number;
  /** Gives a number from 0 up to 1: which part of the bound is waited. */
  readonly random?: () => number;
  /** Waits so many milliseconds. */
  readonly sleep?: (delayMs: number) => Promise<void>;
}

/** Defaults of {@link RetryOptions}. */
export const retryDefaults = { baseDelayMs: 10, maxDelayMs: 1_000 } as const;

/**
 * Runs `work`, again after serialization_failure (40001) and deadlock_detected (40P01), with a random pause between.
 * Both are sent only for transactions that were rolled back, so a repetition saves nothing twice.
 * https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html
 * @param options undefined: one run
 * @throws what the last run threw; HoldfastError HF_OPTION when `attempts` is no whole number from 1
 */
export async function retrying<R>(options: RetryOptions | undefined, work: () => Promise<R>): Promise<R> {
  if (options === undefined) return work();
  checkAttempts(options.attempts);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const met = isSqlstate(error, SQLSTATE.serializationFailure, SQLSTATE.deadlockDetected);
      if (!met || attempt >= options.attempts) throw error;
    }
    await (options.sleep ?? wait)(pauseMs(options, attempt));
  }
}

function pauseMs(options: RetryOptions, attempt: number): number {
  const { baseDelayMs, maxDelayMs } = { ...retryDefaults, ...options };
  return Math.floor(
    (options.random ?? Math.random)() * Math.min(maxDelayMs, baseDelayMs * 2 ** (attempt - 1)),
  );
}

function checkAttempts(attempts: number): void {
  if (Number.isInteger(attempts) && attempts >= 1) return;
  throw new HoldfastError({
    code: 'HF_OPTION',
    subject: 'option retry.attempts',
    what: `${attempts} is no number of runs.`,
    fix: 'Give a whole number from 1.',
  });
}
