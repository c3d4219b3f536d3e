// Facts and facts give actions: the planner's answer, in our words, with what it must never be believed in refused.
import type { Fact, FactBase, StableId } from '@supabase/pg-delta/core';
import { plan as planFacts, type Action } from '@supabase/pg-delta/plan';
import { HoldfastError } from '../../error.ts';
import { ident, qualified } from '../../sql.ts';
import type { FactView, ObjectId, Planned, PlannedAction } from '../action.ts';
import { describe, keyOf, type Facts } from './facts.ts';
import { isRight, withRights, type RightsChange } from './rights.ts';
import { views, without, type Ownership, type Views } from './view.ts';

/** A planned change, and what was left out of it. */
export interface Change extends Planned {
  /** Objects on the server that the definition does not know and that stay, in a person's words. */
  readonly kept: readonly string[];
}

/**
 * Plans the way from one structure to another and back.
 * @param found the target as it is
 * @param goal the definition, as a scratch server read it
 * @param ownership which objects that the definition does not know may go
 * @returns actions both ways, both ends to look things up in, and notes on what is not managed
 * @throws HoldfastError HF_REPLACES_TABLE when the planner would drop a table to make it again;
 *   HF_PLANNER when it finds no order of statements
 */
export function planChange(found: Facts, goal: Facts, ownership: Ownership): Change {
  const sides = views(found, goal, ownership);
  const roles = roleNames(found.base, goal.base);
  const rights = {
    standing: defaultsOf(found.base).filter(({ id }) => !sides.found.has(id)),
    foreign: [...found.foreign, ...goal.foreign],
    user: found.user,
    roles,
  };
  const forward = actionsBetween(sides.found, sides.goal, rights);
  const backward =
    forward.length === 0
      ? []
      : [...hangingDrops(forward, sides), ...actionsBetween(sides.goal, sides.found, rights)];
  refuseReplacedTables(forward, sides.found);
  return {
    forward,
    backward,
    found: factView(sides.found),
    goal: factView(sides.goal),
    notes: notes(found, sides.kept),
    kept: sides.kept.map(describe),
  };
}

/** What statements between two structures depend on beside the two. */
export interface Setting extends Pick<RightsChange, 'foreign' | 'user'> {
  /** Default privileges that are in force and none of the plan's. */
  readonly standing: readonly Fact[];
  /** Roles that owners and grants may speak of. */
  readonly roles: readonly string[];
}

/** The setting in a scratch database, in which everything is what the two structures say. */
export function settingOf(user: string, ...bases: readonly FactBase[]): Setting {
  return { user, standing: [], foreign: [], roles: roleNames(...bases) };
}

function defaultsOf(base: FactBase): Fact[] {
  return base.facts().filter(({ id }) => id.kind === 'defaultPrivilege');
}

/**
 * SQL that turns one base into another, in order. It may hold several statements to an action, which belong together.
 * @throws HoldfastError HF_PLANNER when the planner finds no order of statements, HF_NOT_MANAGED as {@link withRights}
 */
export function actionsBetween(from: FactBase, to: FactBase, setting: Setting): readonly PlannedAction[] {
  // Undone step by step, objects come back before and after default privileges do: those of both ends may be in force.
  const defaults = [from, to].flatMap(defaultsOf).concat(setting.standing);
  return withRights(structureBetween(from, to, setting.roles), { ...setting, defaults, from, to });
}

function structureBetween(from: FactBase, to: FactBase, roles: readonly string[]): readonly PlannedAction[] {
  try {
    const plan = planFacts(withoutRights(from), withoutRights(to), {
      scope: 'database',
      assumedRoles: [...roles],
    });
    return plan.actions.map(planned).filter((action) => !isLinkedOwner(action, from, to));
  } catch (cause) {
    throw new HoldfastError({
      code: 'HF_PLANNER',
      subject: 'the change',
      what: `no order of statements was found: ${cause instanceof Error ? cause.message : String(cause)}.`,
      fix: 'Split the change in two: apply one part of the definition first, then the rest.',
      cause,
    });
  }
}

/**
 * A sequence that belongs to a column has the owner of its table, goes along with it, and may not be given away alone.
 * https://www.postgresql.org/docs/current/sql-altersequence.html
 */
function isLinkedOwner({ sql, consumes }: PlannedAction, from: FactBase, to: FactBase): boolean {
  const id = consumes.find(({ kind }) => kind === 'sequence') as StableId | undefined;
  if (id === undefined || !/^ALTER SEQUENCE \S.* OWNER TO /.test(sql)) return false;
  const [before, after] = [from, to].map(
    (base) => base.get(id)?.payload['ownedBy'] as Linked | null | undefined,
  );
  return before != null && after != null && before.schema === after.schema && before.table === after.table;
}

interface Linked {
  readonly schema: string;
  readonly table: string;
}

function withoutRights(base: FactBase): FactBase {
  return without(
    base,
    new Set(
      base
        .facts()
        .filter(isRight)
        .map(({ id }) => keyOf(id)),
    ),
  );
}

/**
 * Drops for the way back that the planner leaves to the table's own drop. Undone step by step, what a trigger or policy
 * calls may have to go before its table, so it must be let go of first.
 */
function hangingDrops(forward: readonly PlannedAction[], { found, goal }: Views): PlannedAction[] {
  return forward.flatMap((action) => {
    const [id] = action.produces as unknown as StableId[];
    if (action.verb !== 'create' || id === undefined || !(id.kind in HANGING)) return [];
    const { schema, table, name } = id as { schema: string; table: string; name: string };
    const on: StableId = { kind: 'table', schema, name: table };
    const calls = goal.outgoingEdges(id).some((edge) => !found.has(edge.to) && keyOf(edge.to) !== keyOf(on));
    if (found.has(on) || !goal.has(on) || !calls) return [];
    const sql = `DROP ${HANGING[id.kind] ?? ''} ${ident(name)} ON ${qualified({ schema, name: table })}`;
    return [
      {
        ...action,
        sql,
        verb: 'drop' as const,
        produces: [],
        consumes: action.produces,
        destroys: action.produces,
      },
    ];
  });
}

const HANGING: Readonly<Record<string, string>> = { trigger: 'TRIGGER', policy: 'POLICY', rule: 'RULE' };

/** Names of every role either side knows; grants and owners may speak of them. */
export function roleNames(...bases: readonly FactBase[]): string[] {
  const names = new Set<string>();
  for (const base of bases) {
    for (const fact of base.facts()) if (fact.id.kind === 'role') names.add(fact.id.name);
  }
  return [...names];
}

function planned(action: Action): PlannedAction {
  return {
    sql: action.sql,
    verb: action.verb,
    produces: action.produces.map(objectId),
    consumes: action.consumes.map(objectId),
    destroys: action.destroys.map(objectId),
    transactionality: action.transactionality,
    lockClass: action.lockClass,
    newSegmentBefore: action.newSegmentBefore,
    dataLoss: action.dataLoss,
    rewriteRisk: action.rewriteRisk,
  };
}

// The planner's identities carry the fields ours has; those ours has no name for stay on the value.
function objectId(id: StableId): ObjectId {
  return id as unknown as ObjectId;
}

function factView(base: FactBase): FactView {
  return {
    payload: (id) => base.get(id as unknown as StableId)?.payload,
    fingerprint: base.rootHash,
  };
}

/** A table that is there before and after must never be dropped in between: its rows would go with it. */
function refuseReplacedTables(actions: readonly PlannedAction[], found: FactBase): void {
  const made = new Set(
    actions.flatMap((action) => action.produces).map((id) => keyOf(id as unknown as StableId)),
  );
  for (const action of actions) {
    if (action.verb !== 'drop') continue;
    for (const id of action.destroys as unknown as StableId[]) {
      if (id.kind !== 'table' || !made.has(keyOf(id)) || !found.has(id)) continue;
      throw new HoldfastError({
        code: 'HF_REPLACES_TABLE',
        subject: describe(id),
        what: 'its partition key or parent changes, which PostgreSQL can do only by making the table anew and losing its rows.',
        fix: 'Give the new table another name, copy the rows, and drop the old one in a later plan.',
      });
    }
  }
}

function notes(found: Facts, kept: readonly StableId[]): string[] {
  const schemas = new Set(
    kept.filter((id) => id.kind === 'schema').map((id) => (id as { name: string }).name),
  );
  const members = new Set(
    found.base.edges.filter((edge) => edge.kind === 'memberOfExtension').map((edge) => keyOf(edge.from)),
  );
  const spoken = kept.filter((id) => {
    const { schema } = id as { schema?: string };
    return !members.has(keyOf(id)) && (schema === undefined || !schemas.has(schema));
  });
  return [
    ...spoken.map((id) => `${describe(id)} is on the server and not in the definition: left alone.`).sort(),
    ...found.unmodelled.map(
      (kind) =>
        `${kind.count} ${kind.kind} on the server (${kind.samples.join(', ')}): left alone, not compared.`,
    ),
  ];
}
