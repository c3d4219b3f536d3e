// Traps of materialised views under row security: the naive SQL shows each, the definition shows its answer.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { integer, pgSchema } from 'drizzle-orm/pg-core';
import { expect } from 'vitest';
import { database } from '../../src/define/index.ts';
import type { TaskContext } from '../../src/define/job.ts';
import { rollups } from '../../src/traits/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { maintain, runJob } from '../traits/keeping.ts';
import { openTill } from '../traits/rollups-stand.ts';
import { refusal, stand } from '../traits/stand.ts';
import { NOW, openShop, type Shop } from './shop.ts';

const ours = pgSchema('ours');
const parts = ours.table('parts', { k: integer().primaryKey(), n: integer() });

let standing: Promise<Shop> | undefined;
const opened = (db: TestDatabase): Promise<Shop> => (standing ??= openShop(db));

/** A forced table with a materialised view owned by a role that row security filters. */
async function naive(db: TestDatabase, owner: string): Promise<void> {
  await db.query(`
    CREATE SCHEMA naive AUTHORIZATION "${owner}"; SET ROLE "${owner}";
    CREATE TABLE naive.rows (tenant_id text NOT NULL, n int);
    INSERT INTO naive.rows VALUES ('a', 1), ('b', 2);
    CREATE MATERIALIZED VIEW naive.totals AS SELECT tenant_id, sum(n) AS n FROM naive.rows GROUP BY 1;
    ALTER TABLE naive.rows ENABLE ROW LEVEL SECURITY; ALTER TABLE naive.rows FORCE ROW LEVEL SECURITY;
    CREATE POLICY p ON naive.rows USING (tenant_id = nullif(current_setting('app.tenant', true), ''));
    RESET ROLE`);
}

test('BX-01 a forced policy empties a view at refresh: naive has 0 rows and no error, ours all', async ({
  db,
}) => {
  const { roles } = await opened(db);
  await naive(db, roles.owner);
  expect(await db.query('SELECT count(*)::int AS n FROM naive.totals')).toEqual([{ n: 2 }]);
  await db.query('REFRESH MATERIALIZED VIEW naive.totals');
  expect(await db.query('SELECT count(*)::int AS n FROM naive.totals')).toEqual([{ n: 0 }]);
  await db.query('SELECT FROM shop.totals_refresh()');
  const all = [
    { tenant_id: 'a', sold: 1 },
    { tenant_id: 'b', sold: 2 },
  ];
  expect(await db.query('SELECT * FROM shop.totals ORDER BY 1')).toEqual(all);
  // Whatever else makes a refresh yield nothing is an error, and readers keep what they had.
  await db.query(`ALTER MATERIALIZED VIEW shop.totals OWNER TO "${roles.owner}"`);
  expect((await refusal(db.query('SELECT FROM shop.totals_refresh()'))).code).toBe('ZH012');
  await db.query(`ALTER MATERIALIZED VIEW shop.totals OWNER TO "${roles.system}"`);
  const { client } = await maintain(db, { now: NOW });
  await client.query(`BEGIN; ALTER TABLE shop.sales DETACH PARTITION shop.sales_y2026m11;
    ALTER TABLE shop.sales DETACH PARTITION shop.sales_y2026m12`);
  expect((await refusal(client.query('SELECT FROM shop.totals_refresh()'))).code).toBe('ZH013');
  await client.query('ROLLBACK');
  expect(await db.query('SELECT * FROM shop.totals ORDER BY 1')).toEqual(all);
});

test('BX-02 a restore refreshes as the owner: naive fails, ours is whole', async ({ db, skip }) => {
  const [row] = await db.query<{ major: number }>(
    `SELECT current_setting('server_version_num')::int / 10000 AS major`,
  );
  const folder = `/usr/lib/postgresql/${row?.major}/bin`;
  const found = existsSync(join(folder, 'pg_dump'));
  skip(!found, `pg_dump of version ${row?.major} is not on this machine`);
  await opened(db);
  const target = await db.another();
  const scratch = mkdtempSync(join(tmpdir(), 'holdfast-dump-'));
  try {
    const run = promisify(execFile);
    const file = join(scratch, 'dump');
    const restore = async (schema: string): Promise<string> => {
      await run(join(folder, 'pg_dump'), ['-Fc', '-n', schema, '-f', file, '-d', db.url]);
      const done = await run(join(folder, 'pg_restore'), ['-d', target.url, file]).catch(
        (error: unknown) => error as { stderr: string },
      );
      return done.stderr;
    };
    expect(await restore('naive')).toContain(
      'query would be affected by row-level security policy for table "rows"',
    );
    expect((await refusal(target.query('SELECT * FROM naive.totals'))).code).toBe('55000');
    expect(await restore('shop')).toBe('');
    expect(await target.query('SELECT count(*)::int AS n FROM shop.totals')).toEqual([{ n: 2 }]);
  } finally {
    rmSync(scratch, { recursive: true });
  }
});

test('BX-14 a concurrent refresh wants a full unique key and a filled view: naive has neither, ours both', async ({
  db,
}) => {
  await opened(db);
  await db.query(`CREATE UNIQUE INDEX ON naive.totals (tenant_id) WHERE n > 0`);
  expect((await refusal(db.query('REFRESH MATERIALIZED VIEW CONCURRENTLY naive.totals'))).hint).toBe(
    'Create a unique index with no WHERE clause on one or more columns of the materialized view.',
  );
  await db.query(
    `CREATE UNIQUE INDEX ON naive.totals (tenant_id); REFRESH MATERIALIZED VIEW naive.totals WITH NO DATA`,
  );
  expect((await refusal(db.query('REFRESH MATERIALIZED VIEW CONCURRENTLY naive.totals'))).code).toBe('0A000');
  const keys = await db.query(
    `SELECT pg_get_indexdef(indexrelid) AS key FROM pg_index WHERE indrelid = 'shop.totals'::regclass`,
  );
  expect(keys).toEqual([{ key: 'CREATE UNIQUE INDEX totals_key ON shop.totals USING btree (tenant_id)' }]);
  await db.query('REFRESH MATERIALIZED VIEW CONCURRENTLY shop.totals');
  expect(() =>
    database('keyless', {
      traits: [rollups('shop.totals', { key: [], refreshedBy: 'x', query: 'SELECT 1' })],
    }),
  ).toThrow('HF_MATVIEW_KEY');
});

test('BX-14 four views in one function roll back together: naive has none fresh, ours all but the one that fails', async ({
  db,
}) => {
  await db.query(`CREATE TABLE naive.parts (k int PRIMARY KEY, n int); INSERT INTO naive.parts VALUES (1, 1), (2, 2);
    CREATE MATERIALIZED VIEW naive.good AS SELECT k, n FROM naive.parts; CREATE UNIQUE INDEX ON naive.good (k);
    CREATE MATERIALIZED VIEW naive.bad AS SELECT k, n FROM naive.parts;
    CREATE FUNCTION naive.refresh_all() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
      REFRESH MATERIALIZED VIEW CONCURRENTLY naive.good; REFRESH MATERIALIZED VIEW CONCURRENTLY naive.bad; END $$;
    UPDATE naive.parts SET n = 10 WHERE k = 1`);
  expect((await refusal(db.query('SELECT naive.refresh_all()'))).code).toBe('55000');
  expect(await db.query('SELECT n FROM naive.good WHERE k = 1')).toEqual([{ n: 1 }]);
  const system = db.role('system');
  const of = (name: string, figure: string) =>
    rollups(`naive.${name}`, {
      key: ['k'],
      refreshedBy: system,
      query: `SELECT k, ${figure} AS n FROM ours.parts`,
    });
  const definition = database('ours', {
    tables: { ours, parts },
    traits: [of('first', '100 / n'), of('second', 'n')],
  });
  await stand(db, definition);
  await db.query('INSERT INTO ours.parts VALUES (1, 0)');
  const { session } = await maintain(db, { now: NOW });
  expect(await runJob(definition, 'refresh', { session, now: NOW })).toMatchObject({
    'materialised view naive.first': { code: '22012' },
    'materialised view naive.second': { rows: 1 },
  });
  expect(await db.query('SELECT k, n FROM naive.second')).toEqual([{ k: 1, n: 0 }]);
});

test('B0-05 figures forget what left: naive loses a detached month, ours keep it and its deleted rows', async ({
  db,
}) => {
  const { definition } = await openTill(db);
  const { session } = await maintain(db, { now: NOW });
  const run = async (): Promise<void> => {
    for (const job of ['rollup', 'refresh']) await runJob(definition, job, { session, now: NOW });
  };
  await db.query(`INSERT INTO till.sales (tenant_id, id, at, shop_id, item, price) VALUES
      ('a', 1, '2026-10-05Z', 1, 'tea', 1), ('a', 2, '2026-10-06Z', 1, 'tea', 2), ('a', 3, '2026-11-06Z', 1, 'tea', 4);
    CREATE MATERIALIZED VIEW naive.effect AS SELECT item, count(*)::int AS n, sum(price)::int AS total FROM till.sales GROUP BY 1`);
  await run();
  const context = { model: definition.model, now: NOW, session } as TaskContext;
  const october = {
    column: 'at',
    from: new Date('2026-10-01T00:00:00Z'),
    to: new Date('2026-11-01T00:00:00Z'),
  };
  for (const trait of definition.traits)
    await trait.leaving?.({ schema: 'till', name: 'sales' }, october)?.(context);
  await db.query(`DELETE FROM till.sales WHERE at < '2026-10-06Z'; ALTER TABLE till.sales DETACH PARTITION till.sales_y2026m10;
    REFRESH MATERIALIZED VIEW naive.effect`);
  await run();
  expect(await db.query('SELECT n, total FROM naive.effect')).toEqual([{ n: 1, total: 4 }]);
  expect(await db.query('SELECT n::int, total::int FROM till.items')).toEqual([{ n: 3, total: 7 }]);
  expect(await db.query('SELECT total::int FROM till.best')).toEqual([{ total: 7 }]);
});

test('BX-15 a NULL in the key is a new row at each refresh', async ({ db }) => {
  await db.query(`CREATE TABLE naive.keys (k text, n int); INSERT INTO naive.keys VALUES (NULL, 1), ('x', 1);
    CREATE MATERIALIZED VIEW naive.by_key AS SELECT k, n FROM naive.keys; CREATE UNIQUE INDEX ON naive.by_key (k);
    CREATE MATERIALIZED VIEW naive.by_text AS SELECT coalesce(k, '') AS k, n FROM naive.keys; CREATE UNIQUE INDEX ON naive.by_text (k)`);
  const moved = async (view: string): Promise<number> => {
    const places = async (): Promise<string[]> =>
      (await db.query<{ at: string }>(`SELECT ctid::text AS at FROM ${view} ORDER BY k`)).map(({ at }) => at);
    const before = await places();
    await db.query(`REFRESH MATERIALIZED VIEW CONCURRENTLY ${view}`);
    const after = await places();
    return after.filter((at) => !before.includes(at)).length;
  };
  expect(await moved('naive.by_key')).toBe(1);
  expect(await moved('naive.by_text')).toBe(0);
});

const view = (name: string): string =>
  `SET search_path = pg_catalog; CREATE MATERIALIZED VIEW naive.${name}_view AS SELECT naive.${name}(n) AS n FROM naive.keys; RESET search_path`;

test('BX-28 an unqualified name in a function fails where the path is fixed: naive does, ours carries its own', async ({
  db,
}) => {
  await db.query(`CREATE FUNCTION naive.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
    SET search_path = naive, public;
    CREATE FUNCTION naive.loose(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN one() + $1; END';
    CREATE FUNCTION naive.firm(int) RETURNS int LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN naive.one() + $1; END';
    RESET search_path`);
  expect((await refusal(db.query(view('loose')))).message).toBe('function one() does not exist');
  await db.query('RESET search_path');
  await db.query(view('firm'));
  const loose = await db.query(`SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'shop'::regnamespace
    AND NOT coalesce(p.proconfig::text LIKE '%search_path=pg_catalog, pg_temp%', false)`);
  expect(loose).toEqual([]);
});
