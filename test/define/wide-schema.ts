// A Drizzle schema that uses every feature of pg-core that a server without extra extensions can hold, as a user would
// write it. Everything in it is also within what drizzle-kit 0.31 can generate without a fault of its own, so that both
// can be compared. What needs an extension stands in `extension-schema.ts`.
import * as drizzle from 'drizzle-orm';
import { sql } from 'drizzle-orm';
import * as core from 'drizzle-orm/pg-core';
import {
  type AnyPgColumn,
  bigint,
  bigserial,
  bit,
  boolean,
  char,
  check,
  cidr,
  customType,
  date,
  doublePrecision,
  foreignKey,
  index,
  inet,
  integer,
  interval,
  json,
  jsonb,
  line,
  macaddr,
  macaddr8,
  numeric,
  pgEnum,
  pgMaterializedView,
  pgPolicy,
  pgRole,
  pgSchema,
  pgSequence,
  pgTable,
  pgTableCreator,
  pgView,
  point,
  primaryKey,
  real,
  serial,
  smallint,
  smallserial,
  text,
  time,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core';

// Roles are the cluster's: each worker of the test runner has its own.
const worker = process.env['VITEST_POOL_ID'] ?? '0';
export const reader = pgRole(`hf_wide_reader_${worker}`, { createDb: true, inherit: false });
export const writer = pgRole(`hf_wide_writer_${worker}`, { createRole: true });
export const legacy = pgRole(`hf_wide_legacy_${worker}`).existing();

export const app = pgSchema('app');
export const odd = pgSchema('Odd schema');

export const mood = pgEnum('mood', ['sad', 'ok', "it's", 'with "quotes"']);
export const level = app.enum('level', ['low', 'high']);
export const Weather = { Sunny: 'sunny', Rainy: 'rainy' } as const;
export const weather = pgEnum('Weather', Weather);

export const tickets = pgSequence('tickets');
export const slips = pgSequence('slips', {
  increment: '-2',
  minValue: '-9007199254740993',
  maxValue: -1,
  startWith: -10,
  cache: 5,
  cycle: true,
});
export const invoices = app.sequence('invoices', { startWith: 1000 });

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });
const tsvector = customType<{ data: string }>({ dataType: () => 'tsvector' });
const positive = customType<{ data: number; config: { digits: number } }>({
  dataType: (config) => `numeric(${config?.digits ?? 4})`,
});

// Drizzle 0.x nests `.array()`, 1.0 takes the dimensions.
const counts = 'bytea' in core;
function grid<T>(column: { array: (size?: never) => T }): T {
  if (counts) return column.array('[][]' as never);
  return (column.array() as { array: () => T }).array();
}

export const types = pgTable('types', {
  id: serial('id').primaryKey(),
  small: smallint('small').notNull().default(-3),
  smallSerial: smallserial('small_serial'),
  whole: integer('whole').default(7),
  big: bigint('big', { mode: 'number' }).default(9_007_199_254_740_991),
  huge: bigint('huge', { mode: 'bigint' }),
  bigSerial: bigserial('big_serial', { mode: 'number' }),
  yes: boolean('yes').default(true).notNull(),
  no: boolean('no').default(false),
  words: text('words').default("it's a \\ back\\slash"),
  oneOf: text('one_of', { enum: ['a', 'b'] }).default('a'),
  short: varchar('short', { length: 40 }).default(''),
  unbounded: varchar('unbounded'),
  code: char('code', { length: 3 }).default('BRA'),
  letter: char('letter'),
  price: numeric('price', { precision: 12, scale: 2 }).default('10.50'),
  whole12: numeric('whole12', { precision: 12 }),
  any: numeric('any'),
  asNumber: numeric('as_number', { mode: 'number' }).default(1.5),
  single: real('single').default(1.25),
  double: doublePrecision('double').default(-0.1),
  flags: bit('flags', { dimensions: 5 }),
  settings: jsonb('settings').$type<{ readonly theme: string }>().default({ theme: 'dark' }),
  list: jsonb('list').default([1, 'two', null]),
  plain: json('plain').default({ 'a "b"': 1 }),
  day: date('day').default('2026-01-31'),
  dayObject: date('day_object', { mode: 'date' }).default(new Date('2026-02-28T00:00:00Z')),
  at: timestamp('at').default(new Date('2026-03-01T10:20:30.456Z')),
  atZone: timestamp('at_zone', { withTimezone: true, precision: 3 }).defaultNow(),
  atText: timestamp('at_text', { mode: 'string', withTimezone: true }).default('2026-01-01 00:00:00+00'),
  atMicro: timestamp('at_micro', { precision: 6 }),
  clock: time('clock').default('08:30'),
  clockZone: time('clock_zone', { withTimezone: true, precision: 2 }).defaultNow(),
  wait: interval('wait').default('1 day'),
  waitDays: interval('wait_days', { fields: 'day to second', precision: 2 }),
  waitYears: interval('wait_years', { fields: 'year to month' }),
  uid: uuid('uid').defaultRandom(),
  net: cidr('net').default('10.0.0.0/8'),
  host: inet('host'),
  mac: macaddr('mac'),
  mac8: macaddr8('mac8'),
  spot: point('spot', { mode: 'xy' }),
  spotTuple: point('spot_tuple'),
  edge: line('edge'),
  edgeAbc: line('edge_abc', { mode: 'abc' }),
  mood: mood('mood').default('ok').notNull(),
  level: level('level').default('low'),
  weather: weather('weather'),
  blob: bytea('blob'),
  search: tsvector('search'),
  limited: positive('limited', { digits: 6 }),
  made: timestamp('made').$defaultFn(() => new Date()),
  touched: timestamp('touched').$onUpdate(() => new Date()),
  fromSequence: integer('from_sequence').default(sql`nextval('app.invoices')`),
  computed: text('computed').default(sql`upper('x')`),
});

export const arrays = pgTable('arrays', {
  id: integer('id').generatedAlwaysAsIdentity().primaryKey(),
  tags: text('tags').array().notNull().default(['a', 'b c']),
  none: text('none').array().default([]),
  numbers: integer('numbers').array().default([1, 2, 3]),
  flags: boolean('flags').array().default([true, false]),
  moods: mood('moods').array(),
  levels: level('levels').array().default(['low', 'high']),
  grid: grid(integer('grid')),
  uids: uuid('uids')
    .array()
    .default(sql`'{}'::uuid[]`),
  prices: numeric('prices', { precision: 8, scale: 2 }).array(),
  labels: varchar('labels', { length: 20 }).array(),
});

export const identities = app.table('identities', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  next: integer('next').generatedByDefaultAsIdentity({
    name: 'identities_next_numbers',
    startWith: 100,
    increment: 5,
    minValue: 1,
    maxValue: 100_000,
    cache: 10,
    cycle: true,
  }),
});

export const generated = pgTable('generated', {
  id: integer('id').primaryKey(),
  first: text('first').notNull(),
  last: text('last').notNull(),
  full: text('full').generatedAlwaysAs(
    (): ReturnType<typeof sql> => sql`${generated.first} || ' ' || ${generated.last}`,
  ),
  loud: text('loud').generatedAlwaysAs(sql`upper("first")`),
  fixed: integer('fixed').generatedAlwaysAs(sql`(length("first") * 2)`),
});

export const companies = app.table(
  'companies',
  {
    id: uuid('id').defaultRandom().primaryKey(),
    name: text('name').notNull().unique(),
    code: varchar('code', { length: 10 }).unique('companies_code_is_unique'),
    alias: text('alias').unique('companies_alias_once', { nulls: 'not distinct' }),
    parentId: uuid('parent_id').references((): AnyPgColumn => companies.id, { onDelete: 'set null' }),
    size: integer('size').notNull(),
  },
  (t) => [
    unique().on(t.name, t.size),
    unique('companies_named_unique').on(t.code, t.size).nullsNotDistinct(),
    check('companies_size_positive', sql`${t.size} > 0`),
    check('companies_code_shape', sql`${t.code} ~ '^[A-Z]+$' and ${t.code} <> 'it''s'`),
    index().on(t.size),
    index('companies_lower_name').on(sql`lower(${t.name})`),
    index('companies_by_size').on(t.size.desc(), t.name.asc().nullsFirst()),
    index('companies_nulls').on(t.parentId.desc().nullsFirst(), t.code.nullsLast()),
    uniqueIndex('companies_small_names')
      .on(t.name)
      .where(sql`${t.size} < 10`),
    index('companies_name_pattern').using('btree', t.name.op('text_pattern_ops')),
    index('companies_hash').using('hash', t.code),
    index('companies_filled').on(t.id).with({ fillfactor: '70' }).concurrently(),
    index('companies_mixed').on(t.size, sql`(${t.name} || ${t.code})`),
  ],
);

export const members = app.table(
  'members',
  {
    companyId: uuid('company_id').notNull(),
    userId: integer('user_id').notNull(),
    role: level('role').notNull(),
    tags: jsonb('tags').notNull().default({}),
    words: text('words').array(),
    at: timestamp('at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.companyId, t.userId] }),
    foreignKey({ columns: [t.companyId], foreignColumns: [companies.id], name: 'members_to_company' })
      .onDelete('cascade')
      .onUpdate('restrict'),
    index('members_tags').using('gin', t.tags),
    index('members_tags_path').using('gin', t.tags.op('jsonb_path_ops')),
    index('members_words').using('gin', t.words),
    index('members_recent').using('brin', t.at),
    index('members_high')
      .on(t.companyId, t.at.desc())
      .where(sql`${t.role} = 'high'`),
  ],
);

export const notes = app.table(
  'notes',
  {
    id: integer('id').notNull(),
    companyId: uuid('company_id').notNull(),
    userId: integer('user_id').notNull(),
    companyRef: uuid('company_ref').references(() => companies.id, {
      onDelete: 'set default',
      onUpdate: 'cascade',
    }),
    body: text('body'),
  },
  (t) => [
    primaryKey({ name: 'notes_key', columns: [t.id, t.companyId] }),
    foreignKey({ columns: [t.companyId, t.userId], foreignColumns: [members.companyId, members.userId] }),
  ],
);

export const single = pgTable('single', { id: integer('id').notNull(), v: text('v') }, (t) => [
  primaryKey({ columns: [t.id] }),
]);

export const secured = pgTable(
  'secured',
  { id: integer('id').primaryKey(), owner: text('owner').notNull(), tenant: text('tenant') },
  (t) => [
    pgPolicy('read_own', {
      as: 'permissive',
      for: 'select',
      to: [reader, 'public'],
      using: sql`${t.owner} = current_user`,
    }),
    pgPolicy('write_own', {
      as: 'restrictive',
      for: 'insert',
      to: writer,
      withCheck: sql`${t.tenant} = current_setting('app.tenant', true)`,
    }),
    pgPolicy('all_for_me', {
      to: 'current_user',
      using: sql`true`,
      withCheck: sql`${t.owner} <> 'o''brien'`,
    }),
    pgPolicy('bare'),
  ],
);
export const linked = pgPolicy('linked', { for: 'delete', to: legacy, using: sql`false` }).link(secured);

export const lockedDown = pgTable('locked_down', { id: integer('id').primaryKey() }).enableRLS();

const prefixed = pgTableCreator((name) => `shop_${name}`);
export const products = prefixed('products', {
  id: integer('id').primaryKey(),
  sku: text('sku').notNull().unique(),
});

export const oddNames = odd.table('Select from', {
  group: integer('order').primaryKey(),
  "it's": text("it's").unique(),
  withoutName: text(),
});

export const longNamesOfATableThatGoesOnAndOn = pgTable(
  'a_table_whose_name_is_about_fifty_characters_long_ok',
  {
    id: integer('id').primaryKey(),
    reference: integer('a_column_with_a_long_name_too').references(() => types.id),
    once: text('another_column_with_a_long_name').unique(),
  },
);

export const bigCompanies = app.view('big_companies').as((query) =>
  query
    .select({
      id: companies.id,
      name: companies.name,
      shout: sql<string>`upper(${companies.name})`.as('shout'),
    })
    .from(companies)
    .where(sql`${companies.size} > ${100}`),
);
export const secureView = pgView('secure_view')
  .with({ checkOption: 'local', securityBarrier: true, securityInvoker: true })
  .as((query) => query.select().from(secured));
export const manualView = pgView('manual_view', { id: integer('id'), label: text('label') }).as(
  sql`select ${types.id} as id, ${types.words} || ${" it's"} as label from ${types}`,
);
export const overView = pgView('over_view').as((query) => query.select().from(bigCompanies));
export const elsewhere = pgView('elsewhere', { id: integer('id') }).existing();

export const sizes = app.materializedView('sizes').as((query) =>
  query
    .select({ size: companies.size, n: sql<number>`count(*)`.as('n') })
    .from(companies)
    .groupBy(companies.size),
);
export const storedView = pgMaterializedView('stored_view', { id: integer('id') })
  .using('heap')
  .with({ fillfactor: 80, autovacuumEnabled: false })
  .tablespace('pg_default')
  .withNoData()
  .as(sql`select ${types.id} as id from ${types}`);
export const elsewhereStored = pgMaterializedView('elsewhere_stored', { id: integer('id') }).existing();

// What is not about the database.
const one = drizzle as unknown as {
  readonly defineRelations?: (schema: object, build: () => object) => object;
};
export const companyRelations =
  one.defineRelations === undefined
    ? drizzle.relations(companies, ({ many }) => ({ members: many(members) }))
    : one.defineRelations({ companies, members }, () => ({}));
export const limit = 10;
export function helper(): number {
  return limit;
}
