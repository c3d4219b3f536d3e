// Only a role that may create in a schema can be given an object there, unless a superuser gives it. The planner knows
// of no such need, so what a plan grants on schemas goes before the first change of owner in them.
// https://www.postgresql.org/docs/current/sql-alterview.html
import type { PlannedAction } from '../action.ts';

/** Moves grants on a schema before the first change of owner of an object in it. */
export function grantBeforeOwners(actions: readonly PlannedAction[]): readonly PlannedAction[] {
  const early = new Map<string, PlannedAction[]>();
  const seen = new Set<string>();
  for (const action of actions) {
    const given = ownerIn(action);
    if (given !== undefined) seen.add(given);
    const granted = grantOn(action);
    if (granted !== undefined && seen.has(granted))
      early.set(granted, [...(early.get(granted) ?? []), action]);
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
