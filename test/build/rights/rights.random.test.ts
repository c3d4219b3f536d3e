// Random rights and default privileges, planned, run and taken back: each object ends with exactly the rights of the
// goal, and goes back to exactly those it had. HOLDFAST_TEST_RIGHTS says how many; HOLDFAST_TEST_SEED where to begin.
import type { Pool } from 'pg';
import { expect } from 'vitest';
import { extract, managedKeys, planChange, type Ownership } from '../../../src/build/engine/index.ts';
import { forward, runAlone, waysBack } from '../../../src/build/catalogue-session.ts';
import { toSteps } from '../../../src/build/online/index.ts';
import { targetShape } from '../../../src/build/shape.ts';
import { HoldfastError } from '../../../src/error.ts';
import type { Step } from '../../../src/build/step.ts';
import { test, type TestDatabase } from '../../cluster/index.ts';
import { rightsIn, wantedRights } from './read.ts';
import { randomRights, type Cast } from './world.ts';

const COUNT = Number(process.env['HOLDFAST_TEST_RIGHTS'] ?? 12);
const FIRST = Number(process.env['HOLDFAST_TEST_SEED'] ?? 1);

test(`${COUNT} databases become others and go back`, { timeout: 60_000 + COUNT * 10_000 }, async ({ db }) => {
  const cast = await castOf(db);
  const [here, there] = [await db.another(), await db.another()];
  let refused = 0;
  for (let seed = FIRST; seed < FIRST + COUNT; seed += 1) {
    for (const one of [here, there]) await emptied(one, cast);
    for (const one of [here, there])
      for (const role of cast.owners) await one.query(`GRANT CREATE ON DATABASE "${one.name}" TO "${role}"`);
    await built(here.pool, randomRights(seed, cast));
    // Half of the goals are what was there, changed; half have nothing in common with it but the names.
    const changes = randomRights(seed + 500_000, cast);
    await built(there.pool, seed % 2 === 0 ? changes : [...randomRights(seed, cast), ...changes]);
    if (!(await changed(seed, { here, there, cast }))) refused += 1;
  }
  expect(refused).toBeLessThan(COUNT / 4);
});

interface Ends {
  readonly here: TestDatabase;
  readonly there: TestDatabase;
  readonly cast: Cast;
}

/** False where the plan is refused, because somebody's right comes from another than the owner. */
async function changed(seed: number, { here, there, cast }: Ends): Promise<boolean> {
  const [before, goal] = [await rightsIn(here.pool), await rightsIn(there.pool)];
  const [found, wanted] = [await extract(here.pool), await extract(there.pool)];
  const ownership: Ownership = {
    previous: new Set(managedKeys(found)),
    allowed: new Set(),
    publicTouched: false,
  };
  let change;
  try {
    change = planChange(found, wanted, ownership);
  } catch (error) {
    expect([seed, (error as HoldfastError).code ?? (error as Error).stack]).toEqual([seed, 'HF_NOT_MANAGED']);
    return false;
  }
  const steps = change.forward.length === 0 ? [] : toSteps(change, await targetShape(here.pool, 150_000));
  await stopped(seed, steps, here);
  expect([seed, await rightsIn(here.pool)]).toEqual([seed, before]);
  await told(seed, steps, () => runAlone(here.pool, forward(steps)));
  const seen = (left: unknown): unknown => [seed, steps.map(({ sql }) => sql), left];
  expect(seen(await rightsIn(here.pool))).toEqual(seen(wantedRights(before, goal, cast.user)));
  const again = planChange(await extract(here.pool), wanted, ownership);
  expect(seen(again.forward.map(({ sql }) => sql))).toEqual(seen([]));
  await told(seed, steps, () => runAlone(here.pool, waysBack(steps)));
  const way = (left: unknown): unknown => [
    seed,
    waysBack(steps)
      .flat()
      .map(({ sql }) => sql),
    left,
  ];
  expect(way(await rightsIn(here.pool))).toEqual(way(before));
  return true;
}

/** Runs the first steps, as if something had ended the plan there, and takes them back. */
async function stopped(seed: number, steps: readonly Step[], { pool }: TestDatabase): Promise<void> {
  const done = steps.slice(0, (seed * 7) % (steps.length + 1));
  const open = done.at(-1)?.group;
  const whole = steps.filter((step, at) => at < done.length || (open !== undefined && step.group === open));
  await told(seed, whole, async () => {
    await runAlone(pool, forward(whole));
    await runAlone(pool, waysBack(whole));
  });
}

async function told(
  seed: number,
  steps: readonly { readonly sql: string }[],
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run();
  } catch (error) {
    throw new Error(`seed ${seed}: ${(error as Error).message}\n${steps.map(({ sql }) => sql).join('\n')}`, {
      cause: error,
    });
  }
}

async function castOf(db: TestDatabase): Promise<Cast> {
  const [row] = await db.query<{ user: string }>('SELECT current_user AS user');
  const [one, two, app, reader] = [db.role('maker'), db.role('owner'), db.role('app'), db.role('reader')];
  for (const role of [one, two, app, reader]) await db.query(`CREATE ROLE "${role}"`);
  return { user: row?.user ?? '', owners: [one, two], grantees: [app, reader] };
}

async function emptied(db: TestDatabase, { user, owners, grantees }: Cast): Promise<void> {
  await db.query('DROP SCHEMA IF EXISTS rw CASCADE; DROP SCHEMA IF EXISTS rx CASCADE');
  for (const role of [...owners, ...grantees]) await db.query(`DROP OWNED BY "${role}"`);
  for (const all of ['TABLES', 'SEQUENCES', 'FUNCTIONS', 'TYPES', 'SCHEMAS']) {
    const own = `ALTER DEFAULT PRIVILEGES FOR ROLE "${user}"`;
    await db.query(
      `${own} REVOKE ALL ON ${all} FROM PUBLIC; ${own} REVOKE ALL ON ${all} FROM "${user}"; ${own} GRANT ALL ON ${all} TO "${user}"`,
    );
    if (['FUNCTIONS', 'TYPES'].includes(all)) await db.query(`${own} GRANT ALL ON ${all} TO PUBLIC`);
  }
}

async function built(pool: Pool, statements: readonly string[]): Promise<void> {
  const client = await pool.connect();
  try {
    for (const sql of statements) await client.query(sql).catch(() => undefined);
    await client.query('RESET ROLE');
  } finally {
    client.release();
  }
}
