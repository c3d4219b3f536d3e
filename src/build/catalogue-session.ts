// How the planning half talks to databases: reading a catalogue in one snapshot, and running statements in a scratch
// database, where nobody else is.
import type { Pool, PoolClient } from 'pg';
import type { CatalogueQuery } from '../define/trait.ts';
import { HoldfastError } from '../error.ts';
import { sqlstateOf } from '../server/index.ts';
import { forwardBatches } from './apply.ts';
import { backBatches } from './rollback.ts';
import { prepare } from './session.ts';
import type { Step } from './step.ts';
import { numbered, type StepDraft } from './steps.ts';

/**
 * Gives a query function over one read-only snapshot, in which deparsed names are qualified and instants are in UTC.
 * @param pool sessions to the database; one is used
 */
export async function reading<T>(pool: Pool, fn: (query: CatalogueQuery) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await client.query(
      "SET LOCAL search_path = 'pg_catalog'; SET LOCAL timezone = 'UTC'; SET LOCAL jit = off",
    );
    return await fn(async <Row extends object>(sql: string, values: readonly unknown[] = []) => {
      const { rows } = await client.query(sql, [...values]);
      return rows as Row[];
    });
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
    client.release();
  }
}

/** One statement to run. */
export interface Runnable {
  readonly sql: string;
  readonly subject: string;
  readonly transactional?: boolean;
}

/** Steps in the transactions they will run in on the target. */
export function forward(steps: readonly StepDraft[]): readonly (readonly Runnable[])[] {
  return forwardBatches(numbered(steps));
}

/** The ways back of steps that have run, in the order and the transactions they run in. */
export function waysBack(steps: readonly Step[]): readonly (readonly Runnable[])[] {
  return backBatches([...steps].reverse());
}

/**
 * Runs statements one after another in a database nobody else uses, under the settings a plan is applied with: no lock
 * timeouts, no retries. Each batch is one transaction.
 * @throws HoldfastError HF_REHEARSAL_STEP with the statement and PostgreSQL's message
 */
export async function runAlone(pool: Pool, batches: readonly (readonly Runnable[])[]): Promise<void> {
  if (batches.length === 0) return;
  const client = await pool.connect();
  try {
    await prepare(client);
    await client.query('SET synchronous_commit = off');
    for (const batch of batches) await runBatch(client, batch);
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
    await client.query('RESET ALL').catch(() => undefined);
    client.release();
  }
}

async function runBatch(client: PoolClient, batch: readonly Runnable[]): Promise<void> {
  const together = batch.every((one) => one.transactional !== false);
  if (together) await client.query('BEGIN');
  for (const statement of batch) await runOne(client, statement);
  if (together) await client.query('COMMIT');
}

async function runOne(client: PoolClient, statement: Runnable): Promise<void> {
  try {
    await client.query(statement.sql);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const { detail, hint } = cause as { detail?: string; hint?: string };
    const said = [`"${message}" (SQLSTATE ${sqlstateOf(cause) ?? 'none'})`, detail, hint]
      .filter((part) => part !== undefined)
      .join('; ');
    throw new HoldfastError({
      code: 'HF_REHEARSAL_STEP',
      subject: statement.subject,
      what: `in the rehearsal PostgreSQL refuses ${statement.sql}: ${said.replace(/\.$/, '')}.`,
      fix: 'The plan was not shown and nothing was changed. Change the definition so that this statement can run.',
      cause,
    });
  }
}
