// Two structures and a plan between them, on real databases: what the online tests start from.
import type { Pool } from 'pg';
import { extract, managedKeys, planChange, type Facts } from '../../src/build/engine/index.ts';
import { fingerprint } from '../../src/build/fingerprint.ts';
import { toSteps } from '../../src/build/online/index.ts';
import { targetShape } from '../../src/build/shape.ts';
import type { Plan, Step } from '../../src/build/step.ts';
import { createHash } from 'node:crypto';
import type { TestDatabase } from '../cluster/index.ts';

/** A change to try: SQL of both structures, and rows for the first. */
export interface Stage {
  readonly before: string;
  readonly rows?: string;
  readonly after: string;
}

/** A plan with the database it is for. */
export interface Staged {
  readonly plan: Plan;
  readonly target: TestDatabase;
}

/** Makes both structures and plans from one to the other; nothing is applied. */
export async function stage(db: TestDatabase, { before, rows, after }: Stage): Promise<Staged> {
  const target = await db.another();
  const goal = await db.another();
  if (before !== '') await target.query(before);
  if (rows !== undefined) await target.query(rows);
  if (after !== '') await goal.query(after);
  const plan = await planBetween(target.pool, goal.pool);
  return { plan, target };
}

/** The plan from one database's structure to another's. */
export async function planBetween(target: Pool, goal: Pool): Promise<Plan> {
  const { rows } = await target.query(`SELECT current_setting('server_version_num')::int AS version`);
  const version = (rows[0] as { version: number }).version;
  const [found, { facts: wanted, to }] = [await extract(target), await readGoal(goal)];
  const change = planChange(found, wanted, {
    previous: new Set(managedKeys(found)),
    allowed: new Set(),
    publicTouched: false,
  });
  const steps = toSteps(change, await targetShape(target, version));
  const from = await fingerprint(target);
  return planOf(steps, { from, to, serverVersion: version });
}

interface Goal {
  readonly facts: Facts;
  readonly to: string;
}

const goals = new WeakMap<Pool, Promise<Goal>>();

/** A goal never changes, so it is read once. */
async function readGoal(goal: Pool): Promise<Goal> {
  const known = goals.get(goal);
  if (known !== undefined) return await known;
  const reading = (async () => ({ facts: await extract(goal), to: await fingerprint(goal) }))();
  goals.set(goal, reading);
  return await reading;
}

/** A plan of given steps. */
export function planOf(
  steps: readonly Step[],
  ends: { readonly from: string; readonly to: string; readonly serverVersion: number },
): Plan {
  return {
    formatVersion: 1,
    database: 'test',
    id: createHash('sha256')
      .update(JSON.stringify([steps, ends]))
      .digest('hex'),
    ...ends,
    steps,
    reversible: steps.every(({ back }) => back !== null),
    rehearsal: { forward: 'equal', back: 'equal', comparedBy: 'catalogue', durationMs: 0 },
    notes: [],
  };
}
