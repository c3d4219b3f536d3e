// A definition built for real in a scratch database, run-time objects included, for whoever wants to look at it there.
import type { Pool } from 'pg';
import type { Definition } from '../define/database.ts';
import { forward, reading, runAlone } from './catalogue-session.ts';
import { load } from './load.ts';
import { mendPartitions } from './partitions.ts';
import { lowered } from './plan.ts';
import { withScratch } from './scratch.ts';
import { dressRehearsalRoles } from './scratch-roles.ts';
import { settle } from './settle.ts';
import type { PlanOptions } from './sides.ts';

/** A definition's database, gone when the work ends. */
export interface Built {
  readonly url: string;
  readonly pool: Pool;
  /** Roles that could not be made to be what the definition says, because the session may not. */
  readonly undressed: readonly string[];
}

/** Where and when it is built. */
export interface BuiltOptions extends Pick<
  PlanOptions,
  'now' | 'baseDir' | 'scratchUrl' | 'fallback' | 'signal'
> {
  /** A server whose scratch databases are used as a plan uses them; the database itself is not looked at. */
  readonly url: string;
}

/**
 * Builds a definition in a scratch database: its structure, what its traits want at run time, and what its partitions
 * must have of their parents.
 * @returns what `work` returns
 * @throws HoldfastError as `plan` does from loading and settling; what `work` throws
 */
export async function withBuilt<T>(
  definition: Definition,
  options: BuiltOptions,
  work: (built: Built) => Promise<T>,
): Promise<T> {
  const { lowered: ddl, model, traits } = await lowered(definition, options);
  return withScratch(options, async (server) => {
    const { pool, url } = await server.make();
    const names = ddl.roles.map((role) => role.name);
    await server.ensureRoles(names);
    const undressed = await dressRehearsalRoles(pool, ddl.roles);
    await load(pool, ddl.statements);
    const settled = await reading(pool, (query) => settle({ model, traits, query, now: options.now }));
    for (const steps of settled) await runAlone(pool, forward(steps));
    await runAlone(pool, forward(await reading(pool, (query) => mendPartitions(query, names))));
    return work({ url, pool, undressed });
  });
}
