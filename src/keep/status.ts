// Where the jobs of a definition stand, for people and for metrics. Reads only.
import type { ClientBase } from 'pg';
import type { Definition, Job } from '../define/index.ts';
import { hasLedger, jobRows, jobRuns, leaderOf, ledgerDefaults, type JobRow } from '../ledger/index.ts';
import { checkSchedules, dueAfter, saySchedule } from './schedule.ts';

/** Where one job stands. */
export interface JobStatus {
  readonly job: string;
  readonly schedule: string;
  /** Who runs it. */
  readonly scheduler: 'keeper' | 'pg_cron';
  /** Whether a keeper ever saw it; nothing is known otherwise. */
  readonly seen: boolean;
  readonly lastStartedAt: Date | null;
  readonly lastSuccessAt: Date | null;
  /** When it runs next: a retry, or the next time of its schedule. */
  readonly nextDueAt: Date | null;
  /** How long the first time that was not served lies back, in milliseconds; 0 when none was missed. */
  readonly lateMs: number;
  /** Runs that failed since the last success. */
  readonly failures: number;
  readonly lastError: string | null;
  /** Since when it runs, if it does. */
  readonly runningSince: Date | null;
  /** The last run that ended. */
  readonly lastRun: {
    readonly state: 'done' | 'failed' | 'cut off';
    readonly rows: number;
    readonly bytes: number;
    readonly durationMs: number | null;
  } | null;
  /** Who leads the keepers; null when nobody does. The same for every job. */
  readonly leader: string | null;
}

/** What {@link jobStatus} is asked for. */
export interface StatusOptions {
  readonly now: Date;
  readonly ledgerSchema?: string;
}

type Client = Pick<ClientBase, 'query'>;

/**
 * Says where each job of a definition stands at `now`; a database without a ledger has jobs that were never seen.
 * @throws DefinitionError HF_DEFINITION when a schedule cannot be read
 */
export async function jobStatus(
  definition: Pick<Definition, 'name' | 'jobs'>,
  client: Client,
  { now, ledgerSchema = ledgerDefaults.schema }: StatusOptions,
): Promise<readonly JobStatus[]> {
  checkSchedules(definition);
  if (!(await hasJobs(client, ledgerSchema))) {
    return definition.jobs.map((job) => statusOf(job, now, { leader: null }));
  }
  const rows = new Map((await jobRows(client, ledgerSchema, definition.name)).map((row) => [row.name, row]));
  const leader = await leaderName(client, ledgerSchema);
  const found: JobStatus[] = [];
  for (const job of definition.jobs) {
    const runs = await jobRuns(client, ledgerSchema, {
      definition: definition.name,
      job: job.name,
      limit: 2,
    });
    found.push(statusOf(job, now, { row: rows.get(job.name), runs, leader }));
  }
  return found;
}

/** Who leads the keepers of a ledger, as `name on host`; null when nobody does or there is no ledger. */
export async function keeperLeader(
  client: Client,
  options: StatusOptions,
): Promise<{ readonly name: string; readonly since: Date | null; readonly silentMs: number } | null> {
  const schema = options.ledgerSchema ?? ledgerDefaults.schema;
  if (!(await hasJobs(client, schema))) return null;
  const leader = await leaderOf(client, { schema, now: options.now });
  if (leader?.holder === null || leader === undefined) return null;
  return { name: `${leader.holder} on ${leader.host}`, since: leader.since, silentMs: leader.silentMs };
}

async function leaderName(client: Client, schema: string): Promise<string | null> {
  const leader = await leaderOf(client, { schema });
  return leader === undefined || leader.holder === null ? null : `${leader.holder} on ${leader.host}`;
}

const JOBS_SQL = `SELECT EXISTS (SELECT FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = 'job_run' AND c.relkind = 'r') AS there`;

// A ledger of the first release has no jobs yet; the next keeper adds them.
async function hasJobs(client: Client, schema: string): Promise<boolean> {
  if (!(await hasLedger(client, schema))) return false;
  const { rows } = await client.query<{ there: boolean }>(JOBS_SQL, [schema]);
  return rows[0]?.there === true;
}

interface Known {
  readonly row?: JobRow | undefined;
  readonly runs?: Awaited<ReturnType<typeof jobRuns>>;
  readonly leader: string | null;
}

function statusOf(job: Job, now: Date, { row, runs = [], leader }: Known): JobStatus {
  const { schedule } = job.settings;
  const missed = row === undefined ? undefined : dueAfter(schedule, row.servedDueAt);
  const ended = runs.find((run) => run.state !== 'running');
  return {
    job: job.name,
    schedule: saySchedule(schedule),
    scheduler: 'keeper',
    seen: row !== undefined,
    lastStartedAt: row?.lastStartedAt ?? null,
    lastSuccessAt: row?.lastSuccessAt ?? null,
    nextDueAt: row?.retryAt ?? nextDue(job, now, row),
    lateMs: missed === undefined ? 0 : Math.max(0, now.getTime() - missed.getTime()),
    failures: row?.failures ?? 0,
    lastError: row?.lastError ?? null,
    runningSince: runs.find((run) => run.state === 'running')?.startedAt ?? null,
    lastRun:
      ended === undefined || ended.state === 'running'
        ? null
        : { state: ended.state, rows: ended.rows, bytes: ended.bytes, durationMs: ended.durationMs },
    leader,
  };
}

// A time that passed and nobody has begun for yet is the next one.
function nextDue({ settings: { schedule } }: Job, now: Date, row: JobRow | undefined): Date | null {
  const due = row === undefined ? undefined : dueAfter(schedule, row.lastDueAt);
  return due !== undefined && due <= now ? due : (dueAfter(schedule, now) ?? null);
}
