// What tests of retention share: a shop whose rows grow old, its keeper's hand without a keeper, and where each row is.
import { date, integer, pgSchema, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import { Client } from 'pg';
import { collectJobs } from '../../src/define/jobs.ts';
import { database, type Definition } from '../../src/define/index.ts';
import type { Done, TaskContext } from '../../src/define/job.ts';
import type { CatalogueQuery, Trait } from '../../src/define/trait.ts';
import { listPieces, migrate, putPiece, removePiece } from '../../src/ledger/index.ts';
import { partitions, retention } from '../../src/traits/index.ts';
import type { RetentionOptions } from '../../src/traits/index.ts';
import type { TestDatabase } from '../cluster/index.ts';
import { stand } from './stand.ts';

/** The instant the shop opens: partitions are made from here on. */
export const OPENED = new Date('2026-01-10T12:00:00Z');

/** Tables of a shop in a schema of the given name: partitioned events, plain notes, and marks that point at notes. */
export function shop(name: string) {
  const schema = pgSchema(name);
  const events = schema.table(
    'events',
    {
      tenantId: text('tenant_id').notNull(),
      id: integer().generatedByDefaultAsIdentity().notNull(),
      createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
      kind: text().notNull().default('plain'),
    },
    (t) => [primaryKey({ columns: [t.tenantId, t.id, t.createdAt] })],
  );
  const notes = schema.table(
    'notes',
    {
      tenantId: text('tenant_id').notNull(),
      id: integer().generatedByDefaultAsIdentity().notNull(),
      createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
      kind: text().notNull().default('plain'),
    },
    (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
  );
  return { schema, events, notes };
}

export type Shop = ReturnType<typeof shop>;

/** How a shop is kept: its events or its notes. */
export interface Kept extends RetentionOptions {
  readonly of?: 'events' | 'notes';
  readonly traits?: (tables: Shop) => readonly Trait[];
}

/** The definition of a shop. */
export function shopOf(name: string, options: Kept): Definition {
  const tables = shop(name);
  const { of = 'events', traits, ...rest } = options;
  return database(name, {
    tables,
    traits: [
      partitions(tables.events, { by: tables.events.createdAt, every: 'month', from: '2026-01-01' }),
      retention(tables[of], rest),
      ...(traits?.(tables) ?? []),
    ],
  });
}

/** A table partitioned by a time without a zone, kept to the day. */
export async function openTyped(
  db: TestDatabase,
  type: 'timestamp' | 'date',
): Promise<{ readonly definition: Definition; readonly table: string }> {
  const schema = pgSchema(`typed_${type}`);
  const time = type === 'date' ? date('at').notNull() : timestamp('at').notNull();
  const rows = schema.table('rows', { id: integer().notNull(), at: time }, (t) => [
    primaryKey({ columns: [t.id, t.at] }),
  ]);
  const definition = database(`typed_${type}`, {
    tables: { schema, rows },
    traits: [
      partitions(rows, { by: 'at', every: 'month', from: '2026-01-01' }),
      retention(rows, {
        online: '30 days',
        archive: { to: 'schema', table: `typed_${type}`, for: '1 year' },
        then: 'delete',
        exact: 'day',
        batch: { rows: 20, pauseMs: 0 },
      }),
    ],
  });
  await stand(db, definition, OPENED);
  const client = await db.pool.connect();
  await migrate(client).finally(() => client.release());
  return { definition, table: `typed_${type}.rows` };
}

/** A shop on a test database whose events (or notes) are kept by the given options. */
export async function openShop(
  db: TestDatabase,
  name: string,
  options: Kept,
): Promise<{ readonly definition: Definition; readonly table: string }> {
  const definition = shopOf(name, options);
  const { of = 'events' } = options;
  await stand(db, definition, OPENED);
  const client = await db.pool.connect();
  try {
    await migrate(client);
  } finally {
    client.release();
  }
  return { definition, table: `${name}.${of}` };
}

/** What the hand that turns the tasks is told. */
export interface Turn {
  readonly now: Date;
  readonly job?: string;
  readonly lockTimeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Runs in the session first. */
  readonly prepare?: string;
  /** Called before each statement; throws to stop there, and may do anything to the server meanwhile. */
  readonly before?: (sql: string, number: number, client: Client) => Promise<void> | void;
  /** Called after each statement. */
  readonly after?: (sql: string, number: number, client: Client) => Promise<void> | void;
  readonly onPause?: () => Promise<void>;
}

/** Runs the tasks of one job once, in a session like the keeper's; gives what each did. */
export async function turn(
  db: Pick<TestDatabase, 'url'>,
  definition: Definition,
  how: Turn,
): Promise<readonly Done[]> {
  return withContext({ ...how, url: db.url, definition }, async (context) => {
    const { jobs } = collectJobs(definition.model, { traits: definition.traits, own: [] });
    const done: Done[] = [];
    for (const task of jobs.find(({ name }) => name === (how.job ?? 'retention'))?.tasks ?? [])
      done.push(await task.run(context));
    return done;
  });
}

/** A task's context on the database for the time of `work`. */
export async function withContext<T>(
  how: Turn & Pick<TestDatabase, 'url'> & { readonly definition: Definition },
  work: (context: TaskContext) => Promise<T>,
): Promise<T> {
  const client = new Client(how.url);
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(`SET TimeZone = 'UTC'; SET lock_timeout = ${how.lockTimeoutMs ?? 2000}`);
    if (how.prepare !== undefined) await client.query(how.prepare);
    return await work(contextOn(client, how.definition, how));
  } finally {
    await client.end().catch(() => undefined);
  }
}

function contextOn(client: Client, definition: Definition, how: Turn): TaskContext {
  let statements = 0;
  const run = async (sql: string, values?: readonly unknown[]): Promise<readonly object[]> => {
    statements += 1;
    const number = statements;
    await how.before?.(sql, number, client);
    const { rows } = await client.query(sql, values && [...values]);
    await how.after?.(sql, number, client);
    return rows as object[];
  };
  const query = run as CatalogueQuery;
  const contextFor = (trait: string): TaskContext => {
    const owner = { schema: 'holdfast', definition: definition.name, trait };
    return {
      model: definition.model,
      now: how.now,
      signal: how.signal ?? new AbortController().signal,
      session: { query, transaction: async (work) => inTransaction(run, () => work(query)) },
      pieces: {
        list: async (subject, inside = query) => listPieces(inside, owner, subject),
        put: async (inside, piece, from) => putPiece(inside, owner, { piece, from }),
        remove: async (inside, piece) => removePiece(inside, owner, piece),
      },
      pause: how.onPause ?? (async () => undefined),
      beforeLeaving: async (of, range) => {
        for (const one of definition.traits) await one.leaving?.(of, range)?.(contextFor(one.name));
      },
      tell: () => undefined,
    };
  };
  return contextFor('retention');
}

async function inTransaction<T>(run: (sql: string) => Promise<unknown>, work: () => Promise<T>): Promise<T> {
  await run('BEGIN');
  try {
    const given = await work();
    await run('COMMIT');
    return given;
  } catch (error) {
    // A connection that was cut has rolled back by itself.
    await run('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** The rows of some relations together: how many, and a sum over them that any lost, doubled or changed row moves. */
export async function sumOf(
  db: TestDatabase,
  relations: readonly string[],
  where = 'true',
): Promise<{ readonly rows: number; readonly sum: string }> {
  const all = relations
    .map((one) => `SELECT tenant_id, id, created_at, kind FROM ${one}`)
    .join(' UNION ALL ');
  const [row] = await db.query<{ rows: number; sum: string }>(
    `SELECT count(*)::int AS rows, coalesce(sum(('x' || left(md5(concat_ws('|', tenant_id, id,
       extract(epoch FROM created_at), kind)), 15))::bit(60)::bigint::numeric), 0)::text AS sum
     FROM (${all}) r WHERE ${where}`,
  );
  return row ?? { rows: 0, sum: '0' };
}

/** Where the parts of a table are: `state table` of each, oldest first. */
export async function states(db: TestDatabase, definition: Definition): Promise<readonly string[]> {
  const rows = await db.query<{ said: string }>(
    `SELECT concat_ws(' ', piece, state, detail->'table'->>'schema', detail->>'rows') AS said FROM holdfast.piece
     WHERE definition = $1 AND trait = 'retention' AND detail ? 'serial' ORDER BY piece COLLATE "C"`,
    [definition.name],
  );
  return rows.map((row) => row.said);
}

/** Tables that hold rows of a table under any name: the table, its archive, and what stands apart meanwhile. */
export async function everywhere(db: TestDatabase, table: string): Promise<readonly string[]> {
  const [schema = '', name = ''] = table.split('.');
  const rows = await db.query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND (n.nspname = $1 OR n.nspname = 'archive') AND c.relname LIKE $2 || '%'`,
    [schema, name],
  );
  return rows.map((row) => row.name);
}

/** Rows of two tenants, one every `hours` from the first instant to the last, into a table. */
export async function fill(
  db: TestDatabase,
  table: string,
  span: { readonly from: string; readonly to: string; readonly hours?: number },
): Promise<void> {
  await db.query(
    `INSERT INTO ${table} (tenant_id, created_at, kind)
     SELECT CASE WHEN extract(epoch FROM at)::bigint / 86400 % 3 = 0 THEN 'b' ELSE 'a' END, at, 'k' || extract(day FROM at)
     FROM generate_series($1::timestamptz, $2::timestamptz, $3::int * interval '1 hour') at`,
    [span.from, span.to, span.hours ?? 12],
  );
}
