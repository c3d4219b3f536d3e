// Mining on real listings, decided by another shop's listing of the same product, tried on the half that was held back.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect } from 'vitest';
import { learn, precision } from '../listings/learn.ts';
import { LISTING_FILES, readBrands, readPairs } from '../listings/pairs.ts';
import type { Hub } from '../operations/index.ts';
import { freshTenant, test } from './installed.ts';

const FOLDER = fileURLToPath(new URL('../../../../shared/data/validahub/listings', import.meta.url));
const missing = Object.values(LISTING_FILES).find((name) => !existsSync(`${FOLDER}/${name}`));
if (missing !== undefined)
  process.stderr.write(
    `listings.test.ts is skipped: ${missing} is not in ../shared/data/validahub/listings.\n`,
  );

describe.skipIf(missing !== undefined)('Abt and Buy', () => {
  // The counts of pairs and of confirmed and silent corrections were also made by another program, from the files alone.
  test('the pairs are those whose model number says so', async () => {
    expect((await readPairs(FOLDER)).length).toBe(743);
    expect((await readBrands(FOLDER)).length).toBe(466);
  });

  test('what the even half teaches, the odd one confirms', async ({ installed: { hub } }) => {
    const learnt = await learnFrom(hub, 'even');
    expect(learnt).toEqual({
      proposed: { confirmed: 90, contradicted: 18, silent: 166 },
      mined: [
        { title: 'Write "Black" for "Black Finish" in finish', confidence: 0.9286 },
        { title: 'Write "Silver" for "Silver Finish" in finish', confidence: 0.6456 },
        { title: 'Write "White" for "White Finish" in finish', confidence: 0.5655 },
      ],
      held: { confirmed: 57, contradicted: 0, silent: 162 },
      unmined: { confirmed: 91, contradicted: 11, silent: 193 },
    });
    expect(precision(learnt.held)).toBe(1);
    expect(precision(learnt.unmined)).toBeCloseTo(0.892, 3);
  });

  test('what the odd half teaches, the even one confirms', async ({ installed: { hub } }) => {
    const learnt = await learnFrom(hub, 'odd');
    expect(learnt.mined.map((one) => one.title.split('"')[1])).toEqual([
      'Black',
      'White',
      'Silver',
      'Pink',
      'Blue',
      'Red',
    ]);
    expect(learnt.held).toEqual({ confirmed: 69, contradicted: 0, silent: 137 });
    expect(precision(learnt.held)).toBe(1);
    expect(precision(learnt.unmined)).toBeCloseTo(0.833, 3);
  });
});

async function learnFrom(hub: Hub, from: 'even' | 'odd') {
  const [pairs, brands] = [await readPairs(FOLDER), await readBrands(FOLDER)];
  return learn(hub, { tenant: freshTenant(), by: 'p_1', pairs, brands, from });
}
