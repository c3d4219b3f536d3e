// Rows leave while 32 writers write: none of them fails, none waits longer than the lock timeout.
import { foreignKey, integer, pgSchema, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import { expect } from 'vitest';
import { database } from '../../src/define/index.ts';
import { migrate } from '../../src/ledger/index.ts';
import { partitions, retention } from '../../src/traits/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { paths } from './retention-paths.ts';
import { fill, openShop, states, sumOf, turn } from './retention-stand.ts';
import { stand } from './stand.ts';

const WRITERS = 32;
const LOCK_TIMEOUT_MS = 1_000;

interface Written {
  rows: number;
  longestMs: number;
  readonly failures: string[];
}

/** Writers that write until they are told to stop: each statement is a transaction of its own. */
function writers(db: TestDatabase, statement: (number: number) => string): () => Promise<Written> {
  const written: Written = { rows: 0, longestMs: 0, failures: [] };
  const stop = new AbortController();
  const write = async (number: number): Promise<void> => {
    while (!stop.signal.aborted) {
      const begun = performance.now();
      await db.query(statement(number)).then(
        () => (written.rows += 1),
        (error: unknown) => written.failures.push(String(error)),
      );
      written.longestMs = Math.max(written.longestMs, performance.now() - begun);
    }
  };
  const all = Array.from({ length: WRITERS }, (_, number) => write(number));
  return async () => {
    stop.abort();
    await Promise.all(all);
    return written;
  };
}

test('partitions with a foreign key to a busy table leave under 32 writers', async ({ db }) => {
  const schema = pgSchema('busy');
  const tenants = schema.table('tenants', { id: text().primaryKey(), seen: integer().notNull().default(0) });
  const events = schema.table(
    'events',
    {
      tenantId: text('tenant_id').notNull(),
      id: integer().generatedByDefaultAsIdentity().notNull(),
      createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
      kind: text().notNull().default('plain'),
    },
    (t) => [
      primaryKey({ columns: [t.tenantId, t.id, t.createdAt] }),
      foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.id] }),
    ],
  );
  const definition = database('busy', {
    tables: { schema, tenants, events },
    traits: [
      partitions(events, { by: events.createdAt, every: 'month', from: '2026-01-01', ahead: 7 }),
      retention(events, {
        online: '30 days',
        archive: { to: 'schema', table: 'busy', for: '1 year' },
        then: 'delete',
      }),
    ],
  });
  await stand(db, definition, new Date('2026-01-10T12:00:00Z'));
  const client = await db.pool.connect();
  await migrate(client).finally(() => client.release());
  await db.query(`INSERT INTO busy.tenants SELECT 't' || n FROM generate_series(0, 3) n`);
  await db.query(`INSERT INTO busy.events (tenant_id, created_at)
    SELECT 't' || n % 4, timestamptz '2026-01-01 00:00+00' + n * interval '1 hour' FROM generate_series(1, 4000) n`);
  const stop = writers(db, (number) =>
    number % 4 === 0
      ? `UPDATE busy.tenants SET seen = seen + 1 WHERE id = 't${number % 3}'`
      : `INSERT INTO busy.events (tenant_id, created_at) VALUES ('t${number % 4}', '2026-08-01 00:00+00')`,
  );
  const before = await sumOf(db, ['busy.events'], `created_at < '2026-08-01 00:00+00'`);
  await turn(db, definition, { now: new Date('2026-07-10T01:00:00Z'), lockTimeoutMs: LOCK_TIMEOUT_MS });
  const written = await stop();
  expect(written.failures).toEqual([]);
  expect(written.rows).toBeGreaterThan(WRITERS);
  expect(written.longestMs).toBeLessThan(LOCK_TIMEOUT_MS);
  console.log(`partitions: ${written.rows} writes, the longest waited ${written.longestMs.toFixed(0)} ms`);
  expect((await states(db, definition)).length).toBe(5);
  expect(await sumOf(db, ['busy.events', 'archive.busy'], `created_at < '2026-08-01 00:00+00'`)).toEqual(
    before,
  );
  expect(
    await db.query(`SELECT conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE contype = 'f' AND c.relnamespace = 'archive'::regnamespace`),
  ).toEqual([]);
});

test('rows of a plain table leave under 32 writers, and none waits for a batch', async ({ db }) => {
  const { definition, table } = await openShop(db, 'busyrows', {
    of: 'notes',
    online: '30 days',
    archive: { to: 'schema', table: 'busyrows', for: '1 year' },
    then: 'delete',
    batch: { rows: 100, pauseMs: 0 },
  });
  await fill(db, table, { from: '2026-01-01T00:00:00Z', to: '2026-06-30T00:00:00Z', hours: 1 });
  const before = await sumOf(db, [table]);
  // Writers change old rows too: one that is locked at the moment is passed over, and leaves with the next run.
  const stop = writers(db, (number) =>
    number % 2 === 0
      ? `INSERT INTO ${table} (tenant_id, created_at) VALUES ('a', '2026-06-30 12:00+00')`
      : `UPDATE ${table} SET kind = 'k' || extract(day FROM created_at) WHERE id = 1 + floor(random() * 4000)`,
  );
  await turn(db, definition, { now: new Date('2026-07-01T01:00:00Z'), lockTimeoutMs: LOCK_TIMEOUT_MS });
  const written = await stop();
  expect(written.failures).toEqual([]);
  expect(written.longestMs).toBeLessThan(LOCK_TIMEOUT_MS);
  console.log(`rows: ${written.rows} writes, the longest waited ${written.longestMs.toFixed(0)} ms`);
  await turn(db, definition, { now: new Date('2026-07-01T02:00:00Z') });
  expect((await sumOf(db, [table], `created_at < '2026-06-01 00:00+00'`)).rows).toBe(0);
  expect(await sumOf(db, [table, 'archive.busyrows'], `created_at < '2026-06-30 12:00+00'`)).toEqual(before);
});

test.for(['whole_schema', 'rows_schema', 'day_schema', 'whole_gone'])(
  'two runs at once, with no lease between them: %s',
  async (path, { db }) => {
    const options = paths('unused')[path];
    if (options === undefined) throw new Error(`There is no path ${path}.`);
    const { definition, table } = await openShop(db, path, options);
    await fill(db, table, { from: '2026-01-01T00:00:00Z', to: '2026-04-30T12:00:00Z' });
    const oldest = { whole_gone: '2026-03-01', whole_schema: '2026-01-01' }[path] ?? '2026-01-15';
    const expected = await sumOf(db, [table], `created_at >= '${oldest} 00:00+00'`);
    const archive = options.archive?.table === undefined ? [] : [`archive.${options.archive.table}`];
    const run = async (): Promise<unknown> => turn(db, definition, { now: new Date('2026-04-15T01:00:00Z') });
    await Promise.allSettled([run(), run(), run()]);
    await run();
    const online = path.startsWith('whole') ? '2026-03-01' : '2026-03-15';
    expect((await sumOf(db, [table], `created_at < '${online} 00:00+00'`)).rows).toBe(0);
    expect(await sumOf(db, [table, ...archive])).toEqual(expected);
  },
);
