// SQL files as a front end: found, ordered, refused by name, loaded whatever order their authors chose.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { integer, pgTable } from 'drizzle-orm/pg-core';
import { afterAll, beforeAll, describe, expect, test as plain } from 'vitest';
import { load } from '../../src/build/load.ts';
import { lower } from '../../src/build/lower.ts';
import { phaseOf, refuseForeign, subjectOf } from '../../src/build/lower/belongs.ts';
import { splitSql } from '../../src/build/lower/split.ts';
import { readSqlFiles } from '../../src/build/sql-files.ts';
import { database } from '../../src/define/index.ts';
import { test } from '../cluster/index.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'holdfast sql '));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function write(files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const base = await mkdtemp(join(dir, 'case '));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(base, name, '..'), { recursive: true });
    await writeFile(join(base, name), content);
  }
  return base;
}

describe('files', () => {
  plain('are taken once each, by path, with their place', async () => {
    const base = await write({
      'sql/b.sql': '\uFEFFCREATE VIEW b AS SELECT 1;',
      'sql/a/z.sql': '\n\nCREATE DOMAIN app.z AS int;\nGRANT ALL ON app.z TO x',
      'sql/a/empty.sql': '-- nothing\n',
      'sql/not.txt': 'SELECT',
    });
    expect(await readSqlFiles(['sql/b.sql', 'sql/**/*.sql'], base)).toEqual([
      {
        sql: 'CREATE DOMAIN app.z AS int',
        subject: 'domain app.z',
        origin: 'sql/a/z.sql:3',
        phase: 'before',
      },
      {
        sql: 'GRANT ALL ON app.z TO x',
        subject: 'GRANT ALL ON app.z TO x',
        origin: 'sql/a/z.sql:4',
        phase: 'after',
      },
      { sql: 'CREATE VIEW b AS SELECT 1', subject: 'view b', origin: 'sql/b.sql:1', phase: 'after' },
    ]);
  });

  plain(
    'a glob without a file, a file that is not UTF-8 and globs without a folder are refused',
    async () => {
      const base = await write({ 'bad.sql': Buffer.from([0x27, 0xe9, 0x27]) });
      await expect(readSqlFiles(['sql/*.sql'], base)).rejects.toThrow(
        `sql sql/*.sql: no file fits it in ${base}. Mend the pattern, or set baseUrl to import.meta.url of the file it is relative to. [HF_SQL_NONE]`,
      );
      await expect(readSqlFiles(['bad.sql'], base)).rejects.toThrow(
        'bad.sql: the file is not UTF-8. Save it as UTF-8. [HF_SQL_ENCODING]',
      );
      await expect(lower(database('files', { sql: './*.sql' }))).rejects.toThrow(
        'definition files: it names SQL files (./*.sql) and not the folder they start in. Give database() the option baseUrl: import.meta.url. [HF_SQL_BASE]',
      );
    },
  );

  test('load beside Drizzle in whatever order they need', async ({ db }) => {
    const base = await write({
      'sql/a.sql':
        'CREATE VIEW twice AS SELECT doubled(id) AS d FROM base_view; CREATE VIEW base_view AS SELECT id FROM numbers;',
      'sql/z.sql': `CREATE TABLE log (at timestamptz, level app.level);
        CREATE FUNCTION doubled(n int) RETURNS int LANGUAGE sql AS 'SELECT n * factor FROM factors';
        CREATE TABLE factors (factor int NOT NULL);
        CREATE SCHEMA app; CREATE TYPE app.level AS ENUM ('low;', 'high');
        COMMENT ON VIEW twice IS 'doubled';`,
    });
    const numbers = pgTable('numbers', { id: integer('id').primaryKey() });
    const definition = database('files', {
      tables: { numbers },
      sql: './sql/**/*.sql',
      baseUrl: pathToFileURL(join(base, 'definition.ts')).href,
    });
    const { statements } = await lower(definition);
    expect(statements.every((one) => one.reorderable)).toBe(true);
    await load(db.pool, statements);
    await db.query('INSERT INTO numbers VALUES (21); INSERT INTO factors VALUES (2)');
    expect(await db.query('SELECT d FROM twice')).toEqual([{ d: 42 }]);
  });
});

const refusal = (sql: string): string => {
  const [statement] = splitSql(sql, 'x.sql');
  if (statement === undefined) throw new Error('no statement');
  try {
    refuseForeign(statement, 'x.sql:1');
  } catch (error) {
    return (error as Error).message;
  }
  return 'belongs';
};

describe('statements', () => {
  plain.for([
    ['BEGIN', 'HF_SQL_TRANSACTION'],
    ['commit and chain', 'HF_SQL_TRANSACTION'],
    ["PREPARE TRANSACTION 'x'", 'HF_SQL_TRANSACTION'],
    ['SET search_path = app', 'HF_SQL_SESSION'],
    ['set local x.y = 1', 'HF_SQL_SESSION'],
    ['INSERT INTO a VALUES (1)', 'HF_SQL_DATA'],
    ["SELECT pg_catalog.set_config('search_path', '', false)", 'HF_SQL_DATA'],
    ['WITH x AS (SELECT 1) DELETE FROM y', 'HF_SQL_DATA'],
    ['DO $$ BEGIN END $$', 'HF_SQL_DATA'],
    ['REFRESH MATERIALIZED VIEW m', 'HF_SQL_DATA'],
    ['COPY a FROM stdin', 'HF_SQL_COPY'],
    ['VACUUM', 'HF_SQL_COMMAND'],
    ['CREATE ROLE x LOGIN', 'HF_SQL_CLUSTER'],
    ['alter user x password $$y$$', 'HF_SQL_CLUSTER'],
    ['CREATE DATABASE x', 'HF_SQL_CLUSTER'],
    ['GRANT admin TO x WITH ADMIN OPTION', 'HF_SQL_CLUSTER'],
    ['REVOKE a FROM b', 'HF_SQL_CLUSTER'],
    ['ALTER SYSTEM SET x = 1', 'HF_SQL_CLUSTER'],
    ['DROP TABLE IF EXISTS a', 'HF_SQL_DROP'],
    ['CREATE TEMP TABLE a ()', 'HF_SQL_TEMPORARY'],
    ['CREATE OR REPLACE TEMPORARY VIEW a AS SELECT 1', 'HF_SQL_TEMPORARY'],
    ['CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)', 'HF_SQL_CONCURRENTLY'],
    ['FROBNICATE x', 'HF_SQL_UNKNOWN'],
  ] as const)('%s is refused with %s', ([sql, code]) => {
    expect(refusal(sql)).toContain(`[${code}]`);
  });

  plain('a refusal says where, what and what to do', () => {
    expect(refusal('CREATE ROLE app LOGIN')).toBe(
      'x.sql:1: CREATE ROLE APP LOGIN: it changes the whole cluster, not this database. Declare roles with pgRole or a trait; leave databases, tablespaces and server settings to who runs the server. [HF_SQL_CLUSTER]',
    );
  });

  plain.for([
    ['CREATE OR REPLACE FUNCTION app.touch(a int) RETURNS trigger AS $$ $$', 'function app.touch', 'before'],
    ['create unlogged table if not exists "A b".c (d int)', 'table A b.c', 'after'],
    ['CREATE UNIQUE INDEX i ON t (a)', 'index i', 'after'],
    ['CREATE MATERIALIZED VIEW m AS SELECT 1', 'materialized view m', 'after'],
    ['CREATE CONSTRAINT TRIGGER t AFTER INSERT ON x EXECUTE FUNCTION f()', 'trigger t', 'after'],
    ['CREATE TEXT SEARCH CONFIGURATION app.x (COPY = simple)', 'text search configuration app.x', 'before'],
    ['CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()', 'event trigger e', 'after'],
    ['CREATE USER MAPPING FOR x SERVER y', 'user mapping for', 'after'],
    ['ALTER TABLE ONLY app.t ADD CONSTRAINT c CHECK (true)', 'table app.t', 'after'],
    ['CREATE STATISTICS s ON a, b FROM t', 'statistics s', 'after'],
    ['CREATE EXTENSION IF NOT EXISTS pg_trgm', 'extension pg_trgm', 'before'],
    ["COMMENT ON TABLE t IS 'x'", "COMMENT ON TABLE t IS 'x'", 'after'],
  ] as const)('%s makes %s, %s', ([sql, subject, phase]) => {
    const [statement] = splitSql(sql, 'x.sql');
    expect(refusal(sql)).toBe('belongs');
    expect(statement && subjectOf(statement)).toBe(subject);
    expect(statement && phaseOf(statement)).toBe(phase);
  });
});
