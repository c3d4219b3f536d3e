import { sql } from 'drizzle-orm';
import {
  boolean,
  foreignKey,
  integer,
  json,
  numeric,
  pgSchema,
  primaryKey,
  text,
  timestamp,
} from 'drizzle-orm/pg-core';
import { expect } from 'vitest';
import { database, type DefinitionError } from '../../src/define/index.ts';
import { immutability, partitions, versioning } from '../../src/traits/index.ts';
import { test } from '../cluster/index.ts';
import { refusal, stand } from './stand.ts';

const NOW = new Date('2026-11-21T12:00:00Z');
const app = pgSchema('app');
const log = app.table('log', { id: integer().primaryKey(), body: text() });
const events = app.table(
  'events',
  { id: integer().notNull(), at: timestamp({ withTimezone: true }).notNull(), body: text() },
  (t) => [primaryKey({ columns: [t.id, t.at] })],
);
const versions = app.table('versions', {
  id: integer().primaryKey(),
  status: text().notNull().default('draft'),
  rules: json().notNull(),
  ratio: numeric(),
  size: integer().generatedAlwaysAs(sql`length(rules::text)`),
  isCurrent: boolean('is_current').notNull().default(false),
  updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
});
const decisions = app.table('decisions', {
  id: integer().primaryKey(),
  value: text(),
  status: text().notNull().default('pending'),
  accepted: boolean(),
  by: text(),
});
const tables = { app, log, events, versions, decisions };
const definition = database('immutable', {
  tables,
  traits: [
    immutability(log, { kind: 'append-only' }),
    immutability(events, { kind: 'append-only' }),
    partitions(events, { by: events.at, every: 'month', ahead: 1 }),
    immutability(versions, {
      kind: 'frozen',
      when: { column: versions.status, is: ['published', 'deprecated', 'archived'] },
      mayChange: [versions.isCurrent],
      order: { status: ['published', 'deprecated', 'archived'] },
    }),
    versioning(versions, { updatedAt: versions.updatedAt }),
    immutability(decisions, {
      kind: 'append-only',
      decision: {
        column: 'status',
        steps: { pending: ['approved', 'rejected'], approved: ['applied'], applied: ['reverted'] },
        with: ['accepted', 'by'],
      },
    }),
  ],
});

test('an append-only table takes inserts and refuses every other write, by any path', async ({ db }) => {
  await stand(db, definition, NOW);
  await db.query(`INSERT INTO app.log VALUES (1, 'a')`);
  expect(await refusal(db.query(`UPDATE app.log SET body = 'b'`))).toEqual({
    code: 'ZH001',
    message: 'UPDATE on app.log refused: rows of this table are only ever added',
    hint: 'Insert a new row that corrects the old one.',
  });
  const paths = [
    'DELETE FROM app.log',
    `INSERT INTO app.log VALUES (1, 'b') ON CONFLICT (id) DO UPDATE SET body = excluded.body`,
    `MERGE INTO app.log l USING (VALUES (1)) s (id) ON l.id = s.id WHEN MATCHED THEN UPDATE SET body = 'b'`,
    `MERGE INTO app.log l USING (VALUES (1)) s (id) ON l.id = s.id WHEN MATCHED THEN DELETE`,
    `SET LOCAL session_replication_role = replica; DELETE FROM app.log`,
    `WITH gone AS (DELETE FROM app.log RETURNING 1) SELECT * FROM gone`,
  ];
  for (const path of paths) expect((await refusal(db.query(path))).code, path).toBe('ZH001');
  expect(await refusal(db.query('TRUNCATE app.log'))).toEqual({
    code: 'ZH004',
    message: 'TRUNCATE on app.log refused: its rows are kept',
    hint: 'Old rows leave with their partition or by the retention of this table.',
  });
  expect(
    (await refusal(db.query('SET LOCAL session_replication_role = replica; TRUNCATE app.log'))).code,
  ).toBe('ZH004');
  await db.query(`INSERT INTO app.log VALUES (1, 'b') ON CONFLICT DO NOTHING`);
  expect(await db.query('SELECT body FROM app.log')).toEqual([{ body: 'a' }]);
});

test('a partition is as immutable as its table, named directly or not, in replica mode or not', async ({
  db,
}) => {
  await db.query(`INSERT INTO app.events VALUES (1, '2026-11-05', 'a')`);
  const paths: [string, string][] = [
    ['ZH001', `UPDATE app.events SET body = 'b'`],
    ['ZH001', `UPDATE app.events SET at = '2026-12-05'`],
    ['ZH001', `UPDATE app.events_y2026m11 SET body = 'b'`],
    ['ZH001', 'DELETE FROM app.events_y2026m11'],
    ['ZH001', 'SET LOCAL session_replication_role = replica; DELETE FROM app.events'],
    ['ZH001', 'SET LOCAL session_replication_role = replica; DELETE FROM app.events_y2026m11'],
    ['ZH004', 'TRUNCATE app.events'],
    ['ZH004', 'TRUNCATE app.events_y2026m11'],
    ['ZH004', 'SET LOCAL session_replication_role = replica; TRUNCATE app.events_y2026m11'],
  ];
  for (const [code, path] of paths) expect((await refusal(db.query(path))).code, path).toBe(code);
  expect(await db.query('SELECT body FROM app.events')).toEqual([{ body: 'a' }]);
});

test('a frozen row keeps all but the named columns, and its status goes forward only', async ({ db }) => {
  await db.query(`INSERT INTO app.versions (id, rules, ratio) VALUES (1, '["a"]', 1.0), (2, '["b"]', 1.0)`);
  await db.query(`UPDATE app.versions SET rules = '["a", "b"]', status = 'testing' WHERE id = 1`);
  await db.query(`UPDATE app.versions SET status = 'published' WHERE id = 1`);
  expect(await refusal(db.query(`UPDATE app.versions SET rules = '[]', ratio = 2 WHERE id = 1`))).toEqual({
    code: 'ZH002',
    message: 'UPDATE on app.versions refused: this row is kept as it is, and ratio, rules would change',
    hint: 'What may change: is_current, status.',
  });
  const kept = [
    `UPDATE app.versions SET ratio = 1.00 WHERE id = 1`,
    `UPDATE app.versions SET rules = '["a","b"]' WHERE id = 1`,
    `UPDATE app.versions SET id = 7 WHERE id = 1`,
    `UPDATE app.versions SET is_current = true, ratio = NULL WHERE id = 1`,
  ];
  for (const update of kept) expect((await refusal(db.query(update))).code, update).toBe('ZH002');
  await db.query(`UPDATE app.versions SET is_current = true WHERE id = 1`);
  expect(await refusal(db.query(`UPDATE app.versions SET status = 'draft' WHERE id = 1`))).toEqual({
    code: 'ZH003',
    message: 'UPDATE on app.versions refused: status may not go from published to draft',
    hint: 'Steps: published → deprecated | archived; deprecated → archived; archived → end.',
  });
  await db.query(`UPDATE app.versions SET status = 'deprecated' WHERE id = 1`);
  expect((await refusal(db.query(`UPDATE app.versions SET status = 'published' WHERE id = 1`))).code).toBe(
    'ZH003',
  );
  await db.query(`UPDATE app.versions SET status = 'archived' WHERE id = 1`);
  expect((await refusal(db.query('DELETE FROM app.versions WHERE id = 1'))).code).toBe('ZH002');
  await db.query('DELETE FROM app.versions WHERE id = 2');
  expect((await refusal(db.query('TRUNCATE app.versions'))).code).toBe('ZH004');
});

test('a column added after the trait is kept as well, and a dropped one is no obstacle', async ({ db }) => {
  await db.query(`ALTER TABLE app.versions ADD COLUMN later xml; ALTER TABLE app.versions DROP COLUMN ratio`);
  await db.query(`INSERT INTO app.versions (id, rules, status, later) VALUES (3, '[]', 'published', '<a/>')`);
  expect((await refusal(db.query(`UPDATE app.versions SET later = '<b/>' WHERE id = 3`))).message).toBe(
    'UPDATE on app.versions refused: this row is kept as it is, and later would change',
  );
  await db.query(`UPDATE app.versions SET is_current = true WHERE id = 3`);
});

test('a decision takes its steps one way, each with its columns, and 32 deciders decide once', async ({
  db,
}) => {
  await db.query(`INSERT INTO app.decisions (id, value) VALUES (1, 'x'), (2, 'y')`);
  expect((await refusal(db.query(`UPDATE app.decisions SET by = 'me' WHERE id = 1`))).message).toBe(
    'UPDATE on app.decisions refused: this row is kept as it is, and by would change',
  );
  expect((await refusal(db.query(`UPDATE app.decisions SET status = 'applied' WHERE id = 1`))).code).toBe(
    'ZH003',
  );
  expect(
    (await refusal(db.query(`UPDATE app.decisions SET status = 'approved', value = 'z' WHERE id = 1`))).code,
  ).toBe('ZH002');
  const outcomes = await Promise.allSettled(
    Array.from({ length: 32 }, (_, decider) =>
      db.query(`UPDATE app.decisions SET status = $1, accepted = $2, by = $3 WHERE id = 1`, [
        decider % 2 === 0 ? 'approved' : 'rejected',
        decider % 2 === 0,
        `decider ${decider}`,
      ]),
    ),
  );
  // The same answer twice is no step: it may not replace who decided.
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  await db.query(`UPDATE app.decisions SET status = 'approved', accepted = true, by = 'me' WHERE id = 2`);
  await db.query(`UPDATE app.decisions SET status = 'applied' WHERE id = 2`);
  await db.query(`UPDATE app.decisions SET status = 'reverted' WHERE id = 2`);
  expect((await refusal(db.query(`UPDATE app.decisions SET status = 'applied' WHERE id = 2`))).code).toBe(
    'ZH003',
  );
  expect((await refusal(db.query('DELETE FROM app.decisions'))).code).toBe('ZH002');
});

test('an operator in the way of the search path changes nothing', async ({ db }) => {
  const client = await db.pool.connect();
  try {
    await client.query('CREATE SCHEMA evil');
    await client.query(
      'CREATE OPERATOR evil.*= (LEFTARG = record, RIGHTARG = record, FUNCTION = record_image_ne)',
    );
    await client.query('SET search_path = evil, pg_catalog');
    expect(
      await client.query('SELECT (1, 2)::record *= (1, 3)::record AS fooled').then(({ rows }) => rows),
    ).toEqual([{ fooled: true }]);
    const update = client.query(`UPDATE app.versions SET rules = '[1]' WHERE id = 3`);
    expect((await refusal(update)).code).toBe('ZH002');
  } finally {
    client.release(true);
  }
});

test('cascades into and out of kept rows, and a way out of the frozen state, are refused at definition', () => {
  const parent = app.table('parent', { id: integer().primaryKey() });
  const child = app.table(
    'child',
    { id: integer().primaryKey(), parentId: integer('parent_id'), status: text() },
    (t) => [foreignKey({ columns: [t.parentId], foreignColumns: [parent.id] }).onDelete('cascade')],
  );
  const codes = (...traits: Parameters<typeof database>[1]['traits'] & {}): string[] => {
    try {
      database('x', { tables: { app, parent, child }, traits });
      return [];
    } catch (error) {
      return (error as DefinitionError).diagnostics.map(({ code }) => code);
    }
  };
  expect(codes(immutability(child, { kind: 'append-only' }))).toEqual(['HF_IMMUTABLE_FK']);
  expect(codes(immutability(parent, { kind: 'append-only' }))).toEqual(['HF_IMMUTABLE_FK']);
  const frozen = { kind: 'frozen', when: { column: 'status', is: ['done'] } } as const;
  expect(codes(immutability(child, { ...frozen, mayChange: ['status', 'nothing'] }))).toEqual([
    'HF_TRAIT_COLUMN',
    'HF_IMMUTABLE_FK',
    'HF_IMMUTABLE_THAW',
  ]);
  expect(codes(immutability(child, { ...frozen, order: { status: ['done', 'open'] } }))).toEqual([
    'HF_IMMUTABLE_FK',
    'HF_IMMUTABLE_THAW',
  ]);
  expect(codes(immutability('app.nothing', { kind: 'append-only' }))).toEqual(['HF_TRAIT_TABLE']);
});
