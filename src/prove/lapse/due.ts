// When a job was due last: reckoned apart from the keeper, so that a job it forgets is seen.
import { Cron } from 'croner';
import type { Schedule } from '../../define/index.ts';

/** The last instant at or before `at` that a schedule names; null where there is none yet. */
export function lastDue(schedule: Schedule, at: Date): Date | null {
  if ('everyMs' in schedule) return new Date(at.getTime() - schedule.everyMs);
  const zone = schedule.zone ?? 'UTC';
  const times = [schedule.cron].flat().flatMap((expression) => {
    const cron = new Cron(expression, { timezone: zone, paused: true });
    // Two, from a second later: croner leaves out the instant it is asked about and counts in whole seconds.
    const before = cron.previousRuns(2, new Date(at.getTime() + 1000)).filter((time) => time <= at);
    return before.map((time) => time.getTime());
  });
  return times.length === 0 ? null : new Date(Math.max(...times));
}
