// Finds an apply that was cut off, so that the next one can finish it.
import { type Plan, readPlan } from '../build/index.ts';
import { unfinishedRun } from '../ledger/index.ts';
import { withClient } from '../server/index.ts';

/**
 * The plan of an apply that was cut off in this database, as the ledger kept it; undefined when none was.
 * A rollback that was cut off is not one: apply refuses to start on it and says so.
 */
export async function cutOffPlan(url: string): Promise<Plan | undefined> {
  const run = await withClient(url, async (client) => unfinishedRun(client));
  return run?.state === 'applying' ? readPlan(run.plan) : undefined;
}
