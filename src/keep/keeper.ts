// Keepers: one that is told when to look, and one that looks by itself until it is stopped.
import type { Definition } from '../define/index.ts';
import { HoldfastError } from '../error.ts';
import { target } from '../server/index.ts';
import { openEngine, type Engine } from './engine.ts';
import { isConnectionLost, sayError } from './failure.ts';
import { settle, type KeepOptions, type Settings } from './options.ts';
import { noteCronLog, registerCron, splitForCron } from './pg-cron.ts';
import type { RunReport, TickReport } from './report.ts';
import { checkSchedules } from './schedule.ts';

/** A keeper that looks when it is told to. */
export interface Keeper {
  /**
   * Takes or renews the lead, runs what is due at the clock's now, each job once at most, and returns when that is done.
   * Leads nothing and runs nothing while another keeper leads.
   */
  readonly tick: () => Promise<TickReport>;
  /** Stops cleanly: the batch at hand is finished or backed out in less than 10 s, the lead given back. */
  readonly stop: () => Promise<void>;
  /** Leaves everything as `kill -9` would: connections cut, lead neither given back nor renewed. */
  readonly abandon: () => Promise<void>;
}

/**
 * Opens a keeper without letting it look by itself: for tests and for whoever has a timer already.
 * @param url the database; a direct connection is best, see the guide
 * @throws DefinitionError with HF_CRON findings; HoldfastError as `connect` and the ledger's `migrate`
 */
export async function openKeeper(
  definition: Definition,
  url: string,
  options: KeepOptions = {},
): Promise<Keeper> {
  checkSchedules(definition);
  const settings = settle(options);
  const without = await delegate(definition, url, { options, settings });
  const engine = await openEngine({ definition, url, settings, as: 'keeper', without });
  return {
    tick: async () => {
      const report = await tick(engine, settings);
      if (without.size > 0 && report.leading) await noteLog(engine, definition, { url, settings });
      return report;
    },
    stop: async () => engine.stop(),
    abandon: async () => engine.abandon(),
  };
}

async function tick(engine: Engine, settings: Settings): Promise<TickReport> {
  const runs: RunReport[] = [];
  const skipped: string[] = [];
  const begun = new Set<string>();
  const going = new Map<string, Promise<unknown>>();
  let leading = false;
  while (!engine.abandoned && !engine.stopping) {
    const step = await onceMore(engine, () => engine.step(begun));
    if (step === undefined) break;
    leading = step.leading;
    skipped.push(...step.skipped);
    for (const { job, ended } of step.started) {
      begun.add(job);
      const noted = ended.then((report) => {
        if (report !== undefined) runs.push(report);
        going.delete(job);
      });
      going.set(job, noted);
    }
    if (step.started.length > 0 && going.size === 0) continue;
    if (going.size === 0) break;
    await Promise.race([...going.values(), engine.left]);
  }
  if (!engine.abandoned) await Promise.all(going.values());
  const lead = engine.leadership.held();
  return {
    now: settings.clock.now(),
    leading: leading && lead !== undefined,
    fence: lead?.fence ?? null,
    runs,
    skipped,
  };
}

// The server may have ended a connection that was idle since the last look. Nothing once the engine was abandoned.
async function onceMore<T>(engine: Engine, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (engine.abandoned) return undefined;
    if (!isConnectionLost(error)) throw error;
  }
  return work().catch((error: unknown) => {
    if (engine.abandoned) return undefined;
    throw error;
  });
}

const CRON_LOG_MS = 60_000;

async function noteLog(
  engine: Engine,
  definition: Definition,
  { url, settings }: { readonly url: string; readonly settings: Settings },
): Promise<void> {
  const lead = engine.leadership.held();
  if (lead === undefined) return;
  const by = { client: await engine.control.client(), lead, now: settings.clock.now() };
  if (!(await noteCronLog(definition, url, by))) engine.leadership.lose();
}

// Gives the names of the jobs that pg_cron runs.
async function delegate(
  definition: Definition,
  url: string,
  { options, settings }: { readonly options: KeepOptions; readonly settings: Settings },
): Promise<ReadonlySet<string>> {
  if (options.scheduler === undefined) return new Set();
  if (options.scheduler === 'keeper') {
    await registerCron(definition, url, []).catch((error: unknown) => {
      if (!(error instanceof HoldfastError && error.code === 'HF_CRON_MISSING')) throw error;
    });
    return new Set();
  }
  const { entries, kept } = splitForCron(definition, target(url).database);
  await registerCron(definition, url, entries);
  const jobs = [...new Set(entries.map((entry) => entry.job))];
  settings.emit({ kind: 'registered', jobs, kept, at: settings.clock.now() });
  return new Set(jobs);
}

const LONGEST_BACK_OFF_MS = 30_000;
const FIRST_BACK_OFF_MS = 500;

/**
 * Keeps a database until `options.signal` aborts: takes the lead or waits for it, and runs jobs when they are due.
 * A lost connection, a server that restarts and a task that fails do not end it.
 * @param url the database; a direct connection is best, see the guide
 * @throws DefinitionError with HF_CRON findings; HoldfastError as `connect` and the ledger's `migrate` at its start;
 *   HF_CRON_MISSING, HF_CRON_TAKEN where jobs shall go to pg_cron
 */
export async function keep(definition: Definition, url: string, options: KeepOptions = {}): Promise<void> {
  checkSchedules(definition);
  const settings = settle(options);
  const signal = options.signal ?? new AbortController().signal;
  const without = await delegate(definition, url, { options, settings });
  const engine = await openEngine({ definition, url, settings, as: 'keeper', without });
  // A run's end may free the next of its group, so it wakes the loop.
  const pollMs = Math.max(20, Math.min(1_000, settings.leaseMs / 5));
  let following: string | undefined;
  let failures = 0;
  let notedMs = -Infinity;
  while (!signal.aborted) {
    let pauseMs = pollMs;
    try {
      const step = await engine.step(undefined, 'lazily');
      if (without.size > 0 && step.leading && performance.now() - notedMs > CRON_LOG_MS) {
        notedMs = performance.now();
        await noteLog(engine, definition, { url, settings });
      }
      failures = 0;
      const leader = step.leader === undefined ? undefined : `${step.leader.holder} on ${step.leader.host}`;
      if (leader !== undefined && leader !== following)
        settings.emit({ kind: 'following', leader, at: settings.clock.now() });
      following = leader;
    } catch (error) {
      pauseMs = Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** failures);
      failures += 1;
      const said = sayError(error, url);
      settings.emit({ kind: 'trouble', error: said, retryMs: pauseMs, at: settings.clock.now() });
    }
    await rest(engine, settings, { ms: pauseMs, signal });
  }
  await engine.stop();
}

async function rest(
  engine: Engine,
  settings: Settings,
  { ms, signal }: { readonly ms: number; readonly signal: AbortSignal },
): Promise<void> {
  // Not AbortSignal.any: what it makes lives as long as the signal, and this is once a second for months.
  const woken = new AbortController();
  const wake = (): void => woken.abort();
  signal.addEventListener('abort', wake, { once: true });
  const sleep = settings.clock.sleep(ms, woken.signal).catch(() => undefined);
  await Promise.race([sleep, ...engine.running.values()]);
  wake();
  signal.removeEventListener('abort', wake);
  await sleep;
}

/**
 * Runs what is due now and leaves; nothing where another keeper leads, which does it.
 * @returns the runs in the order they ended
 * @throws as {@link openKeeper}
 */
export async function keepOnce(
  definition: Definition,
  url: string,
  options: KeepOptions = {},
): Promise<readonly RunReport[]> {
  const keeper = await openKeeper(definition, url, options);
  const onAbort = (): void => void keeper.stop();
  options.signal?.addEventListener('abort', onAbort);
  try {
    const { runs } = await keeper.tick();
    return runs;
  } finally {
    options.signal?.removeEventListener('abort', onAbort);
    await keeper.stop();
  }
}
