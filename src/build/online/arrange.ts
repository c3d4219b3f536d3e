// The planner drops early and creates late. Where an object is dropped only to be made anew, that leaves a time
// without it: a view that readers miss, a trigger that guards nothing. So the two are drawn together, into one
// replacement where there is an online form for it, else into one transaction.
import type { PlannedAction } from '../action.ts';
import { subjectOf } from '../locks.ts';
import { keyOf } from './scene.ts';

/** A planner's statement, or a drop and its create that are one change. */
export type Unit =
  | { readonly kind: 'one'; readonly action: PlannedAction }
  | { readonly kind: 'replace'; readonly drop: PlannedAction; readonly create: PlannedAction };

const NEVER_BETWEEN = new Set([
  'column',
  'table',
  'type',
  'domain',
  'function',
  'procedure',
  'aggregate',
  'schema',
  'view',
  'materializedView',
  'foreignTable',
  'extension',
  'collation',
  'sequence',
]);

/**
 * Orders one direction of a plan.
 * @param replaceable whether a drop and create of this key may become one replacement
 */
export function arrange(
  actions: readonly PlannedAction[],
  replaceable: (create: PlannedAction) => boolean,
): readonly Unit[] {
  const sunk = sinkDrops(actions);
  const units: Unit[] = [];
  const merged = new Set<PlannedAction>();
  for (const [at, action] of sunk.entries()) {
    const drop = action.verb === 'create' ? dropBefore(sunk, at) : undefined;
    if (drop !== undefined && canMerge(sunk, sunk.indexOf(drop), at) && replaceable(action)) {
      merged.add(drop);
      units.push({ kind: 'replace', drop, create: action });
      continue;
    }
    units.push({ kind: 'one', action });
  }
  return units.filter((unit) => unit.kind === 'replace' || !merged.has(unit.action));
}

/** Keys of what one direction drops and makes anew. */
export function remade(actions: readonly PlannedAction[]): ReadonlySet<string> {
  const dropped = new Set(actions.flatMap((action) => action.destroys.map(keyOf)));
  return new Set(actions.flatMap((action) => action.produces.map(keyOf)).filter((key) => dropped.has(key)));
}

function sinkDrops(actions: readonly PlannedAction[]): readonly PlannedAction[] {
  const order = [...actions];
  for (let at = order.length - 1; at >= 0; at -= 1) {
    const action = order[at];
    if (action?.verb !== 'drop') continue;
    const to = sinkTo(order, at);
    if (to === at) continue;
    order.splice(at, 1);
    order.splice(to, 0, action);
  }
  return order;
}

function sinkTo(order: readonly PlannedAction[], at: number): number {
  const drop = order[at];
  if (drop === undefined) return at;
  const key = keyOf(subjectOf(drop));
  const made = order.findIndex(
    (action, index) => index > at && action.produces.some((id) => keyOf(id) === key),
  );
  if (made < 0) return at;
  const blocked = order.findIndex((action, index) => index > at && index < made && isHazard(drop, action));
  return (blocked < 0 ? made : blocked) - 1;
}

function dropBefore(order: readonly PlannedAction[], at: number): PlannedAction | undefined {
  const create = order[at];
  if (create === undefined) return undefined;
  const key = keyOf(subjectOf(create));
  return order.slice(0, at).find((action) => action.verb === 'drop' && keyOf(subjectOf(action)) === key);
}

function canMerge(order: readonly PlannedAction[], from: number, to: number): boolean {
  const drop = order[from];
  return drop !== undefined && !order.slice(from + 1, to).some((action) => isHazard(drop, action));
}

/** Whether the statement may need the drop to have happened: it takes away or changes what the old object stood on. */
function isHazard(drop: PlannedAction, action: PlannedAction): boolean {
  if (action.rewriteRisk && action.verb === 'alter') return true;
  if (action.destroys.some((id) => NEVER_BETWEEN.has(id.kind))) return true;
  const foreignKey = subjectOf(drop).kind === 'constraint';
  if (foreignKey && action.destroys.some((id) => id.kind === 'constraint' || id.kind === 'index'))
    return true;
  const changesBody = ['function', 'procedure', 'type', 'domain'].includes(subjectOf(action).kind);
  return changesBody && action.verb === 'alter';
}
