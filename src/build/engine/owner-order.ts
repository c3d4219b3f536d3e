// Only a role that may create in a schema can be given an object there, unless a superuser gives it. The planner knows
// of no such need, so what a plan grants on schemas goes before the first change of owner in them.
// https://www.postgresql.org/docs/current/sql-alterview.html
import type { PlannedAction } from '../action.ts';

/**
 * Moves grants on a schema before the first change of owner of an object in it, each with the REVOKE that clears the way
 * for it: left behind, that would take the grant away again.
 */
export function grantBeforeOwners(actions: readonly PlannedAction[]): readonly PlannedAction[] {
  const early = new Map<string, PlannedAction[]>();
  const seen = new Set<string>();
  for (const [at, action] of actions.entries()) {
    const given = ownerIn(action);
    if (given !== undefined) seen.add(given);
    const schema = grantOn(action) ?? clearedFor(action, actions.slice(at + 1));
    if (schema !== undefined && seen.has(schema)) early.set(schema, [...(early.get(schema) ?? []), action]);
  }
  if (early.size === 0) return actions;
  const moved = new Set([...early.values()].flat());
  return actions.flatMap((action) => {
    if (moved.has(action)) return [];
    const schema = ownerIn(action);
    const before = schema === undefined ? [] : (early.get(schema) ?? []);
    if (schema !== undefined) early.delete(schema);
    return [...before, action];
  });
}

function ownerIn(action: PlannedAction): string | undefined {
  if (!/ OWNER TO /.test(action.sql) || action.verb !== 'alter') return undefined;
  return action.consumes.find((id) => id.schema !== undefined)?.schema;
}

function grantOn(action: PlannedAction): string | undefined {
  if (!action.sql.startsWith('GRANT ')) return undefined;
  return action.consumes.find((id) => id.kind === 'schema')?.name;
}

/** The schema of a REVOKE that a later GRANT to the same role builds on. */
function clearedFor(action: PlannedAction, later: readonly PlannedAction[]): string | undefined {
  if (!action.sql.startsWith('REVOKE ')) return undefined;
  const schema = action.consumes.find((id) => id.kind === 'schema')?.name;
  const role = action.consumes.find((id) => id.kind === 'role')?.name;
  const again = later.some(
    (other) =>
      grantOn(other) === schema && other.consumes.some((id) => id.kind === 'role' && id.name === role),
  );
  return again ? schema : undefined;
}
