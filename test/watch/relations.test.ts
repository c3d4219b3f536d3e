// Sizes and index use of relations with any name, as the server itself counts them.
import { sql } from 'drizzle-orm';
import {
  index,
  integer,
  pgMaterializedView,
  pgTable,
  primaryKey,
  text,
  timestamp,
} from 'drizzle-orm/pg-core';
import { expect } from 'vitest';
import { database } from '../../src/define/index.ts';
import { partitions } from '../../src/traits/index.ts';
import { collect } from '../../src/watch/index.ts';
import { test } from '../cluster/index.ts';
import { stand } from '../traits/stand.ts';
import { NOW } from './stage.ts';

const mixed = pgTable('Mixed Case "x"', { id: integer().primaryKey(), body: text() });
const plain = pgTable('plain', { id: integer().primaryKey(), body: text() }, (t) => [
  index('plain_id').on(t.id),
]);
const sales = pgTable(
  'sales',
  { id: integer().notNull(), at: timestamp({ withTimezone: true }).notNull() },
  (t) => [primaryKey({ columns: [t.id, t.at] })],
);
const totals = pgMaterializedView('totals', { n: integer() }).as(sql`SELECT count(*)::int AS n FROM plain`);

const definition = database('relations', {
  tables: { mixed, plain, sales, totals },
  traits: [partitions(sales, { by: sales.at, every: 'month' })],
});

test('sizes, rows, and scans of indexes rolled up to the table', async ({ db }) => {
  await stand(db, definition, NOW);
  // Random text does not shrink, and goes out of line.
  await db.query(
    `INSERT INTO plain SELECT n, (SELECT string_agg(md5(n::text || m), '') FROM generate_series(1, 100) AS m)
     FROM generate_series(1, 500) AS n`,
  );
  await db.query(`UPDATE plain SET body = 'z' WHERE id <= 100`);
  await db.query('ANALYZE plain');
  await db.query(
    `INSERT INTO sales SELECT n, '2026-11-21Z'::timestamptz + n % 40 * interval '1 day' FROM generate_series(1, 400) AS n`,
  );
  const client = await db.pool.connect();
  try {
    await client.query('SET enable_seqscan = off');
    for (const day of ['2026-11-25Z', '2026-12-05Z'])
      await client.query(`SELECT FROM sales WHERE id = 4 AND at = '${day}'`);
    await client.query('SELECT pg_stat_force_next_flush()');
    await client.query('SELECT 1');
  } finally {
    client.release();
  }
  const { samples, notes } = await collect(definition, db.url, { now: NOW });
  expect(notes).toEqual([]);
  const value = (metric: string, relation: string, of = ''): number | undefined =>
    samples.find(
      (one) =>
        one.metric === `holdfast_${metric}` &&
        one.labels['relation'] === relation &&
        (one.labels['index'] ?? '') === of,
    )?.value;
  const [server] = await db.query<Record<string, string>>(
    `SELECT pg_total_relation_size('plain') AS whole, pg_indexes_size('plain') AS indexes,
       pg_relation_size('plain', 'main') AS main, pg_total_relation_size(reltoastrelid) AS toast
     FROM pg_class WHERE oid = 'plain'::regclass`,
  );
  const [heap, indexes, toast] = ['heap_bytes', 'index_bytes', 'toast_bytes'].map(
    (of) => value(`relation_${of}`, 'public.plain') ?? -1,
  );
  expect(String((heap ?? 0) + (indexes ?? 0) + (toast ?? 0))).toBe(server?.['whole']);
  expect(String(indexes)).toBe(server?.['indexes']);
  expect(String(toast)).toBe(server?.['toast']);
  expect(toast).toBeGreaterThan(500 * 3200);
  expect(heap).toBeGreaterThanOrEqual(Number(server?.['main']));
  expect(value('relation_rows', 'public.plain')).toBe(500);
  expect(value('relation_rows', 'public.Mixed Case "x"')).toBe(0);
  expect(value('relation_heap_bytes', 'public.totals')).toBeGreaterThan(0);
  expect(value('relation_heap_bytes', 'public.sales')).toBeUndefined();
  expect(value('index_scans', 'public.plain', 'plain_id')).toBe(0);
  expect(value('index_scans', 'public.sales', 'sales_id_at_pk')).toBe(2);
});

test('a table that is locked away makes one part late, and hides no other', async ({ db }) => {
  const client = await db.pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('LOCK TABLE plain IN ACCESS EXCLUSIVE MODE');
    const from = performance.now();
    const { samples, notes } = await collect(definition, db.url, { now: NOW });
    expect(performance.now() - from).toBeLessThan(4_000);
    expect(notes.map(({ collector, code }) => [collector, code])).toEqual([['relations', 'HF_WATCH_SLOW']]);
    expect(samples.some(({ metric }) => metric === 'holdfast_partition_horizon_seconds')).toBe(true);
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
});
