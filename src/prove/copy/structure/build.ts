// Runs the DDL in an empty database. What fails waits for what it needs: it is tried again after the next part, until
// nothing more can be made.
import type { Client } from 'pg';
import type { Left } from '../copy.ts';
import type { Statement } from './read.ts';

/** Statements sent at once; a failure among them costs running them again one by one. */
const BATCH = 60;

/** How the statements are run. */
export interface Building {
  readonly parts: readonly (readonly Statement[])[];
  readonly refuse: () => void;
  readonly onPart: (done: number) => void;
}

/**
 * Makes the objects.
 * @param client a superuser's session to the empty database
 * @param building `refuse` is called between batches and throws when the work is to end
 * @returns what could not be made, with PostgreSQL's message
 */
export async function build(client: Client, building: Building): Promise<readonly Left[]> {
  await client.query(
    `SET search_path = pg_catalog; SET check_function_bodies = off; SET synchronous_commit = off;
     SET statement_timeout = 0; SET lock_timeout = 0; SET client_min_messages = error; SET jit = off;
     SET default_table_access_method = heap; SET row_security = off`,
  );
  let waiting: readonly Failed[] = [];
  for (const [at, part] of building.parts.entries()) {
    building.refuse();
    const failed = await runPart(client, part, building.refuse);
    waiting = failed.length + waiting.length === 0 ? [] : await again(client, [...waiting, ...failed]);
    building.onPart(at + 1);
  }
  return waiting.map(({ subject, why }) => ({ subject, why: `PostgreSQL refuses it: ${why}` }));
}

interface Failed extends Statement {
  readonly why: string;
}

async function runPart(client: Client, part: readonly Statement[], refuse: () => void): Promise<Failed[]> {
  const failed: Failed[] = [];
  for (let at = 0; at < part.length; at += BATCH) {
    refuse();
    const batch = part.slice(at, at + BATCH);
    const whole = await tried(client, batch.map(({ sql }) => sql).join(';\n'));
    if (whole !== undefined) failed.push(...(await oneByOne(client, batch)));
  }
  return failed;
}

async function oneByOne(client: Client, statements: readonly Statement[]): Promise<Failed[]> {
  const failed: Failed[] = [];
  for (const statement of statements) {
    const why = await tried(client, statement.sql);
    if (why !== undefined) failed.push({ subject: statement.subject, sql: statement.sql, why });
  }
  return failed;
}

/** Tries what waits until a round makes nothing more. */
async function again(client: Client, waiting: readonly Failed[]): Promise<readonly Failed[]> {
  let left = waiting;
  for (;;) {
    const next = await oneByOne(client, left);
    if (next.length === 0 || next.length === left.length) return next;
    left = next;
  }
}

/** Statements in one message are one transaction. */
async function tried(client: Client, sql: string): Promise<string | undefined> {
  try {
    await client.query(sql);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
