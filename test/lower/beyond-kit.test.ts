// What drizzle-kit cannot write down is lowered rightly all the same: loaded, then asked of the catalogue.
import { describe, expect } from 'vitest';
import { load } from '../../src/build/load.ts';
import { lower } from '../../src/build/lower.ts';
import { database } from '../../src/define/index.ts';
import { test } from '../cluster/index.ts';
import * as beyond from '../define/beyond-kit-schema.ts';
import * as extended from '../define/extension-schema.ts';
import { withRc } from '../define/rc.ts';

const DEFAULTS_SQL = `
  SELECT a.attname AS name, pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS expression
  FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
  WHERE d.adrelid = '"a ""schema"""."a ""table"""'::pg_catalog.regclass ORDER BY a.attnum`;

describe('beyond drizzle-kit', () => {
  test('quotes, parameters, big numbers and defaults of every shape load and mean what they say', async ({
    db,
  }) => {
    const { statements } = await lower(database('beyond', { tables: beyond }));
    await load(db.pool, statements);
    await db.query(`INSERT INTO "a ""schema"""."a ""table""" ("a ""column""") VALUES (1)`);
    const [row] = await db.query(`SELECT * FROM "a ""schema"""."a ""table"""`);
    expect(row).toMatchObject({
      huge: '9223372036854775807',
      settings: { note: "it's", path: 'a\\b' },
      texts: ['a "quoted" one', 'back\\slash', "it's", 'NULL', '', 'a,b', '{}'],
      objects: [{ a: 'b "c"' }, 'text', 1],
      dates: [new Date('2026-01-02T03:04:05Z')],
      spot: { x: 1, y: 2.5 },
      tuple: { x: 3, y: 4 },
      bytes: Buffer.from([0, 255, 39]),
    });
    const defaults = await db.query<{ name: string; expression: string }>(DEFAULTS_SQL);
    expect(defaults.find((one) => one.name === 'state')?.expression).toBe(
      `'{on}'::"a ""schema"""."a ""type"""[]`,
    );
  });

  test('parameters of checks, predicates and policies stand in the text', async () => {
    const { statements } = await lower(database('beyond', { tables: beyond }));
    const text = statements.map((one) => one.sql).join('\n');
    expect(text).not.toMatch(/\$\d/);
    expect(text).toContain(`"owner" = 'o''brien' or "guarded"."id" = 7 or true`);
    expect(text).toContain('USING "btree" ("huge" int8_ops DESC NULLS LAST)');
  });

  test('types of extensions bring their extension, under both versions of Drizzle', async () => {
    const rc = await withRc();
    const theirs = rc.define.database('places', {
      tables: await rc.load<Record<string, unknown>>('./extension-schema.ts'),
    });
    const ours = database('places', { tables: extended });
    expect(theirs.model).toEqual(ours.model);
    expect(ours.model.extensions).toEqual([{ name: 'vector' }, { name: 'postgis' }, { name: 'pg_trgm' }]);
    expect(ours.model.tables[0]?.columns.map((column) => column.type)).toEqual([
      'integer',
      'vector(3)',
      'halfvec(4)',
      'sparsevec(5)',
      'bit(6)',
      'geometry(point)',
      'geometry(point)',
      'text',
    ]);
    const { statements } = await lower(ours);
    expect(statements.map((one) => one.sql).slice(-3)).toEqual([
      `CREATE INDEX "places_near" ON "public"."places" USING "hnsw" ("embedding" vector_cosine_ops) WITH ("m" = '16')`,
      'CREATE INDEX "places_name" ON "public"."places" USING "gin" ("name" gin_trgm_ops)',
      'CREATE INDEX "places_where" ON "public"."places" USING "gist" ("where")',
    ]);
  });
});
