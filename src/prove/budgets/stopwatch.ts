// The time that a measurement goes by: monotonic, in milliseconds, and waited for more exactly than a timer can.
import { setImmediate, setTimeout } from 'node:timers/promises';

/** What a measurement reads and waits on; a test has one of its own. */
export interface Stopwatch {
  /** Milliseconds since some moment; never goes back. */
  readonly now: () => number;
  /** Resolves when `now()` has reached `at`, at once where it has. */
  readonly until: (at: number) => Promise<void>;
}

/** A timer of Node wakes up to this much late; the rest is waited out turn by turn of the event loop. */
const TIMER_SLACK_MS = 1.5;

/** The process's own: `performance.now()`, exact to a turn of the event loop (microseconds where it is idle). */
export const stopwatch: Stopwatch = {
  now: () => performance.now(),
  until: async (at) => {
    const left = at - performance.now();
    if (left > TIMER_SLACK_MS) await setTimeout(left - TIMER_SLACK_MS);
    // Turns of the loop and not a busy loop: answers of the server are read in between.
    while (performance.now() < at) await setImmediate();
  },
};
