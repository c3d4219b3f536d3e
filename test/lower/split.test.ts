// SQL as hostile as people write it, cut where psql would cut it. The server agrees: each statement runs alone.
import { describe, expect, test as plain } from 'vitest';
import { splitSql } from '../../src/build/lower/split.ts';
import { test } from '../cluster/index.ts';

const cut = (sql: string): string[] => splitSql(sql, 'x.sql').map((one) => one.sql);

describe('splitSql', () => {
  plain('nothing, blanks, comments and stray semicolons are no statements', () => {
    expect(cut('')).toEqual([]);
    expect(cut(' \n\t;;; -- only; a comment\n /* and; /* a nested; */ one */ ;')).toEqual([]);
  });

  plain.for([
    ['strings', `COMMENT ON TABLE a IS 'x; ''y''; z'; SELECT 1`, 2],
    ['backslashes are plain in ordinary strings', String.raw`COMMENT ON TABLE a IS 'x\'; SELECT ';'`, 2],
    ['and escape in E strings', String.raw`COMMENT ON TABLE a IS E'x\';''; \\'; SELECT 1`, 2],
    ['E strings that go on in the next line', `COMMENT ON TABLE a IS E'x'\n  '\\';'; SELECT 1`, 2],
    ['unicode and bit strings', String.raw`COMMENT ON TABLE a IS U&'\0041;'; SELECT b'01', X'1F', N';'`, 2],
    ['a word that ends in e before a string', `SELECT type'a\\'; SELECT 1`, 2],
    ['quoted names', `CREATE TABLE "a;""b;" (); SELECT U&"d;\\0061t"`, 2],
    ['dollar quotes', `CREATE FUNCTION f() AS $$ a; 'b; $x$ "c $$ LANGUAGE sql; SELECT $a$;$$;$a$`, 2],
    ['dollar quotes with odd tags', `SELECT $é_1$;$e$;$é_1$; SELECT $_$;$_$`, 2],
    ['dollars in names are not quotes', `SELECT a$b$c; SELECT d$b$e`, 2],
    ['parameters are not quotes', `SELECT $1; SELECT $2`, 2],
    ['line comments', `SELECT 1 -- one; two\n; -- three;\nSELECT 2 --`, 2],
    ['a minus that is none', `SELECT 1 - -1; SELECT 2-1`, 2],
    ['nested comments', `SELECT /* a; /* b; */ '; */ 1; SELECT 2`, 2],
    ['comment signs in operators', `SELECT '{}' @> '{}' /* x */; SELECT 5 / 2 * 3`, 2],
    [
      'parentheses',
      `CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO u VALUES (1); DELETE FROM v;); SELECT 1`,
      2,
    ],
    ['an atomic body', `CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 1`, 2],
    [
      'CASE and END in an atomic body',
      `create or replace procedure p() begin atomic select case when 1=1 then 2 end; select 3; end; select 1`,
      2,
    ],
    ['a column named begin', `CREATE TABLE t ("begin" int, x int); SELECT 1`, 2],
    ['windows line ends', `SELECT 1;\r\nSELECT 2;\r\n`, 2],
    ['casts and slices', `SELECT a[1:2]::text; SELECT b`, 2],
  ] as const)('%s', ([, sql, count]) => {
    expect(cut(sql)).toHaveLength(count);
  });

  plain('gives each statement bare, with the line it starts on', () => {
    const statements = splitSql(
      '-- head\n\nCREATE TABLE a (\n b int -- c\n) -- tail\n;\r\n/* x\n */ SELECT 1;',
      'x.sql',
    );
    expect(statements.map(({ sql, line }) => ({ sql, line }))).toEqual([
      { sql: 'CREATE TABLE a (\n b int -- c\n)', line: 3 },
      { sql: 'SELECT 1', line: 8 },
    ]);
  });

  plain.for([
    [`SELECT 1;\nSELECT 'a`, 'x.sql:2: a string starts here and never ends. Close it. [HF_SQL_UNTERMINATED]'],
    [`SELECT E'a\\'`, 'x.sql:1: a string starts here and never ends. Close it. [HF_SQL_UNTERMINATED]'],
    [`SELECT "a`, 'x.sql:1: a quoted name starts here and never ends. Close it. [HF_SQL_UNTERMINATED]'],
    [`\n/* /* */`, 'x.sql:2: a comment starts here and never ends. Close it. [HF_SQL_UNTERMINATED]'],
    [
      `DO $a$ $b$`,
      'x.sql:1: a dollar-quoted string starts here and never ends. Close it. [HF_SQL_UNTERMINATED]',
    ],
    [
      `CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1;`,
      'x.sql:1: the body of the routine that starts here has BEGIN ATOMIC and no END. Close it with END. [HF_SQL_UNTERMINATED]',
    ],
    [
      `SELECT 1;\n\\i other.sql`,
      'x.sql:2: \\i is a command of psql, which no server understands. Take it out; files are found by the globs of `sql`, and names carry their schema. [HF_SQL_META]',
    ],
  ] as const)('refuses %s', ([sql, message]) => {
    expect(() => cut(sql)).toThrow(message);
  });

  plain('a megabyte of quotation costs no stack and little time', () => {
    const long = "''".repeat(500_000);
    expect(
      cut(`SELECT '${long}'; SELECT E'${'\\\\'.repeat(500_000)}'; SELECT "${'""'.repeat(400_000)}x"`),
    ).toHaveLength(3);
  });

  test('what it cuts, the server runs', async ({ db }) => {
    const sql = String.raw`
      CREATE TABLE cut (id int, "begin" int); -- one; two
      CREATE FUNCTION cut_one() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;
      CREATE FUNCTION cut_two() RETURNS text LANGUAGE plpgsql AS $f$ BEGIN RETURN 'a;$$;' || E'\';'; END $f$;
      CREATE RULE cut_rule AS ON DELETE TO cut DO INSTEAD (UPDATE cut SET id = 0; SELECT 1;);
      COMMENT ON TABLE cut IS E'a'
        '\';';`;
    const statements = cut(sql);
    expect(statements).toHaveLength(5);
    for (const statement of statements) await db.query(statement);
    const [row] = await db.query(
      'SELECT cut_one() AS one, cut_two() AS two, obj_description($1::regclass) AS said',
      ['cut'],
    );
    expect(row).toEqual({ one: 2, two: "a;$$;';", said: "a';" });
  });
});
