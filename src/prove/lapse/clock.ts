// The clock of a replay: it stands still until it is moved, and wakes whoever slept past the new time.
import type { Clock } from '../../keep/index.ts';

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

/**
 * A clock that is moved by hand. The wall clock may step back; the monotonic one never does, and sleepers wait on that.
 */
export class SimulatedClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #sleepers: Sleeper[] = [];

  constructor(from: Date) {
    this.#wallMs = from.getTime();
  }

  now(): Date {
    return new Date(this.#wallMs);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = { atMs: this.#monotonicMs + ms, wake: () => done() };
      const done = (): void => {
        signal.removeEventListener('abort', done);
        this.#sleepers = this.#sleepers.filter((one) => one !== sleeper);
        resolve();
      };
      signal.addEventListener('abort', done);
      this.#sleepers.push(sleeper);
    });
  }

  /** Moves both clocks forward by so many milliseconds. */
  pass(ms: number): void {
    this.#wallMs += ms;
    this.#monotonicMs += ms;
    for (const sleeper of this.#sleepers.filter((one) => one.atMs <= this.#monotonicMs)) sleeper.wake();
  }

  /** Sets the wall clock alone, forward or back, as an administrator or a faulty time server does. */
  set(now: Date): void {
    this.#wallMs = now.getTime();
  }

  /** How long the next sleeper still sleeps, in milliseconds; undefined when nobody does. */
  nextWakeMs(): number | undefined {
    const next = Math.min(...this.#sleepers.map((one) => one.atMs));
    return Number.isFinite(next) ? Math.max(0, next - this.#monotonicMs) : undefined;
  }
}
