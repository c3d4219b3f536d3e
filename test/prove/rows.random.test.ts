// Random schemas: every table gets rows for every owner, nothing is broken, and no row leads into another's world.
// HOLDFAST_TEST_SCHEMAS says how many; HOLDFAST_TEST_SEED where to begin.
import { expect } from 'vitest';
import { test } from '../cluster/index.ts';
import { expectClosed, expectTrue, filled, rowsOf } from './filling/in-place.ts';
import { randomSchema } from './filling/random-schema.ts';

const COUNT = Number(process.env['HOLDFAST_TEST_SCHEMAS'] ?? 12);
const FIRST = Number(process.env['HOLDFAST_TEST_SEED'] ?? 1);

test(`${COUNT} schemas`, { timeout: 20_000 + COUNT * 5_000 }, async ({ db }) => {
  for (let seed = FIRST; seed < FIRST + COUNT; seed += 1) {
    const sql = randomSchema(seed);
    const population = await filled(db, sql, { worlds: 2 + (seed % 2), seed });
    expect([seed, sql, population.empty]).toEqual([seed, sql, []]);
    for (const { number } of population.worlds) {
      for (const [, name = ''] of sql.matchAll(/CREATE TABLE (\w+) \([^;]*tenant_id/g)) {
        expect([seed, name, rowsOf(population, number, name).length > 0]).toEqual([seed, name, true]);
      }
    }
    await expectClosed(db, population);
    await expectTrue(db, population);
  }
});
