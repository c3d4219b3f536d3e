import { expect } from 'vitest';
import type { Definition } from '../../src/define/index.ts';
import type { Piece } from '../../src/define/job.ts';
import { placeHold } from '../../src/traits/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { fill, openShop, turn, withContext } from './retention-stand.ts';

const at = (iso: string): Date => new Date(iso);
const DAY_S = 86_400;

async function measured(
  db: TestDatabase,
  definition: Definition,
  now: Date,
): Promise<{ readonly values: Readonly<Record<string, number>>; readonly said: readonly string[] }> {
  const pieces = await db.query<Piece & { subject: string }>(
    `SELECT subject, piece, state, detail FROM holdfast.piece WHERE definition = $1 AND trait = 'retention'`,
    [definition.name],
  );
  const client = await db.pool.connect();
  try {
    await client.query('BEGIN READ ONLY');
    const query = async <Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row[]> =>
      (await client.query<Row>(sql, values && [...values])).rows;
    const collectors = definition.measures.collectors.filter(({ trait }) => trait === 'retention');
    const samples = [];
    const said: string[] = [];
    for (const { watched } of collectors) {
      const own = await watched.collect({ model: definition.model, query, now, pieces });
      samples.push(...own);
      said.push(
        ...(watched.card?.(own, now) ?? []).map(
          (line) => `${line.topic}: ${line.text}${line.late ? ' LATE' : ''}`,
        ),
      );
    }
    expect(new Set(samples.map((sample) => sample.labels['relation'])).size).toBe(1);
    return { values: Object.fromEntries(samples.map(({ metric, value }) => [metric, value])), said };
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

test('what is overdue, archived, stuck and held is measured, and said to people', async ({ db }) => {
  const { definition, table } = await openShop(db, 'watched', {
    online: '90 days',
    archive: { to: 'schema', for: '1 year' },
    then: 'delete',
  });
  await fill(db, table, { from: '2026-01-01T00:00:00Z', to: '2026-04-30T12:00:00Z' });
  // January had to leave on 2 May; nothing has run since.
  const late = await measured(db, definition, at('2026-05-12T01:00:00Z'));
  expect(late.values).toEqual({
    holdfast_retention_overdue_seconds: 10 * DAY_S,
    holdfast_retention_archive_overdue_seconds: 0,
    holdfast_retention_stuck_seconds: 0,
    holdfast_retention_archived_rows: 0,
    holdfast_retention_archived_bytes: 0,
    holdfast_retention_deleted_rows_total: 0,
    holdfast_retention_referenced_rows: 0,
    holdfast_retention_holds: 0,
  });
  expect(late.said).toEqual([
    'retention: 90 days online, by whole partitions (up to a month late); oldest row 10 days past its day LATE',
    'archive: 0 rows in archive.events, for 1 year',
  ]);

  const stop = new AbortController();
  await turn(db, definition, {
    now: at('2026-05-12T01:00:00Z'),
    signal: stop.signal,
    after: (sql) => {
      if (sql.includes('DETACH PARTITION')) stop.abort();
    },
  });
  const stuck = await measured(db, definition, at('2026-05-14T01:00:00Z'));
  expect(stuck.values).toMatchObject({
    holdfast_retention_overdue_seconds: 0,
    holdfast_retention_stuck_seconds: 2 * DAY_S,
  });
  expect(stuck.said[0]).toContain('a part is stuck for 2 days LATE');

  await turn(db, definition, { now: at('2026-05-15T01:00:00Z') });
  const done = await measured(db, definition, at('2026-05-15T02:00:00Z'));
  expect(done.values).toMatchObject({
    holdfast_retention_stuck_seconds: 0,
    holdfast_retention_archived_rows: 62,
  });
  expect(done.values['holdfast_retention_archived_bytes']).toBeGreaterThan(8192);

  await withContext({ now: at('2026-05-16T01:00:00Z'), url: db.url, definition }, (context) =>
    placeHold(context, { id: 'all', why: 'a case' }),
  );
  const held = await measured(db, definition, at('2029-01-01T01:00:00Z'));
  expect(held.values).toMatchObject({
    holdfast_retention_overdue_seconds: 0,
    holdfast_retention_archive_overdue_seconds: 0,
    holdfast_retention_holds: 1,
  });
});

test('rows of a plain table: the oldest that nothing holds and nobody points at counts', async ({ db }) => {
  const { definition, table } = await openShop(db, 'watchrows', {
    of: 'notes',
    online: '30 days',
    then: 'delete',
    batch: { pauseMs: 0 },
  });
  await db.query(`INSERT INTO ${table} (tenant_id, id, created_at) VALUES
    ('a', 1, '2026-01-01 00:00+00'), ('b', 2, '2026-02-01 00:00+00'), ('a', 3, '2026-03-01 00:00+00');
    CREATE TABLE watchrows.marks (tenant_id text, note int, FOREIGN KEY (tenant_id, note) REFERENCES ${table});
    INSERT INTO watchrows.marks VALUES ('a', 1)`);
  const now = at('2026-05-01T01:00:00Z');
  expect((await measured(db, definition, now)).values).toMatchObject({
    holdfast_retention_overdue_seconds: 59 * DAY_S,
  });
  await withContext({ now, url: db.url, definition }, (context) =>
    placeHold(context, { tenant: 'b', why: 'a case' }),
  );
  expect((await measured(db, definition, now)).values).toMatchObject({
    holdfast_retention_overdue_seconds: 31 * DAY_S,
  });
  await turn(db, definition, { now });
  const after = await measured(db, definition, now);
  expect(after.values).toMatchObject({
    holdfast_retention_overdue_seconds: 0,
    holdfast_retention_deleted_rows_total: 1,
    holdfast_retention_referenced_rows: 1,
    holdfast_retention_holds: 1,
  });
  expect(after.said).toEqual([
    'retention: 30 days online, to the day; 1 row stays because other rows point at it; 1 legal hold',
  ]);
});

test('partitions that never had a row are not late', async ({ db }) => {
  const { definition, table } = await openShop(db, 'empties', { online: '90 days', then: 'delete' });
  const now = at('2026-08-12T01:00:00Z');
  const overdue = async (): Promise<number | undefined> =>
    (await measured(db, definition, now)).values['holdfast_retention_overdue_seconds'];
  expect(await overdue()).toBe(0);
  await fill(db, table, { from: '2026-02-01T00:00:00Z', to: '2026-02-02T00:00:00Z' });
  // February had to leave on 30 May; January, which is older, has no row.
  expect(await overdue()).toBe(74 * DAY_S);
});
