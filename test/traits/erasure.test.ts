// A person and a tenant are erased from every place their rows lie, and nobody else's row changes.
import { describe, expect } from 'vitest';
import { test } from '../cluster/index.ts';
import { erasing, leftOf, markOf, openHouse, othersSum, type Standing } from './erasure-stand.ts';

describe('erasure', () => {
  test('a person', async ({ db }) => {
    const house = await openHouse(db, 'house_person', {});
    const mark = markOf('acmeco', 2);
    const before = await leftOf(house, mark);
    console.log(before);
    const others = await othersSum(house, { tenant: 'acmeco', person: 2 });
    const request = await erasing(house, (context) =>
      house.eraser.erase(context, { subject: 'person:acmeco/2', basis: 'LGPD art. 18 VI' }),
    );
    console.log(request);
    expect(await leftOf(house, mark)).toEqual([]);
    expect(await othersSum(house, { tenant: 'acmeco', person: 2 })).toBe(others);
  });

  test('a tenant', async ({ db }) => {
    const house = await openHouse(await db.another(), 'house_tenant', {});
    const before = await leftOf(house, 'acmeco');
    console.log(before);
    const others = await othersSum(house, { tenant: 'acmeco' });
    const request = await erasing(house, (context) =>
      house.eraser.erase(context, { subject: 'tenant:acmeco', basis: 'LGPD art. 18 VI' }),
    );
    console.log(request);
    expect(await leftOf(house, 'acmeco')).toEqual([]);
    expect(await othersSum(house, { tenant: 'acmeco' })).toBe(others);
  });
});
export type { Standing };
