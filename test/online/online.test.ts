import { afterAll, describe, expect } from 'vitest';
import { Pool } from 'pg';
import { test, type TestDatabase } from '../cluster/index.ts';
import { base, changes, rows, writes } from './changes.ts';
import { planBetween } from './stage.ts';
import { applyBusily, goBack, invalidIndexes } from './try-change.ts';

const ROWS = 2_000;
const WRITERS = 2;
let standing: Promise<TestDatabase> | undefined;

async function target(db: TestDatabase): Promise<TestDatabase> {
  const made = await db.another();
  await made.query(base);
  await made.query(rows(ROWS));
  return made;
}

let plainly: Promise<TestDatabase> | undefined;

async function goal(db: TestDatabase, sql: string): Promise<TestDatabase> {
  if (sql === '' && plainly !== undefined) return await plainly;
  const making = (async () => {
    const made = await db.another();
    await made.query(`${base}; ${sql}`);
    return made;
  })();
  if (sql === '') plainly = making;
  return await making;
}

const stalls: [number, string][] = [];

afterAll(() => {
  const longest = stalls.sort(([one], [other]) => other - one).slice(0, 5);
  const lines = longest.map(([ms, name]) => `  ${ms.toFixed(0).padStart(6)} ms  ${name}`);
  process.stdout.write(`longest waits of a writer beside ${stalls.length} applies:\n${lines.join('\n')}\n`);
});

describe('each change on a table that others write to', () => {
  for (const change of changes) {
    test(change.name, async ({ db }) => {
      const busy = await (standing ?? target(db));
      standing = undefined;
      const one = await goal(db, change.without);
      const other = await goal(db, change.with);
      const taken: Awaited<ReturnType<typeof planBetween>>[] = [];
      const goals: readonly Pool[] =
        change.without === '' ? [other.pool, one.pool] : [one.pool, other.pool, one.pool];
      for (const [at, to] of goals.entries()) {
        const plan = await planBetween(busy.pool, to);
        expect(plan.steps.length, plan.steps.map(({ sql }) => sql).join('\n')).toBeGreaterThan(0);
        // What both structures have must be there all along, not only before and after.
        const also = at > 0 && change.reads !== undefined ? [change.reads] : [];
        const outcome = await applyBusily(
          change.name,
          { plan, url: busy.url },
          { writers: WRITERS, writes: [...writes, ...also] },
        );
        expect({
          at,
          refused: outcome.refused,
          lies: outcome.lies,
          asPlanned: outcome.endsAsPlanned,
        }).toEqual({
          at,
          refused: [],
          lies: [],
          asPlanned: true,
        });
        expect(await invalidIndexes(busy.pool)).toEqual([]);
        stalls.push([outcome.longestStallMs, `${change.name}, ${outcome.steps} steps`]);
        taken.push(plan);
      }
      for (const plan of taken.reverse()) {
        expect(
          await goBack(plan, busy),
          `back over ${plan.steps.map(({ sql, back }) => `${sql} <- ${back?.map((b) => b.sql).join('; ')}`).join('\n')}`,
        ).toBe(true);
        expect(await invalidIndexes(busy.pool)).toEqual([]);
      }
      standing = Promise.resolve(busy);
    });
  }
});
