// Brings the ledger's schema to this version. Two starters race on the first row of each version: one inserts it, the
// other waits for that row and finds the work done.
import type { ClientBase } from 'pg';
import { HoldfastError } from '../error.ts';
import { ident, literal } from '../sql.ts';
import { SQLSTATE, isSqlstate } from '../server/index.ts';
import { migrations } from './migrations.ts';

/** Where the ledger lives unless the user says otherwise. */
export const ledgerDefaults = { schema: 'holdfast' } as const;

/** How the comment of a ledger's schema begins, whatever its name: what is in such a schema is not the user's. */
export const LEDGER_MARK = 'Ledger of Holdfast:';

const COMMENT = `${LEDGER_MARK} what was applied to this database, and by whom.`;

// A table's row type has a name of its own: the loser of a race may meet that before the table.
const RACES = [
  SQLSTATE.uniqueViolation,
  SQLSTATE.duplicateSchema,
  SQLSTATE.duplicateTable,
  SQLSTATE.duplicateObject,
] as const;
const MOST_RACES = 20;

/**
 * Makes or upgrades the ledger's schema.
 * @param client a session outside a transaction, of a role that may create schemas or owns the ledger
 * @param schema the ledger's schema; one database may hold several under different names
 * @throws HoldfastError HF_LEDGER_NEWER when a newer, breaking version was there first; HF_LEDGER_RIGHTS when the role
 *   may not make the schema
 */
export async function migrate(client: ClientBase, schema: string = ledgerDefaults.schema): Promise<void> {
  for (let tries = 0; tries < MOST_RACES; tries += 1) {
    try {
      return await migrateOnce(client, schema);
    } catch (error) {
      await client.query('ROLLBACK');
      if (isSqlstate(error, SQLSTATE.insufficientPrivilege)) throw noRight(schema, error);
      if (!isSqlstate(error, ...RACES)) throw error;
    }
  }
  throw new HoldfastError({
    code: 'HF_LEDGER_RACE',
    subject: `schema ${schema}`,
    what: `other sessions kept changing the ledger's version ${MOST_RACES} times in a row.`,
    fix: 'Run again when they are done.',
  });
}

/** Whether the ledger's schema is there; a database without it was never applied to. */
export async function hasLedger(
  client: Pick<ClientBase, 'query'>,
  schema: string = ledgerDefaults.schema,
): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(THERE_SQL, [schema]);
  return rows[0]?.there === true;
}

const THERE_SQL = `SELECT EXISTS (
  SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = 'run' AND c.relkind = 'r') AS there`;

const SCHEMA_SQL = `SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1) AS there,
  EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = 'migration') AS migration`;

async function migrateOnce(client: ClientBase, schema: string): Promise<void> {
  const quoted = ident(schema);
  const found = await client.query<{ there: boolean; migration: boolean }>(SCHEMA_SQL, [schema]);
  if (found.rows[0]?.there !== true) await client.query(createSql(quoted));
  if (found.rows[0]?.migration !== true) await bootstrap(client, quoted);
  const { rows } = await client.query<{ number: number; breaking: boolean }>(
    `SELECT number, breaking FROM ${quoted}.migration`,
  );
  refuseNewer(rows, schema);
  const done = new Set(rows.map((row) => row.number));
  for (const migration of migrations.filter(({ number }) => !done.has(number))) {
    await client.query('BEGIN');
    await client.query(`INSERT INTO ${quoted}.migration (number, breaking) VALUES ($1, $2)`, [
      migration.number,
      migration.breaking,
    ]);
    await client.query(migration.sql(quoted));
    await client.query('COMMIT');
  }
}

// At once with its mark: a schema that a crash left without it would count as the user's.
const createSql = (schema: string): string => `BEGIN;
CREATE SCHEMA ${schema};
COMMENT ON SCHEMA ${schema} IS ${literal(COMMENT)};
COMMIT`;

async function bootstrap(client: ClientBase, schema: string): Promise<void> {
  // The table first: of several starters only the one who makes it goes on.
  await client.query(`BEGIN;
CREATE TABLE ${schema}.migration (
  number integer PRIMARY KEY,
  breaking boolean NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
REVOKE ALL ON SCHEMA ${schema} FROM PUBLIC;
REVOKE ALL ON ${schema}.migration FROM PUBLIC;
COMMENT ON SCHEMA ${schema} IS ${literal(COMMENT)};
COMMIT`);
}

function refuseNewer(found: readonly { number: number; breaking: boolean }[], schema: string): void {
  const known = Math.max(...migrations.map(({ number }) => number));
  const newer = found.filter(({ number, breaking }) => breaking && number > known);
  if (newer.length === 0) return;
  throw new HoldfastError({
    code: 'HF_LEDGER_NEWER',
    subject: `schema ${schema}`,
    what: `the ledger is at version ${Math.max(...newer.map(({ number }) => number))}, which this release (version ${known}) must not write.`,
    fix: 'Use the release of Holdfast that upgraded it, or a newer one.',
  });
}

function noRight(schema: string, cause: unknown): HoldfastError {
  return new HoldfastError({
    code: 'HF_LEDGER_RIGHTS',
    subject: `schema ${schema}`,
    what: 'the role may not make or change the ledger.',
    fix: `Grant it CREATE on the database, or create the schema and make the role its owner.`,
    cause,
  });
}
