// Jobs that are SQL alone, handed to pg_cron: they then run while no keeper does. Everything else stays with the keeper.
import type { Client } from 'pg';
import { jobDefaults, type Definition, type Job } from '../define/index.ts';
import { HoldfastError } from '../error.ts';
import { noteElsewhere, type Lead } from '../ledger/index.ts';
import { target, withClient, withDatabase } from '../server/index.ts';
import type { JobStatus } from './status.ts';

/** One entry of pg_cron: a task of a job, since pg_cron runs a command of several statements as one transaction. */
export interface CronEntry {
  /** `database:definition/job`, with the task's number behind it where a job has several. */
  readonly name: string;
  readonly job: string;
  readonly schedule: string;
  readonly command: string;
}

/** Why a job stays with the keeper. */
export interface Kept {
  readonly job: string;
  readonly why: string;
}

const UTC_NAMES = new Set(['utc', 'etc/utc', 'gmt', 'etc/gmt']);
const FIELDS = /^\S+( \S+){4}$/;
const mark = (definition: string): string => `/* holdfast ${definition} */ `;

/**
 * Splits the jobs of a definition into what pg_cron can run and what stays with the keeper, with the reason.
 * pg_cron knows five fields in GMT, no order among jobs, no start, no pause between attempts, and passes over what it
 * missed.
 */
export function splitForCron(
  definition: Definition,
  database: string,
): { readonly entries: readonly CronEntry[]; readonly kept: readonly Kept[] } {
  const entries: CronEntry[] = [];
  const kept: Kept[] = [];
  for (const job of definition.jobs) {
    const why = whyKept(job, definition);
    if (why === undefined) entries.push(...entriesOf(job, definition, database));
    else kept.push({ job: job.name, why });
  }
  return { entries, kept };
}

function whyKept({ name, settings, tasks }: Job, { jobs, model }: Definition): string | undefined {
  const { schedule } = settings;
  if (tasks.some((task) => task.sql?.(model).length !== 1)) return 'a task of it is not one statement of SQL';
  if (!('cron' in schedule)) return 'it runs at an interval';
  if (!UTC_NAMES.has((schedule.zone ?? 'UTC').toLowerCase()))
    return `pg_cron knows no time zone but GMT, and it runs in ${schedule.zone}`;
  const expressions = [schedule.cron].flat();
  if (expressions.length !== 1 || !FIELDS.test(expressions[0] ?? ''))
    return 'its schedule is not one expression of five fields';
  if (settings.atStart ?? jobDefaults.atStart) return 'it runs at start too';
  const linked = (settings.after ?? []).length > 0 || jobs.some((job) => job.settings.after?.includes(name));
  return linked ? 'it has an order with other jobs' : undefined;
}

function entriesOf(job: Job, definition: Definition, database: string): CronEntry[] {
  const { schedule } = job.settings;
  const expression = 'cron' in schedule ? ([schedule.cron].flat()[0] ?? '') : '';
  const name = `${database}:${definition.name}/${job.name}`;
  return job.tasks.map((task, at) => ({
    name: at === 0 ? name : `${name} ${at + 1}`,
    job: job.name,
    schedule: expression,
    command: mark(definition.name) + (task.sql?.(definition.model)[0] ?? ''),
  }));
}

interface Row {
  readonly jobid: string;
  readonly jobname: string;
  readonly schedule: string;
  readonly command: string;
  readonly database: string;
}

const WHERE_SQL = `SELECT pg_catalog.current_setting('cron.database_name', true) AS home`;
const INSTALLED_SQL = `SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_cron'`;
const JOBS_SQL = `SELECT jobid, jobname, schedule, command, database FROM cron.job
  WHERE username = current_user AND pg_catalog.starts_with(jobname, $1) ORDER BY jobid`;
const SCHEDULE_SQL = 'SELECT cron.schedule_in_database($1, $2, $3, $4)';
const UNSCHEDULE_SQL = 'SELECT cron.unschedule($1::pg_catalog.int8)';

/**
 * Makes pg_cron's entries under this definition's names those that are wanted: adds, changes and removes its own,
 * all or none.
 * @param url the database that is kept; pg_cron may live in another one of the same server
 * @returns how many entries were added or changed, and removed
 * @throws HoldfastError HF_CRON_MISSING when the server has no pg_cron; HF_CRON_TAKEN when an entry of such a name is
 *   not of Holdfast, or runs in another database
 */
export async function registerCron(
  definition: Definition,
  url: string,
  entries: readonly CronEntry[],
): Promise<{ readonly written: number; readonly removed: number }> {
  const { database } = target(url);
  return atHome(url, async (client) => {
    await client.query('BEGIN');
    try {
      const { rows } = await client.query<Row>(JOBS_SQL, [`${database}:${definition.name}/`]);
      const foreign = rows.find(
        (row) => row.database !== database || !row.command.startsWith(mark(definition.name)),
      );
      if (foreign !== undefined) throw taken(foreign);
      const gone = rows.filter((row) => !entries.some((entry) => entry.name === row.jobname));
      const news = entries.filter(
        (entry) =>
          !rows.some(
            (row) =>
              row.jobname === entry.name && row.command === entry.command && row.schedule === entry.schedule,
          ),
      );
      for (const row of gone) await client.query(UNSCHEDULE_SQL, [row.jobid]);
      for (const entry of news)
        await client.query(SCHEDULE_SQL, [entry.name, entry.schedule, entry.command, database]);
      await client.query('COMMIT');
      return { written: news.length, removed: gone.length };
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    }
  });
}

const LOG_SQL = `SELECT j.jobname AS name,
    max(d.start_time) AS "lastStartedAt",
    max(d.end_time) FILTER (WHERE d.status = 'succeeded') AS "lastSuccessAt",
    count(*) FILTER (WHERE d.status = 'failed' AND d.runid > coalesce((SELECT max(s.runid) FROM cron.job_run_details s
      WHERE s.jobid = j.jobid AND s.status = 'succeeded'), 0))::pg_catalog.int4 AS failures,
    max(d.start_time) FILTER (WHERE d.status IN ('starting', 'running', 'sending', 'connecting')) AS "runningSince",
    count(*) FILTER (WHERE d.status = 'succeeded')::pg_catalog.float8 AS done,
    count(*) FILTER (WHERE d.status = 'failed')::pg_catalog.float8 AS failed,
    (SELECT l.return_message FROM cron.job_run_details l WHERE l.jobid = j.jobid AND l.status IN ('failed', 'succeeded')
      ORDER BY l.runid DESC LIMIT 1) AS message
  FROM cron.job j LEFT JOIN cron.job_run_details d ON d.jobid = j.jobid
  WHERE j.username = current_user AND pg_catalog.starts_with(j.jobname, $1)
  GROUP BY j.jobid, j.jobname ORDER BY j.jobname`;

interface Log {
  readonly name: string;
  readonly lastStartedAt: Date | null;
  readonly lastSuccessAt: Date | null;
  readonly failures: number;
  readonly runningSince: Date | null;
  readonly message: string | null;
  readonly done: number;
  readonly failed: number;
}

/**
 * The same statuses, with what pg_cron's run log says of the jobs that are registered with it; of a job with several
 * entries the one that stands worst. Unchanged where there is no pg_cron or nothing is registered.
 */
export async function withCronLog(
  definition: Definition,
  url: string,
  statuses: readonly JobStatus[],
): Promise<readonly JobStatus[]> {
  const logs = await worstLogs(definition, url);
  return statuses.map((status) => {
    const log = logs.get(status.job);
    return log === undefined ? status : merged(status, log);
  });
}

/**
 * Writes into the ledger what pg_cron's run log says, so that its jobs are measured like those of the keeper.
 * @returns false when the lead is lost
 */
export async function noteCronLog(
  definition: Definition,
  url: string,
  by: { readonly client: Client; readonly lead: Lead; readonly now: Date },
): Promise<boolean> {
  for (const [job, log] of await worstLogs(definition, url)) {
    const lastError = errorOf(log);
    const stands = { ...log, definition: definition.name, job, now: by.now, lastError };
    if (!(await noteElsewhere(by.client, by.lead, stands))) return false;
  }
  return true;
}

// Of a job with several entries the one that stands worst.
async function worstLogs(definition: Definition, url: string): Promise<ReadonlyMap<string, Log>> {
  const prefix = `${target(url).database}:${definition.name}/`;
  const logs = await atHome(url, async (client) => (await client.query<Log>(LOG_SQL, [prefix])).rows).catch(
    (error: unknown) => {
      if (error instanceof HoldfastError && error.code === 'HF_CRON_MISSING') return [];
      throw error;
    },
  );
  const found = new Map<string, Log>();
  for (const log of logs.toSorted((a, b) => b.failures - a.failures || age(a) - age(b))) {
    const job = log.name.slice(prefix.length).split(' ')[0] ?? '';
    if (!found.has(job)) found.set(job, log);
  }
  return found;
}

function errorOf({ failures, message }: Log): string | null {
  return failures > 0 ? (message ?? 'pg_cron says no more').trim() : null;
}

const age = (log: Log): number => log.lastSuccessAt?.getTime() ?? 0;

function merged(status: JobStatus, log: Log): JobStatus {
  return {
    ...status,
    scheduler: 'pg_cron',
    seen: true,
    lastStartedAt: log.lastStartedAt,
    lastSuccessAt: log.lastSuccessAt,
    failures: log.failures,
    lastError: errorOf(log),
    runningSince: log.runningSince,
  };
}

/** Works in the database where pg_cron keeps its jobs. */
async function atHome<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const home = await withClient(url, async (client) => {
    const { rows } = await client.query<{ home: string | null }>(WHERE_SQL);
    return rows[0]?.home ?? '';
  });
  if (home === '') throw missing('the server does not load it');
  return withClient(withDatabase(url, home), async (client) => {
    const { rowCount } = await client.query(INSTALLED_SQL);
    if (rowCount !== 1) throw missing(`database ${home} does not have the extension`);
    return work(client);
  });
}

function missing(why: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_CRON_MISSING',
    subject: 'extension pg_cron',
    what: `${why}.`,
    fix: "Add pg_cron to shared_preload_libraries, restart, CREATE EXTENSION pg_cron there; or leave out scheduler: 'pg_cron'.",
  });
}

function taken(row: Row): HoldfastError {
  return new HoldfastError({
    code: 'HF_CRON_TAKEN',
    subject: `pg_cron job ${row.jobname}`,
    what: `it exists and runs something else in database ${row.database}: ${row.command.slice(0, 80)}.`,
    fix: `Look whose it is; SELECT cron.unschedule(${row.jobid}) removes it.`,
  });
}
