// What became of the jobs, read from the ledger after every tick: apart from what keepers say of themselves.
import type { Client } from 'pg';
import { jobDefaults, type Job } from '../../define/index.ts';
import { ident } from '../../sql.ts';
import { lastDue } from './due.ts';
import type { JobFigures } from './report.ts';
import type { Finding } from './residence.ts';

interface JobRow {
  readonly name: string;
  readonly last_success_at: Date | null;
  readonly failures: number;
  readonly last_error: string | null;
  readonly done: number;
  readonly failed: number;
}

/** Where the ledger is. */
export interface LedgerPlace {
  readonly client: Client;
  readonly schema: string;
  readonly definition: string;
}

/** The jobs of a definition as the ledger has them. */
export class JobBook {
  readonly #jobs: readonly Job[];
  readonly #place: LedgerPlace;
  readonly #latenessMs = new Map<string, number>();
  #rows = new Map<string, JobRow>();
  #lastRun = '0';
  #began: Date | undefined;
  #tickedAt: Date | undefined;
  checks = 0;

  constructor(jobs: readonly Job[], place: LedgerPlace) {
    this.#jobs = jobs;
    this.#place = place;
  }

  /** Reads where the jobs stand after a tick at `now`. */
  async read(now: Date): Promise<void> {
    const { client, schema, definition } = this.#place;
    this.#began ??= now;
    this.#tickedAt = now;
    const jobs = await client.query<JobRow>(
      `SELECT name, last_success_at, failures, last_error, runs_done::int4 AS done, runs_failed::int4 AS failed
       FROM ${ident(schema)}.job WHERE definition = $1`,
      [definition],
    );
    this.#rows = new Map(jobs.rows.map((row) => [row.name, row]));
    const runs = await client.query<{ run: string; job: string; late: number }>(
      `SELECT run, job, (extract(epoch FROM started_at - due_at) * 1000)::float8 AS late
       FROM ${ident(schema)}.job_run WHERE definition = $1 AND run > $2 ORDER BY run`,
      [definition, this.#lastRun],
    );
    for (const { run, job, late } of runs.rows) {
      this.#lastRun = run;
      this.#latenessMs.set(job, Math.max(this.#latenessMs.get(job) ?? 0, late));
    }
  }

  /** Whether every job that was due at an instant has succeeded since it was. */
  doneUpTo(at: Date): boolean {
    return this.#jobs.every((job) => this.#missing(job, at) === undefined);
  }

  /** Jobs that did not run though they were due, and those that fail. */
  check(): readonly Finding[] {
    const at = this.#tickedAt;
    if (at === undefined) return [];
    this.checks += this.#jobs.length;
    return this.#jobs.flatMap((job) => {
      const row = this.#rows.get(job.name);
      const due = this.#missing(job, at);
      if (due === undefined && (row?.failures ?? 0) === 0) return [];
      return [
        {
          check: 'jobs run when they are due, and succeed',
          subject: `job ${job.name}`,
          expected: due === undefined ? 'no failure' : `a run that succeeds for ${due.toISOString()}`,
          found: `${row?.failures ?? 0} failures since the last success at ${row?.last_success_at?.toISOString() ?? 'no time'}${row?.last_error == null ? '' : `: ${row.last_error}`}`,
        },
      ];
    });
  }

  // The instant it was due for and did not succeed since; runs that nobody was there for may be passed over.
  #missing(job: Job, at: Date): Date | undefined {
    const { schedule, missed = jobDefaults.missed } = job.settings;
    const due = lastDue(schedule, at);
    if (due === null || missed === 'skip' || this.#began === undefined || due <= this.#began)
      return undefined;
    const success = this.#rows.get(job.name)?.last_success_at ?? null;
    return success === null || success < due ? due : undefined;
  }

  /** When a job was due last, as of the last tick; null before the first, or for a job that is none. */
  ranAt(name: string): Date | null {
    const job = this.#jobs.find((one) => one.name === name);
    if (job === undefined || this.#tickedAt === undefined) return null;
    return lastDue(job.settings.schedule, this.#tickedAt);
  }

  /** When a job last succeeded, by the keepers' clock; null before it did. */
  succeededAt(name: string): Date | null {
    return this.#rows.get(name)?.last_success_at ?? null;
  }

  /** What became of each job. */
  figures(): readonly JobFigures[] {
    return this.#jobs.map(({ name }) => {
      const row = this.#rows.get(name);
      return {
        name,
        runs: (row?.done ?? 0) + (row?.failed ?? 0),
        failures: row?.failed ?? 0,
        worstLatenessMs: this.#latenessMs.get(name) ?? 0,
      };
    });
  }
}
