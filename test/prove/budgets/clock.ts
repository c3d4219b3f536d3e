// Time that a test moves: it steps to the next moment somebody waits for, once everything that runs waits for time or for
// a server.
import type { Stopwatch } from '../../../src/prove/budgets/stopwatch.ts';

interface Waiter {
  readonly at: number;
  readonly wake: () => void;
}

/** A stopwatch of simulated milliseconds. */
export class SimulatedClock implements Stopwatch {
  #now = 0;
  #busy = 0;
  #turning = false;
  readonly #waiters: Waiter[] = [];

  now = (): number => this.#now;

  until = (at: number): Promise<void> => {
    if (at <= this.#now) return Promise.resolve();
    return new Promise((wake) => {
      this.#waiters.push({ at, wake });
      this.#turn();
    });
  };

  /** Lets simulated time pass. */
  pass = (ms: number): Promise<void> => this.until(this.#now + ms);

  /** Time stands still while `work` runs on a real server. */
  held = async <T>(work: () => Promise<T>): Promise<T> => {
    this.#busy += 1;
    try {
      return await work();
    } finally {
      this.#busy -= 1;
      this.#turn();
    }
  };

  #turn(): void {
    if (this.#turning) return;
    this.#turning = true;
    setImmediate(() => {
      this.#turning = false;
      if (this.#busy > 0 || this.#waiters.length === 0) return;
      this.#waiters.sort((a, b) => a.at - b.at);
      this.#now = this.#waiters[0]?.at ?? this.#now;
      while ((this.#waiters[0]?.at ?? Number.POSITIVE_INFINITY) <= this.#now) this.#waiters.shift()?.wake();
      if (this.#waiters.length > 0) this.#turn();
    });
  }
}
