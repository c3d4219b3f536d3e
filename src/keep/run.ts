// One run of a job: its tasks one after the other, each in its own try, until its time is over or its keeper must go.
import { jobDefaults, type Definition, type Job, type Task } from '../define/index.ts';
import { HoldfastError } from '../error.ts';
import { leadLost, type Lead } from '../ledger/index.ts';
import { contextOf } from './context.ts';
import type { Crew } from './connection.ts';
import { sayError } from './failure.ts';
import type { Settings } from './options.ts';
import { summary, type TaskReport } from './report.ts';
import { openWorkSession, type WorkSession } from './session.ts';

/** What a run needs of its keeper. */
export interface RunParts {
  readonly definition: Definition;
  readonly url: string;
  readonly settings: Settings;
  readonly crew: Crew;
  readonly lead: Lead;
  /** Aborted when the keeper shall stop: the batch at hand may still be finished. */
  readonly stop: AbortSignal;
  /** Aborted when another leads. */
  readonly lost: AbortSignal;
  readonly onLost: () => void;
}

/** How a run ended. */
export interface RunOutcome {
  readonly state: 'done' | 'failed' | 'cut off';
  readonly tasks: readonly TaskReport[];
  readonly rows: number;
  readonly bytes: number;
  readonly error: string | null;
  readonly durationMs: number;
}

/** After a stop the batch at hand has this long before its statement is cancelled, in milliseconds. */
const FINISH_MS = 5_000;
/** After its statement was cancelled a task has this long before its connection is cut, in milliseconds. */
const BACK_OUT_MS = 2_500;
const CANCEL_EVERY_MS = 500;

/** Why a run was halted. */
type Cause = 'timeout' | 'stop' | 'lost';

/** Runs the tasks of a job. Never throws: what a task throws is in its report. */
export async function runTasks(job: Job, parts: RunParts): Promise<RunOutcome> {
  const began = performance.now();
  const work = openWorkSession(parts.crew, { lead: parts.lead, onLost: parts.onLost });
  const halt = haltOf(job, parts, work);
  const now = parts.settings.clock.now();
  const tasks: TaskReport[] = [];
  try {
    for (const wave of waves(job.tasks)) {
      tasks.push(...(await runWave(wave, { job, parts, work, halt, now })));
    }
  } finally {
    halt.over();
    if (halt.gaveUp()) work.destroy();
    await work.end();
  }
  return { ...outcomeOf(job, tasks, halt.cause()), durationMs: performance.now() - began };
}

/** How many tasks that may do so run side by side: enough to fill the waits between statements, few connections. */
const ABREAST = 3;

/** Neighbours that may run side by side, and every other task by itself, in order. */
function waves(tasks: readonly Task[]): readonly (readonly Task[])[] {
  const found: Task[][] = [];
  for (const task of tasks) {
    const last = found.at(-1);
    if (task.beside === true && last?.[0]?.beside === true) last.push(task);
    else found.push([task]);
  }
  return found;
}

/** Runs tasks side by side; gives their reports in the order of the tasks. */
async function runWave(wave: readonly Task[], parts: TaskParts): Promise<readonly TaskReport[]> {
  const reports: (TaskReport | undefined)[] = wave.map(() => undefined);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < wave.length && parts.halt.cause() === undefined; at = next++) {
      const task = wave[at];
      if (task !== undefined) reports[at] = await runTask(task, parts);
    }
  };
  await Promise.all(Array.from({ length: Math.min(ABREAST, wave.length) }, lane));
  return reports.filter((report) => report !== undefined);
}

function outcomeOf(
  job: Job,
  tasks: readonly TaskReport[],
  cause: Cause | undefined,
): Omit<RunOutcome, 'durationMs'> {
  const { rows, bytes, error } = summary(job, tasks);
  const sums = { tasks, rows, bytes };
  if (cause === 'stop') return { ...sums, state: 'cut off', error: 'the keeper was stopped' };
  if (cause === 'lost') return { ...sums, state: 'cut off', error: 'another keeper took the lead' };
  if (cause === 'timeout') return { ...sums, state: 'failed', error: error ?? timeoutWhat(job) };
  return { ...sums, state: error === null ? 'done' : 'failed', error };
}

interface TaskParts {
  readonly job: Job;
  readonly parts: RunParts;
  readonly work: WorkSession;
  readonly halt: Halt;
  readonly now: Date;
}

async function runTask(task: Task, { job, parts, work, halt, now }: TaskParts): Promise<TaskReport> {
  const { definition, settings } = parts;
  const began = performance.now();
  const context = contextOf(
    {
      definition,
      schema: settings.schema,
      now,
      clock: settings.clock,
      signal: halt.signal,
      session: work.session,
      tell: (text) => settings.emit({ kind: 'progress', job: job.name, text, at: settings.clock.now() }),
    },
    task.trait,
  );
  const base = { trait: task.trait, subject: task.subject };
  const durationMs = (): number => Math.round(performance.now() - began);
  work.changed();
  try {
    const done = await Promise.race([
      // So that a function that throws before its first await is a failed task like any other.
      Promise.resolve().then(async () => task.run(context)),
      halt.givenUp,
    ]);
    const { rows = work.changed(), bytes = 0, what = null } = done;
    return { ...base, state: 'done', rows, bytes, what, durationMs: durationMs(), error: null };
  } catch (error) {
    const cause = halt.cause();
    const state = cause === 'stop' || cause === 'lost' ? 'cut off' : 'failed';
    const said = cause === 'timeout' ? timeoutWhat(job) : sayError(error, parts.url);
    return { ...base, state, rows: 0, bytes: 0, what: null, durationMs: durationMs(), error: said };
  }
}

/** What can end a run before its tasks do. */
interface Halt {
  readonly signal: AbortSignal;
  readonly cause: () => Cause | undefined;
  /** Rejects when a task did not end although it was asked to and its statements refused. */
  readonly givenUp: Promise<never>;
  readonly gaveUp: () => boolean;
  /** Nothing is to be halted any more. */
  readonly over: () => void;
}

// By real time: it is a real server that works too long.
function haltOf(job: Job, parts: RunParts, work: WorkSession): Halt {
  const timers: NodeJS.Timeout[] = [];
  const controller = new AbortController();
  const up = deferred();
  up.promise.catch(() => undefined);
  let cause: Cause | undefined;
  let gaveUp = false;
  const backOut = (why: HoldfastError): void => {
    work.refuse(why);
    void work.cancel();
    timers.push(setInterval(() => void work.cancel(), CANCEL_EVERY_MS));
    timers.push(
      setTimeout(() => {
        gaveUp = true;
        up.reject(why);
      }, BACK_OUT_MS),
    );
  };
  const halt = (why: Cause, error: HoldfastError, afterMs: number): void => {
    if (cause !== undefined && !(cause === 'stop' && why === 'lost')) return;
    cause = why;
    controller.abort(error);
    if (afterMs === 0) backOut(error);
    else timers.push(setTimeout(() => backOut(error), afterMs));
  };
  const onStop = (): void => halt('stop', stopped(job), FINISH_MS);
  const onLost = (): void => halt('lost', leadLost(), 0);
  parts.stop.addEventListener('abort', onStop);
  parts.lost.addEventListener('abort', onLost);
  if (parts.stop.aborted) onStop();
  if (parts.lost.aborted) onLost();
  const limitMs = job.settings.timeoutMs ?? jobDefaults.timeoutMs;
  timers.push(setTimeout(() => halt('timeout', timedOut(job), 0), Math.min(limitMs, 2 ** 31 - 1)));
  return {
    signal: controller.signal,
    cause: () => cause,
    givenUp: up.promise,
    gaveUp: () => gaveUp,
    over: () => {
      for (const timer of timers) clearTimeout(timer);
      parts.stop.removeEventListener('abort', onStop);
      parts.lost.removeEventListener('abort', onLost);
    },
  };
}

function deferred(): { readonly promise: Promise<never>; readonly reject: (why: unknown) => void } {
  const parts: { reject?: (why: unknown) => void } = {};
  const promise = new Promise<never>((_resolve, reject) => {
    parts.reject = reject;
  });
  return { promise, reject: (why) => parts.reject?.(why) };
}

function timeoutWhat(job: Job): string {
  const limitMs = job.settings.timeoutMs ?? jobDefaults.timeoutMs;
  return `it took longer than its timeout of ${limitMs / 1000} s and was ended`;
}

function timedOut(job: Job): HoldfastError {
  return new HoldfastError({
    code: 'HF_JOB_TIMEOUT',
    subject: `job ${job.name}`,
    what: `${timeoutWhat(job)}.`,
    fix: 'Raise timeoutMs of the job, or let its tasks do less at a time.',
  });
}

function stopped(job: Job): HoldfastError {
  return new HoldfastError({
    code: 'HF_KEEPER_STOPPED',
    subject: `job ${job.name}`,
    what: 'its keeper was stopped before it was done.',
    fix: 'Nothing is lost: it goes on when a keeper leads again.',
  });
}
