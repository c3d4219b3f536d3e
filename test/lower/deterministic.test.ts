// The same schema is the same DDL: whatever order its exports stand in, however often it is read.
import { expect, test } from 'vitest';
import { lower } from '../../src/build/lower.ts';
import { database } from '../../src/define/index.ts';
import * as wide from '../define/wide-schema.ts';

// A small generator with a fixed seed: a failing order can be run again.
function shuffled<T>(values: readonly T[], seed: number): T[] {
  let state = seed;
  return values
    .map((value) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return { value, key: state };
    })
    .sort((one, other) => one.key - other.key)
    .map(({ value }) => value);
}

test('a schema lowers to the same statements in any order of its exports', async () => {
  const expected = await lower(database('wide', { tables: wide }));
  for (let seed = 1; seed <= 20; seed += 1) {
    const tables = Object.fromEntries(shuffled(Object.entries(wide), seed));
    expect(await lower(database('wide', { tables }))).toEqual(expected);
  }
});

test('reading a schema changes nothing in it', async () => {
  const before = await lower(database('wide', { tables: wide }));
  for (let time = 0; time < 3; time += 1)
    expect(await lower(database('wide', { tables: wide }))).toEqual(before);
});
