// One row before it is inserted: what it refers to, what its owner gives it, and a choice for the rest.
import { ident } from '../../sql.ts';
import { baseOf, candidatesFor, domainRules, refusesNull } from './candidates.ts';
import type { Column, Reference, Rule, Table } from './catalogue.ts';
import type { Edge } from './edges.ts';
import { columnsIn, renamed } from './expression.ts';
import type { Filling, Made } from './filling.ts';
import { solve } from './solve.ts';
import type { Place } from './values.ts';

/** What is tried differently after a refusal. */
export interface Shifts {
  /** Rows referred to: the next ones. */
  readonly picks: number;
  /** Solutions of rules, states, and what may be left out: the next ones. */
  readonly choices: number;
  /** Columns whose value was not unique, and how often. */
  readonly turns: ReadonlyMap<string, number>;
}

/** Which row is made. */
export interface Order {
  readonly table: Table;
  readonly world: number;
  /** From 0 in the world and the table. */
  readonly row: number;
  /** What its partition says. */
  readonly rules: readonly Rule[];
  /** A column of the owner's name may hold another name, which makes a second row in a table of owners. */
  readonly another: boolean;
  /** The row is made for what one of its columns holds. */
  readonly edge?: Edge;
}

/** Values by column; a column left out gets its default. */
export interface Draft {
  readonly values: ReadonlyMap<string, string | null>;
  /** References left empty for now, or filled with what refers to nothing. */
  readonly open: readonly Reference[];
  /** Tables without a row to refer to, where one is required. */
  readonly missing: readonly string[];
  /** Some of them were required: the row can be inserted only with checks of references off. */
  readonly dangling: boolean;
}

/** Puts a row together. */
export async function draft(filling: Filling, order: Order, shifts: Shifts): Promise<Draft> {
  const fixed = await ownersOf(filling, order);
  const linked = link({ filling, order, shifts, fixed });
  const free = await freeColumns(filling, order, { shifts, fixed, optional: linked.optional });
  const { table } = order;
  const chosen = await solve(
    filling.ask,
    {
      columns: table.columns,
      rules: rulesOf(filling, order),
      free,
      fixed,
      shift: shifts.choices,
      ...(isFirst(shifts) && order.edge === undefined ? { memory: filling.memoryOf(order) } : {}),
    },
    filling.types,
  );
  const values = new Map(fixed);
  for (const [name, list] of free) {
    const value = chosen.has(name) ? chosen.get(name) : list[0];
    if (value !== undefined) values.set(name, value);
  }
  for (const reference of linked.toItself) pointToItself(reference, values);
  return { values, open: linked.open, dangling: linked.dangling, missing: linked.missing };
}

function isFirst(shifts: Shifts): boolean {
  return shifts.picks === 0 && shifts.choices === 0 && shifts.turns.size === 0;
}

/** Every rule on a row: the table's, its partition's, its domains'. */
export function rulesOf(filling: Filling, order: Order): readonly Rule[] {
  const { table } = order;
  return [
    ...table.rules,
    ...order.rules,
    ...table.columns.flatMap((column) => domainRules(column, filling.types)),
  ];
}

/** Where a value of the row comes from. */
export function placeOf(filling: Filling, order: Order, turn: number): Place {
  const { table, world, row } = order;
  const { seed, now } = filling;
  return { seed, now, world, marker: filling.markers[world] ?? '', table: table.id, row, turn };
}

/** Columns that hold an owner's name, with the name. */
async function ownersOf(filling: Filling, order: Order): Promise<Map<string, string | null>> {
  const { table, world } = order;
  const fixed = new Map<string, string | null>();
  for (const column of table.columns) {
    const number = filling.owners.classOf(table.id, column.name);
    if (number === undefined || column.generated !== null) continue;
    const common = filling.owners.common.has(number);
    if (world === 0 && !common) {
      if (!refusesNull(column, filling.types)) fixed.set(column.name, null);
      continue;
    }
    const source = filling.owners.sources.get(number);
    const born = source?.table === table.id && source.column === column.name;
    if (born && (order.another || filling.nameOf(number, world) === undefined) && column.counts) continue;
    if (born && order.another && !common) continue;
    const known = filling.nameOf(number, world);
    // What all have in common is nobody's, and so is the word in it.
    const by = common ? { ...order, world: 0 } : order;
    const name = known ?? filling.bear(number, world, await nameFor(filling, by, column));
    fixed.set(column.name, name);
  }
  return fixed;
}

/** A name that every column takes which will hold it: of the strictest type among them, under the rules of all. */
async function nameFor(filling: Filling, order: Order, column: Column): Promise<string> {
  const number = filling.owners.classOf(order.table.id, column.name) ?? 0;
  const holders = holdersOf(filling, number);
  const [strictest = column] = holders
    .map((one) => one.column)
    .toSorted((a, b) => strictness(filling, a) - strictness(filling, b));
  const rules = holders.flatMap((one) => rulesAbout(filling, one, strictest.name));
  const at = placeOf(filling, order, 0);
  const list = candidatesFor({
    column: strictest,
    at,
    types: filling.types,
    rules,
    byDefault: undefined,
    spoken: [],
  });
  const free = new Map([[strictest.name, list.filter((value) => value !== null)]]);
  const problem = { columns: [strictest], rules, free, fixed: new Map<string, string>(), shift: 0 };
  const solved = await solve(filling.ask, problem, filling.types);
  return solved.get(strictest.name) ?? free.get(strictest.name)?.[0] ?? '';
}

interface Holder {
  readonly table: Table;
  readonly column: Column;
}

function holdersOf(filling: Filling, number: number): readonly Holder[] {
  return filling.owners.columnsOf(number).flatMap((one) => {
    const table = filling.catalogue.tables.find(({ id }) => id === one.table);
    const column = table?.columns.find(({ name }) => name === one.column);
    return table === undefined || column === undefined ? [] : [{ table, column }];
  });
}

/** Texts take any name, and so come last. */
function strictness(filling: Filling, column: Column): number {
  const { type } = baseOf(column, filling.types);
  if (type?.category === 'S') return 9;
  return ['uuid', 'int2', 'int4', 'int8'].indexOf(type?.name ?? '') + 1;
}

/** The rules about one column alone, as if it were called otherwise; a text's room is one of them. */
function rulesAbout(filling: Filling, { table, column }: Holder, as: string): readonly Rule[] {
  const names = table.columns.map(({ name }) => name);
  const rules = [...table.rules, ...domainRules(column, filling.types)];
  const alone = rules.filter(({ expression }) => columnsIn(expression, names).join('\n') === column.name);
  const { type, modifier } = baseOf(column, filling.types);
  const room =
    type?.category === 'S' && modifier > 4
      ? `pg_catalog.length(${ident(as)}::text) <= ${modifier - 4}`
      : undefined;
  return [
    ...alone.map(({ name, expression }) => ({ name, expression: renamed(expression, column.name, as) })),
    ...(room === undefined ? [] : [{ name: 'room', expression: room }]),
  ];
}

interface Linking {
  readonly filling: Filling;
  readonly order: Order;
  readonly shifts: Shifts;
  /** Gets the columns of every reference that was filled. */
  readonly fixed: Map<string, string | null>;
}

interface Linked {
  /** Tables without a row to refer to, where one is required and none will come. */
  readonly missing: readonly string[];
  readonly open: readonly Reference[];
  readonly dangling: boolean;
  readonly toItself: readonly Reference[];
  /** Columns of references that may stay empty, with the value they have otherwise. */
  readonly optional: ReadonlyMap<string, string | null>;
}

/** Chooses the rows that are referred to, references with the most columns given already first. */
function link({ filling, order, shifts, fixed }: Linking): Linked {
  const { table } = order;
  const open: Reference[] = [];
  const toItself: Reference[] = [];
  const optional = new Map<string, string | null>();
  const missing: string[] = [];
  let dangling = false;
  const given = new Set(fixed.keys());
  const bound = (reference: Reference): number => reference.columns.filter((name) => given.has(name)).length;
  const nullable = (name: string): boolean => {
    const column = table.columns.find((one) => one.name === name);
    return column !== undefined && !given.has(name) && !refusesNull(column, filling.types);
  };
  for (const reference of table.references.toSorted((a, b) => bound(b) - bound(a))) {
    const target = pick(filling, { order, reference, shifts }, fixed);
    const spare = reference.columns.filter(nullable);
    if (target !== undefined) {
      for (const [at, name] of reference.columns.entries())
        fixed.set(name, target.values[reference.toColumns[at] ?? ''] ?? null);
      for (const name of spare) optional.set(name, fixed.get(name) ?? null);
      continue;
    }
    // The first row of a tree is its root: a ring would hang what walks the tree.
    if (reference.to !== table.id || spare.length === 0) open.push(reference);
    if (spare.length > 0) for (const name of spare) fixed.set(name, null);
    else if (reference.to === table.id) toItself.push(reference);
    else if (filling.inRing(table.id, reference.to)) dangling = true;
    else missing.push(reference.to);
  }
  return { open, dangling, toItself, optional, missing };
}

function pick(
  filling: Filling,
  want: { readonly order: Order; readonly reference: Reference; readonly shifts: Shifts },
  fixed: ReadonlyMap<string, string | null>,
): Made | undefined {
  const { order, reference, shifts } = want;
  const fitting = filling.rowsFor(reference.to, order.world).filter((row) =>
    reference.columns.every((name, at) => {
      const value = row.values[reference.toColumns[at] ?? ''] ?? null;
      return value !== null && (!fixed.has(name) || fixed.get(name) === value);
    }),
  );
  const place = order.table.references.indexOf(reference);
  // Two references to one table mean two rows of it: who depends, and on what.
  const before = order.table.references.slice(0, place).filter(({ to }) => to === reference.to).length;
  const turn = order.row + before + Math.floor(shifts.picks / Math.max(1, fitting.length) ** place);
  return fitting[turn % Math.max(1, fitting.length)];
}

function pointToItself(reference: Reference, values: Map<string, string | null>): void {
  for (const [at, name] of reference.columns.entries()) {
    const own = values.get(reference.toColumns[at] ?? '');
    if (own !== undefined) values.set(name, own);
  }
}

/** Candidates for the columns nobody has spoken for. */
async function freeColumns(
  filling: Filling,
  order: Order,
  given: {
    readonly shifts: Shifts;
    readonly fixed: Map<string, string | null>;
    readonly optional: ReadonlyMap<string, string | null>;
  },
): Promise<ReadonlyMap<string, readonly (string | null)[]>> {
  const { table } = order;
  const { shifts, fixed } = given;
  const rules = rulesOf(filling, order);
  const defaults = await filling.defaultsOf(table);
  const free = new Map<string, readonly (string | null)[]>();
  for (const column of table.columns) {
    const about = rules.filter((rule) => columnsIn(rule.expression, [column.name]).length > 0);
    const linked = given.optional.get(column.name);
    if (linked !== undefined && about.length > 0) {
      fixed.delete(column.name);
      free.set(column.name, [linked, null]);
      continue;
    }
    if (fixed.has(column.name) || column.generated !== null || column.counts) continue;
    const turn = shifts.turns.get(column.name) ?? 0;
    if (order.edge?.column === column.name) {
      const { values } = order.edge;
      free.set(column.name, [values[turn % values.length] ?? null]);
      continue;
    }
    const at = placeOf(filling, order, turn);
    const byDefault = defaults.get(column.name);
    const spoken = filling.spokenOf(column.name);
    const list = candidatesFor({ column, at, types: filling.types, rules: about, byDefault, spoken });
    if (shifts.choices > 0 && about.length === 0) {
      const other = shifted(list, { column, shifts, byDefault });
      if (other !== undefined) free.set(column.name, other);
      continue;
    }
    free.set(column.name, list);
  }
  return free;
}

/** After a refusal that no rule explains: other states, nothing where nothing is allowed, what the default says. */
function shifted(
  list: readonly (string | null)[],
  given: { readonly column: Column; readonly shifts: Shifts; readonly byDefault: string | undefined },
): readonly (string | null)[] | undefined {
  const { choices } = given.shifts;
  if (choices % 4 === 1 && given.column.default !== null) return undefined;
  if (choices % 4 >= 2 && list.includes(null)) return [null];
  if (choices % 4 === 2 && given.column.default !== null) return undefined;
  const by = Math.floor(choices / 2) % Math.max(1, list.length);
  return list.length > 8 || list[by] === null ? list : [...list.slice(by), ...list.slice(0, by)];
}
