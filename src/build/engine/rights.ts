// Who may do what, planned apart from the structure. The planner resets a role's rights and grants them anew, which
// leaves a moment without them and, undone step by step, none at all; here each role loses and gains exactly what
// differs. What a new object is born with depends on who makes it and on the default privileges of the moment, so
// wherever any of them may have had a say, everything they name is taken first.
// https://www.postgresql.org/docs/current/ddl-priv.html
import type { Fact, FactBase, StableId } from '@supabase/pg-delta/core';
import type { ObjectId, PlannedAction } from '../action.ts';
import { defaultRights, RIGHTS } from './default-rights.ts';
import { keyOf } from './facts.ts';
import { holders, type Holder } from './holders.ts';
import type { ForeignGrant } from './rights-read.ts';
import { refuseForeign } from './rights-refused.ts';
import {
  between,
  giving,
  granteeSql,
  NOTHING,
  objectSql,
  taking,
  takingAll,
  type Held,
} from './rights-sql.ts';

/** The two ends of a change, with their rights. */
export interface RightsChange {
  readonly from: FactBase;
  readonly to: FactBase;
  /** Default privileges that may have a say while objects are made. */
  readonly defaults: readonly Fact[];
  /** Rights that no owner gave. */
  readonly foreign: readonly ForeignGrant[];
  /** The role that owns what it makes. */
  readonly user: string;
}

/** A base without what {@link withRights} plans: grants and default privileges. */
export function isRight({ id }: Fact): boolean {
  return id.kind === 'acl' || id.kind === 'defaultPrivilege';
}

/**
 * Adds to the statements of a structure those of its rights. A new object's rights follow its creation and its owner; on
 * objects that stay, what is given comes first and what is taken last, because a change of owner in between may need it:
 * only a role that may create in a schema can be given an object there.
 * @throws HoldfastError HF_NOT_MANAGED where a right must be taken that its object's owner did not give
 * @see https://www.postgresql.org/docs/current/sql-alterview.html
 */
export function withRights(
  structural: readonly PlannedAction[],
  change: RightsChange,
): readonly PlannedAction[] {
  const early: PlannedAction[] = [];
  const late: PlannedAction[] = [];
  const behind = structural.map((): Behind => ({ sql: [], actions: [] }));
  for (const holder of holders(change, madeBy(structural, change.from))) {
    const { take, give } = statements(holder);
    if (!holder.isNew) refuseForeign(holder, change.foreign);
    const at = behind[lastAbout(structural, holder)];
    if (at !== undefined) {
      if (holder.isNew) at.actions.push(...action(holder, [...take, ...give]));
      else at.sql.push(...take, ...give);
      continue;
    }
    // Taken from a relation, a right is taken from its columns too, so what is given to them cannot go before.
    const apart = !RELATIONS.has(holder.target.kind);
    if (apart) early.push(...action(holder, give));
    late.push(...action(holder, apart ? take : [...take, ...give]));
  }
  const { first, last } = defaultRights(change);
  const whole = structural.flatMap((one, at): PlannedAction[] => {
    const { sql = [], actions = [] } = behind[at] ?? {};
    return [{ ...one, sql: [one.sql, ...sql].join('; ') }, ...merged(actions)];
  });
  return [...first, ...early, ...whole, ...late, ...last];
}

/** What follows a statement: in the same step, and in steps of its own. */
interface Behind {
  readonly sql: string[];
  readonly actions: PlannedAction[];
}

const RELATIONS = new Set(['table', 'view', 'materializedView', 'foreignTable', 'sequence']);

/** Keys of objects that the statements make, also of those they make anew. */
function madeBy(structural: readonly PlannedAction[], from: FactBase): ReadonlySet<string> {
  const destroyed = new Set(structural.flatMap(({ destroys }) => destroys.map(keyOfObject)));
  const made = structural.flatMap(({ produces }) => produces as unknown as StableId[]);
  return new Set(made.filter((id) => !from.has(id) || destroyed.has(keyOf(id))).map(keyOf));
}

function keyOfObject(id: ObjectId): string {
  return keyOf(id as unknown as StableId);
}

/**
 * Where the rights on an object belong: behind its creation and its owner, where it is new. A new owner takes over what
 * the old one held and gave, so that going back too the rights come right behind the owner, in one step with it.
 */
function lastAbout(structural: readonly PlannedAction[], { isNew, needs }: Holder): number {
  const keys = new Set(needs.map(keyOf));
  const about = (ids: readonly ObjectId[]): boolean => ids.some((id) => keys.has(keyOfObject(id)));
  return structural.findLastIndex(
    ({ sql, produces, consumes }) =>
      (isNew && about(produces)) || (/ OWNER TO /.test(sql) && about(consumes)),
  );
}

/** What is taken from one role on one object and its columns, and what is given. */
function statements(holder: Holder): { readonly take: string[]; readonly give: string[] } {
  const { target, grantee, whole, columns, uncertain } = holder;
  const place = { on: objectSql(target), to: grantee === undefined ? 'CURRENT_USER' : granteeSql(grantee) };
  const own = between(uncertain ? NOTHING : whole.have, whole.want);
  const everything = own.revoke.length > 0 && whole.want.privileges.length === 0 && columns.length === 0;
  const take = uncertain || everything ? [takingAll(place)] : taking(own, place);
  const give = giving(own, place);
  for (const { column, have, want } of columns) {
    const difference = between(uncertain ? NOTHING : after(have, own), want);
    take.push(...taking(difference, { ...place, column }));
    give.push(...giving(difference, { ...place, column }));
  }
  return { take, give };
}

/** What is left of a column's grants when the same has been taken from its relation. */
function after({ privileges, grantable }: Held, { revoke, revokeOption }: ReturnType<typeof between>): Held {
  const lost = [...revoke, ...revokeOption];
  return {
    privileges: privileges.filter((one) => !revoke.includes(one)),
    grantable: grantable.filter((one) => !lost.includes(one)),
  };
}

function action({ target, grantee }: Holder, sql: readonly string[]): PlannedAction[] {
  if (sql.length === 0) return [];
  const named = grantee === undefined || grantee === 'PUBLIC' ? [] : [{ kind: 'role', name: grantee }];
  const about: ObjectId[] = [
    { kind: 'acl', target: target as unknown as ObjectId, grantee: grantee ?? '' },
    target as unknown as ObjectId,
    ...named,
  ];
  return [{ ...RIGHTS, sql: sql.join('; '), consumes: about }];
}

const ROLE = String.raw`(?:"(?:[^"]|"")+"|PUBLIC)`;
const ONE_GRANT = new RegExp(`^(GRANT [^;]+ ON [^;]+ TO )(${ROLE}(?:, ${ROLE})*)$`);

/** The same grant on a new object to several roles is one statement. */
function merged(actions: readonly PlannedAction[]): PlannedAction[] {
  const kept: PlannedAction[] = [];
  for (const one of actions) {
    const [, head, to] = ONE_GRANT.exec(one.sql) ?? [];
    const at = kept.findIndex(({ sql }) => head !== undefined && ONE_GRANT.exec(sql)?.[1] === head);
    const other = kept[at];
    if (other === undefined || to === undefined) kept.push(one);
    else kept[at] = { ...other, sql: `${other.sql}, ${to}`, consumes: [...other.consumes, ...one.consumes] };
  }
  return kept;
}
