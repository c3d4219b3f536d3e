// Columns named by their keys, and who owns what is made.
import { integer, pgSequence, pgTable, pgView, primaryKey, text, unique } from 'drizzle-orm/pg-core';
import { sql } from 'drizzle-orm';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { lower } from '../../src/build/lower.ts';
import { database } from '../../src/define/index.ts';
import { withRc } from '../define/rc.ts';

const parents = pgTable('parents', { parentId: integer().primaryKey(), fullName: text().unique() });
const children = pgTable(
  'children',
  { childId: integer(), parentRef: integer().references(() => parents.parentId), named: text('NamedByHand') },
  (t) => [primaryKey({ columns: [t.childId, t.parentRef] }), unique().on(t.named, t.childId)],
);

interface KitJson {
  readonly tables: Readonly<
    Record<string, { readonly [kind: string]: Readonly<Record<string, { readonly name: string }>> }>
  >;
}

test('with casing, names are those drizzle-kit gives with the same casing', async () => {
  const kit = createRequire(import.meta.url)('drizzle-kit/api') as {
    generateDrizzleJson: (...given: readonly unknown[]) => KitJson;
  };
  for (const casing of ['snake_case', 'camelCase'] as const) {
    const { model } = database('cased', { tables: { parents, children }, casing });
    const json = kit.generateDrizzleJson({ parents, children }, undefined, undefined, casing);
    for (const table of model.tables) {
      const theirs = json.tables[`public.${table.name}`];
      expect(table.columns.map((one) => one.name)).toEqual(Object.keys(theirs?.['columns'] ?? {}));
      expect(table.foreignKeys.map((one) => one.name)).toEqual(Object.keys(theirs?.['foreignKeys'] ?? {}));
      expect(table.uniques.map((one) => one.name)).toEqual(
        Object.values(theirs?.['uniqueConstraints'] ?? {}).map((one) => one.name),
      );
      const composite = Object.keys(theirs?.['compositePrimaryKeys'] ?? {});
      expect(table.primaryKey?.name === undefined ? [] : [table.primaryKey.name]).toEqual(composite);
    }
  }
});

test('Drizzle 1.0 has no casing for a whole schema and says so', async () => {
  const rc = await withRc();
  expect(() => rc.define.database('cased', { casing: 'snake_case' })).toThrow(
    "option casing snake_case: this version of drizzle-orm sets the casing where a table is made and knows no casing for a whole schema. Leave the option out and make the tables with drizzle-orm's snakeCase.table or camelCase.table. [HF_CASING]",
  );
});

test('an owner gets everything that is made, but a view that has its own', async () => {
  const tables = {
    parents,
    numbers: pgSequence('numbers'),
    seen: pgView('seen', { id: integer('id') }).as(sql`SELECT 1 AS id`),
  };
  const owned = database('owned', {
    tables,
    traits: [
      {
        name: 'owner',
        build: (model) => ({
          ...model,
          owner: 'keeper',
          schemas: ['app'],
          views: model.views.map((view) => ({ ...view, owner: 'reader' })),
        }),
      },
    ],
  });
  const { statements } = await lower(owned);
  expect(statements.map((one) => one.sql).filter((one) => one.includes('OWNER TO'))).toEqual([
    'ALTER TABLE "public"."parents" OWNER TO "keeper"',
    'ALTER SCHEMA "app" OWNER TO "keeper"',
    'ALTER SEQUENCE "public"."numbers" OWNER TO "keeper"',
    'ALTER VIEW "public"."seen" OWNER TO "reader"',
  ]);
});
