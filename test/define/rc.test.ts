// Drizzle 1.0's release candidate says the same schema as 0.x: the DDL of both is one.
import { expect } from 'vitest';
import { lower } from '../../src/build/lower.ts';
import { database } from '../../src/define/index.ts';
import { test } from '../cluster/index.ts';
import { withRc } from './rc.ts';
import * as wide from './wide-schema.ts';

test('the wide schema lowers to the same DDL under drizzle-orm 1.0', async () => {
  const rc = await withRc();
  const theirWide = await rc.load<Record<string, unknown>>('./wide-schema.ts');
  expect(theirWide['types']).not.toBe(wide.types);
  const [ours, theirs] = [
    await lower(database('wide', { tables: wide })),
    await rc.lower.lower(rc.define.database('wide', { tables: theirWide })),
  ];
  expect(theirs).toEqual(ours);
});
