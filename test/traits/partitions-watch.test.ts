import { integer, pgSchema, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import { expect } from 'vitest';
import { database } from '../../src/define/index.ts';
import { partitions, type PartitionsOptions } from '../../src/traits/index.ts';
import { card, collect } from '../../src/watch/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { defined as many } from './many-tables.ts';
import { stand } from './stand.ts';

const NOW = new Date('2026-11-21T12:00:00Z');
const DAY = 86_400;

function defined(name: string, options: Partial<PartitionsOptions> = {}) {
  const schema = pgSchema(name);
  const rows = schema.table(
    'rows',
    { id: integer().notNull(), at: timestamp({ withTimezone: true }).notNull(), body: text() },
    (t) => [primaryKey({ columns: [t.id, t.at] })],
  );
  const trait = partitions(rows, { by: 'at', every: 'month', ...options });
  return database(name, { tables: { schema, rows }, traits: [trait] });
}

type Definition = ReturnType<typeof defined>;

/** What is measured of the table, without the first words of the names, and the line for people. */
async function look(db: TestDatabase, definition: Definition, now: Date) {
  const collection = await collect(definition, db.url, { now });
  const own = collection.samples.filter(({ metric }) => metric.startsWith('holdfast_partition'));
  const values = own.map(({ metric, value }) => [metric.replace(/^holdfast_partitions?_?/, ''), value]);
  return {
    values: Object.fromEntries(values) as Record<string, number>,
    labels: [...new Set(own.map(({ labels }) => JSON.stringify(labels)))],
    line: card(collection).find(({ topic }) => topic === 'partitions'),
  };
}

test('horizon, gaps, ages and sizes, rolled up to the table', async ({ db }) => {
  const definition = defined('sized', { from: '2026-10-01' });
  await stand(db, definition, NOW);
  await db.query(
    `INSERT INTO sized.rows SELECT n, '2026-11-05', (SELECT string_agg(md5((n * g)::text), '') FROM generate_series(1, 300) g) FROM generate_series(1, 100) n`,
  );
  await db.query('ANALYZE sized.rows');
  const { values, labels, line } = await look(db, definition, NOW);
  expect(labels).toEqual(['{"relation":"sized.rows"}']);
  expect(values).toMatchObject({
    '': 5,
    horizon_seconds: (Date.parse('2027-03-01') - NOW.getTime()) / 1000,
    horizon_floor_seconds: 31 * DAY,
    gaps: 0,
    past_gaps: 0,
    oldest_age_seconds: 51.5 * DAY,
    rows: 100,
    default_rows: 0,
  });
  const [sizes] = await db.query<Record<string, string>>(`
    SELECT sum(pg_total_relation_size(relid)) AS total, sum(pg_indexes_size(relid)) AS index FROM pg_partition_tree('sized.rows') WHERE isleaf`);
  expect(values['index_bytes']).toBe(Number(sizes?.['index']));
  expect((values['heap_bytes'] ?? 0) + (values['toast_bytes'] ?? 0) + (values['index_bytes'] ?? 0)).toBe(
    Number(sizes?.['total']),
  );
  expect(values['toast_bytes']).toBeGreaterThan(100_000);
  expect(line).toEqual({
    topic: 'partitions',
    subject: 'sized.rows',
    text: expect.stringMatching(/^ahead until 2027-03-01 \(99 days\); 5 partitions, \d+\.\d MB$/),
    late: false,
  });
});

test('a month before rows would be refused it is late; when they are, the horizon is 0', async ({ db }) => {
  const definition = defined('sized');
  const at = async (iso: string) => {
    const { values, line } = await look(db, definition, new Date(iso));
    return [values['horizon_seconds'], line?.late, line?.text.split(';')[0]];
  };
  expect(await at('2027-01-29T00:00:00Z')).toEqual([31 * DAY, false, 'ahead until 2027-03-01 (31 days)']);
  expect(await at('2027-01-29T00:00:01Z')).toEqual([31 * DAY - 1, true, 'ahead until 2027-03-01 (30 days)']);
  expect(await at('2027-03-01T00:00:00Z')).toEqual([
    0,
    true,
    'rows of now are refused: no partition takes them',
  ]);
  expect(await at('2027-06-01T00:00:00Z')).toEqual([
    0,
    true,
    'rows of now are refused: no partition takes them',
  ]);
});

test('the horizon ends at the first gap; one in the past is counted apart', async ({ db }) => {
  const definition = defined('holes', { from: '2026-08-01' });
  await stand(db, definition, NOW);
  await db.query(
    `ALTER TABLE holes.rows DETACH PARTITION holes.rows_y2026m09; ALTER TABLE holes.rows DETACH PARTITION holes.rows_y2027m01`,
  );
  const { values, line } = await look(db, definition, NOW);
  expect(values).toMatchObject({
    horizon_seconds: (Date.parse('2027-01-01') - NOW.getTime()) / 1000,
    gaps: 1,
    past_gaps: 1,
  });
  expect(line).toMatchObject({ late: true, text: expect.stringMatching(/; 1 gaps ahead$/) });
});

test('rows in a DEFAULT partition are seen before anything has counted them, and row security hides none', async ({
  db,
}) => {
  const definition = defined('astray');
  await stand(db, definition, NOW);
  await db.query(`CREATE TABLE astray.other PARTITION OF astray.rows DEFAULT;
    ALTER TABLE astray.other ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY`);
  expect((await look(db, definition, NOW)).values['default_rows']).toBe(0);
  await db.query(`INSERT INTO astray.rows VALUES (1, '2030-01-01')`);
  const { values, line } = await look(db, definition, NOW);
  expect(values['default_rows']).toBe(1);
  expect(line).toMatchObject({ late: true, text: expect.stringMatching(/; rows in the DEFAULT partition$/) });
});

test('an open end is a horizon for ever; a table that is not there is said so', async ({ db }) => {
  const open = defined('open', { ahead: 0 });
  await stand(db, open, NOW);
  await db.query(`CREATE TABLE open.first PARTITION OF open.rows FOR VALUES FROM (MINVALUE) TO ('2026-11-01 00:00+00');
    CREATE TABLE open.rest PARTITION OF open.rows FOR VALUES FROM ('2026-12-01 00:00+00') TO (MAXVALUE)`);
  const { values, line } = await look(db, open, NOW);
  expect(values).toMatchObject({ horizon_seconds: 36_525 * DAY, gaps: 0, oldest_age_seconds: 20.5 * DAY });
  expect(line).toMatchObject({ late: false, text: expect.stringMatching(/^ahead for ever; 3 partitions/) });
  const nowhere = await look(db, defined('nowhere'), NOW);
  expect(nowhere.values).toEqual({});
  expect(nowhere.line).toMatchObject({ text: 'there is no partitioned table of that name', late: true });
});

test('a partition that is being detached takes no rows, so the horizon ends before it', async ({ db }) => {
  const definition = defined('leaving');
  await stand(db, definition, NOW);
  const holder = await db.pool.connect();
  await holder.query(`BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM leaving.rows`);
  const other = await db.pool.connect();
  await other.query('SET lock_timeout = 50');
  const detached = await other
    .query('ALTER TABLE leaving.rows DETACH PARTITION leaving.rows_y2027m01 CONCURRENTLY')
    .catch((error: unknown) => (error as { code: string }).code);
  expect(detached).toBe('55P03');
  await holder.query('ROLLBACK');
  holder.release();
  other.release(true);
  const { values } = await look(db, definition, NOW);
  expect(values).toMatchObject({
    gaps: 1,
    horizon_seconds: (Date.parse('2027-01-01') - NOW.getTime()) / 1000,
  });
});

test('a partition that somebody holds for himself hides its own table and no other', async ({ db }) => {
  const definition = many('held', 3);
  await stand(db, definition, NOW);
  const holder = await db.pool.connect();
  await holder.query('BEGIN; LOCK TABLE held.t02_y2026m11 IN ACCESS EXCLUSIVE MODE');
  const { samples } = await collect(definition, db.url, { now: NOW });
  await holder.query('ROLLBACK');
  holder.release();
  const horizons = samples.filter(({ metric }) => metric === 'holdfast_partition_horizon_seconds');
  expect(horizons.map(({ labels }) => labels['relation'])).toEqual(['held.t01', 'held.t03']);
});
