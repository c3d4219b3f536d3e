// What plan, apply and up begin with: load the definition, find the database, plan and rehearse with progress.
import { type Plan, plan } from '../build/index.ts';
import { type Invocation, list } from './command.ts';
import { type Loaded, loadDefinition } from './load.ts';
import { progress } from './output.ts';
import { findTarget, type Place, scratchServer } from './target.ts';

/** A definition, the database it is for, and the rehearsed plan between them. */
export interface Planned {
  readonly loaded: Loaded;
  readonly place: Place;
  readonly plan: Plan;
}

/** Loads the definition named first on the command line, finds its database, and leaves that when `work` ends. */
export async function withTarget<T>(
  invocation: Invocation,
  work: (at: Omit<Planned, 'plan'>) => Promise<T>,
): Promise<T> {
  const loaded = await loadDefinition(invocation.positionals[0], invocation.cwd);
  const place = await findTarget(invocation, loaded.definition.name);
  try {
    return await work({ loaded, place });
  } finally {
    await place.leave();
  }
}

/** Plans and rehearses, showing where it is. */
export async function makePlan(invocation: Invocation, at: Omit<Planned, 'plan'>): Promise<Plan> {
  const line = progress(invocation.terminal);
  try {
    return await plan(at.loaded.definition, at.place.url, {
      baseDir: at.loaded.baseDir,
      now: invocation.now(),
      allowDataLoss: list(invocation, 'allow-data-loss'),
      signal: invocation.signal,
      fallback: scratchServer,
      onProgress: ({ stage }) => line.show(stage),
    });
  } finally {
    line.end();
  }
}

/** {@link withTarget} and {@link makePlan} in one. */
export async function withPlan<T>(
  invocation: Invocation,
  work: (planned: Planned) => Promise<T>,
): Promise<T> {
  return withTarget(invocation, async (at) => work({ ...at, plan: await makePlan(invocation, at) }));
}
