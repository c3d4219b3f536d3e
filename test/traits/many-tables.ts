// Definitions of many partitioned tables, and the eye on what waits, for tests of partitions over time.
import { bigint, pgSchema, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import { database, type Definition } from '../../src/define/index.ts';
import { partitions, type PartitionsOptions } from '../../src/traits/index.ts';
import type { TestDatabase } from '../cluster/index.ts';

export const NOW = new Date('2026-11-21T12:00:00Z');
/** A month later, when the job runs. */
export const NEXT = new Date('2026-12-21T00:10:00Z');
export const instant = (name: string) => timestamp(name, { withTimezone: true });

/** A definition of so many partitioned tables: `t01`, `t02` and so on. */
export function many(name: string, count: number, options: Partial<PartitionsOptions> = {}) {
  const schema = pgSchema(name);
  const tables = Array.from({ length: count }, (_, at) =>
    schema.table(
      `t${String(at + 1).padStart(2, '0')}`,
      {
        tenantId: text('tenant_id').notNull(),
        id: bigint({ mode: 'number' }).notNull(),
        at: instant('at').notNull(),
      },
      (t) => [primaryKey({ columns: [t.tenantId, t.id, t.at] })],
    ),
  );
  const traits = tables.map((table) => partitions(table, { by: 'at', every: 'month', ahead: 1, ...options }));
  return {
    schema,
    tables,
    traits,
    named: { schema, ...Object.fromEntries(tables.map((one, at) => [`t${at}`, one])) },
  };
}

/** The definition of so many tables. */
export function defined(name: string, count = 1, options: Partial<PartitionsOptions> = {}): Definition {
  const { named, traits } = many(name, count, options);
  return database(name, { tables: named, traits });
}

const WAITING_SQL = `SELECT pid FROM pg_stat_activity
  WHERE wait_event_type = 'Lock' AND position($1 IN query) > 0 AND datname = current_database()`;

/** The session that waits for a lock in such a statement, once there is one. */
export async function waiting(db: TestDatabase, statement: string): Promise<number | undefined> {
  let pid: number | undefined;
  for (let tries = 0; tries < 1000 && pid === undefined; tries += 1)
    pid = (await db.query<{ pid: number }>(WAITING_SQL, [statement]))[0]?.pid;
  return pid;
}
