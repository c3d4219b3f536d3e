// Definitions of jobs and a clock for tests of the keeper.
import {
  database,
  job,
  type Definition,
  type JobSettings,
  type TaskContext,
} from '../../src/define/index.ts';
import type { Clock } from '../../src/keep/index.ts';

export interface TestClock extends Clock {
  readonly set: (to: string | Date) => void;
  readonly pass: (ms: number) => void;
  /** Moves the time of day alone, as a person or NTP does. */
  readonly step: (ms: number) => void;
}

/** A clock that only moves when it is told to. */
export function clockAt(start: string): TestClock {
  let nowMs = Date.parse(start);
  let monotonicMs = 1_000;
  const pass = (ms: number): void => {
    nowMs += ms;
    monotonicMs += ms;
  };
  return {
    now: () => new Date(nowMs),
    monotonicMs: () => monotonicMs,
    sleep: async () => undefined,
    pass,
    step: (ms) => {
      nowMs += ms;
    },
    set: (to) => pass(new Date(to).getTime() - nowMs),
  };
}

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

type Work = (context: TaskContext) => Promise<{ rows?: number; bytes?: number; what?: string } | void>;

/** A definition without tables whose jobs do what they are told. */
export function jobsOf(
  jobs: Readonly<
    Record<string, JobSettings & { readonly run?: Work; readonly sql?: string | readonly string[] }>
  >,
  name = 'kept',
): Definition {
  return database(name, {
    jobs: Object.entries(jobs).map(([name, { run, sql, ...settings }]) =>
      job(
        name,
        settings,
        sql === undefined ? { run: async (context) => (await run?.(context)) ?? {} } : { sql },
      ),
    ),
  });
}
