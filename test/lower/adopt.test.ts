// From a Drizzle schema to a database and back: applied without drift, planned again to nothing, and a database that
// drizzle-kit push made is taken over with nothing dropped.
import { describe, expect } from 'vitest';
import { apply, drift, plan } from '../../src/build/index.ts';
import { lower } from '../../src/build/lower.ts';
import { database, type Definition } from '../../src/define/index.ts';
import { type TestDatabase, test } from '../cluster/index.ts';
import { kitPush } from '../define/drizzle-kit.ts';
import { withRoles } from '../define/roles.ts';
import * as wide from '../define/wide-schema.ts';

const NOW = { now: new Date('2026-03-15T12:00:00Z') };
const published = await import('@paperclipai/db/schema/index').then(
  (found: Record<string, unknown>) => found,
  () => undefined,
);

async function appliesWithoutDrift(definition: Definition, db: TestDatabase): Promise<void> {
  const first = await plan(definition, db.url, NOW);
  expect(first.steps.length).toBeGreaterThan(50);
  expect(first.rehearsal.forward).toBe('equal');
  expect((await apply(first, db.url)).endsAsPlanned).toBe(true);
  expect((await plan(definition, db.url, NOW)).steps).toEqual([]);
  expect(await drift(definition, db.url, NOW)).toMatchObject({ differences: [], asApplied: true });
}

describe('the wide schema', () => {
  const definition = database('wide', { tables: wide });

  test('applies, shows no drift, and plans to nothing', async ({ db }) => {
    const one = await db.another();
    const { roles } = await lower(definition);
    await withRoles([one], roles, () => appliesWithoutDrift(definition, one));
  });

  test('is found after drizzle-kit push, but for the policies push cut short and its roles', async ({
    db,
  }) => {
    const one = await db.another();
    const { roles } = await lower(definition);
    await withRoles([one], roles, async () => {
      await kitPush(wide, one.pool, ['public', 'app', 'Odd schema']);
      const { steps } = await plan(definition, one.url, NOW);
      const others = steps.filter((step) => !/^(CREATE|DROP) POLICY |^ALTER ROLE /.test(step.sql));
      expect(others).toEqual([]);
      expect(steps.filter((step) => step.loses !== null)).toEqual([]);
    });
  });
});

describe.skipIf(published === undefined)(
  'the schema of @paperclipai/db (skipped where it is not installed)',
  () => {
    const definition = database('published', { tables: published ?? {} });

    test('applies, shows no drift, and plans to nothing', async ({ db }) => {
      await appliesWithoutDrift(definition, await db.another());
    });

    test('is adopted after drizzle-kit push: the plan is empty', async ({ db }) => {
      const one = await db.another();
      await kitPush(published ?? {}, one.pool);
      expect((await plan(definition, one.url, NOW)).steps).toEqual([]);
    });
  },
);
