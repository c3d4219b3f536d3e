// Rows for several owners, made from what the catalogue says of them. PostgreSQL judges every one.
import { HoldfastError } from '../../error.ts';
import { attribute } from './attribute.ts';
import { readCatalogue, type Reference, type Table } from './catalogue.ts';
import type { Order } from './draft.ts';
import { edgesOf } from './edges.ts';
import { Filling, type Made } from './filling.ts';
import { fillOpen, type Open } from './fill-open.ts';
import { insert } from './insert.ts';
import { ordered } from './order.ts';
import { findOwners } from './owners.ts';
import { missingPartitions } from './partitions.ts';
import type { Ground, Population, PopulateOptions } from './population.ts';
import { wordOf } from './random.ts';
import { readSpoken } from './spoken.ts';
import { refreshViews } from './refresh.ts';

/** Defaults of {@link PopulateOptions}. */
export const populateDefaults = { rowsPerTable: 2 } as const;

/** Leaf partitions that get a row each; of more, those at both ends and between. */
const MOST_LEAVES = 40;
const MARKER_LENGTH = 4;

/**
 * Fills a copy with synthetic rows: for each world its own, closed under foreign keys, and rows that are nobody's in
 * tables without an owner. Rows go through every constraint and trigger; where a trigger refuses all, and where rows
 * need each other before they are there, triggers are off for that row, which is said. Materialised views are filled
 * with what a superuser sees.
 * @throws HoldfastError HF_WORLDS for fewer than two worlds; what the connection throws
 */
export async function populate(copy: Ground, options: PopulateOptions): Promise<Population> {
  if (options.worlds < 2) throw tooFew(options.worlds);
  const leaveOut = options.leaveOut ?? (() => false);
  const notes: Note[] = [...(await missingPartitions(copy, leaveOut))];
  const read = await readCatalogue(copy.query);
  const catalogue = { ...read, tables: read.tables.filter(({ of }) => !leaveOut(of)) };
  const owners = findOwners(catalogue, options.boundaries);
  const markers = Array.from(
    { length: options.worlds + 1 },
    (_, world) => `w${world}${wordOf(MARKER_LENGTH, options.seed, 'marker', world)}`,
  );
  const spoken = await readSpoken(copy.query);
  const { seed } = options;
  const filling = await Filling.open({
    url: copy.url,
    catalogue,
    owners,
    seed,
    markers,
    now: copy.now,
    spoken,
  });
  try {
    const work: Work = { filling, options, notes, open: [], refused: new Map() };
    const tables = ordered(catalogue.tables, { types: catalogue.types, owners });
    await pass(work, tables, { last: false, another: false });
    await again(work, tables);
    for (const table of tables) await fillEdges(work, table);
    await fillOpen(filling, work.open, notes);
    notes.push(...(await refreshViews(filling)));
    const rows = await attribute(filling);
    const empty = tables
      .filter((table) => (rows.get(table.id)?.length ?? 0) === 0)
      .map((table) => ({ of: table.of, why: work.refused.get(table.id) ?? 'no row was made' }));
    const all = [...rows.values()].flat();
    const plain = (world: number): { of: Table['of']; values: Readonly<Record<string, string | null>> }[] =>
      all.filter((row) => row.world === world).map(({ of, values }) => ({ of, values }));
    return {
      worlds: markers.slice(1).map((marker, at) => ({
        number: at + 1,
        marker,
        settings: filling.settingsOf(at + 1),
        names: filling.namesOf(at + 1),
        context: filling.contextOf(at + 1),
        rows: plain(at + 1),
      })),
      shared: plain(0),
      empty,
      notes: told(notes, empty),
    };
  } finally {
    await filling.end();
  }
}

type Note = Population['notes'][number];

/** Each once; what was tried for a table that has no row in the end says nothing. */
function told(notes: readonly Note[], empty: Population['empty']): Population['notes'] {
  const key = ({ of }: { readonly of: Note['of'] }): string => `${of.schema}.${of.name}`;
  const without = new Set(empty.map(key));
  const once = new Map(notes.map((note) => [`${key(note)} ${note.what}`, note]));
  return [...once.values()].filter(
    (note) => !without.has(key(note)) || note.what.startsWith('it has no partition'),
  );
}

interface Work {
  readonly filling: Filling;
  readonly options: PopulateOptions;
  readonly notes: Note[];
  /** References that could not be filled when their row was made. */
  readonly open: Open[];
  /** Why a table has no row, by table. */
  readonly refused: Map<string, string>;
}

function tooFew(worlds: number): HoldfastError {
  return new HoldfastError({
    code: 'HF_WORLDS',
    subject: 'synthetic rows',
    what: `${worlds} worlds were asked for; what crosses between owners shows with two at least.`,
    fix: 'Ask for two or more.',
  });
}

interface Pass {
  /** Triggers may be passed over, and references dangle for now. */
  readonly last: boolean;
  /** Tables of owners get one more row in each world: another tenant, a second user. */
  readonly another: boolean;
}

/** Tables that stayed empty are tried again with more rows to refer to, then by the last means. */
async function again(work: Work, tables: readonly Table[]): Promise<void> {
  for (const last of [false, true]) {
    const empty = emptyOf(work, tables);
    if (empty.length === 0) return;
    const referred = new Set(empty.flatMap((table) => table.references.map(({ to }) => to)));
    await pass(
      work,
      tables.filter(({ id }) => referred.has(id)),
      { last: false, another: true },
    );
    await pass(work, empty, { last, another: false });
  }
  const rest = emptyOf(work, tables);
  if (rest.length > 0) await pass(work, rest, { last: true, another: false });
}

function emptyOf(work: Work, tables: readonly Table[]): readonly Table[] {
  const { filling, options } = work;
  const worlds = Array.from({ length: options.worlds }, (_, at) => at + 1);
  return tables.filter((table) =>
    filling.owners.owned.has(table.id)
      ? worlds.some((world) => filling.rowsFor(table.id, world).length === 0)
      : filling.rowsFor(table.id, 0).length === 0,
  );
}

async function pass(work: Work, tables: readonly Table[], how: Pass): Promise<void> {
  const { filling, options } = work;
  for (const table of tables) {
    const worlds = filling.owners.owned.has(table.id)
      ? Array.from({ length: options.worlds }, (_, at) => at + 1)
      : [0];
    for (const world of worlds) await fillTable(work, { table, world, how });
  }
}

interface OneTable {
  readonly table: Table;
  readonly world: number;
  readonly how: Pass;
}

async function fillTable(work: Work, { table, world, how }: OneTable): Promise<void> {
  const { filling, options } = work;
  options.signal?.throwIfAborted();
  const there = filling.rowsFor(table.id, world).length;
  const leaves = spread(table.leaves);
  const wanted = how.another
    ? there + 1
    : Math.max(options.rowsPerTable ?? populateDefaults.rowsPerTable, leaves.length);
  for (let row = there; row < wanted; row += 1) {
    await filling.enter(world, table.of.schema);
    const leaf = leaves.length === 0 ? undefined : leaves[row % leaves.length];
    const order: Order = { table, world, row, rules: leaf?.rules ?? [], another: how.another };
    const outcome = await insert(filling, order, how.last);
    if (outcome.made !== undefined) {
      filling.keep(outcome.made);
      for (const reference of outcome.open) work.open.push({ row: outcome.made, reference, table });
      if (outcome.note !== undefined) work.notes.push({ of: table.of, what: outcome.note });
      continue;
    }
    work.refused.set(table.id, outcome.why);
    if (leaves.length === 0 || outcome.full) return;
  }
}

/** A row on each side of what the code compares columns with, where the table takes one. */
async function fillEdges(work: Work, table: Table): Promise<void> {
  const { filling, options } = work;
  const edges = await edgesOf(filling, table);
  const worlds = filling.owners.owned.has(table.id) ? options.worlds : 0;
  for (let world = Math.min(1, worlds); world <= worlds; world += 1) {
    for (const edge of edges) {
      options.signal?.throwIfAborted();
      await filling.enter(world, table.of.schema);
      const row = filling.rowsFor(table.id, world).length;
      const order = { table, world, row, rules: [], another: false, edge };
      const { made, open } = await atEdge(filling, order);
      if (made === undefined) continue;
      filling.keep(made);
      for (const reference of open) work.open.push({ row: made, reference, table });
    }
  }
}

/** In whichever partition takes it; then with what one of them says of its other columns. */
async function atEdge(
  filling: Filling,
  order: Order,
): Promise<{ readonly made: Made | undefined; readonly open: readonly Reference[] }> {
  const { leaves } = order.table;
  const leaf = leaves[order.row % Math.max(1, leaves.length)];
  for (const rules of [[], ...(leaf === undefined ? [] : [leaf.rules])]) {
    const outcome = await insert(filling, { ...order, rules }, false);
    if (outcome.made !== undefined) return outcome;
  }
  return { made: undefined, open: [] };
}

/** All of a few; of many those at both ends and evenly between. */
function spread<T>(items: readonly T[]): readonly T[] {
  if (items.length <= MOST_LEAVES) return items;
  const step = (items.length - 1) / (MOST_LEAVES - 1);
  return Array.from({ length: MOST_LEAVES }, (_, at) => items[Math.round(at * step)] as T);
}
