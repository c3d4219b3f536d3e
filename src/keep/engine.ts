// The engine of a keeper: takes or renews the lead, sees which jobs are due, and runs them in order.
import { hostname } from 'node:os';
import { jobDefaults, type Definition, type Job } from '../define/index.ts';
import { HoldfastError } from '../error.ts';
import {
  closeJobRun,
  jobRows,
  jobRuns,
  leadApplication,
  migrate,
  noteJobs,
  openJobRun,
  skipDue,
  type JobRow,
  type Lead,
  type Leader,
} from '../ledger/index.ts';
import { openControl, openCrew, type Control, type Crew, type WorkerOptions } from './connection.ts';
import { retryAt, verdict } from './due.ts';
import { isConnectionLost, sayError } from './failure.ts';
import { openLeadership, type Leadership } from './leadership.ts';
import type { Settings } from './options.ts';
import { groupsOf, nextOf, type Group } from './order.ts';
import type { RunReport } from './report.ts';
import { runTasks, type RunOutcome } from './run.ts';

const SHORTEST_IDLE_MS = 60_000;
const CLOSE_TRIES = 3;

/** What an engine runs. */
export interface EngineParts {
  readonly definition: Definition;
  readonly url: string;
  readonly settings: Settings;
  readonly as: 'keeper' | 'command';
  /** Jobs that somebody else runs. */
  readonly without?: ReadonlySet<string>;
}

/** What one step came to. */
export interface Step {
  readonly leading: boolean;
  readonly leader: Leader | undefined;
  readonly started: readonly Started[];
  readonly skipped: readonly string[];
}

/** A run that goes on by itself; it ends with its report, or without one when another leads or nobody is left to tell. */
export interface Started {
  readonly job: string;
  readonly ended: Promise<RunReport | undefined>;
}

interface Due {
  readonly dueAt: Date;
  readonly attempt: number;
}

/** Opens the engine: reaches the server and makes the ledger when it is not there. Errors as `connect` and `migrate`. */
export async function openEngine(parts: EngineParts): Promise<Engine> {
  const engine = new Engine(parts);
  try {
    await migrate(await engine.control.client(), parts.settings.schema);
    return engine;
  } catch (error) {
    await engine.control.close();
    throw error;
  }
}

/** See {@link openEngine}. */
export class Engine {
  readonly control: Control;
  readonly leadership: Leadership;
  /** Settles when the engine is abandoned. */
  readonly left: Promise<undefined>;
  readonly running = new Map<string, Promise<RunReport | undefined>>();
  readonly #parts: EngineParts;
  readonly #jobs: readonly Job[];
  readonly #groups: readonly Group[];
  readonly #options: Omit<WorkerOptions, 'applicationName'>;
  readonly #stop = new AbortController();
  readonly #gone = new AbortController();
  readonly #startedMs = new Map<string, number>();
  #crew: { readonly lead: Lead; readonly crew: Crew } | undefined;
  #beat: { readonly stop: () => void } | undefined;
  #atStart = new Set<string>();
  #stepping: Promise<Step> | undefined;
  #active = new Set<string>();
  #attendedFrom: Date;
  #ledMs = 0;
  #steppedMs: number;
  // Whether runs may stand in the ledger as running that nobody runs.
  #unsettled = false;

  constructor(parts: EngineParts) {
    const { settings, definition, url, as } = parts;
    this.#parts = parts;
    this.#jobs = definition.jobs.filter((job) => parts.without?.has(job.name) !== true);
    this.#groups = groupsOf(this.#jobs);
    this.#options = {
      lockTimeoutMs: settings.lockTimeoutMs,
      idleMs: Math.max(SHORTEST_IDLE_MS, 2 * settings.leaseMs),
    };
    this.control = openControl(url, { ...this.#options, applicationName: `${settings.schema} keeper` });
    this.leadership = openLeadership(this.control, settings, as);
    this.left = new Promise((done) => {
      this.#gone.signal.addEventListener('abort', () => done(undefined), { once: true });
    });
    this.#attendedFrom = settings.clock.now();
    this.#steppedMs = settings.clock.monotonicMs();
  }

  /** Whether it was abandoned. */
  get abandoned(): boolean {
    return this.#gone.signal.aborted;
  }

  /** Whether it was asked to stop. */
  get stopping(): boolean {
    return this.#stop.signal.aborted;
  }

  /**
   * Takes or renews the lead and starts what is due and free to start; does not wait for what it started.
   * @param not jobs to leave alone though they are due
   */
  async step(not: ReadonlySet<string> = new Set(), how?: 'lazily'): Promise<Step> {
    const step = this.#step(not, how);
    this.#stepping = step;
    return step;
  }

  async #step(not: ReadonlySet<string>, how: 'lazily' | undefined): Promise<Step> {
    const idle = { started: [], skipped: [] };
    const standing = await this.#lead(how);
    if ('leader' in standing) return { ...idle, leading: false, leader: standing.leader };
    const { lead } = standing;
    const rows = await this.#rows(lead);
    const { due, skipped } = await this.#due(lead, rows, not);
    const names = nextOf(this.#groups, {
      due: new Set(due.keys()),
      running: new Set(this.running.keys()),
      room: this.#parts.settings.parallel - this.running.size,
    });
    const started: Started[] = [];
    for (const name of names) {
      const job = this.#jobs.find((one) => one.name === name);
      const at = due.get(name);
      if (job === undefined || at === undefined || this.stopping) continue;
      const run = await this.start(job, at);
      if (run !== undefined) started.push(run);
    }
    return { leading: this.leadership.held() !== undefined, leader: undefined, started, skipped };
  }

  /** Opens a run of a job under the lead and lets it go on by itself. @returns undefined when the lead is lost */
  async start(job: Job, due: Due): Promise<Started | undefined> {
    const { definition, settings } = this.#parts;
    const lead = this.leadership.held();
    if (lead === undefined) return undefined;
    const startedAt = settings.clock.now();
    this.#unsettled = true;
    const run = await openJobRun(await this.control.client(), lead, {
      definition: definition.name,
      job: job.name,
      startedAt,
      byHost: `${hostname()} (${process.pid})`,
      ...due,
    });
    if (run === undefined) {
      this.leadership.lose();
      return undefined;
    }
    this.#active.add(run);
    this.#unsettled = false;
    this.#atStart.delete(job.name);
    this.#startedMs.set(job.name, settings.clock.monotonicMs());
    this.#beat ??= this.leadership.beat();
    settings.emit({ kind: 'started', job: job.name, run, attempt: due.attempt, at: startedAt });
    const going = this.#go(job, lead, { ...due, run, startedAt }).finally(() => {
      this.running.delete(job.name);
      this.#active.delete(run);
      if (this.running.size > 0) return;
      this.#beat?.stop();
      this.#beat = undefined;
    });
    this.running.set(job.name, going);
    return { job: job.name, ended: going };
  }

  /** Lets the batches at hand finish or back out, gives the lead back and leaves the server. */
  async stop(): Promise<void> {
    this.#stop.abort();
    // What is about to begin a run belongs to those that are waited for.
    await this.#stepping?.catch(() => undefined);
    await Promise.allSettled(this.running.values());
    await this.leadership.release().catch(() => undefined);
    await this.#leaveCrew();
    await this.control.close();
    this.#parts.settings.emit({ kind: 'stopped', at: this.#parts.settings.clock.now() });
  }

  /** Cuts every connection at once and says nothing to anybody, as a kill does. */
  abandon(): void {
    this.#gone.abort();
    this.#beat?.stop();
    this.#crew?.crew.destroy();
    this.control.destroy();
    this.leadership.lose();
  }

  async #lead(how?: 'lazily'): Promise<{ readonly lead: Lead } | { readonly leader: Leader }> {
    const { settings } = this.#parts;
    const nowMs = settings.clock.monotonicMs();
    const gap = nowMs - this.#steppedMs > settings.leaseMs && this.running.size === 0;
    this.#steppedMs = nowMs;
    const claim = await this.leadership.claim(how);
    if ('leader' in claim) return claim;
    if (claim.taken || gap) this.#attendedFrom = settings.clock.now();
    if (claim.taken) {
      this.#ledMs = nowMs;
      this.#startedMs.clear();
      if (claim.fresh) this.#atStart = this.#jobsAtStart();
      this.#unsettled = true;
      await this.#leaveCrew();
    }
    if (this.#unsettled) await this.#closeCutOff(claim.lead);
    return claim;
  }

  #jobsAtStart(): Set<string> {
    return new Set(this.#jobs.filter((job) => job.settings.atStart === true).map((job) => job.name));
  }

  async #rows(lead: Lead): Promise<ReadonlyMap<string, JobRow>> {
    const { definition, settings } = this.#parts;
    const read = async (): Promise<Map<string, JobRow>> => {
      const rows = await jobRows(await this.control.client(), settings.schema, definition.name);
      return new Map(rows.map((row) => [row.name, row]));
    };
    const rows = await read();
    const names = this.#jobs.map((job) => job.name).filter((name) => !rows.has(name));
    if (names.length === 0) return rows;
    const seen = { definition: definition.name, names, at: settings.clock.now() };
    if (!(await noteJobs(await this.control.client(), lead, seen))) this.leadership.lose();
    return read();
  }

  async #due(
    lead: Lead,
    rows: ReadonlyMap<string, JobRow>,
    not: ReadonlySet<string>,
  ): Promise<{ readonly due: ReadonlyMap<string, Due>; readonly skipped: readonly string[] }> {
    const { definition, settings } = this.#parts;
    const { clock } = settings;
    const due = new Map<string, Due>();
    const skipped: string[] = [];
    for (const job of this.#jobs) {
      const row = rows.get(job.name);
      if (row === undefined || not.has(job.name) || this.running.has(job.name)) continue;
      const found = verdict(job, row, {
        now: clock.now(),
        attendedFrom: this.#attendedFrom,
        graceMs: 2 * settings.leaseMs,
        elapsedMs: clock.monotonicMs() - (this.#startedMs.get(job.name) ?? this.#ledMs),
        atStart: this.#atStart.has(job.name),
      });
      if (found === undefined) continue;
      if ('dueAt' in found) {
        due.set(job.name, found);
        continue;
      }
      const passed = { definition: definition.name, job: job.name, dueAt: found.skipTo };
      if (!(await skipDue(await this.control.client(), lead, passed))) this.leadership.lose();
      settings.emit({ kind: 'skipped', job: job.name, dueAt: found.skipTo, at: clock.now() });
      skipped.push(job.name);
    }
    return { due, skipped };
  }

  async #go(
    job: Job,
    lead: Lead,
    open: Due & { readonly run: string; readonly startedAt: Date },
  ): Promise<RunReport | undefined> {
    const { definition, url, settings } = this.#parts;
    const outcome = await runTasks(job, {
      definition,
      url,
      settings,
      crew: this.crewOf(lead),
      lead,
      stop: this.#stop.signal,
      lost: this.leadership.lost(),
      onLost: () => this.leadership.lose(),
    });
    if (this.#gone.signal.aborted) return undefined;
    const finishedAt = settings.clock.now();
    const report: RunReport = {
      job: job.name,
      ...open,
      finishedAt,
      ...outcome,
      retryAt: again(job, { outcome, attempt: open.attempt, now: finishedAt, as: this.#parts.as }),
    };
    if (!(await this.#close(job, lead, report))) return undefined;
    settings.emit({ kind: 'finished', report, at: finishedAt });
    return report;
  }

  // Where it cannot be written the next step, or the next leader, finds the run and says that it was cut off.
  async #close(job: Job, lead: Lead, report: RunReport): Promise<boolean> {
    for (let tries = 1; ; tries += 1) {
      try {
        const closing = {
          ...report,
          attempt: report.state === 'cut off' ? report.attempt - 1 : report.attempt,
          keepRuns: job.settings.keepRuns ?? jobDefaults.keepRuns,
          busy: this.#parts.as === 'command' || this.running.size > 1,
        };
        const held = await closeJobRun(await this.control.client(), lead, closing);
        if (!held) this.leadership.lose();
        return held;
      } catch (error) {
        if (this.#gone.signal.aborted) return false;
        if (tries < CLOSE_TRIES && isConnectionLost(error)) continue;
        this.#unsettled = true;
        const said = sayError(error, this.#parts.url);
        const { settings } = this.#parts;
        settings.emit({ kind: 'trouble', error: said, retryMs: 0, at: settings.clock.now() });
        return false;
      }
    }
  }

  async #closeCutOff(lead: Lead): Promise<void> {
    const { definition, settings } = this.#parts;
    const client = await this.control.client();
    const open = { definition: definition.name, state: 'running' } as const;
    const now = settings.clock.now();
    for (const run of await jobRuns(client, settings.schema, open)) {
      if (this.#active.has(run.run)) continue;
      const job = this.#jobs.find((one) => one.name === run.job);
      const { attempts } = job?.settings.retry ?? jobDefaults.retry;
      const held = await closeJobRun(client, lead, {
        run: run.run,
        state: 'cut off',
        finishedAt: now,
        durationMs: Math.max(0, now.getTime() - run.startedAt.getTime()),
        rows: 0,
        bytes: 0,
        tasks: [],
        error: `the keeper on ${run.byHost} was cut off`,
        // Once more at once; a job that ends its keeper each time must not be begun for ever.
        retryAt: run.attempt < attempts ? now : null,
        attempt: run.attempt,
        keepRuns: job?.settings.keepRuns ?? jobDefaults.keepRuns,
        busy: this.#parts.as === 'command' || this.running.size > 0,
      });
      if (!held) return this.leadership.lose();
    }
    this.#unsettled = false;
  }

  /** The connections that work under a lead. */
  crewOf(lead: Lead): Crew {
    if (this.#crew?.lead !== lead) {
      const applicationName = leadApplication(lead);
      this.#crew = { lead, crew: openCrew(this.#parts.url, { ...this.#options, applicationName }) };
    }
    return this.#crew.crew;
  }

  async #leaveCrew(): Promise<void> {
    const crew = this.#crew?.crew;
    this.#crew = undefined;
    await crew?.close();
  }
}

// A run that the keeper's stop interrupted is begun again as soon as somebody leads; a command's is not.
function again(
  job: Job,
  of: {
    readonly outcome: RunOutcome;
    readonly attempt: number;
    readonly now: Date;
    readonly as: 'keeper' | 'command';
  },
): Date | null {
  const { outcome, attempt, now, as } = of;
  if (outcome.state === 'done' || as === 'command') return null;
  return outcome.state === 'cut off' ? now : retryAt(job.settings, attempt, now);
}

/** The refusal of a command whose keeper is busy too long. */
export function keeperBusy(leader: Leader): HoldfastError {
  return new HoldfastError({
    code: 'HF_KEEPER_BUSY',
    subject: `keeper ${leader.holder ?? ''} on ${leader.host ?? 'another host'}`,
    what: 'it is running jobs of this database, and a command only steps in between two of them.',
    fix: 'Wait until it is between two jobs (holdfast status), or stop it first.',
  });
}
