// Mistakes are refused when a definition is made, message by message: what, where, and what to write instead.
import { sql } from 'drizzle-orm';
import {
  check,
  foreignKey,
  index,
  integer,
  pgEnum,
  pgMaterializedView,
  pgPolicy,
  pgSchema,
  pgTable,
  pgView,
  primaryKey,
  text,
  timestamp,
  unique,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import { integer as sqliteInteger, sqliteTable } from 'drizzle-orm/sqlite-core';
import { describe, expect, test } from 'vitest';
import {
  checkPartitionKey,
  checkRefreshKey,
  checkTenantKeys,
  checkTenantReferences,
  database,
  type DatabaseOptions,
  DefinitionError,
  type Diagnostic,
  type Model,
  type Trait,
} from '../../src/define/index.ts';

function refused(options: DatabaseOptions): readonly string[] {
  try {
    database('shop', options);
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error;
    return error.diagnostics.map((one) => `${one.subject}: ${one.what} ${one.fix} [${one.code}]`);
  }
  return [];
}

const id = integer('id').primaryKey();

describe('what is not lowered is named', () => {
  test('values in extra config that Drizzle 0.x drops without a word', () => {
    const things = pgTable('things', { id: integer('id').primaryKey(), n: integer('n') }, (t) => [
      sql`CONSTRAINT small CHECK (${t.n} < 10)` as never,
      { wrapped: index('i').on(t.n) },
      42,
    ]);
    expect(refused({ tables: { things } })).toEqual([
      `extra config of table public.things: CONSTRAINT small CHECK ("things"."n" < 10): Drizzle takes no SQL text there and drops it, so it would be missing from the database. Write a constraint as check('name', sql\`…\`), anything else as a facet or in a .sql file. [HF_NOT_LOWERED]`,
      'extra config of table public.things: it holds an object, which is no index, key, check or policy of pg-core, so it would be missing from the database. Say it with pg-core or a facet, or write it in a .sql file and leave it out here. [HF_NOT_LOWERED]',
      'extra config of table public.things: it holds a value of type number, which is no index, key, check or policy of pg-core, so it would be missing from the database. Say it with pg-core or a facet, or write it in a .sql file and leave it out here. [HF_NOT_LOWERED]',
    ]);
  });

  test('unless the user says to leave it out; then it is a note', () => {
    const things = pgTable('things', { id: integer('id').primaryKey() }, () => [sql`CHECK (true)` as never]);
    const subject = 'extra config of table public.things: CHECK (true)';
    const { notes, model } = database('shop', { tables: { things }, leaveOut: [subject] });
    expect(notes.map((one) => [one.code, one.severity, one.subject])).toEqual([
      ['HF_NOT_LOWERED', 'warning', subject],
    ]);
    expect(model.tables[0]?.checks).toEqual([]);
    expect(refused({ tables: { things: pgTable('things', { id }) }, leaveOut: [subject] })).toEqual([
      `${subject}: leaveOut names it, and there is nothing of that name to leave out. Take it out of leaveOut, or copy the subject as the error gives it. [HF_LEAVE_OUT]`,
    ]);
  });

  test('tables of other databases, unfinished builders, tables inside objects, stray policies and constraints', () => {
    const things = pgTable('things', { id: integer('id').primaryKey(), n: integer('n') });
    const other = pgTable('other', { id: integer('id').primaryKey() });
    const tables = {
      things,
      lite: sqliteTable('lite', { id: sqliteInteger('id') }),
      unfinished: pgView('unfinished'),
      unfinishedStored: pgMaterializedView('unfinished_stored'),
      unfinishedIndex: index('unfinished_index'),
      stray: pgPolicy('stray', { using: sql`true` }),
      elsewhere: pgPolicy('elsewhere').link(other),
      lost: check('lost', sql`true`),
      nested: { inner: other },
      fragment: sql`a fragment`,
      column: integer('shared'),
      number: 5,
      nothing: null,
    };
    const left =
      'so it would be missing from the database. Say it with pg-core or a facet, or write it in a .sql file and leave it out here. [HF_NOT_LOWERED]';
    expect(refused({ tables })).toEqual([
      `export lite: it is a SQLiteTable of another database, not of pg-core, ${left}`,
      `export unfinished: it is a PgViewBuilder that was never finished or put into a table, ${left}`,
      `export unfinishedStored: it is a PgMaterializedViewBuilder that was never finished or put into a table, ${left}`,
      `export unfinishedIndex: it is a PgIndexBuilderOn that was never finished or put into a table, ${left}`,
      `export lost: it is a PgCheckBuilder that no table's extra config holds, ${left}`,
      `export nested.inner: table public.other stands inside an object and is not an export itself, ${left}`,
      `policy elsewhere (export elsewhere): it is linked to public.other, a table this definition does not hold, ${left}`,
      `policy stray (export stray): it is in no table and linked to none, ${left}`,
    ]);
  });

  test('an enum that is used and not exported', () => {
    const mood = pgEnum('mood', ['sad']);
    const things = pgTable('things', { id: integer('id').primaryKey(), moods: mood('moods').array() });
    expect(refused({ tables: { things } })).toEqual([
      'enum public.mood: column moods of table public.things is of this type, and the schema does not export it. Export the pgEnum beside the tables. [HF_NOT_LOWERED]',
    ]);
  });

  test('what Drizzle itself cannot read', () => {
    const broken = pgTable('broken', { id: integer('id').references(() => undefined as never) });
    const useless = pgTable('useless', { id: integer('id').default(Symbol('x') as never) });
    const [first, second] = refused({ tables: { broken, useless } });
    expect(first).toMatch(
      /^table public\.broken: Drizzle cannot read it: .+ Mend the table; .+ \[HF_DRIZZLE\]$/,
    );
    expect(second).toBe(
      'table public.useless, a value of type symbol: it has no form as an SQL literal. Write it as sql`…` instead. [HF_LITERAL]',
    );
  });
});

describe('mistakes in a definition', () => {
  test('two primary keys', () => {
    const two = pgTable('two', { a: integer('a').primaryKey(), b: integer('b').primaryKey() });
    const both = pgTable('both', { a: integer('a').primaryKey(), b: integer('b') }, (t) => [
      primaryKey({ columns: [t.b] }),
    ]);
    expect(refused({ tables: { two, both } })).toEqual([
      'table public.two: it declares 2 primary keys, and a table has one. Name all columns in one primaryKey({ columns: […] }). [HF_PRIMARY_KEY]',
      'table public.both: it declares 2 primary keys, and a table has one. Name all columns in one primaryKey({ columns: […] }). [HF_PRIMARY_KEY]',
    ]);
  });

  test('an index with an expression and no name', () => {
    const things = pgTable('things', { id: integer('id').primaryKey(), n: text('n') }, (t) => [
      index().on(sql`lower(${t.n})`),
    ]);
    expect(refused({ tables: { things } })).toEqual([
      `index on table public.things: it has an expression (lower("n")) and no name. Give it a name: index('name').on(…). [HF_INDEX_NAME]`,
    ]);
  });

  test('predicates, expressions and generated columns that change with time', () => {
    const hot = pgTable(
      'hot',
      {
        id: integer('id').primaryKey(),
        at: timestamp('at', { withTimezone: true }),
        age: text('age').generatedAlwaysAs(sql`age(current_date)::text`),
        note: text('note'),
      },
      (t) => [
        index('hot_week')
          .on(t.id)
          .where(sql`${t.at} > now() - interval '7 days'`),
        index('hot_day').on(sql`(${t.at} < CURRENT_DATE)`),
        index('hot_words')
          .on(t.id)
          .where(sql`${t.note} <> 'now() is a word'`),
      ],
    );
    const end =
      "which gives another answer later; PostgreSQL would refuse it, or keep rows it should not. Index the plain column with the time in the query, or convert with a fixed zone: (at AT TIME ZONE 'UTC')::date. [HF_NOT_IMMUTABLE]";
    expect(refused({ tables: { hot } })).toEqual([
      `index hot_week on public.hot: its predicate ("hot"."at" > now() - interval '7 days') calls now(), ${end}`,
      `index hot_day on public.hot: its expression (("at" < CURRENT_DATE)) calls CURRENT_DATE, ${end}`,
      `column age of table public.hot: its generation expression (age(current_date)::text) calls current_date, ${end}`,
    ]);
  });

  test('names that PostgreSQL would store as one', () => {
    const long = 'x'.repeat(60);
    const app = pgSchema('app');
    const tables = {
      a: pgTable(`${long}_12a`, { id: integer('id').primaryKey() }),
      b: pgTable(`${long}_12b`, { id: integer('id').primaryKey() }),
      c: pgTable('c', { id: integer('id').primaryKey(), n: integer('n'), m: integer('m') }, (t) => [
        index('same').on(t.n),
        unique('once').on(t.n),
        check('once', sql`true`),
        pgPolicy('p'),
        pgPolicy('p'),
      ]),
      d: pgTable('d', { id: integer('id').primaryKey(), n: integer('n') }, (t) => [index('same').on(t.n)]),
      elsewhere: app.table('same', { id: integer('id').primaryKey() }),
      type: pgEnum('c', ['x']),
    };
    const found = refused({ tables });
    const why =
      '; PostgreSQL keeps 63 bytes of a name. Give all but one of them another name. [HF_DUPLICATE_NAME]';
    expect(found).toEqual([
      `name public.${long}_12: 2 objects would have it (table, table)${why}`,
      `name public.same: 2 objects would have it (index on public.c, index on public.d)${why}`,
      `name once of table public.c: 2 objects would have it (constraint, constraint)${why}`,
      `name p of table public.c: 2 objects would have it (policy, policy)${why}`,
      'enum public.c: a table of the same name already gives its row type that name. Rename the enum or the table. [HF_DUPLICATE_NAME]',
    ]);
  });

  test('foreign keys that point at nothing, or at no key', () => {
    const away = pgTable('away', { id: integer('id').primaryKey() });
    const target = pgTable(
      'target',
      { id: integer('id').primaryKey(), n: integer('n'), m: integer('m') },
      (t) => [
        uniqueIndex('target_n').on(t.n),
        uniqueIndex('target_some_m')
          .on(t.m)
          .where(sql`${t.m} > 0`),
      ],
    );
    const source = pgTable(
      'source',
      {
        a: integer('a').references(() => away.id),
        n: integer('n').references(() => target.n),
        m: integer('m'),
      },
      (t) => [foreignKey({ columns: [t.m], foreignColumns: [target.m], name: 'to_m' })],
    );
    expect(refused({ tables: { target, source } })).toEqual([
      'foreign key source_a_away_id_fk of table public.source: it points at table public.away, which is not in the definition. Export that table from the schema, or write the foreign key in a .sql file. [HF_REFERENCE]',
      'foreign key to_m of table public.source: it points at public.target (m), and no primary key or unique of that table has exactly these columns. Point it at a key, or make these columns unique. [HF_REFERENCE]',
    ]);
  });

  test('a sequence option that is no number, an option of another Drizzle', () => {
    const things = pgTable('things', {
      id: integer('id').generatedAlwaysAsIdentity({ startWith: '1; DROP' as never }),
    });
    expect(refused({ tables: { things } })).toEqual([
      'table public.things, START WITH "1; DROP" of a sequence: it is not a whole number. Write a whole number, as text where it is beyond 2^53. [HF_SEQUENCE]',
    ]);
  });

  test('all mistakes come in one error that names the definition', () => {
    const things = pgTable('things', { a: integer('a').primaryKey(), b: integer('b').primaryKey() });
    expect(() => database('shop', { tables: { things }, leaveOut: ['x'] })).toThrow(
      'definition shop: it has 2 mistakes, and nothing was built.\n' +
        '  table public.things: it declares 2 primary keys, and a table has one. Name all columns in one primaryKey({ columns: […] }). [HF_PRIMARY_KEY]\n' +
        '  x: leaveOut names it, and there is nothing of that name to leave out. Take it out of leaveOut, or copy the subject as the error gives it. [HF_LEAVE_OUT]\n' +
        ' Mend them and try again. [HF_DEFINITION]',
    );
  });
});

const plainModel = (tables: Readonly<Record<string, unknown>>): Model => database('x', { tables }).model;
const said = (found: readonly Diagnostic[]): string[] =>
  found.map((one) => `${one.subject}: ${one.what} ${one.fix} [${one.code}]`);

describe('checks that traits call', () => {
  test('a partition column missing from a unique key', () => {
    const events = pgTable(
      'events',
      { id: integer('id').primaryKey(), at: timestamp('at').notNull(), n: integer('n') },
      (t) => [unique('events_n').on(t.n, t.at), uniqueIndex('events_once').on(t.n)],
    );
    const [table] = plainModel({ events }).tables;
    if (table === undefined) throw new Error('no table');
    expect(checkPartitionKey(table)).toEqual([]);
    const why =
      'lacks the partition column at, and PostgreSQL checks uniqueness within one partition only. Add at to the key, or keep what must be unique for ever in a table of its own. [HF_PARTITION_KEY]';
    expect(said(checkPartitionKey({ ...table, partitionBy: { method: 'range', columns: ['at'] } }))).toEqual([
      `table public.events: the primary key (id) ${why}`,
      `table public.events: unique index events_once (n) ${why}`,
    ]);
  });

  test('a materialised view without a full key', () => {
    const base = pgTable('base', { id: integer('id').primaryKey() });
    const sums = pgMaterializedView('sums').as((query) => query.select().from(base));
    const [view] = plainModel({ base, sums }).views;
    if (view === undefined) throw new Error('no view');
    const index = { name: 'i', unique: true, method: 'btree', elements: [{ column: 'id' }] };
    const refusal =
      'materialized view public.sums: it has no unique key over plain columns and all its rows, so it cannot be refreshed while it is read. Name the columns that identify a row of it; a key with WHERE or an expression does not do. [HF_MATVIEW_KEY]';
    expect(said(checkRefreshKey(view))).toEqual([refusal]);
    expect(said(checkRefreshKey({ ...view, indexes: [{ ...index, where: 'id > 0' }] }))).toEqual([refusal]);
    expect(
      said(checkRefreshKey({ ...view, indexes: [{ ...index, elements: [{ expression: 'abs(id)' }] }] })),
    ).toEqual([refusal]);
    expect(checkRefreshKey({ ...view, indexes: [index] })).toEqual([]);
    expect(checkRefreshKey({ ...view, materialized: false })).toEqual([]);
  });

  test('keys and references that do not carry the tenant', () => {
    const parents = pgTable('parents', { tenant: integer('tenant'), id: integer('id').unique() }, (t) => [
      primaryKey({ columns: [t.tenant, t.id] }),
      uniqueIndex('parents_id').on(t.id, t.tenant),
    ]);
    const free = pgTable('free', { id: integer('id').primaryKey() });
    const children = pgTable(
      'children',
      {
        tenant: integer('tenant'),
        id: integer('id'),
        parent: integer('parent').references(() => parents.id),
        free: integer('free').references(() => free.id),
      },
      (t) => [
        primaryKey({ columns: [t.tenant, t.id] }),
        foreignKey({
          name: 'good',
          columns: [t.tenant, t.parent],
          foreignColumns: [parents.tenant, parents.id],
        }),
        foreignKey({
          name: 'crossed',
          columns: [t.parent, t.tenant],
          foreignColumns: [parents.tenant, parents.id],
        }),
      ],
    );
    const model = plainModel({ parents, children, free });
    const why =
      'does not begin with tenant, so a duplicate tells one tenant what another has. Write (tenant, id). [HF_TENANT_KEY]';
    expect(said(checkTenantKeys(model, 'tenant'))).toEqual([
      `table public.parents: unique parents_id_unique (id) ${why}`,
      `table public.parents: unique index parents_id (id, tenant) ${why}`,
    ]);
    const points = 'it does not carry tenant, so a row may point at a row of another tenant.';
    expect(said(checkTenantReferences(model, 'tenant'))).toEqual([
      `foreign key children_parent_parents_id_fk of table public.children: ${points} Write (tenant, parent) references public.parents (tenant, id). [HF_TENANT_REFERENCE]`,
      `foreign key crossed of table public.children: ${points} Name the tenant on both sides, and what else identifies the row. [HF_TENANT_REFERENCE]`,
    ]);
  });
});

const trait = (name: string, after: readonly string[] = [], rest: Partial<Trait> = {}): Trait => ({
  name,
  after,
  ...rest,
});

const finding = (severity: Diagnostic['severity'], subject: string): Diagnostic => ({
  code: 'HF_X',
  severity,
  subject,
  what: 'w.',
  fix: 'f.',
});

const mark = (name: string, after: readonly string[] = []): Trait =>
  trait(name, after, { build: (model) => ({ ...model, schemas: [...model.schemas, name] }) });

describe('traits', () => {
  test('are built after those they name, else in the order given', () => {
    const { model, traits, plain } = database('x', {
      traits: [mark('c', ['a', 'absent']), mark('b'), mark('a')],
    });
    expect(model.schemas).toEqual(['b', 'a', 'c']);
    expect(traits.map((one) => one.name)).toEqual(['b', 'a', 'c']);
    expect(plain.schemas).toEqual([]);
  });

  test('that wait for one another are refused', () => {
    expect(refused({ traits: [mark('a', ['b']), mark('b', ['a'])] })).toEqual([
      "traits a, b: each waits for another of them to be built first. Take one name out of a trait's `after`. [HF_TRAIT_ORDER]",
    ]);
  });

  test('have their findings collected, errors thrown, the rest noted, and a wrong one is not built', () => {
    const wrong = trait('a', [], {
      check: () => [finding('error', 'one')],
      build: () => {
        throw new TypeError('built on a mistake');
      },
    });
    const alsoWrong = trait('b', [], { check: () => [finding('error', 'two'), finding('info', 'three')] });
    expect(refused({ traits: [wrong, alsoWrong] })).toEqual(['one: w. f. [HF_X]', 'two: w. f. [HF_X]']);
    expect(
      database('x', { traits: [trait('c', [], { check: () => [finding('warning', 'four')] })] }).notes,
    ).toEqual([finding('warning', 'four')]);
  });

  test('cannot break what the definition promises', () => {
    const things = pgTable('things', { id: integer('id').primaryKey() });
    const breaks = trait('a', [], {
      build: (model) => ({ ...model, tables: [...model.tables, ...model.tables] }),
    });
    expect(refused({ tables: { things }, traits: [breaks] })[0]).toContain(
      'name public.things: 2 objects would have it (table, table)',
    );
  });
});
