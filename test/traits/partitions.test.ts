import { sql } from 'drizzle-orm';
import {
  bigint,
  date,
  foreignKey,
  index,
  integer,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  unique,
} from 'drizzle-orm/pg-core';
import type { ClientBase } from 'pg';
import { describe, expect } from 'vitest';
import { database, type DefinitionError } from '../../src/define/index.ts';
import type { Settlement } from '../../src/define/trait.ts';
import { immutability, partitions, tenancy, type PartitionsOptions } from '../../src/traits/index.ts';
import { boundText, gaps, periods, startOf, suffix } from '../../src/traits/partitions/period.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { refusal, sessionAs, settle, stand } from './stand.ts';

const NOW = new Date('2026-11-21T12:00:00Z');
const instant = (name: string) => timestamp(name, { withTimezone: true });

/** A schema with one partitioned table that has everything a partition may copy wrongly. */
function wide(name: string, options: Partial<PartitionsOptions> = {}) {
  const schema = pgSchema(name);
  const owners = schema.table(
    'owners',
    { tenantId: text('tenant_id').notNull(), id: integer().notNull() },
    (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
  );
  const events = schema.table(
    'events',
    {
      tenantId: text('tenant_id').notNull(),
      id: bigint({ mode: 'number' }).generatedByDefaultAsIdentity().notNull(),
      createdAt: instant('created_at').notNull().defaultNow(),
      ownerId: integer('owner_id'),
      kind: text().notNull().default('plain'),
      shout: text().generatedAlwaysAs(sql`upper(kind)`),
      code: text(),
    },
    (t) => [
      primaryKey({ columns: [t.tenantId, t.id, t.createdAt] }),
      unique('events_code').on(t.tenantId, t.code, t.createdAt),
      index('events_kind').on(t.tenantId, t.kind),
      foreignKey({ columns: [t.tenantId, t.ownerId], foreignColumns: [owners.tenantId, owners.id] }),
    ],
  );
  const notes = schema.table(
    'notes',
    {
      tenantId: text('tenant_id').notNull(),
      id: integer().notNull(),
      eventId: bigint('event_id', { mode: 'number' }),
      eventAt: instant('event_at'),
    },
    (t) => [
      primaryKey({ columns: [t.tenantId, t.id] }),
      foreignKey({
        columns: [t.tenantId, t.eventId, t.eventAt],
        foreignColumns: [events.tenantId, events.id, events.createdAt],
      }),
    ],
  );
  const trait = partitions(events, { by: events.createdAt, every: 'month', ahead: 2, ...options });
  return { tables: { schema, owners, events, notes }, events, trait };
}

const BOUNDS = `
  SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bounds
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1::text::regclass ORDER BY c.relname`;

async function boundsOf(db: TestDatabase, table: string): Promise<string[]> {
  const rows = await db.query<{ name: string; bounds: string }>(BOUNDS, [table]);
  return rows.map(({ name, bounds }) => `${name} ${bounds}`);
}

const at = (iso: string): number => Date.parse(iso);
const months = (...names: string[]) => names.map((month) => ({ name: `events_y${month}_recent` }));

describe('periods', () => {
  test('start and name of each kind, in UTC', () => {
    const now = at('2027-01-01T00:30:00Z');
    const cases = (['day', 'week', 'month', 'year'] as const).map((every) => {
      const start = startOf(every, now);
      return `${suffix(every, start)} ${boundText(start, 'timestamptz')}`;
    });
    expect(cases).toEqual([
      'y2027m01d01 2027-01-01 00:00:00+00',
      'y2026w53 2026-12-28 00:00:00+00',
      'y2027m01 2027-01-01 00:00:00+00',
      'y2027 2027-01-01 00:00:00+00',
    ]);
    expect(boundText(at('2027-01-01'), 'date')).toBe('2027-01-01');
    expect(boundText(at('2027-01-01T03:00:00.250Z'), 'timestamp')).toBe('2027-01-01 03:00:00.25');
  });

  test('leap day, year end and the first ISO week', () => {
    const days = periods('day', { fromMs: at('2028-02-28'), nowMs: at('2028-02-28'), ahead: 2 });
    expect(days.map(({ fromMs }) => suffix('day', fromMs))).toEqual([
      'y2028m02d28',
      'y2028m02d29',
      'y2028m03d01',
    ]);
    const weeks = periods('week', { fromMs: at('2024-12-29'), nowMs: at('2024-12-29'), ahead: 1 });
    expect(weeks.map(({ fromMs }) => suffix('week', fromMs))).toEqual(['y2024w52', 'y2025w01']);
    expect(weeks[0]?.toMs).toBe(weeks[1]?.fromMs);
  });

  test('gaps leave out what exists, whatever its bounds', () => {
    const wanted = [
      { fromMs: 0, toMs: 10 },
      { fromMs: 10, toMs: 20 },
    ];
    expect(gaps(wanted, [])).toEqual(wanted);
    expect(gaps(wanted, [{ fromMs: 3, toMs: 10 }])).toEqual([
      { fromMs: 0, toMs: 3 },
      { fromMs: 10, toMs: 20 },
    ]);
    expect(
      gaps(wanted, [
        { fromMs: 4, toMs: 6 },
        { fromMs: 12, toMs: 40 },
      ]),
    ).toEqual([
      { fromMs: 0, toMs: 4 },
      { fromMs: 6, toMs: 10 },
      { fromMs: 10, toMs: 12 },
    ]);
    expect(gaps(wanted, [{ fromMs: -Infinity, toMs: Infinity }])).toEqual([]);
  });
});

test('partitions are made ahead, whole, and a second look finds nothing missing', async ({ db }) => {
  const { tables, trait } = wide('ahead');
  const definition = database('ahead', { tables, traits: [trait] });
  const made = await stand(db, definition, NOW);
  expect(await boundsOf(db, 'ahead.events')).toEqual([
    `events_y2026m11 FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-12-01 00:00:00+00')`,
    `events_y2026m12 FOR VALUES FROM ('2026-12-01 00:00:00+00') TO ('2027-01-01 00:00:00+00')`,
    `events_y2027m01 FOR VALUES FROM ('2027-01-01 00:00:00+00') TO ('2027-02-01 00:00:00+00')`,
  ]);
  expect(made.map(({ subject }) => subject)[0]).toBe('partition ahead.events_y2026m11 of ahead.events');
  expect(await settle(db, definition, NOW)).toEqual([]);
  expect((await settle(db, definition, new Date('2026-12-01T00:00:00Z'))).length).toBe(1);
});

test('a partition copies defaults, generated values, identity and keys, and no index twice', async ({
  db,
}) => {
  await db.query(`INSERT INTO ahead.owners VALUES ('a', 1)`);
  await db.query(
    `INSERT INTO ahead.events (tenant_id, owner_id, created_at) VALUES ('a', 1, '2026-12-05'), ('a', 1, '2027-01-05')`,
  );
  expect(await db.query('SELECT id, kind, shout FROM ahead.events ORDER BY id')).toEqual([
    { id: '1', kind: 'plain', shout: 'PLAIN' },
    { id: '2', kind: 'plain', shout: 'PLAIN' },
  ]);
  expect(
    (await refusal(db.query(`INSERT INTO ahead.events (tenant_id, owner_id) VALUES ('a', 7)`))).code,
  ).toBe('23503');
  expect((await refusal(db.query(`INSERT INTO ahead.notes VALUES ('a', 1, 99, '2026-12-05')`))).code).toBe(
    '23503',
  );
  await db.query(`INSERT INTO ahead.notes VALUES ('a', 1, 1, '2026-12-05')`);
  expect((await refusal(db.query('DELETE FROM ahead.events WHERE id = 1'))).code).toBe('23503');
  const indexes = await db.query<{ partition: string; indexes: string; attached: string }>(`
    SELECT t.relname AS partition, count(*) AS indexes, count(i.inhparent) AS attached
    FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid LEFT JOIN pg_inherits i ON i.inhrelid = x.indexrelid
    WHERE t.relispartition AND t.relnamespace = 'ahead'::regnamespace GROUP BY 1 ORDER BY 1`);
  expect(indexes).toHaveLength(4);
  for (const row of indexes) expect(row).toMatchObject({ indexes: '3', attached: '3' });
  const checks = await db.query(`SELECT conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE c.relispartition AND k.contype = 'c' AND c.relnamespace = 'ahead'::regnamespace`);
  expect(checks).toEqual([]);
});

async function locksHeldAfter(
  client: ClientBase,
  statement: string,
): Promise<{ relname: string; mode: string }[]> {
  await client.query('BEGIN');
  await client.query(statement);
  const { rows } = await client.query(`
    SELECT DISTINCT c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
    WHERE l.pid = pg_backend_pid() AND c.relname IN ('events', 'owners', 'notes', 'events_y2026m11')
      AND c.relnamespace = 'locks'::regnamespace ORDER BY 1, 2`);
  return rows;
}

test('the parent is locked SHARE UPDATE EXCLUSIVE, and what its keys point at SHARE ROW EXCLUSIVE, as the step says', async ({
  db,
}) => {
  const { tables, trait } = wide('locks');
  const definition = database('locks', { tables, traits: [trait] });
  await stand(db, definition, NOW);
  const settlements: readonly Settlement[] =
    (await trait.settle?.({
      model: definition.model,
      query: async (text, values) => db.query(text, values && [...values]),
      now: new Date('2026-12-21'),
    })) ?? [];
  const [first] = settlements;
  expect(first?.statements).toHaveLength(1);
  expect(first?.statements[0]).toMatchObject({
    lock: 'SHARE ROW EXCLUSIVE',
    on: { schema: 'locks', name: 'owners' },
  });
  const client = await db.pool.connect();
  const held = await locksHeldAfter(client, first?.statements[0]?.sql ?? '').finally(() =>
    client.release(true),
  );
  const strongest = held.filter(({ mode }) => !/AccessShare|RowShare/.test(mode));
  expect(strongest).toEqual([
    { relname: 'events', mode: 'ShareUpdateExclusiveLock' },
    { relname: 'notes', mode: 'ShareRowExclusiveLock' },
    { relname: 'owners', mode: 'ShareRowExclusiveLock' },
  ]);
});

test('bounds are the same instants whatever zone and date style a session or the server has', async ({
  db,
}) => {
  const { tables, trait } = wide('zones');
  const definition = database('zones', { tables, traits: [trait] });
  await stand(db, definition, NOW);
  const sessions = [
    `SET TimeZone = 'America/Sao_Paulo'`,
    `SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'German'`,
    `SET TimeZone = 'America/New_York'; SET DateStyle = 'SQL, MDY'`,
  ];
  for (const [at, prepare] of sessions.entries()) {
    const month = new Date(Date.UTC(2026, 11 + at, 28, 23));
    const made = await settle(db, definition, { now: month, prepare });
    expect(made).toHaveLength(1);
    expect(await settle(db, definition, { now: month, prepare })).toEqual([]);
  }
  await db.query(`ALTER DATABASE "${db.name}" SET TimeZone = 'Asia/Kathmandu'`);
  expect(await settle(db, definition, { now: new Date('2027-06-15'), prepare: 'SELECT 1' })).toHaveLength(4);
  await db.query(`ALTER DATABASE "${db.name}" RESET TimeZone`);
  const bounds = await boundsOf(db, 'zones.events');
  expect(bounds).toHaveLength(10);
  for (const bound of bounds)
    expect(bound).toMatch(/FROM \('\d{4}-\d\d-01 00:00:00\+00'\) TO \('\d{4}-\d\d-01 00:00:00\+00'\)$/);
});

test('odd bounds that exist are kept, and only what is free beside them is made', async ({ db }) => {
  const { tables, trait } = wide('odd');
  const definition = database('odd', { tables, traits: [trait] });
  await stand(db, definition, new Date('2026-08-01'));
  await db.query(
    `CREATE TABLE odd.anything PARTITION OF odd.events FOR VALUES FROM ('2026-11-01 03:00:00.000007+00') TO ('2026-12-01 03:00:00+00')`,
  );
  await db.query(`CREATE TABLE odd.events_y2026m12 (taken int)`);
  await settle(db, definition, NOW);
  expect((await boundsOf(db, 'odd.events')).slice(1)).toEqual([
    `events_y2026m08 FOR VALUES FROM ('2026-08-01 00:00:00+00') TO ('2026-09-01 00:00:00+00')`,
    `events_y2026m09 FOR VALUES FROM ('2026-09-01 00:00:00+00') TO ('2026-10-01 00:00:00+00')`,
    `events_y2026m10 FOR VALUES FROM ('2026-10-01 00:00:00+00') TO ('2026-11-01 00:00:00+00')`,
    `events_y2026m11 FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-11-01 03:00:00.000007+00')`,
    `events_y2026m12_2 FOR VALUES FROM ('2026-12-01 03:00:00+00') TO ('2027-01-01 00:00:00+00')`,
    `events_y2027m01 FOR VALUES FROM ('2027-01-01 00:00:00+00') TO ('2027-02-01 00:00:00+00')`,
  ]);
  expect(await settle(db, definition, NOW)).toEqual([]);
});

test('an open-ended partition covers what would be missing; a DEFAULT one is refused with a way out', async ({
  db,
}) => {
  const { tables, trait } = wide('open');
  const definition = database('open', { tables, traits: [trait] });
  await stand(db, definition, new Date('2026-08-01'));
  await db.query(
    `CREATE TABLE open.rest PARTITION OF open.events FOR VALUES FROM ('2026-11-01 00:00:00+00') TO (MAXVALUE)`,
  );
  expect(await settle(db, definition, NOW)).toEqual([]);
  await db.query(
    'ALTER TABLE open.events DETACH PARTITION open.rest; CREATE TABLE open.other PARTITION OF open.events DEFAULT',
  );
  expect(
    await settle(db, definition, NOW).catch((error: unknown) => error as { code: string; fix: string }),
  ).toMatchObject({
    code: 'HF_PARTITION_DEFAULT',
    fix: 'Detach it (ALTER TABLE "open"."events" DETACH PARTITION "open"."other"), run this again, then insert its rows into the table.',
  });
});

test('a partition that cannot be attached leaves nothing behind', async ({ db }) => {
  const { tables, trait } = wide('whole');
  const definition = database('whole', { tables, traits: [trait] });
  await stand(db, definition, NOW);
  const settlements = await trait.settle?.({
    model: definition.model,
    query: async (text, values) => db.query(text, values && [...values]),
    now: new Date('2026-12-21'),
  });
  await db.query(
    `CREATE TABLE whole.first PARTITION OF whole.events FOR VALUES FROM ('2027-02-01 00:00:00+00') TO ('2027-03-01 00:00:00+00')`,
  );
  const late = settlements?.[0]?.statements[0]?.sql ?? '';
  expect(await refusal(db.query(late))).toMatchObject({
    code: '42P17',
    message: 'partition "events_y2027m02" would overlap partition "first"',
  });
  expect(await db.query(`SELECT to_regclass('whole.events_y2027m02') AS left`)).toEqual([{ left: null }]);
});

test('taking a partition back drops it while it is empty and keeps it once it holds a row', async ({
  db,
}) => {
  const { tables, trait } = wide('back');
  const definition = database('back', { tables, traits: [trait] });
  const made = await stand(db, definition, NOW);
  await db.query(
    `INSERT INTO back.owners VALUES ('a', 1); INSERT INTO back.events (tenant_id, created_at) VALUES ('a', '2026-12-05')`,
  );
  for (const { back } of made)
    for (const statement of back ?? [])
      await db.query(typeof statement === 'string' ? statement : statement.sql);
  expect((await boundsOf(db, 'back.events')).map((bound) => bound.split(' ')[0])).toEqual([
    'events_y2026m12',
  ]);
});

test('date and timestamp columns have bounds without a zone', async ({ db }) => {
  const schema = pgSchema('plain');
  const days = schema.table('days', { day: date().notNull(), n: integer() });
  const weeks = schema.table('weeks', { at: timestamp().notNull(), n: integer() });
  const definition = database('plain', {
    tables: { schema, days, weeks },
    traits: [
      partitions(days, { by: days.day, every: 'day', ahead: 1 }),
      partitions(weeks, { by: 'at', every: 'week', ahead: 0 }),
    ],
  });
  await stand(db, definition, NOW);
  expect(await boundsOf(db, 'plain.days')).toEqual([
    `days_y2026m11d21 FOR VALUES FROM ('2026-11-21') TO ('2026-11-22')`,
    `days_y2026m11d22 FOR VALUES FROM ('2026-11-22') TO ('2026-11-23')`,
  ]);
  expect(await boundsOf(db, 'plain.weeks')).toEqual([
    `weeks_y2026w47 FOR VALUES FROM ('2026-11-16 00:00:00') TO ('2026-11-23 00:00:00')`,
  ]);
  expect(
    await settle(db, definition, {
      now: NOW,
      prepare: `SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'SQL, DMY'`,
    }),
  ).toEqual([]);
});

test('hot indexes stand on the newest partitions, are rebuilt when invalid and go with age', async ({
  db,
}) => {
  const hot = {
    newest: 2,
    indexes: [
      { name: 'recent', on: ['tenant_id', { column: 'created_at', order: 'desc' }], include: ['kind'] },
    ],
  } as const;
  const { tables, trait } = wide('hot', { from: '2026-08-01', ahead: 1, hot });
  const definition = database('hot', { tables, traits: [trait] });
  await stand(db, definition, NOW);
  const recent = (): Promise<{ name: string }[]> =>
    db.query(`SELECT c.relname AS name FROM pg_class c JOIN pg_index x ON x.indexrelid = c.oid AND x.indisvalid
      WHERE c.relnamespace = 'hot'::regnamespace AND c.relname LIKE '%recent' ORDER BY 1`);
  expect(await recent()).toEqual(months('2026m10', '2026m11', '2026m12'));
  await db.query(
    `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'hot.events_y2026m11_recent'::regclass`,
  );
  const mended = await settle(db, definition, NOW);
  expect(mended.map(({ statements }) => statements.map(({ sql: text }) => text))).toEqual([
    [
      'DROP INDEX CONCURRENTLY IF EXISTS "hot"."events_y2026m11_recent"',
      'CREATE INDEX CONCURRENTLY "events_y2026m11_recent" ON "hot"."events_y2026m11" USING "btree" ("tenant_id", "created_at" DESC) INCLUDE ("kind")',
    ],
  ]);
  await settle(db, definition, new Date('2026-12-02'));
  expect(await recent()).toEqual(months('2026m11', '2026m12', '2027m01'));
});

test('a partition is protected like its parent and nobody is granted it, default privileges or not', async ({
  db,
}) => {
  const { tables, events } = wide('guard');
  const app = db.role('app');
  const definition = database('guard', {
    tables,
    traits: [
      partitions(events, { by: 'created_at', every: 'month', ahead: 1, storage: { fillfactor: '90' } }),
      immutability(events, { kind: 'append-only' }),
      tenancy({ column: 'tenant_id', setting: 'app.tenant', roles: { app, owner: db.role('owner') } }),
    ],
  });
  await db.query(
    `CREATE SCHEMA guard; CREATE ROLE "${app}" LOGIN; ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO "${app}", PUBLIC`,
  );
  await stand(db, definition, NOW);
  await db.query(`ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM "${app}", PUBLIC`);
  const [row] = await db.query(`
    SELECT c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced, pg_get_userbyid(c.relowner) = pg_get_userbyid(p.relowner) AS same_owner, c.reloptions AS storage,
      (SELECT count(*)::int FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner) AS grants,
      (SELECT array_agg(tgname::text || tgenabled::text ORDER BY tgname) FROM pg_trigger t WHERE t.tgrelid = c.oid AND tgname LIKE 'holdfast%') AS triggers,
      (SELECT array_agg(polname::text) FROM pg_policy WHERE polrelid = c.oid) AS policies
    FROM pg_class c, pg_class p WHERE c.oid = 'guard.events_y2026m12'::regclass AND p.oid = 'guard.events'::regclass`);
  expect(row).toEqual({
    enabled: true,
    forced: true,
    same_owner: true,
    storage: ['fillfactor=90'],
    grants: 0,
    triggers: ['holdfast_i_10_keepA', 'holdfast_i_20_truncateA'],
    policies: ['tenant_isolation'],
  });
  await db.query(`INSERT INTO guard.events (tenant_id, created_at) VALUES ('a', '2026-12-05')`);
  expect((await refusal(db.query('TRUNCATE guard.events_y2026m12 CASCADE'))).code).toBe('ZH004');
  const client = await sessionAs(db, app);
  expect((await refusal(client.query('SELECT * FROM guard.events_y2026m12'))).message).toBe(
    'permission denied for table events_y2026m12',
  );
});

test('what cannot be partitioned is refused with a way out', () => {
  const schema = pgSchema('bad');
  const bad = schema.table('bad', { id: integer().primaryKey(), at: instant('at'), name: text() });
  const codes = (by: string): string[] => {
    try {
      database('bad', { tables: { schema, bad }, traits: [partitions(bad, { by, every: 'month' })] });
      return [];
    } catch (error) {
      return (error as DefinitionError).diagnostics.map(({ code }) => code);
    }
  };
  expect(codes('at')).toEqual(['HF_PARTITION_NULL', 'HF_PARTITION_KEY']);
  expect(codes('name')).toEqual(['HF_PARTITION_TYPE', 'HF_PARTITION_NULL', 'HF_PARTITION_KEY']);
  expect(codes('nothing')).toEqual(['HF_TRAIT_COLUMN']);
});
