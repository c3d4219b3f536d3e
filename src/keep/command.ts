// What a person asks for by hand: one job now, or a piece of work outside any job. A keeper that leads makes room for
// it between two of its jobs, and takes the lead back by itself.
import { setTimeout as wait } from 'node:timers/promises';
import type { Definition, Job, TaskContext } from '../define/index.ts';
import { HoldfastError } from '../error.ts';
import { leadLost, type Lead } from '../ledger/index.ts';
import { openCrew } from './connection.ts';
import { contextOf } from './context.ts';
import { keeperBusy, openEngine, type Engine } from './engine.ts';
import { settle, type KeepOptions, type Settings } from './options.ts';
import type { RunReport } from './report.ts';
import { checkSchedules } from './schedule.ts';
import { openWorkSession, type WorkSession } from './session.ts';

const POLL_MS = 200;

/**
 * Runs one job now, whatever its schedule says; once, without retries.
 * @param rest the job's name, and options
 * @throws HoldfastError HF_NO_JOB when the definition has no such job; HF_KEEPER_BUSY when the keeper that leads runs
 *   jobs for longer than `waitMs`; HF_LEASE_LOST when another took the lead meanwhile; as `openKeeper`
 */
export async function runJob(
  definition: Definition,
  url: string,
  ...rest: [jobName: string, options?: KeepOptions]
): Promise<RunReport> {
  const [jobName, options = {}] = rest;
  const job = jobNamed(definition, jobName);
  checkSchedules(definition);
  const settings = settle(options);
  const engine = await openEngine({ definition, url, settings, as: 'command' });
  const onAbort = (): void => void engine.stop();
  options.signal?.addEventListener('abort', onAbort);
  try {
    await takeLead(engine, settings, options.signal);
    const run = await engine.start(job, { dueAt: settings.clock.now(), attempt: 1 });
    const report = await run?.ended;
    if (report === undefined) throw leadLost();
    return report;
  } finally {
    options.signal?.removeEventListener('abort', onAbort);
    await engine.stop();
  }
}

function jobNamed(definition: Definition, name: string): Job {
  const job = definition.jobs.find((one) => one.name === name);
  if (job !== undefined) return job;
  const names = definition.jobs.map((one) => one.name);
  throw new HoldfastError({
    code: 'HF_NO_JOB',
    subject: `job ${name}`,
    what: `definition ${definition.name} has no such job.`,
    fix: names.length === 0 ? 'It has no jobs at all.' : `Its jobs are ${names.join(', ')}.`,
  });
}

async function takeLead(engine: Engine, settings: Settings, signal?: AbortSignal): Promise<Lead> {
  const { clock, waitMs } = settings;
  const sinceMs = clock.monotonicMs();
  // By the number of looks too: an injected clock may stand still.
  for (let looks = 0; ; looks += 1) {
    const claim = await engine.leadership.claim();
    if ('lead' in claim) return claim.lead;
    const waited = Math.max(clock.monotonicMs() - sinceMs, looks * POLL_MS);
    if (waited >= waitMs || signal?.aborted === true) throw keeperBusy(claim.leader);
    await wait(POLL_MS);
  }
}

/** Options of {@link withTask}. */
export interface WithTaskOptions extends Omit<KeepOptions, 'parallel' | 'onEvent'> {
  /** Whose pieces the context has. */
  readonly trait: string;
  /** Whether the work writes what jobs write too: it then has the lead while it lasts. Without it no lead is asked for. */
  readonly leading: boolean;
  /** The instant the context speaks of; default: the clock's now. */
  readonly now?: Date;
  readonly tell?: (text: string) => void;
}

/**
 * Gives a task's context outside a job, for commands such as the restoring of an archive.
 * @param rest options, and the work
 * @returns what the work returns
 * @throws HoldfastError HF_KEEPER_BUSY, HF_LEASE_LOST as {@link runJob}; what the work throws
 */
export async function withTask<T>(
  definition: Definition,
  url: string,
  ...rest: [options: WithTaskOptions, work: (context: TaskContext) => Promise<T>]
): Promise<T> {
  const [options, work] = rest;
  const settings = settle(options);
  return options.leading
    ? underLead({ definition, url, settings, options }, work)
    : beside({ definition, url, settings, options }, work);
}

interface Request {
  readonly definition: Definition;
  readonly url: string;
  readonly settings: Settings;
  readonly options: WithTaskOptions;
}

async function underLead<T>(request: Request, work: (context: TaskContext) => Promise<T>): Promise<T> {
  const { definition, url, settings, options } = request;
  const engine = await openEngine({ definition, url, settings, as: 'command' });
  try {
    const lead = await takeLead(engine, settings, options.signal);
    const beat = engine.leadership.beat();
    const lost = engine.leadership.lost();
    const open = openWorkSession(engine.crewOf(lead), { lead, onLost: () => engine.leadership.lose() });
    lost.addEventListener('abort', () => {
      open.refuse(leadLost());
      void open.cancel();
    });
    try {
      return await work(contextFor(request, open, lost));
    } finally {
      beat.stop();
      await open.end();
    }
  } finally {
    await engine.stop();
  }
}

async function beside<T>(request: Request, work: (context: TaskContext) => Promise<T>): Promise<T> {
  const { url, settings } = request;
  const crew = openCrew(url, {
    applicationName: `${settings.schema} command`,
    lockTimeoutMs: settings.lockTimeoutMs,
    idleMs: IDLE_MS,
  });
  const open = openWorkSession(crew);
  try {
    return await work(contextFor(request, open, new AbortController().signal));
  } finally {
    await open.end();
    await crew.close();
  }
}

const IDLE_MS = 60_000;

function contextFor(request: Request, open: WorkSession, lost: AbortSignal): TaskContext {
  const { definition, settings, options } = request;
  const parts = {
    definition,
    schema: settings.schema,
    now: options.now ?? settings.clock.now(),
    clock: settings.clock,
    signal: options.signal === undefined ? lost : AbortSignal.any([options.signal, lost]),
    session: open.session,
    tell: (text: string) => options.tell?.(text),
  };
  return contextOf(parts, options.trait);
}
