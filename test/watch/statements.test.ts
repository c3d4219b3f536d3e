// The slowest statements of a database, on a server that loads pg_stat_statements: of this database alone, without
// literals, and with a count of what the role may not read.
import { expect } from 'vitest';
import { slowStatements } from '../../src/watch/index.ts';
import { withoutLiterals } from '../../src/watch/statements.ts';
import type { CatalogueQuery } from '../../src/define/index.ts';
import { embedded, withClient } from '../../src/server/index.ts';
import { test } from '../cluster/index.ts';

test('the slowest come first, of this database alone, without their literals', async ({ db }) => {
  await db.query('CREATE SCHEMA stats; CREATE EXTENSION pg_stat_statements SCHEMA stats');
  const role = db.role('slow');
  await db.query(`CREATE ROLE ${role}; GRANT USAGE ON SCHEMA stats TO ${role}`);
  // Often, because the server forgets what is seldom run when thousands of other statements come, as in a whole suite.
  for (let time = 0; time < 200; time += 1) {
    await db.query('SELECT pg_catalog.count(*) FROM pg_catalog.generate_series(1, 1000)');
    await db.query(`COMMENT ON SCHEMA stats IS 'hunter2 is a secret'`);
  }
  const query: CatalogueQuery = async <Row extends object>(sql: string, values: readonly unknown[] = []) =>
    (await db.pool.query(sql, [...values])).rows as Row[];

  const found = await slowStatements(query, { aboveMs: 0, limit: 5000 });
  const means = found.statements.map(({ meanMs }) => meanMs);
  expect(means).toEqual(means.toSorted((a, b) => b - a));
  const series = found.statements.find(({ statement }) => statement.includes('generate_series'));
  expect(series?.statement).toBe('SELECT pg_catalog.count(*) FROM pg_catalog.generate_series($1, $2)');
  expect(series).toMatchObject({ calls: 200, rows: 200 });
  expect(series?.maxMs).toBeGreaterThan(0);
  expect(JSON.stringify(found.statements)).not.toContain('hunter2');
  const comment = found.statements.find(({ statement }) => statement.startsWith('COMMENT ON SCHEMA'));
  expect(comment?.statement).toBe("COMMENT ON SCHEMA stats IS '…'");
  // What other test files do at this moment on the same server is in the same view, and is not shown.
  const [counted] = await db.query<{ all: number; here: number }>(`
    SELECT count(*)::int AS all, (count(*) FILTER (WHERE d.datname = current_database()))::int AS here
    FROM stats.pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid`);
  expect(found.remembered).toBeLessThanOrEqual(counted?.here ?? 0);
  expect(counted?.all).toBeGreaterThan(counted?.here ?? 0);
  expect(found.since).toBeInstanceOf(Date);

  const limited = await slowStatements(query, { aboveMs: 0, limit: 1 });
  expect(limited.statements.map(({ meanMs }) => meanMs)).toHaveLength(1);

  const client = await db.pool.connect();
  try {
    await client.query(`SET ROLE ${role}`);
    const as: CatalogueQuery = async <Row extends object>(sql: string, values: readonly unknown[] = []) =>
      (await client.query(sql, [...values])).rows as Row[];
    const little = await slowStatements(as, { aboveMs: 0 });
    expect(little.hidden).toBeGreaterThan(0);
    expect(little.statements.filter(({ statement }) => statement.includes('insufficient'))).toEqual([]);
  } finally {
    await client.query('RESET ROLE');
    client.release();
  }
});

test('a database without the extension is told how to get it', async ({ db }) => {
  await db.query('DROP EXTENSION IF EXISTS pg_stat_statements');
  const query: CatalogueQuery = async <Row extends object>(sql: string, values: readonly unknown[] = []) =>
    (await db.pool.query(sql, [...values])).rows as Row[];
  await expect(slowStatements(query)).rejects.toMatchObject({
    code: 'HF_STATEMENTS_NOT_HERE',
    fix: 'Run CREATE EXTENSION pg_stat_statements as a superuser.',
  });
});

test('a server that does not load it says so', async () => {
  const server = await embedded({ ephemeral: true, settings: { shared_preload_libraries: '' } });
  try {
    await withClient(server.url, async (client) => {
      await client.query('CREATE EXTENSION pg_stat_statements');
      const query: CatalogueQuery = async <Row extends object>(
        sql: string,
        values: readonly unknown[] = [],
      ) => (await client.query(sql, [...values])).rows as Row[];
      await expect(slowStatements(query)).rejects.toMatchObject({ code: 'HF_STATEMENTS_NOT_LOADED' });
    });
  } finally {
    await server.stop();
  }
});

test('every kind of literal is left out', () => {
  expect(withoutLiterals(`ALTER ROLE a PASSWORD 'it''s'`)).toBe(`ALTER ROLE a PASSWORD '…'`);
  expect(withoutLiterals(`SELECT E'a\\'b', $1, $x$ 'secret' $x$, $$two$$`)).toBe(`SELECT '…', $1, '…', '…'`);
  expect(withoutLiterals('SELECT 1\n  FROM  "a b"')).toBe('SELECT 1 FROM "a b"');
});
