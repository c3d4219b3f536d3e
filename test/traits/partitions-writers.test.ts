// Acceptance: nobody who writes notices that partitions are made, attached, indexed and detached.
import { bigint, foreignKey, pgSchema, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import { expect } from 'vitest';
import { database, type Definition } from '../../src/define/index.ts';
import { runJob, type Clock } from '../../src/keep/index.ts';
import { immutability, partitions, tenancy } from '../../src/traits/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { startWriters } from '../online/try-change.ts';
import { stand } from './stand.ts';

const WRITERS = Number(process.env['HOLDFAST_WRITERS'] ?? 32);
const MONTHS = Number(process.env['HOLDFAST_WRITERS_MONTHS'] ?? 3);
const START = new Date('2026-11-21T00:10:00Z');

/** A tenant's table with a foreign key, a trigger for each row and hot indexes. */
function written(db: TestDatabase): Definition {
  const schema = pgSchema('busy');
  const owners = schema.table(
    'owners',
    { tenantId: text('tenant_id').notNull(), id: bigint({ mode: 'number' }).notNull() },
    (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
  );
  const rows = schema.table(
    'rows',
    {
      tenantId: text('tenant_id').notNull(),
      id: bigint({ mode: 'number' }).generatedByDefaultAsIdentity().notNull(),
      ownerId: bigint('owner_id', { mode: 'number' }),
      at: timestamp({ withTimezone: true }).notNull(),
    },
    (t) => [
      primaryKey({ columns: [t.tenantId, t.id, t.at] }),
      foreignKey({ columns: [t.tenantId, t.ownerId], foreignColumns: [owners.tenantId, owners.id] }),
    ],
  );
  const hot = {
    newest: 1,
    indexes: [{ name: 'recent', on: ['tenant_id', { column: 'at', order: 'desc' as const }] }],
  };
  const roles = { app: db.role('app'), owner: db.role('owner') };
  return database('busy', {
    tables: { schema, owners, rows },
    traits: [
      partitions(rows, { by: rows.at, every: 'month', ahead: MONTHS, from: '2026-08-01', hot }),
      immutability(rows, { kind: 'append-only' }),
      tenancy({ column: 'tenant_id', setting: 'app.tenant', roles }),
    ],
  });
}

const WRITES = [
  `INSERT INTO busy.rows (tenant_id, owner_id, at) VALUES ('a', 1, '2026-11-21 12:00+00')`,
  `INSERT INTO busy.rows (tenant_id, owner_id, at) SELECT 'a', 1, '2026-12-05'::timestamptz + n * interval '1 day' FROM generate_series(1, 40) n`,
  `INSERT INTO busy.owners SELECT 'a', coalesce(max(id), 1) + floor(random() * 1e9)::bigint FROM busy.owners`,
  `INSERT INTO busy.rows (tenant_id, owner_id, at) VALUES ('b', NULL, '2027-01-31 23:59:59.999+00')`,
];

const PARTITIONS_SQL = `SELECT count(*)::int AS partitions FROM pg_inherits WHERE inhparent = 'busy.rows'::regclass`;
const HOT_SQL = `SELECT c.relname AS name FROM pg_class c JOIN pg_index x ON x.indexrelid = c.oid AND x.indisvalid
  WHERE c.relname LIKE 'rows%recent' ORDER BY 1`;

test(`${WRITERS} writers lose no insert while partitions are made, attached, indexed and detached`, async ({
  db,
}) => {
  const definition = written(db);
  await stand(db, definition, START);
  await db.query(`INSERT INTO busy.owners VALUES ('a', 1)`);
  const crowd = await startWriters(db.url, WRITERS, WRITES);
  const errors: (string | null)[] = [];
  try {
    for (let month = 1; month <= MONTHS; month += 1) {
      const now = new Date(Date.UTC(2026, 10 + month, 1, 0, 10));
      const clock: Clock = {
        now: () => now,
        monotonicMs: () => performance.now(),
        sleep: async () => undefined,
      };
      for (const job of ['partitions', 'hot-indexes'])
        errors.push((await runJob(definition, db.url, job, { clock })).error);
      const oldest = `rows_y2026m${String(7 + month).padStart(2, '0')}`;
      await db.query(`ALTER TABLE busy.rows DETACH PARTITION busy.${oldest} CONCURRENTLY`);
    }
  } finally {
    const { refused, writes } = await crowd.stop();
    expect(refused).toEqual([]);
    expect(writes).toBeGreaterThan(WRITERS);
  }
  expect(errors).toEqual(Array.from({ length: 2 * MONTHS }, () => null));
  // Four from August to the start and those ahead; since then as many were made as were detached.
  expect(await db.query(PARTITIONS_SQL)).toEqual([{ partitions: 4 + MONTHS }]);
  const hot = await db.query<{ name: string }>(HOT_SQL);
  expect(hot).toHaveLength(1 + MONTHS);
  expect(hot[0]?.name).toBe(`rows_y2027m${String(MONTHS - 1).padStart(2, '0')}_recent`);
});
