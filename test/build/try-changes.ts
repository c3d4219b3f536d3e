// One change of each kind: planned on a database that has the start, rehearsed, run, planned again, run back.
import { describe, expect } from 'vitest';
import { catalogueDump } from '../../src/build/catalogue-dump.ts';
import { forward, runAlone, waysBack } from '../../src/build/catalogue-session.ts';
import { fingerprint } from '../../src/build/fingerprint.ts';
import { planLowered } from '../../src/build/plan.ts';
import type { Plan } from '../../src/build/step.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import type { ChangeCase } from './changes.ts';
import { OPTIONS, wanted } from './wanted.ts';

/** A database that has a change's start, and what the plan that made it manages. */
interface Start {
  readonly db: TestDatabase;
  readonly manages: readonly string[];
}

/** Declares a test for each change. A change that went back leaves its database to the next with the same start. */
export function tryChanges(changes: readonly ChangeCase[]): void {
  const starts = new Map<string, Start>();
  describe.each(changes)('$name', (change) => {
    test('is planned, settles, and goes back', async ({ db: file }) => {
      const key = JSON.stringify([change.base, change.from, change.seed]);
      const start = starts.get(key) ?? (await startOf(change, await file.another()));
      starts.delete(key);
      await tryChange(change, start);
      if (change.irreversible !== true) starts.set(key, start);
    });
  });
}

async function startOf({ base, from, seed }: ChangeCase, db: TestDatabase): Promise<Start> {
  const plan = await planLowered(wanted([...base, ...from]), db.url, OPTIONS);
  await run(db, plan);
  for (const sql of seed ?? []) await db.query(sql);
  return { db, manages: plan.manages ?? [] };
}

async function tryChange({ base, to, irreversible }: ChangeCase, { db, manages }: Start): Promise<void> {
  const start = await catalogueDump(db.pool);
  const definition = wanted([...base, ...to]);
  const change = await planLowered(definition, db.url, { ...OPTIONS, previous: manages });
  expect(change.steps.length).toBeGreaterThan(0);
  await run(db, change);
  expect(await fingerprint(db.pool)).toBe(change.to);
  const again = await planLowered(definition, db.url, { ...OPTIONS, previous: change.manages ?? [] });
  expect(again.steps.map((step) => step.sql)).toEqual([]);
  expect(change.reversible).toBe(irreversible !== true);
  if (irreversible === true) return;
  await runAlone(db.pool, waysBack(change.steps));
  expect(await catalogueDump(db.pool)).toEqual(start);
}

async function run(db: TestDatabase, plan: Plan): Promise<void> {
  await runAlone(db.pool, forward(plan.steps));
}
