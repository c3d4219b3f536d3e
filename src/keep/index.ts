// Public surface of holdfast/keep: the keeper, one job by hand, and where jobs stand.
export { systemClock, type Clock } from './clock.ts';
export { runJob, withTask, type WithTaskOptions } from './command.ts';
export { sayError } from './failure.ts';
export { keep, keepOnce, openKeeper, type Keeper } from './keeper.ts';
export { keepDefaults, type KeepOptions } from './options.ts';
export { registerCron, splitForCron, withCronLog, type CronEntry } from './pg-cron.ts';
export type { KeepEvent, RunReport, TaskReport, TickReport } from './report.ts';
export { checkSchedules, dueAfter, dueBefore, saySchedule, scheduleMistakes } from './schedule.ts';
export { jobStatus, keeperLeader, type JobStatus, type StatusOptions } from './status.ts';
export { afterRestore } from './restored.ts';
