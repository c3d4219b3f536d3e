// Gives each forward step the statements that undo it: what its online form says itself, and the planner's backward
// statements, each at the one forward step that made it necessary. Undone in reverse order, step by step, a plan goes
// back from wherever it stopped.
import { ident, qualified } from '../../sql.ts';
import type { ObjectId, PlannedAction } from '../action.ts';
import { subjectOf } from '../locks.ts';
import type { BackStatement } from '../step.ts';
import type { Draft } from './draft.ts';
import { keyOf } from './scene.ts';

/** One direction's change with its steps: which planner statements it stands for, and what they became. */
export interface Expanded {
  readonly actions: readonly PlannedAction[];
  readonly drafts: readonly Draft[];
  /** A replacement brings its own way back. */
  readonly replaces: boolean;
}

/** A draft with the way back it will have in the plan. */
export interface Returning {
  readonly draft: Draft;
  readonly back: readonly BackStatement[] | null;
  readonly backReason?: string;
}

/** Joins both directions. */
export function withWayBack(
  forward: readonly Expanded[],
  backward: readonly Expanded[],
): readonly (readonly Returning[])[] {
  const claims = forward.map((): Expanded[] => []);
  const replaced = new Set(forward.flatMap(({ replaces, actions }) => (replaces ? actions.map(nameOf) : [])));
  const book = bookOf(forward);
  for (const back of backward) {
    const own = back.actions.filter((action) => action.produces.length + action.destroys.length > 0);
    if (own.length === back.actions.length && own.every((action) => replaced.has(nameOf(action)))) continue;
    claims[claimant(back, forward, book)]?.push(back);
  }
  return forward.map((change, at) =>
    returning(change, claims[at] ?? [], () => isCovered(change, forward, claims)),
  );
}

function nameOf(action: PlannedAction): string {
  return keyOf(subjectOf(action));
}

interface Book {
  readonly made: ReadonlyMap<string, number>;
  readonly dropped: ReadonlyMap<string, number>;
}

function bookOf(forward: readonly Expanded[]): Book {
  const made = new Map<string, number>();
  const dropped = new Map<string, number>();
  for (const [at, { actions }] of forward.entries()) {
    for (const id of actions.flatMap((action) => action.produces)) made.set(keyOf(id), at);
    for (const id of actions.flatMap((action) => action.destroys)) {
      if (!dropped.has(keyOf(id))) dropped.set(keyOf(id), at);
    }
  }
  return { made, dropped };
}

// Exact identity first; then the object it hangs on, where that was dropped and so comes back without it; then the same
// aspect of the same object. What fits nowhere is undone last, at the first step.
function claimant(back: Expanded, forward: readonly Expanded[], book: Book): number {
  for (const action of back.actions) {
    const at =
      first(action.produces, book.dropped) ??
      first(action.destroys, book.made) ??
      first(ancestors(action), book.dropped) ??
      sameAspect(action, forward) ??
      first(ancestors(action), book.made) ??
      sameSubject(action, forward);
    if (at !== undefined) return at;
  }
  return 0;
}

function first(ids: readonly ObjectId[], book: ReadonlyMap<string, number>): number | undefined {
  for (const id of ids) {
    const at = book.get(keyOf(id));
    if (at !== undefined) return at;
  }
  return undefined;
}

// The planner's fixed renderings of statements that only alter, by what they alter.
const ASPECTS: readonly RegExp[] = [
  / (SET|DROP) NOT NULL$/,
  / OWNER TO /,
  /^(GRANT|REVOKE) /,
  / ROW LEVEL SECURITY$/,
  / (RE)?SET \(/,
  / REPLICA IDENTITY /,
  / (SET|ADD|DROP) (GENERATED|IDENTITY)/,
  / SET (UN)?LOGGED$/,
  /^COMMENT ON /,
];

function aspectOf(action: PlannedAction): string {
  const aspect = ASPECTS.findIndex((pattern) => pattern.test(action.sql));
  const force = / FORCE ROW /.test(action.sql) ? 'force' : '';
  // A change of owner names another role going back.
  const on = action.consumes
    .filter(({ kind }) => kind !== 'role')
    .map(keyOf)
    .join('|');
  return `${aspect}${force} ${aspect < 0 ? nameOf(action) : on}`;
}

function sameAspect(action: PlannedAction, forward: readonly Expanded[]): number | undefined {
  const aspect = aspectOf(action);
  const at = forward.findIndex(({ actions }) => actions.some((other) => aspectOf(other) === aspect));
  return at < 0 ? undefined : at;
}

function ancestors(action: PlannedAction): readonly ObjectId[] {
  const ids = [...action.produces, ...action.destroys, ...action.consumes];
  const targets = ids.flatMap((id) => (id.target === undefined ? [] : [id.target]));
  const tables = [...ids, ...targets].flatMap(({ schema, table }) =>
    schema === undefined || table === undefined
      ? []
      : RELATION_KINDS.map((kind): ObjectId => ({ kind, schema, name: table })),
  );
  return [...targets, ...ids, ...tables];
}

const RELATION_KINDS = ['table', 'view', 'materializedView', 'foreignTable', 'domain', 'type'];

function sameSubject(action: PlannedAction, forward: readonly Expanded[]): number | undefined {
  const keys = new Set(subjects(action));
  const at = forward.findIndex(({ actions }) =>
    actions.some((other) => subjects(other).some((key) => keys.has(key))),
  );
  return at < 0 ? undefined : at;
}

// A schema holds many objects and a role many rights: neither makes two statements be about the same, unless it is what
// both are about.
function subjects(action: PlannedAction): readonly string[] {
  const subject = subjectOf(action);
  const shared = ancestors(action).filter(({ kind }) => kind !== 'schema' && kind !== 'role');
  return [...shared, subject.target ?? subject].map(keyOf);
}

/** Whether another change's way back undoes this one too: dropping the object it was made on, altering it as a whole. */
function isCovered(change: Expanded, forward: readonly Expanded[], claims: readonly Expanded[][]): boolean {
  const above = change.actions.flatMap(ancestors).filter((id) => id.kind !== 'schema');
  // A schema is above everything in it; only what is said of the schema itself, a grant on it, goes with it.
  const about = change.actions.map(subjectOf).map((id) => id.target ?? id);
  const on = new Set([...above, ...about].map(keyOf));
  return forward.some(
    (other, at) =>
      other !== change &&
      (claims[at]?.length ?? 0) > 0 &&
      other.actions.some((action) =>
        [...action.produces, ...action.destroys, subjectOf(action)].some((id) => on.has(keyOf(id))),
      ),
  );
}

function returning(
  change: Expanded,
  claims: readonly Expanded[],
  covered: () => boolean,
): readonly Returning[] {
  const claimed = claims.flatMap((claim) => claim.drafts.map(asBack));
  const [draft] = change.drafts;
  const [action] = change.actions;
  const single = claimed.length === 0 && !change.replaces && draft !== undefined && action !== undefined;
  const planned = single ? withoutPart(draft, action) : claimed;
  // Only the first draft of a change may stand in for all that no draft asked for: it is undone last.
  const asked = change.drafts.findIndex((draft) => draft.undo.includes('planned'));
  const impossible = claims.flatMap((claim) => claim.drafts).find((draft) => draft.impossible !== undefined);
  const nowhere = planned.length === 0 && !change.replaces && !covered();
  return change.drafts.map((draft, at) => {
    const own = draft.undo.flatMap((part) =>
      part !== 'planned' ? [asBack(part)] : at === asked ? planned : [],
    );
    const extra = asked < 0 && at === 0 ? planned : [];
    if (nowhere && at === asked) {
      return {
        draft,
        back: null,
        backReason: `nothing is known that takes back this change of ${draft.subject}`,
      };
    }
    if (impossible?.impossible !== undefined && (at === asked || extra.length > 0)) {
      return { draft, back: null, backReason: impossible.impossible };
    }
    return { draft, back: [...own, ...extra] };
  });
}

// A part made on an object that the plan made too. The planner goes back by dropping the whole, but a step is undone by
// itself: what the part stands on (a type, a function) is undone before the whole is.
const PARTS: Readonly<Record<string, (on: string, name: string, id: ObjectId) => string>> = {
  column: (on, name) => `ALTER TABLE ${on} DROP COLUMN ${name}`,
  constraint: (on, name) => `ALTER TABLE ${on} DROP CONSTRAINT ${name}`,
  default: (on, name) => `ALTER TABLE ${on} ALTER COLUMN ${name} DROP DEFAULT`,
  trigger: (on, name) => `DROP TRIGGER ${name} ON ${on}`,
  policy: (on, name) => `DROP POLICY ${name} ON ${on}`,
  rule: (on, name) => `DROP RULE ${name} ON ${on}`,
  index: (_, __, { schema = '', name = '' }) => `DROP INDEX ${qualified({ schema, name })}`,
  // Made before the table that it then belongs to and goes with.
  sequence: (_, __, { schema = '', name = '' }) => `DROP SEQUENCE IF EXISTS ${qualified({ schema, name })}`,
};

function withoutPart(draft: Draft, action: PlannedAction): readonly BackStatement[] {
  const [id] = action.produces;
  const form = id === undefined ? undefined : PARTS[id.kind];
  const onDomain = action.consumes[0]?.kind === 'domain';
  if (id?.schema === undefined || id.name === undefined || form === undefined || onDomain) return [];
  const on = id.table === undefined ? '' : qualified({ schema: id.schema, name: id.table });
  return [
    { sql: form(on, ident(id.name), id), transactional: true, subject: draft.subject, lock: draft.lock },
  ];
}

function asBack(draft: Draft): BackStatement {
  return {
    sql: draft.sql,
    transactional: draft.transactional,
    subject: draft.subject,
    lock: draft.lock,
    locks: draft.locks,
    work: draft.work,
    lockTimeoutMs: draft.lockTimeoutMs,
    loses: draft.loses,
    ...(draft.doneWhen === undefined ? {} : { doneWhen: draft.doneWhen }),
    ...(draft.cleanUp === undefined ? {} : { cleanUp: draft.cleanUp }),
  };
}
