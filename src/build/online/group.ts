// Numbers the steps and says which share a transaction: an object that is dropped and made anew is never missing in
// between, a column keeps its default while its type changes, and new objects nobody waits for come many at a time.
import type { PlannedAction } from '../action.ts';
import { subjectOf } from '../locks.ts';
import type { Step } from '../step.ts';
import { keyOf } from './scene.ts';
import type { Returning } from './way-back.ts';

/** A change of the plan, ready to be numbered. */
export interface Change {
  readonly actions: readonly PlannedAction[];
  readonly drafts: readonly Returning[];
  /** Keys of objects it drops or makes that the same plan makes again. */
  readonly remakes: readonly string[];
}

/** New objects to a transaction, at most: what is rolled back when one of them fails. */
const MOST_TOGETHER = 200;

interface Row {
  readonly returning: Returning;
  readonly change: number;
}

/** Numbers all steps from 1 and gives those that belong together one group. */
export function grouped(changes: readonly Change[]): readonly Step[] {
  const ordered = drawTogether(changes);
  const rows = ordered.flatMap((change, at) =>
    change.drafts.map((returning): Row => ({ returning, change: at })),
  );
  const joins = joinedToPrevious(ordered, rows);
  let group = 0;
  let size = 0;
  const groups = rows.map((_, at) => {
    const joined = joins[at] === 'must' || (joins[at] === 'may' && size < MOST_TOGETHER);
    group += joined ? 0 : 1;
    size = joined ? size + 1 : 1;
    return group;
  });
  const sizes = new Map<number, number>();
  for (const one of groups) sizes.set(one, (sizes.get(one) ?? 0) + 1);
  return rows.map(({ returning }, at) => {
    const own = groups[at] ?? 0;
    return step(returning, at + 1, (sizes.get(own) ?? 0) > 1 ? own : undefined);
  });
}

function step({ draft, back, backReason }: Returning, number: number, group: number | undefined): Step {
  const { undo: _, commitAfter: __, withPrevious: ___, impossible: ____, ...rest } = draft;
  return {
    number,
    ...rest,
    ...(group === undefined ? {} : { group }),
    back,
    ...(backReason === undefined ? {} : { backReason }),
  };
}

// What follows an object made anew (owner, grants, comments, triggers on it) comes right behind it; slow changes that
// would stand between its drop and its creation come after.
function drawTogether(changes: readonly Change[]): readonly Change[] {
  let order = [...changes];
  for (const key of new Set(changes.flatMap((change) => change.remakes))) order = drawOne(order, key);
  return order;
}

function drawOne(order: readonly Change[], key: string): Change[] {
  const [from, to] = rangeOf(order, key);
  if (from < 0 || to <= from) return [...order];
  const inside = order.slice(from, to + 1);
  const slow = new Set<Change>();
  const late = new Set<string>();
  for (const change of inside) {
    if (
      !isSlow(change) &&
      !change.actions.some((action) => action.consumes.some((id) => late.has(keyOf(id))))
    )
      continue;
    slow.add(change);
    for (const id of change.actions.flatMap((action) => action.produces)) late.add(keyOf(id));
  }
  const quick = inside.filter((change) => !slow.has(change));
  return [...order.slice(0, from), ...quick, ...slow, ...order.slice(to + 1)];
}

/** From the drop of an object to the last statement about it. */
function rangeOf(order: readonly Change[], key: string): readonly [number, number] {
  const from = order.findIndex((change) =>
    change.actions.some((action) => action.destroys.some((id) => keyOf(id) === key)),
  );
  const to = order.findLastIndex((change) =>
    change.actions.some((action) => [...action.produces, ...action.consumes].some((id) => keyOf(id) === key)),
  );
  return [from, to];
}

function isSlow(change: Change): boolean {
  return change.drafts.some(
    ({ draft }) => !draft.transactional || draft.work === 'scan' || draft.commitAfter === true,
  );
}

type Join = 'must' | 'may' | 'no';

function joinedToPrevious(changes: readonly Change[], rows: readonly Row[]): readonly Join[] {
  const together = atomicRanges(changes);
  return rows.map((row, at) => {
    const previous = rows[at - 1];
    if (previous === undefined || !sharesTransaction(previous, row)) return 'no';
    if (row.returning.draft.withPrevious === true) return 'must';
    if (together.some(([from, to]) => previous.change >= from && row.change <= to)) return 'must';
    if (row.change !== previous.change && sameAltered(changes[row.change], changes[previous.change]))
      return 'must';
    return isNew(row) && isNew(previous) ? 'may' : 'no';
  });
}

function sharesTransaction(previous: Row, row: Row): boolean {
  return (
    [previous, row].every(({ returning: { draft } }) => draft.transactional && draft.lockTimeoutMs > 0) &&
    previous.returning.draft.commitAfter !== true
  );
}

function atomicRanges(changes: readonly Change[]): readonly (readonly [number, number])[] {
  const keys = new Set(changes.flatMap((change) => change.remakes));
  return [...keys]
    .map((key) => rangeOf(changes, key))
    .filter(([from, to]) => from >= 0 && to > from && !changes.slice(from, to + 1).some(isSlow));
}

function sameAltered(one: Change | undefined, other: Change | undefined): boolean {
  const [a, b] = [one?.actions[0], other?.actions[0]];
  if (a?.verb !== 'alter' || b?.verb !== 'alter') return false;
  return keyOf(subjectOf(a)) === keyOf(subjectOf(b));
}

function isNew({ returning }: Row): boolean {
  return returning.draft.lock === 'NONE' || returning.draft.lock === 'ACCESS SHARE';
}
