// One change of each kind: planned on a database that has the start, rehearsed, run, planned again, run back.
import { describe, expect } from 'vitest';
import { catalogueDump } from '../../src/build/catalogue-dump.ts';
import { forward, runAlone, waysBack } from '../../src/build/catalogue-session.ts';
import { fingerprint } from '../../src/build/fingerprint.ts';
import { planLowered } from '../../src/build/plan.ts';
import type { Plan } from '../../src/build/step.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { CHANGES } from './changes.ts';
import { OPTIONS, wanted } from './wanted.ts';

async function run(db: TestDatabase, plan: Plan): Promise<void> {
  await runAlone(db.pool, forward(plan.steps));
}

describe.each(CHANGES)('$name', ({ base, from, to, seed, irreversible }) => {
  test('is planned, settles, and goes back', async ({ db: file }) => {
    const db = await file.another();
    const before = await planLowered(wanted([...base, ...from]), db.url, OPTIONS);
    await run(db, before);
    for (const sql of seed ?? []) await db.query(sql);
    const start = await catalogueDump(db.pool);
    const options = { ...OPTIONS, previous: before.manages ?? [] };
    const change = await planLowered(wanted([...base, ...to]), db.url, options);
    expect(change.steps.length).toBeGreaterThan(0);
    await run(db, change);
    expect(await fingerprint(db.pool)).toBe(change.to);
    const again = await planLowered(wanted([...base, ...to]), db.url, {
      ...options,
      previous: change.manages ?? [],
    });
    expect(again.steps.map((step) => step.sql)).toEqual([]);
    expect(change.reversible).toBe(irreversible !== true);
    if (irreversible === true) return;
    await runAlone(db.pool, waysBack(change.steps));
    expect(await catalogueDump(db.pool)).toEqual(start);
  });
});
