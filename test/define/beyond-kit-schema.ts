// What pg-core can say and drizzle-kit 0.31 cannot write down: each of these makes it generate DDL that fails.
import { sql } from 'drizzle-orm';
import {
  bigint,
  check,
  customType,
  foreignKey,
  index,
  integer,
  jsonb,
  pgEnum,
  pgPolicy,
  pgSchema,
  pgTable,
  pgView,
  point,
  text,
  timestamp,
  uniqueIndex,
} from 'drizzle-orm/pg-core';

export const quoted = pgSchema('a "schema"');
export const state = quoted.enum('a "type"', ['on', 'off']);
export const plain = pgEnum('plain', ['a', 'b']);

const domain = customType<{ data: string }>({ dataType: () => '"a ""schema"""."a ""type"""' });
const bytes = customType<{ data: Uint8Array; driverData: Uint8Array }>({
  dataType: () => 'bytea',
  toDriver: (value) => Buffer.from(value),
});

export const things = quoted.table(
  'a "table"',
  {
    id: integer('a "column"').primaryKey(),
    huge: bigint('huge', { mode: 'bigint' }).default(9_223_372_036_854_775_807n),
    state: state('state').array().default(['on']),
    viaCustom: domain('via_custom'),
    settings: jsonb('settings').default({ note: "it's", path: 'a\\b' }),
    texts: text('texts').array().default(['a "quoted" one', 'back\\slash', "it's", 'NULL', '', 'a,b', '{}']),
    objects: jsonb('objects')
      .array()
      .default([{ a: 'b "c"' }, 'text', 1]),
    dates: timestamp('dates', { withTimezone: true })
      .array()
      .default([new Date('2026-01-02T03:04:05Z')]),
    spot: point('spot', { mode: 'xy' }).default({ x: 1, y: 2.5 }),
    tuple: point('tuple').default([3, 4]),
    bytes: bytes('bytes').default(new Uint8Array([0, 255, 39])),
  },
  (t) => [
    check('positive', sql`${t.huge} > ${0n} and ${t.huge} <> ${12}`),
    check(
      'no quote',
      sql`${t.state} <> ${sql`array['off']::"a ""schema"""."a ""type"""[]`} and ${"o'k"} is not null`,
    ),
    index('a "index"')
      .on(t.huge)
      .where(sql`${t.huge} > ${5}`),
    index('by_pattern').on(t.huge.desc().op('int8_ops')),
  ],
);

export const guarded = pgTable('guarded', { id: integer('id').primaryKey(), owner: text('owner') }, (t) => [
  pgPolicy('a "policy"', { using: sql`${t.owner} = ${"o'brien"} or ${t.id} = ${7} or ${true}` }),
]);

// drizzle-kit makes foreign keys before the unique index this one rests on.
export const onIndex = pgTable(
  'on_index',
  { id: integer('id').primaryKey(), code: integer('code'), parent: integer('parent') },
  (t) => [
    uniqueIndex('on_index_code').on(t.code),
    foreignKey({ name: 'on_index_parent', columns: [t.parent], foreignColumns: [t.code] }),
  ],
);

export const seen = quoted.view('a "view"').as((query) => query.select({ id: things.id }).from(things));
export const text2 = pgView('from_before', { id: integer('id') }).as(
  sql`select ${guarded.id} as id from ${guarded} where ${guarded.owner} <> ${"it's"}`,
);
