// A schema somebody else publishes, of more than thirty tables, with its own older copy of Drizzle below it.
import { describe, expect } from 'vitest';
import { catalogueDump } from '../../src/build/catalogue-dump.ts';
import { compare } from '../../src/build/compare.ts';
import { load } from '../../src/build/load.ts';
import { lower } from '../../src/build/lower.ts';
import { database } from '../../src/define/index.ts';
import { test } from '../cluster/index.ts';
import { kitPush } from '../define/drizzle-kit.ts';

const published = await import('@paperclipai/db/schema/index').then(
  (found: Record<string, unknown>) => found,
  () => undefined,
);

describe.skipIf(published === undefined)(
  'the schema of @paperclipai/db (skipped where it is not installed)',
  () => {
    const tables = published ?? {};

    test('lowers to the database that drizzle-kit push makes of it', async ({ db }) => {
      const definition = database('published', { tables });
      expect(definition.model.tables.length).toBeGreaterThanOrEqual(30);
      expect(definition.notes).toEqual([]);
      const theirs = await db.another();
      await load(db.pool, (await lower(definition)).statements);
      await kitPush(tables, theirs.pool);
      const [left, right] = [await catalogueDump(db.pool), await catalogueDump(theirs.pool)];
      expect(left.length).toBeGreaterThan(500);
      expect(compare(left, right, () => true)).toEqual([]);
    });
  },
);
