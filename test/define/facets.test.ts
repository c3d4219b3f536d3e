// What Drizzle cannot say, said beside it, and what the server then knows. The example of the guide is one of the cases.
import { readFile } from 'node:fs/promises';
import { sql } from 'drizzle-orm';
import {
  foreignKey,
  integer,
  pgSequence,
  pgTable,
  pgView,
  primaryKey,
  text,
  unique,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import { describe, expect } from 'vitest';
import { load } from '../../src/build/load.ts';
import { lower } from '../../src/build/lower.ts';
import {
  collate,
  comment,
  covering,
  database,
  deferrable,
  type Facet,
  forceRowSecurity,
  grant,
  indexed,
  key,
  matchFull,
  nullsNotDistinct,
  on,
  storage,
  trigger,
  unlogged,
  virtual,
} from '../../src/define/index.ts';
import { test } from '../cluster/index.ts';
import example, { desk } from './guide-example.ts';
import { withRc } from './rc.ts';
import { withRoles } from './roles.ts';

const CONSTRAINTS_SQL = `
  SELECT conname AS name, pg_catalog.pg_get_constraintdef(oid) AS definition FROM pg_catalog.pg_constraint
  WHERE conrelid IN ('rooms'::pg_catalog.regclass, 'bookings'::pg_catalog.regclass) AND contype <> 'n' ORDER BY conname`;

const COMMENTS_SQL = `
  SELECT description FROM pg_catalog.pg_description
  WHERE objoid IN ('rooms'::pg_catalog.regclass, 'rooms_by_floor'::pg_catalog.regclass) ORDER BY description`;

describe('the guide’s example', () => {
  test('is what the server knows', async ({ db }) => {
    const { statements, roles } = await lower(example);
    await withRoles([db], roles, async () => {
      await load(db.pool, statements);
      const constraints = await db.query<{ name: string; definition: string }>(CONSTRAINTS_SQL);
      expect(Object.fromEntries(constraints.map((one) => [one.name, one.definition]))).toEqual({
        rooms_hotel_number_pk: 'PRIMARY KEY (hotel, number)',
        rooms_name: 'UNIQUE (hotel, name) DEFERRABLE INITIALLY DEFERRED',
        bookings_hotel_id_pk: 'PRIMARY KEY (hotel, id)',
        bookings_room: 'FOREIGN KEY (hotel, room) REFERENCES rooms(hotel, number) ON DELETE SET NULL (room)',
        bookings_overlap:
          'EXCLUDE USING gist (hotel WITH =, room WITH =, during WITH &&) WHERE ((room IS NOT NULL))',
      });
      expect(await db.query(`SELECT pg_catalog.pg_get_indexdef('rooms_by_floor'::regclass) AS d`)).toEqual([
        { d: 'CREATE INDEX rooms_by_floor ON public.rooms USING btree (hotel, floor) INCLUDE (name)' },
      ]);
      expect(await db.query(COMMENTS_SQL)).toEqual([
        { description: 'As guests say it' },
        { description: 'Every room that can be sold' },
        { description: 'For the cleaning list' },
      ]);
      await db.query(
        `INSERT INTO rooms VALUES (1, 1, 'a', 1); INSERT INTO bookings VALUES (1, 1, 1, '[2026-01-01,2026-01-02)')`,
      );
      await expect(
        db.query(`INSERT INTO bookings VALUES (1, 2, 1, '[2026-01-01,2026-01-03)')`),
      ).rejects.toThrow('bookings_overlap');
      await db.query(`UPDATE bookings SET during = '[2026-01-01,2026-01-03)'; DELETE FROM rooms`);
      expect(await db.query('SELECT hotel, room, touched_at IS NOT NULL AS touched FROM bookings')).toEqual([
        { hotel: 1, room: null, touched: true },
      ]);
      await db.query('REFRESH MATERIALIZED VIEW CONCURRENTLY occupancy');
      const privilege = `has_column_privilege($1, 'bookings', $2, 'update')`;
      expect(await db.query(`SELECT ${privilege} AS may`, [desk.name, 'room'])).toEqual([{ may: true }]);
      expect(await db.query(`SELECT ${privilege} AS may`, [desk.name, 'id'])).toEqual([{ may: false }]);
    });
  });

  test('stands in the guide as it stands in the test', async () => {
    const source = await readFile(new URL('./guide-example.ts', import.meta.url), 'utf8');
    const guide = await readFile(new URL('../../docs/guide/definition.md', import.meta.url), 'utf8');
    const shown = source.slice(source.indexOf('export default database(')).trimEnd();
    expect(guide).toContain(shown);
  });

  test('is the same under drizzle-orm 1.0', async () => {
    const rc = await withRc();
    const define = await rc.load<{ default: typeof example }>('./guide-example.ts');
    expect((await rc.lower.lower(define.default)).statements).toEqual((await lower(example)).statements);
  });
});

const things = pgTable(
  'things',
  {
    id: integer('id').primaryKey(),
    a: integer('a'),
    b: integer('b'),
    sum: integer('sum').generatedAlwaysAs(sql`a + 1`),
  },
  (t) => [uniqueIndex('things_a').on(t.a), unique('things_ab').on(t.a, t.b)],
);
const tables = {
  things,
  numbers: pgSequence('numbers'),
  pairs: pgTable('pairs', { a: integer('a'), b: integer('b'), id: integer('id') }, (t) => [
    primaryKey({ name: 'pairs_key', columns: [t.id] }),
    foreignKey({ name: 'pairs_things', columns: [t.a, t.b], foreignColumns: [things.a, things.b] }),
  ]),
  shown: pgView('shown', { id: integer('id') }).as(sql`SELECT 1 AS id`),
};

const loaded = async (facets: readonly Facet[]): Promise<string[]> =>
  (await lower(database('facets', { tables, facets }))).statements.map((one) => one.sql);
const thrown = (...facets: readonly Facet[]): string => {
  try {
    database('facets', { tables, facets });
  } catch (error) {
    return (error as Error).message.split('\n')[1]?.trim() ?? '';
  }
  return 'accepted';
};

describe('each facet', () => {
  test('is DDL the server takes', async ({ db }) => {
    const sqls = await loaded([
      on(tables.things, (t) => [
        unlogged(),
        storage({ fillfactor: 50, 'toast.autovacuum_enabled': false }),
        storage({ fillfactor: 60 }),
        covering('things_pkey', t.b),
        nullsNotDistinct('things_a'),
        forceRowSecurity(),
        comment("it's", { constraint: 'things_ab' }),
        trigger('loud', {
          fires: 'after',
          events: ['insert', 'delete'],
          forEach: 'statement',
          execute: 'pg_catalog.tsvector_update_trigger()',
        }),
      ]),
      on(tables.pairs, () => [
        matchFull('pairs_things'),
        deferrable('pairs_things', 'initially immediate'),
        unlogged(),
      ]),
      on(tables.shown, () => [comment('one'), storage({ security_barrier: true })]),
      grant(['usage'], { on: tables.numbers, to: 'public' }),
      grant(['select'], { on: tables.shown, to: ['public'] }),
      grant(['create'], { on: 'SCHEMA public', to: 'public' }),
    ]);
    const database2 = await db.another();
    for (const one of sqls) await database2.query(one);
    expect(sqls).toContain(
      `CREATE UNLOGGED TABLE "public"."things" (\n  "id" integer NOT NULL,\n  "a" integer,\n  "b" integer,\n  "sum" integer GENERATED ALWAYS AS (a + 1) STORED,\n  PRIMARY KEY ("id") INCLUDE ("b"),\n  CONSTRAINT "things_ab" UNIQUE ("a", "b")\n) WITH ("fillfactor" = '60', "toast"."autovacuum_enabled" = 'false')`,
    );
    expect(sqls).toContain(
      'CREATE UNIQUE INDEX "things_a" ON "public"."things" USING "btree" ("a") NULLS NOT DISTINCT',
    );
    expect(sqls).toContain(
      'ALTER TABLE "public"."pairs" ADD CONSTRAINT "pairs_things" FOREIGN KEY ("a", "b") REFERENCES "public"."things" ("a", "b") MATCH FULL DEFERRABLE INITIALLY IMMEDIATE',
    );
    expect(sqls).toContain('GRANT usage ON SEQUENCE "public"."numbers" TO PUBLIC');
  });

  test('finds its target or says what it could have meant', () => {
    const { things: t, shown, pairs } = tables;
    const other = pgTable('other', { id: integer('id'), x: text('x') });
    expect(thrown(on(other, () => [unlogged()]))).toBe(
      'unlogged on public.other: the definition holds no such table or view. Name one of: public.pairs, public.things, public.shown. [HF_FACET]',
    );
    expect(thrown(on(t, () => [covering('things_x', t.a)]))).toBe(
      'covering things_x on public.things: the table has nothing of that name that it could be said of. Name one of: things_pkey, things_ab, things_a. [HF_FACET]',
    );
    expect(thrown(on(t, () => [deferrable('things_a')]))).toBe(
      'deferrable things_a on public.things: the table has nothing of that name that it could be said of. Name one of: things_pkey, things_ab. [HF_FACET]',
    );
    expect(thrown(on(t, () => [collate(other.x, 'C')]))).toBe(
      'column x on public.things: the table has no such column. Name one of: id, a, b, sum. [HF_FACET]',
    );
    expect(thrown(on(t, () => [matchFull('x')]))).toBe(
      'foreign key x on public.things: the table has no such foreign key. There is none to name. [HF_FACET]',
    );
    expect(thrown(on(shown, () => [unlogged()]))).toBe(
      'unlogged on public.shown: it cannot be said of a view. Take it out, or say it of the relation it is meant for. [HF_FACET]',
    );
    expect(thrown(on(pairs, () => [key('k', pairs.a), indexed('i', pairs.a)]))).toBe(
      'key k on public.pairs: it cannot be said of a table. Take it out, or say it of the relation it is meant for. [HF_FACET]',
    );
    expect(thrown(on(t, () => [virtual(t.a)]))).toBe(
      'virtual a: the column is not generated. Give it .generatedAlwaysAs(…), or take the facet out. [HF_FACET]',
    );
    expect(thrown(on(t, () => [comment('x', { index: 'nope' })]))).toBe(
      'comment on index nope on public.things: it has no such index. Name one of: things_a. [HF_FACET]',
    );
    expect(() => grant(['drop'], { on: t, to: 'x' })).toThrow(
      'grant drop on public.things to x: "drop" is no privilege of PostgreSQL. Write select, insert, update, delete, truncate, references, trigger, usage, execute, create, maintain or all. [HF_FACET]',
    );
  });

  test('a generated column may be virtual where the server knows that', async ({ db }) => {
    const [sql] = (await loaded([on(tables.things, (t) => [virtual(t.sum)])])).filter((one) =>
      one.includes('VIRTUAL'),
    );
    expect(sql).toContain('"sum" integer GENERATED ALWAYS AS (a + 1) VIRTUAL');
    const [version] = await db.query<{ major: number }>(
      `SELECT current_setting('server_version_num')::int / 10000 AS major`,
    );
    const run = db.query(String(sql));
    if ((version?.major ?? 0) >= 18) await run;
    else await expect(run).rejects.toThrow('syntax error at or near "VIRTUAL"');
  });
});
