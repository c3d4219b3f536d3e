// Puts a definition on a test database the short way: roles, DDL, then what its traits want to exist.
import { Client } from 'pg';
import { onTestFinished } from 'vitest';
import { lower } from '../../src/build/lower.ts';
import { load } from '../../src/build/load.ts';
import { roleSteps } from '../../src/build/roles.ts';
import type { Definition } from '../../src/define/index.ts';
import type { SettleContext, Settlement } from '../../src/define/trait.ts';

import type { TestDatabase } from '../cluster/index.ts';

/** Makes the definition real in an empty test database; gives the settlements that were run. */
export async function stand(
  db: TestDatabase,
  definition: Definition,
  now = new Date(),
): Promise<Settlement[]> {
  const roles = await roleSteps(
    (sql, values) => db.query(sql, values && [...values]),
    definition.model.roles,
  );
  for (const step of roles) await db.query(step.sql);
  const lowered = await lower(definition);
  await load(db.pool, lowered.statements);
  return settle(db, definition, now);
}

/** Runs what the definition's traits miss at the given time, in a session that `prepare` was run in first. */
export async function settle(
  db: TestDatabase,
  definition: Definition,
  at: Date | { readonly now: Date; readonly prepare: string },
): Promise<Settlement[]> {
  const { now, prepare } = at instanceof Date ? { now: at, prepare: 'SET search_path = pg_catalog' } : at;
  const client = new Client(db.url);
  await client.connect();
  const query: SettleContext['query'] = async (sql, values) =>
    (await client.query(sql, values && [...values])).rows;
  try {
    await client.query(prepare);
    const all: Settlement[] = [];
    for (const trait of definition.traits) {
      const missing = (await trait.settle?.({ model: definition.model, query, now })) ?? [];
      const statements = missing.flatMap((settlement) => settlement.statements);
      for (const { sql } of statements) await client.query(sql);
      all.push(...missing);
    }
    return all;
  } finally {
    await client.end();
  }
}

/** A session as a role of the definition, with a password given to it for the test; closed when the test ends. */
export async function sessionAs(db: TestDatabase, role: string): Promise<Client> {
  const password = 'for-the-test-only';
  await db.query(`ALTER ROLE "${role}" PASSWORD '${password}'`);
  const client = new Client(db.urlAs(role, password));
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

/** Runs one statement as a tenant, in a transaction with the setting `app.tenant`, as `use/` opens it. */
export async function asTenant<Row extends object>(
  client: Client,
  tenant: string,
  statement: string,
): Promise<Row[]> {
  await client.query('BEGIN');
  try {
    await client.query("SELECT set_config('app.tenant', $1, true)", [tenant]);
    const { rows } = await client.query(statement);
    await client.query('COMMIT');
    return rows as Row[];
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

/** The error of a statement that must fail, as PostgreSQL tells it; throws when it does not fail. */
export async function refusal(
  run: Promise<unknown>,
): Promise<{ code: string; message: string; hint: string | undefined }> {
  const outcome = await run.then(
    () => undefined,
    (error: unknown) => error as { code: string; message: string; hint?: string },
  );
  if (outcome === undefined) throw new Error('The statement was accepted.');
  return { code: outcome.code, message: outcome.message, hint: outcome.hint };
}
