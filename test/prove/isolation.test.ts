// Isolation under attack: a correct schema holds, and each hole that is planted in it is found.
import { expect } from 'vitest';
import { proveIsolation } from '../../src/prove/isolation/index.ts';
import { test } from '../cluster/index.ts';
import { openShop, NOW } from '../traps/shop.ts';

test('the test shop holds', async ({ db }) => {
  await openShop(db);
  const found = await proveIsolation({ url: db.url, scratchUrl: db.url, now: NOW });
  expect(found.crossings).toEqual([]);
});
