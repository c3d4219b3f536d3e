// Jobs, their runs and what happens to them, for people.
import type { JobStatus, KeepEvent, RunReport, TaskReport } from '../keep/index.ts';
import { columns, counted, paint, say, type Terminal } from './output.ts';

/** Where each job stands: last success, next run, how late, last error. */
export function showJobs(terminal: Terminal, jobs: readonly JobStatus[], now: Date): void {
  const [first] = jobs;
  if (first === undefined) return;
  say(terminal, first.leader === null ? 'jobs' : `jobs      kept by ${first.leader}`);
  const rows = jobs.map((job) => [
    `  ${job.job}`,
    job.lastSuccessAt === null
      ? job.seen
        ? 'never succeeded'
        : 'never seen by a keeper'
      : `done ${span(now.getTime() - job.lastSuccessAt.getTime())} ago`,
    nextOf(job, now),
    job.lateMs > 0 ? `late by ${span(job.lateMs)}` : 'in time',
    `${job.schedule}${job.scheduler === 'pg_cron' ? ', by pg_cron' : ''}`,
  ]);
  for (const line of columns(rows)) say(terminal, line);
  for (const job of jobs) {
    if (job.lastError === null) continue;
    const failed = job.failures > 0 ? `failed ${counted(job.failures, 'time')}: ` : '';
    say(terminal, paint(terminal, 'yellow', `  ${job.job} ${failed}${job.lastError}`));
  }
}

function nextOf(job: JobStatus, now: Date): string {
  if (job.runningSince !== null) return `running for ${span(now.getTime() - job.runningSince.getTime())}`;
  if (job.nextDueAt === null) return 'never due again';
  return `next ${job.nextDueAt.toISOString().slice(0, 16)}Z`;
}

/** A length of time in the one unit that suits it: `4 s`, `12 min`, `3 h`, `40 days`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** One line on a run: what it did, or why it failed. */
export function sayRun(run: RunReport): string {
  const sums = [
    ...(run.rows > 0 ? [counted(run.rows, 'row')] : []),
    ...(run.bytes > 0 ? [counted(run.bytes, 'byte')] : []),
    `${Math.round(run.durationMs)} ms`,
  ].join(', ');
  const why = run.error === null ? '' : `: ${run.error}`;
  const again = run.retryAt === null ? '' : `; again at ${run.retryAt.toISOString()}`;
  return `${run.job} ${run.state} (${sums})${why}${again}`;
}

/** What one task of a run did, without its subject. */
export function sayTask({ error, what, rows, bytes }: TaskReport): string {
  if (error !== null) return error;
  const counts = rows > 0 ? counted(rows, 'row') : bytes > 0 ? counted(bytes, 'byte') : 'nothing to do';
  return what ?? counts;
}

/** One line on something that happened to a keeper. */
export function sayEvent(event: KeepEvent): string {
  return `${event.at.toISOString()}  ${what(event)}`;
}

function what(event: KeepEvent): string {
  switch (event.kind) {
    case 'leading':
      return `leads (fence ${event.fence})`;
    case 'following':
      return `waits behind ${event.leader}`;
    case 'lost':
      return 'was passed over: another keeper leads';
    case 'started':
      return `${event.job} begins${event.attempt > 1 ? `, attempt ${event.attempt}` : ''}`;
    case 'progress':
      return `${event.job}: ${event.text}`;
    case 'finished':
      return sayRun(event.report);
    case 'skipped':
      return `${event.job} passed over: nobody was there at ${event.dueAt.toISOString()}`;
    case 'registered':
      return `pg_cron runs ${list(event.jobs)}; the keeper ${list(event.kept.map(({ job, why }) => `${job} (${why})`))}`;
    case 'trouble':
      return `trouble: ${event.error}${event.retryMs > 0 ? `; again in ${event.retryMs / 1_000} s` : ''}`;
    default:
      return 'stopped; the lead is given back';
  }
}

const list = (items: readonly string[]): string => (items.length === 0 ? 'nothing' : items.join(', '));
