// drizzle-kit beside us: the DDL it generates for a schema, and its push into a database, in-process.
import { createRequire } from 'node:module';
import { drizzle } from 'drizzle-orm/node-postgres';
import type { Pool } from 'pg';

interface KitApi {
  generateDrizzleJson: (schema: Record<string, unknown>) => object;
  generateMigration: (from: object, to: object) => Promise<string[]>;
  pushSchema: (
    schema: Record<string, unknown>,
    db: unknown,
    schemas?: readonly string[],
  ) => Promise<{ statementsToExecute: string[]; apply: () => Promise<void> }>;
}

// Loaded on first use: it is a bundle of several megabytes.
function kit(): KitApi {
  return createRequire(import.meta.url)('drizzle-kit/api') as KitApi;
}

/**
 * The DDL `drizzle-kit generate` writes for an empty database.
 * @returns single statements; roles are left out, for they are the cluster's
 */
export async function kitDdl(schema: Readonly<Record<string, unknown>>): Promise<string[]> {
  const api = kit();
  const statements = await api.generateMigration(
    api.generateDrizzleJson({}),
    api.generateDrizzleJson({ ...schema }),
  );
  return statements.filter((statement) => !statement.startsWith('CREATE ROLE'));
}

/**
 * Runs `drizzle-kit push` of a schema.
 * @param schemas PostgreSQL schemas it looks at, as `schemaFilter` says
 * @returns what it ran; roles are left out, for they are the cluster's
 */
export async function kitPush(
  schema: Readonly<Record<string, unknown>>,
  pool: Pool,
  schemas: readonly string[] = ['public'],
): Promise<string[]> {
  const { statementsToExecute } = await kit().pushSchema({ ...schema }, drizzle(pool), schemas);
  const statements = statementsToExecute.filter((statement) => !statement.startsWith('CREATE ROLE'));
  for (const statement of statements) await pool.query(statement);
  return statements;
}
