import { expect } from 'vitest';
import type { Definition } from '../../src/define/index.ts';
import { holds, placeHold, releaseHold, type HoldRequest } from '../../src/traits/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { fill, openShop, states, sumOf, turn, withContext } from './retention-stand.ts';

const at = (iso: string): Date => new Date(iso);
const NOW = at('2026-05-02T01:00:00Z');
const LATER = at('2028-01-01T01:00:00Z');
const YEAR = { from: '2026-01-01T00:00:00Z', to: '2026-04-30T12:00:00Z' };

const hold = async (db: TestDatabase, definition: Definition, request: HoldRequest): Promise<unknown> =>
  withContext({ now: NOW, url: db.url, definition }, (context) => placeHold(context, request));
const release = async (db: TestDatabase, definition: Definition, id: string): Promise<unknown> =>
  withContext({ now: NOW, url: db.url, definition }, (context) => releaseHold(context, id));

test('a partition with a held row stays whole; released, it leaves', async ({ db }) => {
  const { definition, table } = await openShop(db, 'one', { online: '1 month', then: 'delete' });
  await fill(db, table, YEAR);
  await db.query(`INSERT INTO ${table} (tenant_id, created_at) VALUES ('sued', '2026-02-10 00:00+00')`);
  const inserted = await sumOf(db, [table]);
  await hold(db, definition, { id: 'case 7', tenant: 'sued', why: 'file 123/26' });
  const [done] = await turn(db, definition, { now: NOW });
  expect(done).toMatchObject({ rows: 124, what: 'one.events_y2026m02 stays: it is held' });
  expect((await sumOf(db, [table], `created_at < '2026-03-01 00:00+00'`)).rows).toBe(57);
  expect((await sumOf(db, [table])).rows).toBe(inserted.rows - 124);
  await turn(db, definition, { now: LATER });
  expect((await sumOf(db, [table])).rows).toBe(57);
  await release(db, definition, 'case 7');
  await turn(db, definition, { now: LATER });
  expect((await sumOf(db, [table])).rows).toBe(0);
  expect(await states(db, definition)).toEqual([
    '2026-01-01T00:00:00.000Z gone one 62',
    '2026-02-01T00:00:00.000Z gone one 57',
    '2026-03-01T00:00:00.000Z gone one 62',
    '2026-04-01T00:00:00.000Z gone one 60',
  ]);
});

test('held rows of a plain table are passed over; a range without a tenant holds everybody', async ({
  db,
}) => {
  const { definition, table } = await openShop(db, 'many', {
    of: 'notes',
    online: '30 days',
    archive: { to: 'schema', table: 'many', for: '30 days' },
    then: 'delete',
    batch: { rows: 10, pauseMs: 0 },
  });
  await fill(db, table, YEAR);
  const inserted = await sumOf(db, [table]);
  await hold(db, definition, { tenant: 'b', table: { schema: 'many', name: 'notes' }, why: 'a tenant' });
  await hold(db, definition, {
    from: at('2026-02-01T00:00:00Z'),
    to: at('2026-02-03T00:00:00Z'),
    why: 'two days',
  });
  await turn(db, definition, { now: LATER });
  const stay = `tenant_id = 'b' OR created_at >= '2026-02-01 00:00+00' AND created_at < '2026-02-03 00:00+00'`;
  expect((await sumOf(db, [table], `NOT (${stay})`)).rows).toBe(0);
  expect((await sumOf(db, [table], stay)).rows).toBe((await sumOf(db, [table])).rows);
  expect(await sumOf(db, [table, 'archive.many'], stay)).toEqual(await sumOf(db, [table]));
  expect((await sumOf(db, [table])).rows).toBeLessThan(inserted.rows / 2);
  expect((await sumOf(db, [table])).rows).toBeGreaterThan(4);
});

test('a hold that is placed while a part leaves the archive brings it back', async ({ db }) => {
  const { definition, table } = await openShop(db, 'late', {
    online: '1 month',
    archive: { to: 'schema', table: 'held_late', for: '1 month' },
    then: 'delete',
  });
  await fill(db, table, { from: '2026-01-01T00:00:00Z', to: '2026-01-31T12:00:00Z' });
  const inserted = await sumOf(db, [table]);
  await turn(db, definition, { now: at('2026-03-02T01:00:00Z') });
  let placed = 0;
  await turn(db, definition, {
    now: LATER,
    before: async (sql) => {
      if (sql.includes('"archive"."held_late" DETACH PARTITION'))
        if ((placed += 1) === 1) await hold(db, definition, { id: 'meanwhile', tenant: 'a', why: 'now' });
    },
  });
  expect(placed).toBeGreaterThan(0);
  expect((await states(db, definition))[0]).toBe('2026-01-01T00:00:00.000Z archived archive 62');
  expect(await sumOf(db, ['archive.held_late'])).toEqual(inserted);
  await release(db, definition, 'meanwhile');
  await turn(db, definition, { now: LATER });
  expect((await sumOf(db, [table, 'archive.held_late'])).rows).toBe(0);
});

test('a hold that is placed while a partition is detached for good attaches it again', async ({ db }) => {
  const { definition, table } = await openShop(db, 'back', { online: '1 month', then: 'delete' });
  await fill(db, table, { from: '2026-01-01T00:00:00Z', to: '2026-01-31T12:00:00Z' });
  const inserted = await sumOf(db, [table]);
  const [done] = await turn(db, definition, {
    now: at('2026-03-02T01:00:00Z'),
    after: async (sql) => {
      if (sql.includes('DETACH PARTITION')) await hold(db, definition, { tenant: 'b', why: 'now' });
    },
  });
  expect(done).toEqual({ rows: 0, bytes: 0, what: 'back.events_y2026m01 stays: it is held' });
  expect(await states(db, definition)).toEqual([]);
  expect(await sumOf(db, [table])).toEqual(inserted);
  await db.query(`INSERT INTO ${table} (tenant_id, created_at) VALUES ('a', '2026-01-05 00:00+00')`);
});

test('to the day, a held row stays alone and the rest of its partition leaves', async ({ db }) => {
  const { definition, table } = await openShop(db, 'days', {
    online: '30 days',
    archive: { to: 'schema', table: 'held_days', for: '1 year' },
    then: 'delete',
    exact: 'day',
    batch: { rows: 10, pauseMs: 0 },
  });
  await fill(db, table, YEAR);
  await db.query(`INSERT INTO ${table} (tenant_id, created_at) VALUES ('sued', '2026-02-10 00:00+00')`);
  const inserted = await sumOf(db, [table]);
  await hold(db, definition, { id: 'day', tenant: 'sued', why: 'file 123/26' });
  await turn(db, definition, { now: at('2026-04-15T01:00:00Z') });
  expect((await sumOf(db, [table], `created_at < '2026-03-16 00:00+00'`)).rows).toBe(1);
  expect(await sumOf(db, [table, 'archive.held_days'])).toEqual(inserted);
  await release(db, definition, 'day');
  await turn(db, definition, { now: at('2026-04-16T01:00:00Z') });
  expect((await sumOf(db, [table], `created_at < '2026-03-17 00:00+00'`)).rows).toBe(0);
  expect(await sumOf(db, [table, 'archive.held_days'])).toEqual(inserted);
  // The emptied partition is gone from the table, and its place in the archive holds what left it.
  expect(
    await db.query(
      `SELECT to_regclass('days.events_y2026m02') AS there, to_regclass('days.events_y2026m03') IS NOT NULL AS next`,
    ),
  ).toEqual([{ there: null, next: true }]);
});

test('holds are listed, and a wrong one is refused in words', async ({ db }) => {
  const { definition } = await openShop(db, 'listed', { online: '1 month', then: 'delete' });
  await hold(db, definition, { id: 'x', tenant: 'a', from: at('2026-01-01T00:00:00Z'), why: 'because' });
  const listed = await withContext({ now: NOW, url: db.url, definition }, holds);
  expect(listed).toEqual([
    {
      id: 'x',
      subject: 'every table',
      tenant: 'a',
      from: at('2026-01-01T00:00:00Z'),
      to: null,
      why: 'because',
      since: NOW,
    },
  ]);
  await expect(hold(db, definition, { id: 'x', why: 'again' })).rejects.toThrow(
    'hold x: a hold of that name is in force. Release it first, or give this one another name. [HF_HOLD_EXISTS]',
  );
  await expect(release(db, definition, 'y')).rejects.toThrow(
    'hold y: no hold of that name is in force. List the holds and give the name of one. [HF_HOLD_UNKNOWN]',
  );
  await expect(hold(db, definition, { id: 'z', from: NOW, to: NOW, why: 'never' })).rejects.toThrow(
    'hold z: its range ends 2026-05-02T01:00:00.000Z and begins 2026-05-02T01:00:00.000Z. Give a range that begins before it ends. [HF_HOLD_RANGE]',
  );
  const table = { schema: 'listed', name: 'evnets' };
  await expect(hold(db, definition, { id: 'z', table, why: 'a slip' })).rejects.toThrow(
    'table listed.evnets: the definition has no such table; nothing would be held. Name a table of the definition with its schema, or leave the table out to hold rows of every table. [HF_HOLD_TABLE]',
  );
});
