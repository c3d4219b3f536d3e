// What stands in a function's text: comments, strings and names apart.
import { expect, test } from 'vitest';
import {
  callsNamed,
  relationsNamed,
  texts,
  withoutComments,
  withoutText,
} from '../../../src/prove/traps/facts/sql-text.ts';

test('comments go, and quotes in them open nothing', () => {
  expect(withoutComments("SELECT 1 -- it's\n+ 2 /* don't */ AS n")).toBe('SELECT 1  \n+ 2   AS n');
  expect(withoutComments("SELECT '-- no comment'")).toBe("SELECT '-- no comment'");
});

test('what stands in quotes goes, with every kind of quote; names in quotes stay', () => {
  expect(withoutText(`SELECT 'a''b', E'c\\'d', $q$e'$q$, $$f$$, "g'h"`)).toBe(`SELECT '', '', '', '', "g'h"`);
  expect(texts(`EXECUTE 'VACUUM ''x''' || $q$ANALYZE$q$`)).toEqual([`VACUUM 'x'`, 'ANALYZE']);
});

test('relations are told from variables, columns and functions', () => {
  const code = `INSERT INTO archive.outputs (id) SELECT * FROM ONLY "Live"."Outputs" o JOIN b ON true, f.g(1)
    WHERE a IS DISTINCT FROM old.status AND extract(epoch FROM new.at) > 1 AND substring(x.y from z.w) = ''
    AND EXISTS (SELECT FROM generate_series(1, 2)) AND c IN (SELECT 1 FROM s.t(1))`;
  expect(relationsNamed(code)).toEqual([
    { schema: 'archive', name: 'outputs' },
    { schema: 'Live', name: 'Outputs' },
    { name: 'b' },
  ]);
  expect(
    relationsNamed('DELETE FROM a.b; EXECUTE x USING r.id; UPDATE ONLY e.f SET x = 1; TRUNCATE TABLE g.h'),
  ).toEqual([
    { schema: 'a', name: 'b' },
    { schema: 'e', name: 'f' },
    { schema: 'g', name: 'h' },
  ]);
});

test('calls are found with the schema written before them', () => {
  expect(callsNamed('SELECT a.b(1), c ( 2 ), d.e.f FROM "G"(x)')).toEqual([
    { schema: 'a', name: 'b' },
    { name: 'c' },
    { name: 'G' },
  ]);
});
