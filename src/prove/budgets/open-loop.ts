// Load as it comes from outside: requests arrive at a fixed rate whether or not earlier ones were answered. Each is timed
// from the moment it was due, so that a stall counts for everyone who had to wait behind it. A loop that sends the next
// request when the last was answered leaves those out ("coordinated omission").
import type { Stopwatch } from './stopwatch.ts';

/** How the load arrives. */
export interface Arrivals {
  readonly ratePerSecond: number;
  /** Requests in flight at most; others wait their turn, and their time runs. */
  readonly clients: number;
  readonly count: number;
  /** How long after the last request was due the rest is given up, in milliseconds. */
  readonly graceMs: number;
  readonly clock: Stopwatch;
  readonly signal?: AbortSignal | undefined;
}

/** What came of it. All times in milliseconds, one a request, in the order of arrival. */
export interface Answered {
  /** From due to answered; of a request that was given up, from due to the moment that was decided, which is less. */
  readonly latencies: Float64Array;
  /** From sent to answered; NaN where it was never sent. */
  readonly services: Float64Array;
  /** How late a request was sent although a client was free: the measuring process's own lateness. */
  readonly lateness: readonly number[];
  /** Requests that were given up. */
  readonly unserved: number;
  readonly failures: readonly { readonly number: number; readonly error: unknown }[];
  readonly elapsedMs: number;
}

/**
 * Runs `work` once for each arrival.
 * @param work one request; what it throws is counted and ends nothing
 * @returns when every request was answered or given up
 */
export async function openLoop(
  arrivals: Arrivals,
  work: (number: number) => Promise<unknown>,
): Promise<Answered> {
  const { clock, count, ratePerSecond, clients } = arrivals;
  const gapMs = 1_000 / ratePerSecond;
  const startMs = clock.now() + gapMs;
  const dueAt = (number: number): number => startMs + number * gapMs;
  const giveUpAt = dueAt(count - 1) + arrivals.graceMs;
  const latencies = new Float64Array(count).fill(Number.NaN);
  const services = new Float64Array(count).fill(Number.NaN);
  const lateness: number[] = [];
  const failures: { number: number; error: unknown }[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    for (let number = next++; number < count; number = next++) {
      const due = dueAt(number);
      const waits = clock.now() < due;
      await clock.until(due);
      const sent = clock.now();
      if (sent > giveUpAt || arrivals.signal?.aborted === true) return;
      if (waits) lateness.push(sent - due);
      await work(number).catch((error: unknown) => failures.push({ number, error }));
      const answered = clock.now();
      latencies[number] = answered - due;
      services[number] = answered - sent;
    }
  };
  await Promise.all(Array.from({ length: Math.min(clients, count) }, client));
  const ended = clock.now();
  const unserved = giveUp(latencies, (number) => Math.max(0, ended - dueAt(number)));
  return { latencies, services, lateness, unserved, failures, elapsedMs: ended - startMs };
}

function giveUp(latencies: Float64Array, waited: (number: number) => number): number {
  let unserved = 0;
  for (const [number, latency] of latencies.entries()) {
    if (!Number.isNaN(latency)) continue;
    unserved += 1;
    latencies[number] = waited(number);
  }
  return unserved;
}
