// What was applied to this database: runs of plans and their statements. Written by apply and rollback, read by
// status and drift. Nothing in here is secret: SQL of the plan, names, times.
import { hostname } from 'node:os';
import type { ClientBase } from 'pg';
import { ident } from '../sql.ts';
import { hasLedger, ledgerDefaults } from './migrate.ts';

/** Where a run stands. */
export type RunState = 'applying' | 'applied' | 'rolling back' | 'rolled back';

/** One application of a plan. */
export interface Run {
  /** Grows with every run; a text because it is a bigint. */
  readonly run: string;
  readonly planId: string;
  /** Fingerprint of the definition the plan came from, where the caller gave one. */
  readonly definition: string | null;
  readonly plan: unknown;
  readonly state: RunState;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly byRole: string;
  readonly byHost: string;
}

/** Names one statement of a run: `part` counts the statements of a way back, 0 forward. */
export interface StepKey {
  readonly direction: 'forward' | 'back';
  readonly number: number;
  readonly part: number;
}

/** One statement as the ledger has it. */
export interface StepRow extends StepKey {
  readonly state: 'started' | 'done';
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly attempts: number;
  readonly error: string | null;
}

type Client = Pick<ClientBase, 'query'>;

const RUN = `run, plan_id AS "planId", definition, plan, state, started_at::text AS "startedAt",
  finished_at::text AS "finishedAt", by_role AS "byRole", by_host AS "byHost"`;

/**
 * The newest plan that is in force: applied and not rolled back.
 * @returns undefined when nothing was ever applied, or no ledger is there
 */
export async function lastApplied(
  client: Client,
  schema: string = ledgerDefaults.schema,
): Promise<Run | undefined> {
  const applied = await runs(client, schema);
  return applied.find(({ state }) => state === 'applied');
}

/** The run that was cut off, if there is one: there is never more than one. */
export async function unfinishedRun(
  client: Client,
  schema: string = ledgerDefaults.schema,
): Promise<Run | undefined> {
  const all = await runs(client, schema);
  return all.find(({ state }) => state === 'applying' || state === 'rolling back');
}

/** Every run, newest first; none where no ledger is. */
export async function runs(client: Client, schema: string = ledgerDefaults.schema): Promise<readonly Run[]> {
  if (!(await hasLedger(client, schema))) return [];
  const { rows } = await client.query<Run>(`SELECT ${RUN} FROM ${ident(schema)}.run ORDER BY run.run DESC`);
  return rows;
}

/** The statements of a run, in the order of the plan. */
export async function stepsOf(
  client: Client,
  run: string,
  schema: string = ledgerDefaults.schema,
): Promise<readonly StepRow[]> {
  const { rows } = await client.query<StepRow>(
    `SELECT direction, number, part, state, started_at::text AS "startedAt", finished_at::text AS "finishedAt",
       attempts, error FROM ${ident(schema)}.step WHERE run = $1 ORDER BY direction, number, part`,
    [run],
  );
  return rows;
}

/** Opens a run of a plan. The caller holds the lease. */
export async function openRun(
  client: Client,
  schema: string,
  run: { readonly planId: string; readonly definition?: string | undefined; readonly plan: unknown },
): Promise<string> {
  const { rows } = await client.query<{ run: string }>(
    `INSERT INTO ${ident(schema)}.run (plan_id, definition, plan, state, by_host)
     VALUES ($1, $2, $3, 'applying', $4) RETURNING run`,
    [run.planId, run.definition ?? null, JSON.stringify(run.plan), `${hostname()} (${process.pid})`],
  );
  return rows[0]?.run ?? '0';
}

/** Moves a run to another state; a final one closes it. */
export async function setRunState(
  client: Client,
  schema: string,
  { run, state }: { readonly run: string; readonly state: RunState },
): Promise<void> {
  await client.query(
    `UPDATE ${ident(schema)}.run SET state = $2,
       finished_at = CASE WHEN $2 IN ('applied', 'rolled back') THEN pg_catalog.clock_timestamp() END WHERE run = $1`,
    [run, state],
  );
}

/** Notes that statements are done, in the transaction that did them where they are transactional. */
export async function markDone(
  client: Client,
  schema: string,
  { run, keys }: { readonly run: string; readonly keys: readonly StepKey[] },
): Promise<void> {
  await client.query(
    `INSERT INTO ${ident(schema)}.step (run, direction, number, part, state, finished_at)
     SELECT $1, d, n, p, 'done', pg_catalog.clock_timestamp()
     FROM ROWS FROM (pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::int4[]), pg_catalog.unnest($4::int4[])) AS k (d, n, p)
     ON CONFLICT (run, direction, number, part)
     DO UPDATE SET state = 'done', finished_at = excluded.finished_at, error = NULL`,
    [run, keys.map((key) => key.direction), keys.map((key) => key.number), keys.map((key) => key.part)],
  );
}

/** Notes, before it runs, that a statement outside transactions is being tried. */
export async function markStarted(
  client: Client,
  schema: string,
  { run, key }: { readonly run: string; readonly key: StepKey },
): Promise<void> {
  await client.query(
    `INSERT INTO ${ident(schema)}.step AS s (run, direction, number, part, state) VALUES ($1, $2, $3, $4, 'started')
     ON CONFLICT (run, direction, number, part) DO UPDATE SET attempts = s.attempts + 1`,
    [run, key.direction, key.number, key.part],
  );
}

/** Keeps why a statement failed; its message may quote names of the schema, never a value of a row's secret column. */
export async function markFailed(
  client: Client,
  schema: string,
  { run, key, error }: { readonly run: string; readonly key: StepKey; readonly error: string },
): Promise<void> {
  await client.query(
    `INSERT INTO ${ident(schema)}.step AS s (run, direction, number, part, state, error)
     VALUES ($1, $2, $3, $4, 'started', $5)
     ON CONFLICT (run, direction, number, part) DO UPDATE SET error = excluded.error`,
    [run, key.direction, key.number, key.part, error],
  );
}
