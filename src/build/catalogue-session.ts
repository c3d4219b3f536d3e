// How the planning half talks to databases: reading a catalogue in one snapshot, and running statements in a scratch
// database, where nobody else is.
import type { Pool, PoolClient } from 'pg';
import type { CatalogueQuery } from '../define/trait.ts';
import { HoldfastError } from '../error.ts';
import { sqlstateOf } from '../server/index.ts';
import { prepare } from './session.ts';
import type { Step } from './step.ts';

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

/** One statement to run; steps and their ways back both are. */
export interface Runnable {
  readonly sql: string;
  readonly subject: string;
  /** Statements of one group share a transaction, as they will on the target. */
  readonly group?: number;
}

/**
 * Runs statements one after another in a database nobody else uses, under the settings a plan is applied with: no lock
 * timeouts, no retries.
 * @throws HoldfastError HF_REHEARSAL_STEP with the statement and PostgreSQL's message
 */
export async function runAlone(pool: Pool, statements: readonly Runnable[]): Promise<void> {
  if (statements.length === 0) return;
  const client = await pool.connect();
  try {
    await prepare(client);
    await client.query('SET synchronous_commit = off');
    let open: number | undefined;
    for (const statement of statements) {
      if (open !== undefined && open !== statement.group) await client.query('COMMIT');
      if (statement.group !== undefined && open !== statement.group) await client.query('BEGIN');
      open = statement.group;
      await runOne(client, statement);
    }
    if (open !== undefined) await client.query('COMMIT');
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
    await client.query('RESET ALL').catch(() => undefined);
    client.release();
  }
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

/** The ways back of steps that have run, in the order they run. */
export function waysBack(steps: readonly Step[]): readonly Runnable[] {
  return [...steps]
    .reverse()
    .flatMap((step) =>
      (step.back ?? []).map((back) => ({ sql: back.sql, subject: back.subject ?? step.subject })),
    );
}
