import { integer, pgSchema, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { expect } from 'vitest';
import { database } from '../../src/define/index.ts';
import { versioning } from '../../src/traits/index.ts';
import { test } from '../cluster/index.ts';
import { refusal, stand } from './stand.ts';

const app = pgSchema('app');
const notes = app.table('notes', {
  id: integer().primaryKey(),
  body: text().notNull(),
  version: integer().notNull().default(1),
  updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
});
const tags = app.table('tags', { id: integer().primaryKey(), body: text(), etag: uuid().notNull() });
const strict = app.table('strict', {
  id: integer().primaryKey(),
  body: text(),
  rev: integer().notNull().default(1),
});
const definition = database('versioned', {
  tables: { app, notes, tags, strict },
  traits: [
    versioning(notes, { updatedAt: notes.updatedAt, revision: 'version' }),
    versioning(tags, { etag: tags.etag }),
    versioning('app.strict', { revision: 'rev', required: true }),
  ],
});

test('exactly one of 32 writers that read the same revision wins', async ({ db }) => {
  await stand(db, definition);
  await db.query(`INSERT INTO app.notes (id, body) VALUES (1, 'first')`);
  for (let revision = 1; revision <= 3; revision += 1) {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 32 }, (_, writer) =>
        db.query('UPDATE app.notes SET body = $1, version = $2 WHERE id = 1 RETURNING version', [
          `writer ${writer}`,
          revision,
        ]),
      ),
    );
    const won = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    expect(won.map((outcome) => outcome.value)).toEqual([[{ version: revision + 1 }]]);
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(new Set(lost.map((outcome) => (outcome.reason as { code: string }).code))).toEqual(
      new Set(['ZH005']),
    );
  }
});

test('the naive form loses updates: every writer adds one and all succeed', async ({ db }) => {
  await db.query('CREATE TABLE app.naive (id int PRIMARY KEY, body text, version int NOT NULL DEFAULT 1)');
  await db.query(`INSERT INTO app.naive VALUES (1, 'first')`);
  const outcomes = await Promise.all(
    ['a', 'b'].map((body) =>
      db.query('UPDATE app.naive SET body = $1, version = version + 1 WHERE id = 1 RETURNING 1', [body]),
    ),
  );
  expect(outcomes.flat()).toHaveLength(2);
});

test('a stale revision is told what to do, and an update that names none is moved on', async ({ db }) => {
  await db.query(`INSERT INTO app.notes (id, body) VALUES (2, 'one')`);
  await db.query(`UPDATE app.notes SET body = 'two' WHERE id = 2`);
  expect(await refusal(db.query(`UPDATE app.notes SET body = 'three', version = 1 WHERE id = 2`))).toEqual({
    code: 'ZH005',
    message: 'row of app.notes was changed by another writer: it has version 2, this update read 1',
    hint: 'Read the row again, then set version to the value you read; the database moves it on.',
  });
  expect(await db.query('SELECT body, version FROM app.notes WHERE id = 2')).toEqual([
    { body: 'two', version: 2 },
  ]);
  const upsert = `INSERT INTO app.notes (id, body, version) VALUES (2, 'four', $1) ON CONFLICT (id) DO UPDATE SET body = excluded.body, version = excluded.version`;
  expect((await refusal(db.query(upsert, [1]))).code).toBe('ZH005');
  await db.query(upsert, [2]);
  const merge = `MERGE INTO app.notes n USING (VALUES (2, 'five', $1::int)) s (id, body, version) ON n.id = s.id WHEN MATCHED THEN UPDATE SET body = s.body, version = s.version`;
  expect((await refusal(db.query(merge, [2]))).code).toBe('ZH005');
  await db.query(merge, [3]);
  expect(await db.query('SELECT body, version FROM app.notes WHERE id = 2')).toEqual([
    { body: 'five', version: 4 },
  ]);
});

test('updated_at moves forward even when the clock of the row is ahead', async ({ db }) => {
  await db.query(`INSERT INTO app.notes (id, body, updated_at) VALUES (3, 'x', '2999-01-01 00:00:00+00')`);
  const [row] = await db.query<{ moved: string }>(
    `UPDATE app.notes SET body = 'y', updated_at = '2000-01-01' WHERE id = 3 RETURNING (updated_at - '2999-01-01 00:00:00+00'::timestamptz)::text AS moved`,
  );
  expect(row?.moved).toBe('00:00:00.000001');
  await db.query(`BEGIN; UPDATE app.notes SET body = 'z' WHERE id = 1; COMMIT`);
  const [first] = await db.query<{ fresh: boolean }>(
    `SELECT updated_at BETWEEN now() - interval '1 minute' AND now() AS fresh FROM app.notes WHERE id = 1`,
  );
  expect(first?.fresh).toBe(true);
});

test('an etag is new at every write and compared like a revision', async ({ db }) => {
  const [made] = await db.query<{ etag: string }>(
    `INSERT INTO app.tags (id, body) VALUES (1, 'a') RETURNING etag`,
  );
  const [changed] = await db.query<{ etag: string }>(
    `UPDATE app.tags SET body = 'b', etag = $1 RETURNING etag`,
    [made?.etag],
  );
  expect(changed?.etag).not.toBe(made?.etag);
  expect((await refusal(db.query(`UPDATE app.tags SET body = 'c', etag = $1`, [made?.etag]))).code).toBe(
    'ZH005',
  );
});

test('where it is required, an update that names no revision is refused', async ({ db }) => {
  await db.query(`INSERT INTO app.strict (id, body) VALUES (1, 'a')`);
  expect(await refusal(db.query(`UPDATE app.strict SET body = 'b'`))).toEqual({
    code: 'ZH005',
    message: 'this update of app.strict does not say which rev it read',
    hint: 'Set rev to the value you read; the database moves it on.',
  });
  await db.query(`UPDATE app.strict SET body = 'b', rev = 1`);
  expect(await db.query('SELECT body, rev FROM app.strict')).toEqual([{ body: 'b', rev: 2 }]);
});

test('columns that cannot carry a version are refused at definition', () => {
  const found = versioning(notes, { revision: 'body', etag: 'nothing' }).check?.(definition.plain) ?? [];
  expect(found.map(({ code }) => code)).toEqual([
    'HF_VERSIONING_OPTIONS',
    'HF_VERSIONING_COLUMN',
    'HF_TRAIT_COLUMN',
  ]);
  expect(
    versioning('app.nothing', { revision: 'x' })
      .check?.(definition.plain)
      ?.map(({ code }) => code),
  ).toEqual(['HF_TRAIT_TABLE']);
});
