// Where the jobs of a definition stand, and their runs. Each function that writes is one statement that also touches the
// lead's row: whoever was passed over writes nothing. Times are those of the keeper's clock.
import type { ClientBase } from 'pg';
import { ident } from '../sql.ts';
import type { Lead } from './lead.ts';
import { hasLedger } from './migrate.ts';

type Client = Pick<ClientBase, 'query'>;

/** How a run ended, or that it has not. */
export type JobRunState = 'running' | 'done' | 'failed' | 'cut off';

/** Where one job stands. */
export interface JobRow {
  readonly name: string;
  readonly firstSeenAt: Date;
  /** The newest time it was due and was begun for. */
  readonly lastDueAt: Date;
  /** The newest time it was due and succeeded for; at first, when it was first seen. */
  readonly servedDueAt: Date;
  readonly lastStartedAt: Date | null;
  readonly lastSuccessAt: Date | null;
  /** Attempts made for `lastDueAt`. */
  readonly attempt: number;
  readonly retryAt: Date | null;
  readonly failures: number;
  readonly lastError: string | null;
}

/** One run of a job. */
export interface JobRunRow {
  /** Grows with every run; a text because it is a bigint. */
  readonly run: string;
  readonly job: string;
  readonly dueAt: Date;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  readonly state: JobRunState;
  readonly attempt: number;
  readonly rows: number;
  readonly bytes: number;
  readonly durationMs: number | null;
  readonly tasks: unknown;
  readonly error: string | null;
  readonly fence: string;
  readonly byHost: string;
}

const JOB = `name, first_seen_at AS "firstSeenAt", last_due_at AS "lastDueAt", served_due_at AS "servedDueAt",
  last_started_at AS "lastStartedAt", last_success_at AS "lastSuccessAt", attempt, retry_at AS "retryAt", failures,
  last_error AS "lastError"`;

const RUN = `run, job, due_at AS "dueAt", started_at AS "startedAt", finished_at AS "finishedAt", state, attempt,
  rows::pg_catalog.float8 AS rows, bytes::pg_catalog.float8 AS bytes, duration_ms::pg_catalog.float8 AS "durationMs",
  tasks, error, fence, by_host AS "byHost"`;

/** Where the jobs of a definition stand; those a keeper never saw have no row. */
export async function jobRows(
  client: Client,
  schema: string,
  definition: string,
): Promise<readonly JobRow[]> {
  const { rows } = await client.query<JobRow>(
    `SELECT ${JOB} FROM ${ident(schema)}.job WHERE definition = $1 ORDER BY name`,
    [definition],
  );
  return rows;
}

/**
 * Runs of a definition's jobs, newest first; none where no ledger is.
 * @param of `job`: of one job only; `state`: in one state only; `limit`: at most so many
 */
export async function jobRuns(
  client: Client,
  schema: string,
  of: {
    readonly definition: string;
    readonly job?: string;
    readonly state?: JobRunState;
    readonly limit?: number;
  },
): Promise<readonly JobRunRow[]> {
  if (!(await hasLedger(client, schema))) return [];
  const { rows } = await client.query<JobRunRow>(
    `SELECT ${RUN} FROM ${ident(schema)}.job_run
     WHERE definition = $1 AND ($2::pg_catalog.text IS NULL OR job = $2)
       AND ($3::pg_catalog.text IS NULL OR state = $3) ORDER BY job_run.run DESC LIMIT $4`,
    [of.definition, of.job ?? null, of.state ?? null, of.limit ?? 1_000],
  );
  return rows;
}

const HELD = (schema: string): string =>
  `SELECT FROM ${ident(schema)}.lease WHERE name = 'keeper' AND fence = $1 AND holder IS NOT NULL FOR KEY SHARE`;

/** Notes jobs that were never seen: from now on they are due. @returns false when the lead is lost */
export async function noteJobs(
  client: Client,
  lead: Lead,
  seen: { readonly definition: string; readonly names: readonly string[]; readonly at: Date },
): Promise<boolean> {
  const { rows } = await client.query<{ held: boolean }>(
    `WITH held AS (${HELD(lead.schema)}),
     noted AS (INSERT INTO ${ident(lead.schema)}.job (definition, name, first_seen_at, last_due_at, served_due_at)
       SELECT $2, n, $4, $4, $4 FROM held, pg_catalog.unnest($3::pg_catalog.text[]) AS n
       ON CONFLICT (definition, name) DO NOTHING)
     SELECT EXISTS (SELECT FROM held) AS held`,
    [lead.fence, seen.definition, seen.names, seen.at],
  );
  return rows[0]?.held === true;
}

/** Passes over the times a job was due at, up to `dueAt`. @returns false when the lead is lost */
export async function skipDue(
  client: Client,
  lead: Lead,
  of: { readonly definition: string; readonly job: string; readonly dueAt: Date },
): Promise<boolean> {
  const { rowCount } = await client.query(
    `WITH held AS (${HELD(lead.schema)})
     UPDATE ${ident(lead.schema)}.job SET last_due_at = $4, served_due_at = $4, retry_at = NULL
     FROM held WHERE definition = $2 AND name = $3`,
    [lead.fence, of.definition, of.job, of.dueAt],
  );
  return rowCount === 1;
}

/** Where a job stands that somebody else runs. */
export interface JobElsewhere {
  readonly definition: string;
  readonly job: string;
  readonly now: Date;
  readonly lastStartedAt: Date | null;
  readonly lastSuccessAt: Date | null;
  readonly failures: number;
  readonly lastError: string | null;
  readonly done: number;
  readonly failed: number;
}

/** Notes where a job stands that somebody else runs, so that it is measured like any other. @returns false when the lead is lost */
export async function noteElsewhere(client: Client, lead: Lead, of: JobElsewhere): Promise<boolean> {
  const { rowCount } = await client.query(
    `WITH held AS (${HELD(lead.schema)})
     INSERT INTO ${ident(lead.schema)}.job AS j (definition, name, first_seen_at, last_due_at, served_due_at,
       last_started_at, last_success_at, failures, last_error, runs_done, runs_failed)
     SELECT $2, $3, t.now, coalesce(t.started, t.now), coalesce(t.success, t.now), t.started, t.success, $7, $8, $9, $10
       FROM held, (SELECT $4::pg_catalog.timestamptz AS now, $5::pg_catalog.timestamptz AS started,
         $6::pg_catalog.timestamptz AS success) AS t
     ON CONFLICT (definition, name) DO UPDATE SET last_due_at = greatest(j.last_due_at, $5),
       served_due_at = greatest(j.served_due_at, $6), last_started_at = greatest(j.last_started_at, $5),
       last_success_at = greatest(j.last_success_at, $6), retry_at = NULL, failures = $7, last_error = $8,
       runs_done = greatest(j.runs_done, $9), runs_failed = greatest(j.runs_failed, $10)`,
    [
      lead.fence,
      of.definition,
      of.job,
      of.now,
      of.lastStartedAt,
      of.lastSuccessAt,
      of.failures,
      of.lastError,
      of.done,
      of.failed,
    ],
  );
  return rowCount === 1;
}

/** What opens a run. */
export interface Opening {
  readonly definition: string;
  readonly job: string;
  readonly dueAt: Date;
  readonly startedAt: Date;
  readonly attempt: number;
  readonly byHost: string;
}

/** Opens a run and says that the leader is busy. @returns its number, or undefined when the lead is lost */
export async function openJobRun(client: Client, lead: Lead, open: Opening): Promise<string | undefined> {
  const schema = ident(lead.schema);
  const { rows } = await client.query<{ run: string }>(
    `WITH held AS (UPDATE ${schema}.lease SET busy = true
       WHERE name = 'keeper' AND fence = $1 AND holder IS NOT NULL RETURNING fence),
     stands AS (INSERT INTO ${schema}.job AS j
         (definition, name, first_seen_at, last_due_at, served_due_at, last_started_at, attempt)
       SELECT $2, $3, $5, $4, $5, $5, $6 FROM held
       ON CONFLICT (definition, name) DO UPDATE SET last_due_at = excluded.last_due_at,
         last_started_at = excluded.last_started_at, attempt = excluded.attempt, retry_at = NULL)
     INSERT INTO ${schema}.job_run (definition, job, due_at, started_at, state, attempt, fence, by_host)
     SELECT $2, $3, $4, $5, 'running', $6, fence, $7 FROM held RETURNING run`,
    [lead.fence, open.definition, open.job, open.dueAt, open.startedAt, open.attempt, open.byHost],
  );
  return rows[0]?.run;
}

/** What closes a run. */
export interface Closing {
  readonly run: string;
  readonly state: 'done' | 'failed' | 'cut off';
  readonly finishedAt: Date;
  readonly durationMs: number;
  readonly rows: number;
  readonly bytes: number;
  /** Results of its tasks, for `job_run.tasks`. */
  readonly tasks: readonly unknown[];
  readonly error: string | null;
  readonly retryAt: Date | null;
  /** Attempts that count: one that was only interrupted is not among them. */
  readonly attempt: number;
  /** How many runs of the job stay in the ledger. */
  readonly keepRuns: number;
  /** Whether other jobs still run. */
  readonly busy: boolean;
}

/** Closes a run, tells its job and forgets the oldest runs. @returns false when the lead is lost */
export async function closeJobRun(client: Client, lead: Lead, closing: Closing): Promise<boolean> {
  const schema = ident(lead.schema);
  const { rows } = await client.query<{ held: boolean }>(closeSql(schema), [
    lead.fence,
    closing.busy,
    closing.run,
    closing.state,
    closing.finishedAt,
    Math.round(closing.durationMs),
    closing.rows,
    closing.bytes,
    JSON.stringify(closing.tasks),
    closing.error,
    closing.retryAt,
    closing.attempt,
    closing.keepRuns,
  ]);
  return rows[0]?.held === true;
}

const closeSql = (schema: string): string => `WITH held AS (UPDATE ${schema}.lease SET busy = $2
    WHERE name = 'keeper' AND fence = $1 AND holder IS NOT NULL RETURNING fence),
  closed AS (UPDATE ${schema}.job_run r SET state = $4, finished_at = $5, duration_ms = $6, rows = $7, bytes = $8,
      tasks = $9, error = $10
    FROM held WHERE r.run = $3 AND r.state = 'running' RETURNING r.definition, r.job, r.due_at),
  told AS (UPDATE ${schema}.job j SET retry_at = $11, attempt = $12,
      last_success_at = CASE WHEN $4 = 'done' THEN $5 ELSE j.last_success_at END,
      served_due_at = CASE WHEN $4 = 'done' THEN c.due_at ELSE j.served_due_at END,
      failures = CASE $4 WHEN 'done' THEN 0 WHEN 'failed' THEN j.failures + 1 ELSE j.failures END,
      runs_done = j.runs_done + ($4 = 'done')::pg_catalog.int4,
      runs_failed = j.runs_failed + ($4 = 'failed')::pg_catalog.int4,
      runs_cut_off = j.runs_cut_off + ($4 = 'cut off')::pg_catalog.int4, rows = j.rows + $7, bytes = j.bytes + $8,
      last_error = CASE WHEN $4 = 'done' THEN NULL ELSE $10 END
    FROM closed c WHERE j.definition = c.definition AND j.name = c.job),
  forgotten AS (DELETE FROM ${schema}.job_run o USING closed c
    WHERE o.definition = c.definition AND o.job = c.job AND o.state <> 'running' AND o.run <> $3
      AND o.run <= (SELECT x.run FROM ${schema}.job_run x
        WHERE x.definition = c.definition AND x.job = c.job ORDER BY x.run DESC OFFSET $13 LIMIT 1))
  SELECT EXISTS (SELECT FROM held) AS held`;
