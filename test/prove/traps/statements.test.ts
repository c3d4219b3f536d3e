// Bodies of functions as statements: what each stands in, and what is handed to EXECUTE.
import { expect, test } from 'vitest';
import { tokens } from '../../../src/prove/traps/facts/sql-text.ts';
import { executedTexts, statementsOf } from '../../../src/prove/traps/facts/statements.ts';

const BODY = `
<<main>>
DECLARE n int := 1; -- begin
  sql text DEFAULT 'VACUUM ' || 'x';
BEGIN
  IF a = CASE WHEN b THEN 1 ELSE 2 END AND f(';') THEN
    n := 2;
  ELSIF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'end if; %', n;
  ELSE
    FOR r IN SELECT 1 LOOP n := n + 1; END LOOP;
  END IF;
  BEGIN
    CASE n WHEN 1 THEN PERFORM g(); ELSE NULL; END CASE;
  EXCEPTION WHEN unique_violation OR undefined_object THEN
    n := 3;
  WHEN others THEN RAISE;
  END;
  EXECUTE sql USING 'b';
  /* a /* nested */ comment; */
  EXECUTE format($q$CREATE INDEX CONCURRENTLY %I$q$, 'y') INTO n;
  RETURN;
END`;

test('statements stand in their branches, loops and handlers', () => {
  const found = statementsOf(BODY, 'plpgsql');
  const shown = found.map(({ text, kind, within }) =>
    [
      kind === 'statement' ? '' : kind,
      ...within.map(({ kind, when }) => `${kind} ${when}`.trim()),
      text,
    ].join(' > '),
  );
  expect(shown).toEqual([
    'declaration > n int := 1',
    `declaration > sql text DEFAULT 'VACUUM ' || 'x'`,
    `head > block > a = CASE WHEN b THEN 1 ELSE 2 END AND f(';')`,
    ` > block > if a = CASE WHEN b THEN 1 ELSE 2 END AND f(';') > n := 2`,
    `head > block > TG_OP = 'DELETE'`,
    ` > block > if TG_OP = 'DELETE' > RAISE EXCEPTION 'end if; %', n`,
    'head > block > if else > FOR r IN SELECT 1',
    ' > block > if else > loop FOR r IN SELECT 1 > n := n + 1',
    'head > block > block > CASE n',
    'head > block > block > 1',
    ' > block > block > case 1 > PERFORM g()',
    ' > block > block > case else > NULL',
    ' > block > block > handler unique_violation OR undefined_object > n := 3',
    ' > block > block > handler others > RAISE',
    ` > block > EXECUTE sql USING 'b'`,
    ` > block > EXECUTE format($q$CREATE INDEX CONCURRENTLY %I$q$, 'y') INTO n`,
    ' > block > RETURN',
  ]);
  const caught = found.find(({ text }) => text === 'PERFORM g()')?.within.at(1)?.catches;
  expect(caught).toEqual(['unique_violation', 'undefined_object', 'others']);
});

test('what is handed to EXECUTE is told from other strings', () => {
  expect(executedTexts(statementsOf(BODY, 'plpgsql'))).toEqual(['CREATE INDEX CONCURRENTLY %I', 'VACUUM  x']);
  const quiet = `BEGIN RAISE NOTICE 'VACUUM'; RETURN QUERY EXECUTE 'SELECT 1' || a; END`;
  expect(executedTexts(statementsOf(quiet, 'plpgsql'))).toEqual(['SELECT 1']);
  const open = `BEGIN FOR r IN EXECUTE 'SELECT 2' USING 'x' LOOP NULL; END LOOP; END`;
  expect(executedTexts(statementsOf(open, 'plpgsql'))).toEqual(['SELECT 2']);
});

test('a body of SQL is its statements', () => {
  expect(statementsOf(`SELECT 'a;b'; -- c;\nSELECT 2`, 'sql').map(({ text }) => text)).toEqual([
    `SELECT 'a;b'`,
    'SELECT 2',
  ]);
});

const PIECES =
  "BEGIN END IF THEN ELSE CASE WHEN LOOP DECLARE EXCEPTION EXECUTE format ; ( ) ' \" $$ $a$ /* */ -- \n x << >> := E'\\' é $1 1.5".split(
    ' ',
  );

/** The same numbers for the same seed: a linear congruential generator. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515 + 12_345) % 2_147_483_648;
    return state >> 8;
  };
}

test('any text is split to its end, and its tokens are the text', () => {
  const next = numbers(7);
  for (let run = 0; run < 3000; run += 1) {
    const text = Array.from({ length: next() % 40 }, () => PIECES[next() % PIECES.length] ?? '').join(
      next() % 2 === 0 ? ' ' : '',
    );
    expect(
      tokens(text)
        .map((token) => token.text)
        .join(''),
    ).toBe(text);
    expect(executedTexts(statementsOf(text, 'plpgsql'))).toBeInstanceOf(Array);
    expect(statementsOf(text, 'sql')).toBeInstanceOf(Array);
  }
});
