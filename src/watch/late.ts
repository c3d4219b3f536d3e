// How late a job is: for how long it has been due for a time that it has not succeeded for.
import { Cron } from 'croner';
import type { Schedule } from '../define/job.ts';

/**
 * How long a job has been due, in milliseconds; 0 when it is not due.
 * @param served the newest time it was due and succeeded for
 */
export function lateMs(schedule: Schedule, served: Date, now: Date): number {
  const due = nextDue(schedule, served);
  return due === undefined ? 0 : Math.max(0, now.getTime() - due.getTime());
}

function nextDue(schedule: Schedule, after: Date): Date | undefined {
  if ('everyMs' in schedule) return new Date(after.getTime() + schedule.everyMs);
  const times = [schedule.cron].flat().flatMap((expression) => {
    const next = new Cron(expression, { timezone: schedule.zone ?? 'UTC', paused: true }).nextRun(after);
    return next === null ? [] : [next.getTime()];
  });
  return times.length === 0 ? undefined : new Date(Math.min(...times));
}
