// REVOKE on a relation takes the grants on its columns with it, which the planner does not reckon with: it grants on
// columns first and revokes on the whole relation after. Here columns come last, and those that would be lost return.
// https://www.postgresql.org/docs/current/sql-revoke.html
import type { Fact, FactBase, StableId } from '@supabase/pg-delta/core';
import { ident, qualified } from '../../sql.ts';
import type { PlannedAction } from '../action.ts';
import { keyOf } from './facts.ts';

type Grant = Extract<StableId, { kind: 'acl' }>;

/** Orders grants so that the ones on columns hold, and gives those back that a REVOKE on their relation takes away. */
export function keepColumnGrants(actions: readonly PlannedAction[], to: FactBase): readonly PlannedAction[] {
  const revoked = new Set(actions.filter(revokesAll).flatMap(grantsOf).map(holder));
  if (revoked.size === 0) return actions;
  const late = actions.filter((action) =>
    grantsOf(action).some((id) => id.column !== undefined && revoked.has(holder(id))),
  );
  const spoken = new Set(late.flatMap(grantsOf).map(keyOf));
  const lost = to.facts().filter(({ id }) => {
    if (id.kind !== 'acl' || id.column === undefined) return false;
    return revoked.has(holder(id)) && !spoken.has(keyOf(id));
  });
  const early = actions.filter((action) => !late.includes(action));
  return [...early.map((action, at) => giveBack(action, lost, early.slice(at + 1))), ...late];
}

/** The last statement about a relation's grants is followed, in the same step, by the column grants it must not cost. */
function giveBack(
  action: PlannedAction,
  lost: readonly Fact[],
  rest: readonly PlannedAction[],
): PlannedAction {
  const [id] = grantsOf(action);
  if (
    id === undefined ||
    rest.some((later) => grantsOf(later).some((other) => holder(other) === holder(id)))
  ) {
    return action;
  }
  const grants = lost.filter((fact) => holder(fact.id as Grant) === holder(id)).flatMap(granting);
  return { ...action, sql: [action.sql, ...grants].join('; ') };
}

function revokesAll(action: PlannedAction): boolean {
  return action.sql.startsWith('REVOKE ALL ON ');
}

function grantsOf(action: PlannedAction): Grant[] {
  const ids = [...action.produces, ...action.destroys, ...action.consumes] as unknown as StableId[];
  return ids.filter((id): id is Grant => id.kind === 'acl');
}

function holder(id: Grant): string {
  return `${keyOf(id.target)} ${id.grantee}`;
}

function granting(fact: Fact): string[] {
  const id = fact.id as Grant;
  const { schema, name } = id.target as { schema: string; name: string };
  const { privileges, grantable } = fact.payload as { privileges: string[]; grantable: string[] };
  const to = id.grantee === 'PUBLIC' ? 'PUBLIC' : ident(id.grantee);
  const grant = (list: readonly string[], option: string): string[] => {
    if (list.length === 0) return [];
    const what = list.map((privilege) => `${privilege} (${ident(id.column ?? '')})`).join(', ');
    return [`GRANT ${what} ON TABLE ${qualified({ schema, name })} TO ${to}${option}`];
  };
  const plain = privileges.filter((privilege) => !grantable.includes(privilege));
  return [...grant(plain, ''), ...grant(grantable, ' WITH GRANT OPTION')];
}
