import { expect } from 'vitest';
import { placeHold } from '../../src/traits/index.ts';
import { test } from '../cluster/index.ts';
import {
  everywhere,
  fill,
  openShop,
  openTyped,
  states,
  sumOf,
  turn,
  withContext,
} from './retention-stand.ts';

const at = (iso: string): Date => new Date(iso);

test('whole partitions move to the archive, are read there under one name, and go when their time is over', async ({
  db,
}) => {
  const { definition, table } = await openShop(db, 'whole', {
    online: '90 days',
    archive: { to: 'schema', for: '1 year' },
    then: 'delete',
  });
  await fill(db, table, { from: '2026-01-01T00:00:00Z', to: '2026-04-30T23:00:00Z' });
  const inserted = await sumOf(db, [table]);

  // 90 days before 2 May is 1 February: January is over, February is not.
  await turn(db, definition, { now: at('2026-05-01T23:00:00Z') });
  expect(await states(db, definition)).toEqual([]);
  const [done] = await turn(db, definition, { now: at('2026-05-02T01:00:00Z') });
  expect(done).toMatchObject({ rows: 62 });
  expect(await states(db, definition)).toEqual(['2026-01-01T00:00:00.000Z archived archive 62']);
  expect(await sumOf(db, ['archive.events'])).toEqual(await sumOf(db, ['archive.events_y2026m01']));
  expect(await sumOf(db, [table, 'archive.events'])).toEqual(inserted);
  expect((await sumOf(db, [table], `created_at < '2026-02-01 00:00+00'`)).rows).toBe(0);

  // A second run, and one whose clock was set back, change nothing.
  await turn(db, definition, { now: at('2026-05-02T01:00:00Z') });
  await turn(db, definition, { now: at('2026-03-02T01:00:00Z') });
  expect(await sumOf(db, [table, 'archive.events'])).toEqual(inserted);

  // 90 days and a year: 2 May 2027 for January. Everything else has gone to the archive by then.
  await turn(db, definition, { now: at('2027-05-01T01:00:00Z') });
  expect((await sumOf(db, ['archive.events'])).rows).toBe(inserted.rows);
  await turn(db, definition, { now: at('2027-05-02T01:00:00Z') });
  expect((await sumOf(db, ['archive.events'])).rows).toBe(inserted.rows - 62);
  expect((await states(db, definition))[0]).toBe('2026-01-01T00:00:00.000Z gone archive 62');
  expect(await everywhere(db, table)).not.toContain('archive.events_y2026m01');
});

test('rows of a plain table leave to the day, in batches, and are vacuumed after', async ({ db }) => {
  const { definition, table } = await openShop(db, 'rows', {
    of: 'notes',
    online: '30 days',
    archive: { to: 'schema', table: 'rows_notes', for: '6 months' },
    then: 'delete',
    batch: { rows: 50, pauseMs: 0 },
  });
  await fill(db, table, { from: '2026-01-15T00:00:00Z', to: '2026-04-14T12:00:00Z' });
  const inserted = await sumOf(db, [table]);
  const [done] = await turn(db, definition, { now: at('2026-04-15T01:00:00Z') });
  expect(done).toEqual({ rows: 120, bytes: 0 });
  // The 16th of March is 30 days before.
  expect(await sumOf(db, [table], `created_at < '2026-03-16 00:00+00'`)).toMatchObject({ rows: 0 });
  expect((await sumOf(db, [table])).rows).toBe(inserted.rows - 120);
  expect(await sumOf(db, [table, 'archive.rows_notes'])).toEqual(inserted);
  expect(await states(db, definition)).toEqual([
    '2026-01-01T00:00:00.000Z archived archive 34',
    '2026-02-01T00:00:00.000Z archived archive 56',
    '2026-03-01T00:00:00.000Z receiving archive',
  ]);
  expect(await turn(db, definition, { now: at('2026-04-15T01:30:00Z'), job: 'vacuum' })).toEqual([
    { rows: 120, what: 'vacuumed after 120 rows' },
  ]);
  expect(await turn(db, definition, { now: at('2026-04-15T01:40:00Z'), job: 'vacuum' })).toEqual([{}]);
});

test('rows that point at rows of their own table leave from the end of the chain, in one run', async ({
  db,
}) => {
  const { definition, table } = await openShop(db, 'chain', {
    of: 'notes',
    online: '30 days',
    archive: { to: 'schema', table: 'chain', for: '6 months' },
    then: 'delete',
    batch: { rows: 3, pauseMs: 0 },
  });
  await db.query(`ALTER TABLE ${table} ADD COLUMN answers int, ADD FOREIGN KEY (tenant_id, answers) REFERENCES ${table} (tenant_id, id);
    ALTER TABLE archive.chain ADD COLUMN answers int;
    INSERT INTO ${table} (tenant_id, id, created_at, answers)
    SELECT 'a', n, timestamptz '2026-01-01 00:00+00' + n * interval '5 days', CASE WHEN n = 1 THEN 1 ELSE n - 1 END
    FROM generate_series(1, 20) n;
    INSERT INTO ${table} (tenant_id, id, created_at, answers) VALUES ('a', 99, '2026-05-30 00:00+00', 3)`);
  const [done] = await turn(db, definition, { now: at('2026-06-01T01:00:00Z') });
  expect(done).toEqual({ rows: 17, bytes: 0, what: '3 rows stay: other rows point at them' });
  expect(await db.query(`SELECT array_agg(id ORDER BY id) AS ids FROM ${table}`)).toEqual([
    { ids: [1, 2, 3, 99] },
  ]);
  expect((await sumOf(db, [table, 'archive.chain'])).rows).toBe(21);
});

test('rows that come late join their part of the archive, which is counted anew', async ({ db }) => {
  const { definition, table } = await openShop(db, 'tardy', {
    of: 'notes',
    online: '30 days',
    archive: { to: 'schema', table: 'tardy', for: '1 year' },
    then: 'delete',
  });
  await fill(db, table, { from: '2026-01-01T00:00:00Z', to: '2026-01-31T12:00:00Z' });
  await turn(db, definition, { now: at('2026-05-01T01:00:00Z') });
  expect(await states(db, definition)).toEqual(['2026-01-01T00:00:00.000Z archived archive 62']);
  await fill(db, table, { from: '2026-01-05T01:00:00Z', to: '2026-01-05T02:00:00Z', hours: 1 });
  await turn(db, definition, { now: at('2026-05-02T01:00:00Z') });
  expect(await states(db, definition)).toEqual(['2026-01-01T00:00:00.000Z archived archive 64']);
});

test('rows that stay make no empty parts in the archive, run after run', async ({ db }) => {
  const { definition, table } = await openShop(db, 'quiet', {
    of: 'notes',
    online: '30 days',
    archive: { to: 'schema', table: 'quiet', for: '30 days' },
    then: 'delete',
  });
  await fill(db, table, { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' });
  const hold = withContext({ now: at('2026-01-15T00:00:00Z'), url: db.url, definition }, (context) =>
    placeHold(context, { why: 'all of it', table: { schema: 'quiet', name: 'notes' } }),
  );
  await hold;
  for (const day of [1, 2, 3]) await turn(db, definition, { now: at(`2026-08-0${day}T01:00:00Z`) });
  expect(await states(db, definition)).toEqual([]);
  expect((await sumOf(db, [table])).rows).toBe(3);
});

test.for(['timestamp', 'date'] as const)(
  'a column of type %s is counted as the wall clock of UTC',
  async (type, { db }) => {
    const { definition, table } = await openTyped(db, type);
    const prepare = `SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'SQL, DMY'`;
    await db.query(
      `INSERT INTO ${table} (id, at) SELECT n, timestamp '2026-01-01' + (n / 2.0) * interval '1 day' FROM generate_series(0, 237) n`,
    );
    await turn(db, definition, { now: at('2026-04-15T01:00:00Z'), prepare });
    const [left] = await db.query(
      `SELECT min(at)::date::text AS oldest, count(*)::int AS rows FROM ${table}`,
    );
    expect(left).toEqual({ oldest: '2026-03-16', rows: 238 - 74 * 2 });
    const [gone] = await db.query(
      `SELECT max(at)::date::text AS newest, count(*)::int AS rows FROM archive.typed_${type}`,
    );
    expect(gone).toEqual({ newest: '2026-03-15', rows: 74 * 2 });
    await turn(db, definition, { now: at('2026-05-15T01:00:00Z'), prepare });
    expect(await db.query(`SELECT min(at)::date::text AS oldest FROM ${table}`)).toEqual([
      { oldest: '2026-04-15' },
    ]);
    expect(await states(db, definition)).toEqual([
      `2026-01-01T00:00:00.000Z archived archive 62`,
      `2026-02-01T00:00:00.000Z archived archive 56`,
      `2026-03-01T00:00:00.000Z archived archive 62`,
      `2026-03-01T00:00:00.000Z 1 gone typed_${type} 0`,
      `2026-04-01T00:00:00.000Z receiving archive`,
    ]);
  },
);
