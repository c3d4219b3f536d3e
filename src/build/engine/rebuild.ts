// Facts become a database again: the structure of a target, made anew in a scratch database from what was read of it.
import type { FactBase } from '@supabase/pg-delta/core';
import type { Pool } from 'pg';
import type { PlannedAction } from '../action.ts';
import { endsInRole, extract, keyOf, type Facts } from './facts.ts';
import { actionsBetween, settingOf } from './plan-change.ts';
import { rebuilt, without, withoutRuntime } from './view.ts';

/**
 * Plans the statements that make an empty database into the structure that was read, without its partitions.
 * @param empty sessions to the empty database
 * @param found what was read
 * @param mayOwn roles that the session can give objects to
 * @returns statements in order; indexes that are not valid are left to the caller
 */
export async function rebuildPlan(
  empty: Pool,
  found: Facts,
  mayOwn: ReadonlySet<string>,
): Promise<readonly PlannedAction[]> {
  const start = await extract(empty);
  const wanted = withoutInvalid(withoutRuntime(found.base, true));
  const owned = rebuilt(
    wanted.facts(),
    wanted.edges.filter((edge) => !endsInRole(edge) || (edge.to.kind === 'role' && mayOwn.has(edge.to.name))),
    wanted,
  );
  return actionsBetween(start.base, owned, settingOf(start.user, found.base, start.base));
}

function withoutInvalid(base: FactBase): FactBase {
  const invalid = base.facts().filter((fact) => fact.id.kind === 'index' && fact.payload['valid'] === false);
  return without(base, new Set(invalid.map((fact) => keyOf(fact.id))));
}
