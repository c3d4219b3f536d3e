// Whether a job is due now, given where the ledger says it stands. Pure.
import { jobDefaults, type Job, type JobSettings } from '../define/index.ts';
import type { JobRow } from '../ledger/index.ts';
import { dueAfter, dueBefore } from './schedule.ts';

/** What a verdict is made from. */
export interface Moment {
  readonly now: Date;
  /** Since when a keeper has been there without a gap; times before it nobody was there for. */
  readonly attendedFrom: Date;
  /** A time this much earlier still does not count as missed, in milliseconds. */
  readonly graceMs: number;
  /** How long ago the job last began, by a clock that never steps back; or how long the keeper has led. */
  readonly elapsedMs: number;
  /** Whether the keeper took the lead and the job runs at start. */
  readonly atStart: boolean;
}

/** Run it for `dueAt`, pass over what was missed up to `skipTo`, or leave it. */
export type Verdict =
  | { readonly dueAt: Date; readonly attempt: number }
  | { readonly skipTo: Date }
  | undefined;

/**
 * Decides.
 * A clock that stepped back leaves the ledger's times in the future. A time that was served is not served again when it
 * comes round; and so that a job is not stranded until the old time is reached, it is then also due when as long as
 * between two of its times has really gone by since it last began.
 */
export function verdict(job: Job, row: JobRow, moment: Moment): Verdict {
  if (moment.atStart) return { dueAt: moment.now, attempt: 1 };
  const fresh = freshDue(job.settings, row, moment);
  if (fresh !== undefined) {
    const missed = fresh < moment.attendedFrom && moment.now.getTime() - fresh.getTime() > moment.graceMs;
    if (missed && (job.settings.missed ?? jobDefaults.missed) === 'skip') return { skipTo: fresh };
    return { dueAt: fresh, attempt: 1 };
  }
  return retryDue(job.settings, row, moment);
}

function freshDue({ schedule }: JobSettings, row: JobRow, moment: Moment): Date | undefined {
  const { now, elapsedMs } = moment;
  const steppedBack = row.lastDueAt > now;
  if ('everyMs' in schedule) {
    const since = steppedBack ? elapsedMs : now.getTime() - row.lastDueAt.getTime();
    return since >= schedule.everyMs ? now : undefined;
  }
  const due = dueBefore(schedule, now);
  if (due === undefined) return undefined;
  if (!steppedBack) return due > row.lastDueAt ? due : undefined;
  const next = dueAfter(schedule, due);
  return next !== undefined && elapsedMs >= next.getTime() - due.getTime() ? due : undefined;
}

function retryDue(settings: JobSettings, row: JobRow, { now, elapsedMs }: Moment): Verdict {
  if (row.retryAt === null) return undefined;
  const again = { dueAt: row.lastDueAt, attempt: row.attempt + 1 };
  if (row.retryAt <= now) return again;
  // Further away than any pause is: the clock stepped back meanwhile.
  const pause = pauseMs(settings, row.attempt);
  const steppedBack = row.retryAt.getTime() - now.getTime() > pause;
  return steppedBack && elapsedMs >= pause ? again : undefined;
}

/**
 * When a run that failed is tried again; null after its last attempt.
 * @param attempt the attempt that failed, from 1
 */
export function retryAt(settings: JobSettings, attempt: number, now: Date): Date | null {
  const { attempts } = settings.retry ?? jobDefaults.retry;
  return attempt >= attempts ? null : new Date(now.getTime() + pauseMs(settings, attempt));
}

const LONGEST_PAUSE_MS = 24 * 3_600_000;

function pauseMs(settings: JobSettings, attempt: number): number {
  const { pauseMs } = settings.retry ?? jobDefaults.retry;
  return Math.min(LONGEST_PAUSE_MS, pauseMs * 2 ** Math.max(0, attempt - 1));
}
