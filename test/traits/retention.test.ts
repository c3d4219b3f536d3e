import { expect } from 'vitest';
import { test } from '../cluster/index.ts';
import { everywhere, fill, openShop, states, sumOf, turn } from './retention-stand.ts';

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
