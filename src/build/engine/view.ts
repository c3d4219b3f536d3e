// What of two databases is compared. Partitions and the ledger are run-time state, objects nobody asked for are left
// alone, and an owner the definition does not name is whoever made the object.
import {
  buildFactBase,
  type DependencyEdge,
  type Fact,
  type FactBase,
  type StableId,
} from '@supabase/pg-delta/core';
import { LEDGER_MARK } from '../../ledger/index.ts';
import { describe, endsInRole, isRoot, keyOf, rootOf, type Facts } from './facts.ts';

/** Schema of our own tables in the user's database, unless the user names another. */
export const LEDGER_SCHEMA = 'holdfast';

/** What decides which objects of the target are ours to drop. */
export interface Ownership {
  /** Keys of the objects an earlier plan made ({@link managedKeys}). */
  readonly previous: ReadonlySet<string>;
  /** `schema.name` of relations the user allows to be lost. */
  readonly allowed: ReadonlySet<string>;
  /** The definition changed schema `public` itself (its grants, owner or comment). */
  readonly publicTouched: boolean;
}

/** Both sides, ready to be compared. */
export interface Views {
  readonly found: FactBase;
  readonly goal: FactBase;
  /** Objects on the server that the definition does not know and that stay. */
  readonly kept: readonly StableId[];
}

/**
 * Makes the two sides comparable.
 * @param found the target's facts
 * @param goal the definition's facts, read from a scratch database
 * @param ownership which unknown objects may go
 */
export function views(found: Facts, goal: Facts, ownership: Ownership): Views {
  const publicUsed = ownership.publicTouched || [found, goal].some(({ base }) => holdsInPublic(base));
  const goalBase = withoutRuntime(goal.base, ownership.publicTouched, publicUsed);
  const foundBase = withoutRuntime(found.base, ownership.publicTouched, publicUsed);
  const kept = keptRoots(foundBase, goalBase, ownership);
  const managed = without(foundBase, new Set(kept.map(keyOf)));
  return { ...sameOwners({ ...found, base: managed }, { ...goal, base: goalBase }), kept };
}

/** Keys of every object a definition's database holds that stands on its own: what later plans may drop again. */
export function managedKeys(goal: Facts): string[] {
  const base = withoutRuntime(goal.base, true);
  return base
    .facts()
    .filter((fact) => isRoot(fact) && fact.id.kind !== 'role' && fact.id.kind !== 'membership')
    .map((fact) => keyOf(fact.id))
    .sort();
}

/**
 * Removes partitions with everything on them, the ledger, and what every database says of schema `public`.
 * @param publicUsed one of the two sides has something in `public`: the schema itself then stays on both, since a side
 *   that lost it would seem to lack it
 */
export function withoutRuntime(
  base: FactBase,
  publicTouched: boolean,
  publicUsed: boolean = publicTouched,
): FactBase {
  const gone = new Set<string>();
  for (const fact of base.facts()) {
    const { id, payload } = fact;
    const partition = id.kind === 'table' && payload['partitionBound'] != null;
    if (partition || isLedger(base, fact) || (!publicTouched && aboutPublic(fact, publicUsed)))
      gone.add(keyOf(id));
  }
  const left = without(base, gone);
  if (publicTouched) return left;
  return rebuilt(
    left.facts(),
    left.edges.filter((edge) => !(endsInRole(edge) && isPublic(edge.from))),
    left,
  );
}

// The comment tells a ledger of any name.
function isLedger(base: FactBase, { id }: Fact): boolean {
  if (id.kind !== 'schema') return false;
  const comment = base.get({ kind: 'comment', target: id })?.payload['text'];
  return id.name === LEDGER_SCHEMA || (typeof comment === 'string' && comment.startsWith(LEDGER_MARK));
}

/** Removes facts with all their descendants, and the edges that touched them. */
export function without(base: FactBase, keys: ReadonlySet<string>): FactBase {
  if (keys.size === 0) return base;
  const verdicts = new Map<string, boolean>();
  const goes = (fact: Fact): boolean => {
    const key = keyOf(fact.id);
    const known = verdicts.get(key);
    if (known !== undefined) return known;
    const parent = fact.parent === undefined ? undefined : base.get(fact.parent);
    const verdict = keys.has(key) || (parent !== undefined && goes(parent));
    verdicts.set(key, verdict);
    return verdict;
  };
  const facts = base.facts().filter((fact) => !goes(fact));
  const stays = new Set(facts.map((fact) => keyOf(fact.id)));
  const edges = base.edges.filter(
    (edge) => stays.has(keyOf(edge.from)) && (stays.has(keyOf(edge.to)) || endsInRole(edge)),
  );
  return rebuilt(facts, edges, base);
}

/** A base of the given facts and edges that keeps what the old one said of its source. */
export function rebuilt(facts: Fact[], edges: readonly DependencyEdge[], like: FactBase): FactBase {
  const present = new Set(facts.map((fact) => keyOf(fact.id)));
  const referenceOnly = new Set([...like.referenceOnly].filter((key) => present.has(key)));
  return buildFactBase(facts, [...edges], like.source, referenceOnly, { allowDangling: endsInRole });
}

// Every database begins with schema public, its grants and its comment; saying nothing of it means leaving it alone.
function aboutPublic(fact: Fact, publicUsed: boolean): boolean {
  if ('target' in fact.id) return isPublic(fact.id.target);
  return !publicUsed && isPublic(fact.id);
}

function holdsInPublic(base: FactBase): boolean {
  const schema = base.facts().find((fact) => isPublic(fact.id));
  return schema !== undefined && base.childrenOf(schema.id).some((child) => !('target' in child.id));
}

function isPublic(id: StableId): boolean {
  return id.kind === 'schema' && id.name === 'public';
}

/** Unknown objects that stay: never made by a plan nor given up by the user, and whatever those need. */
function keptRoots(found: FactBase, goal: FactBase, ownership: Ownership): StableId[] {
  const kept = new Map<string, StableId>();
  const queue: Fact[] = [];
  const keep = (root: Fact): void => {
    const key = keyOf(root.id);
    if (kept.has(key) || goal.has(root.id)) return;
    kept.set(key, root.id);
    queue.push(root);
  };
  for (const fact of found.facts())
    if (isRoot(fact) && isUnknown(fact, { found, goal }, ownership)) keep(fact);
  for (let fact = queue.pop(); fact !== undefined; fact = queue.pop()) {
    for (const child of found.childrenOf(fact.id)) queue.push(child);
    for (const edge of found.outgoingEdges(fact.id)) {
      const root = rootOf(found, edge.to);
      if (root !== undefined && root.id.kind !== 'role') keep(root);
    }
  }
  return [...kept.values()];
}

function isUnknown(fact: Fact, sides: { found: FactBase; goal: FactBase }, ownership: Ownership): boolean {
  const { found, goal } = sides;
  const { id } = fact;
  if (id.kind === 'role' || id.kind === 'membership' || goal.has(id)) return false;
  const table = owningTable(fact, found);
  if (table !== undefined) return isUnknown(table, { found, goal }, ownership);
  if (ownership.previous.has(keyOf(id))) return false;
  const named = id as { schema?: string; name?: string };
  return !ownership.allowed.has(
    named.schema === undefined ? describe(id) : `${named.schema}.${named.name ?? ''}`,
  );
}

// A sequence that belongs to a column lives and goes with its table.
function owningTable(fact: Fact, found: FactBase): Fact | undefined {
  const owned = fact.payload['ownedBy'] as { schema: string; table: string } | null | undefined;
  if (fact.id.kind !== 'sequence' || owned == null) return undefined;
  return found.get({ kind: 'table', schema: owned.schema, name: owned.table });
}

/**
 * Owners that the definition leaves open. On the scratch side they are the role that loaded it; on the target
 * whoever made the object. Both edges go, and the owner's own entry in the grants is read as the same grantee.
 */
function sameOwners(found: Facts, goal: Facts): { found: FactBase; goal: FactBase } {
  const owners = new Map<string, string>();
  for (const edge of found.base.edges) if (endsInRole(edge)) owners.set(keyOf(edge.from), roleName(edge.to));
  const open = new Set<string>();
  for (const edge of goal.base.edges) {
    if (endsInRole(edge) && roleName(edge.to) === goal.user) open.add(keyOf(edge.from));
  }
  const isOpen = (edge: DependencyEdge, base: FactBase, user: string): boolean => {
    if (!endsInRole(edge)) return false;
    const key = keyOf(edge.from);
    return (
      open.has(key) || (roleName(edge.to) === user && !(base === found.base && goal.base.has(edge.from)))
    );
  };
  const granteeOf = (id: StableId): string => owners.get(keyOf(id)) ?? found.user;
  // What the definition grants to the role that owns the object here, that role has as its owner.
  const isOwnersHere = (fact: Fact): boolean => {
    if (fact.id.kind !== 'acl' || fact.id.grantee === goal.user) return false;
    const object = ownedObject(fact.id.target, fact.parent);
    return open.has(keyOf(object)) && granteeOf(object) === fact.id.grantee;
  };
  const renamed = goal.base
    .facts()
    .filter((fact) => !isOwnersHere(fact))
    .map((fact) => reowned(fact, { open, user: goal.user, granteeOf, applier: found.user }));
  const foundEdges = found.base.edges.filter((edge) => !isOpen(edge, found.base, found.user));
  const closed = new Set(foundEdges.filter(endsInRole).map((edge) => keyOf(edge.from)));
  const implied = impliedGrants(
    { found: found.base.facts(), goal: renamed },
    (fact) =>
      fact.id.kind === 'acl' &&
      !closed.has(keyOf(fact.id.target)) &&
      granteeOf(fact.id.target) === fact.id.grantee,
  );
  return {
    found: rebuilt(
      found.base.facts().filter((fact) => !implied.has(keyOf(fact.id))),
      foundEdges,
      found.base,
    ),
    goal: rebuilt(
      renamed.filter((fact) => !implied.has(keyOf(fact.id))),
      goal.base.edges.filter((edge) => !isOpen(edge, goal.base, goal.user)),
      goal.base,
    ),
  };
}

/** The sequence of an identity column has the owner of its table. */
function ownedObject(target: StableId, parent: StableId | undefined): StableId {
  const identity = target.kind === 'sequence' && parent?.kind === 'column';
  return identity ? { kind: 'table', schema: parent.schema, name: parent.table } : target;
}

/** Owners' entries that say what every owner has by itself, on whichever side they are: nobody needs to grant those. */
function impliedGrants(
  sides: { readonly found: readonly Fact[]; readonly goal: readonly Fact[] },
  isOwners: (fact: Fact) => boolean,
): ReadonlySet<string> {
  const implied = new Set<string>();
  const spoken = new Set<string>();
  for (const fact of [...sides.found, ...sides.goal]) {
    if (!isOwners(fact)) continue;
    const {
      privileges,
      grantable,
      _ownerDefault: byItself,
    } = fact.payload as Record<string, string[] | undefined>;
    const same =
      byItself !== undefined && byItself.join() === (privileges ?? []).join() && grantable?.length === 0;
    (same ? implied : spoken).add(keyOf(fact.id));
  }
  for (const key of spoken) implied.delete(key);
  return implied;
}

interface Reowning {
  readonly open: ReadonlySet<string>;
  readonly user: string;
  readonly granteeOf: (id: StableId) => string;
  readonly applier: string;
}

function reowned(fact: Fact, how: Reowning): Fact {
  const { id } = fact;
  if (id.kind === 'acl' && id.grantee === how.user && how.open.has(keyOf(id.target))) {
    return { ...fact, id: { ...id, grantee: how.granteeOf(id.target) } };
  }
  if (id.kind === 'defaultPrivilege' && id.role === how.user) {
    return { ...fact, id: { ...id, role: how.applier } };
  }
  return fact;
}

function roleName(id: StableId): string {
  return id.kind === 'role' ? id.name : '';
}
