// Time as the keeper sees it, so that three years can pass in a test.
import { setTimeout as wait } from 'node:timers/promises';

/** A clock to tell the time by, one that never steps back, and a way to wait. */
export interface Clock {
  /** The time jobs are due by. */
  readonly now: () => Date;
  /** Milliseconds since some moment; never steps back. */
  readonly monotonicMs: () => number;
  /** Waits; returns early, without an error, when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** The machine's own. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    // Aborted is what wakes it; the caller looks at the signal.
    await wait(ms, undefined, { signal }).catch(() => undefined);
  },
};
