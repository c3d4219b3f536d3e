// The wide schema, lowered, against what drizzle-kit makes of the same file: two databases that must be one structure.
import { describe, expect } from 'vitest';
import { catalogueDump } from '../../src/build/catalogue-dump.ts';
import { compare } from '../../src/build/compare.ts';
import { load } from '../../src/build/load.ts';
import { lower } from '../../src/build/lower.ts';
import { database } from '../../src/define/index.ts';
import { test } from '../cluster/index.ts';
import { kitDdl } from '../define/drizzle-kit.ts';
import { withRoles } from '../define/roles.ts';
import * as wide from '../define/wide-schema.ts';

describe('the wide schema', () => {
  const definition = database('wide', { tables: wide });

  test('lowers to DDL that makes the database drizzle-kit makes', async ({ db }) => {
    const lowered = await lower(definition);
    const [ours, theirs] = [await db.another(), await db.another()];
    await withRoles([ours, theirs], lowered.roles, async () => {
      await load(ours.pool, lowered.statements);
      for (const statement of await kitDdl(wide)) await theirs.query(statement);
      const [left, right] = [await catalogueDump(ours.pool), await catalogueDump(theirs.pool)];
      expect(left.length).toBeGreaterThan(300);
      expect(compare(left, right, () => true)).toEqual([]);
    });
  });
});
