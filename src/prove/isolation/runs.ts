// Attacks in more than one run: owners whose name has parts differ in one part at a time, and what the runs came to is one.
import { label } from '../../define/model.ts';
import type { Boundary } from '../../define/proof.ts';
import { spokenName } from '../boundary/index.ts';
import type { Cell, Crossing, Isolation, Outcome, Told } from './result.ts';

/** What one run came to. */
export type RunResult = Omit<Isolation, 'boundaries' | 'said' | 'undrawn' | 'durationMs'>;

/** The lines that were attacked in one run, and what that came to. */
export interface Run {
  readonly boundaries: readonly Boundary[];
  readonly result: RunResult;
}

/**
 * The runs that boundaries ask for: all that have nothing in common at once, then each other by itself, beside those whose
 * setting is no part of its name. Pure.
 */
export function runsOf(boundaries: readonly Boundary[]): readonly (readonly Boundary[])[] {
  const whole = boundaries.filter(({ common = [] }) => common.length === 0);
  const inParts = boundaries.filter(({ common = [] }) => common.length > 0);
  const others = inParts.map((one) => {
    const parts = new Set([one, ...(one.common ?? [])].map(spokenName));
    return [one, ...whole.filter((other) => !parts.has(spokenName(other)))];
  });
  return whole.length === 0 ? others : [whole, ...others];
}

/** What the owners of a run have in common, for people; undefined: nothing. */
export function commonIn(boundaries: readonly Boundary[]): string | undefined {
  const [one] = boundaries;
  if (one?.common === undefined || one.common.length === 0) return undefined;
  return `owners with the same ${one.common.map(spokenName).join(' and ')}`;
}

/** Several runs over the same structure as one: of each cell the worst, each way across and each word said once. Pure. */
export function merged(first: Run, others: readonly Run[]): RunResult {
  const base = first.result;
  if (others.length === 0) return base;
  const runs = [first, ...others];
  const all = runs.map(({ result }) => result);
  const empty = base.empty.filter(({ of }) =>
    all.every((one) => one.empty.some((other) => same(of, other.of))),
  );
  return {
    ...base,
    cells: cellsOf(all),
    crossings: crossingsOf(runs),
    told: once([...base.told, ...others.flatMap(toldIn)], ({ subject, what }) => `${subject}\n${what}`),
    empty,
    notes: once(
      runs.flatMap((run) => [...run.result.notes, ...emptyIn(run, empty)]),
      ({ of, what }) => `${label(of)}\n${what}`,
    ),
    saw: all.some(({ saw }) => saw),
    tried: all.reduce((sum, { tried }) => sum + tried, 0),
  };
}

const RANK: Readonly<Record<Outcome, number>> = { none: 0, held: 1, told: 2, crossed: 3 };

function cellsOf(all: readonly RunResult[]): readonly Cell[] {
  const found = new Map<string, Cell>();
  for (const cell of all.flatMap(({ cells }) => cells)) {
    const key = `${cell.object}\n${cell.attack}`;
    const known = found.get(key);
    const worse = known === undefined || RANK[cell.outcome] > RANK[known.outcome] ? cell : known;
    found.set(key, { ...worse, tried: (known?.tried ?? 0) + cell.tried });
  }
  return [...found.values()];
}

/** A cell that one run crossed is shown as that run crossed it: that another does so too adds nothing. */
function crossingsOf(runs: readonly Run[]): readonly Crossing[] {
  const known = new Set<string>();
  return runs.flatMap(({ boundaries, result }) => {
    const common = commonIn(boundaries);
    const fresh = result.crossings.filter((one) => !known.has(`${one.object}\n${one.attack}`));
    for (const one of fresh) known.add(`${one.object}\n${one.attack}`);
    return fresh.map((one) => (common === undefined ? one : { ...one, state: `${one.state}, ${common}` }));
  });
}

/** What is told of a run; of one whose sessions saw nothing, that nothing is shown of its owners. */
function toldIn({ boundaries, result }: Run): readonly Told[] {
  if (result.saw && result.tried > 0) return result.told;
  const blind: Told = {
    subject: commonIn(boundaries) ?? 'owners',
    severity: 'warning',
    what: "no session reached its own owner's rows, so nothing is shown of what they see of each other.",
    fix: 'Name the settings a session carries, and their form.',
  };
  return [...result.told, blind];
}

/** Tables without rows in this run that had some in another. */
function emptyIn({ boundaries, result }: Run, empty: RunResult['empty']): RunResult['notes'] {
  return result.empty
    .filter(({ of }) => !empty.some((one) => same(of, one.of)))
    .map(({ of, why }) => ({
      of,
      what: `of ${commonIn(boundaries) ?? 'owners that differ in all'} it has no row: ${why}`,
    }));
}

function same(one: Parameters<typeof label>[0], other: Parameters<typeof label>[0]): boolean {
  return label(one) === label(other);
}

function once<T>(items: readonly T[], keyOf: (item: T) => string): readonly T[] {
  const found = new Map<string, T>();
  for (const item of items) if (!found.has(keyOf(item))) found.set(keyOf(item), item);
  return [...found.values()];
}
