// Lowered statements into a scratch database: the server alone decides what they mean and whether they are right.
import type { Pool, PoolClient } from 'pg';
import { HoldfastError } from '../error.ts';
import { SQLSTATE, isSqlstate, sqlstateOf } from '../server/index.ts';

/** One statement of a lowered definition. */
export interface LoadStatement {
  readonly sql: string;
  /** What it makes, for messages. */
  readonly subject: string;
  /** Who asked for it: a file with line, a table, a trait. */
  readonly origin: string;
  /** It came from a file whose order the user did not think about: tried again when something it needs is missing. */
  readonly reorderable?: boolean;
}

/** Statements sent together; a batch that fails is run again one by one to find the culprit. */
const BATCH = 40;

/**
 * Runs a definition's statements in an empty database.
 * @param pool sessions to the database; one is used
 * @param statements in order; reorderable ones that need something later are tried again after the rest
 * @throws HoldfastError HF_DDL naming the statement's origin, the SQLSTATE and PostgreSQL's message;
 *   HF_NOT_IMMUTABLE when an index or generated column needs an immutable expression
 */
export async function load(pool: Pool, statements: readonly LoadStatement[]): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('SET synchronous_commit = off');
    await client.query("SET client_min_messages = 'warning'");
    let waiting = await loadInBatches(client, statements);
    while (waiting.length > 0) {
      const before = waiting.length;
      const failed = await loadEach(
        client,
        waiting.map((one) => one.statement),
      );
      if (failed.length === before) throw refused(failed[0] as Failed);
      waiting = failed;
    }
  } finally {
    await client.query('RESET ALL').catch(() => undefined);
    client.release();
  }
}

interface Failed {
  readonly statement: LoadStatement;
  readonly error: unknown;
}

async function loadInBatches(client: PoolClient, statements: readonly LoadStatement[]): Promise<Failed[]> {
  const waiting: Failed[] = [];
  for (let at = 0; at < statements.length; at += BATCH) {
    const batch = statements.slice(at, at + BATCH);
    // One message is one implicit transaction: a batch that fails has changed nothing.
    const whole = await client.query(batch.map((one) => one.sql).join('\n;\n')).then(
      () => true,
      () => false,
    );
    if (!whole) waiting.push(...(await loadEach(client, batch)));
  }
  return waiting;
}

async function loadEach(client: PoolClient, statements: readonly LoadStatement[]): Promise<Failed[]> {
  const waiting: Failed[] = [];
  for (const statement of statements) {
    try {
      await client.query(statement.sql);
    } catch (error) {
      if (statement.reorderable !== true || !needsSomethingElse(error)) throw refused({ statement, error });
      waiting.push({ statement, error });
    }
  }
  return waiting;
}

function needsSomethingElse(error: unknown): boolean {
  return isSqlstate(
    error,
    SQLSTATE.undefinedTable,
    SQLSTATE.undefinedObject,
    SQLSTATE.undefinedFunction,
    SQLSTATE.undefinedColumn,
    SQLSTATE.invalidSchemaName,
  );
}

/** 42P17: invalid_object_definition; for expressions, PostgreSQL uses it for what is not immutable. */
const INVALID_OBJECT_DEFINITION = '42P17';

function refused({ statement, error }: Failed): HoldfastError {
  const state = sqlstateOf(error) ?? 'no SQLSTATE';
  const message = error instanceof Error ? error.message : String(error);
  const { detail, hint } = error as { detail?: string; hint?: string };
  const said = [
    `PostgreSQL says "${message}" (SQLSTATE ${state}${where(statement.sql, error)})`,
    detail,
    hint,
  ]
    .filter((part) => part !== undefined)
    .join('; ')
    .replace(/\.$/, '');
  if (state === INVALID_OBJECT_DEFINITION && message.includes('IMMUTABLE')) {
    return new HoldfastError({
      code: 'HF_NOT_IMMUTABLE',
      subject: statement.subject,
      what: `${said}: what it gives depends on the time, the session or its settings, so no index may store it.`,
      fix:
        `Change ${statement.origin}: leave now() and CURRENT_DATE out of the predicate and index the time column instead, ` +
        `and write (column AT TIME ZONE 'UTC')::date for a date of a timestamptz.`,
      cause: error,
    });
  }
  return new HoldfastError({
    code: 'HF_DDL',
    subject: statement.subject,
    what: `${said}.`,
    fix: `Correct it in ${statement.origin}.`,
    cause: error,
  });
}

function where(sql: string, error: unknown): string {
  const position = Number((error as { position?: string }).position ?? Number.NaN);
  if (!Number.isInteger(position)) return '';
  const before = sql.slice(0, position - 1);
  const line = before.split('\n').length;
  return `, line ${line}, column ${position - before.lastIndexOf('\n') - 1}`;
}
