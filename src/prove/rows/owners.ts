// Which columns say whose a row is, and which tables are somebody's.
import type { RelationName } from '../../define/model.ts';
import type { Boundary } from '../../define/proof.ts';
import { baseOf } from './candidates.ts';
import type { Catalogue, Column, Table } from './catalogue.ts';

/** What is known of ownership before any row is made. */
export interface Owners {
  /** Columns that hold an owner's name, `table id` + `column` → its class: all columns of a class hold the same value. */
  readonly classOf: (table: string, column: string) => number | undefined;
  /** The columns of a class. */
  readonly columnsOf: (number: number) => readonly { readonly table: string; readonly column: string }[];
  /** The class each setting is compared with. */
  readonly settings: readonly SettingClass[];
  /** Classes in which all owners have one name in common: it says nothing of whose a row is. */
  readonly common: ReadonlySet<number>;
  /** Tables whose rows are somebody's. */
  readonly owned: ReadonlySet<string>;
  /** The column where a class's values are born: the key that others refer to. */
  readonly sources: ReadonlyMap<number, { readonly table: string; readonly column: string }>;
}

/** A boundary's setting, where in it the value stands, and the class that it is compared with. */
export interface SettingClass extends Pick<Boundary, 'setting' | 'within'> {
  readonly number: number;
}

const idOf = (of: RelationName): string => `${of.schema}.${of.name}`;
const keyOf = (table: string, column: string): string => `${table}\n${column}`;

/**
 * Finds the columns that hold owners' names: those of the boundaries, what they refer to, what refers to the same, and
 * columns of the same name and type elsewhere, since a table that nobody protects has its owner's column all the same.
 */
export function findOwners(catalogue: Catalogue, boundaries: readonly Boundary[]): Owners {
  const classes = new Classes();
  const shared = sharedByAll(boundaries);
  const tables = new Map(catalogue.tables.map((table) => [table.id, table]));
  const named = new Map<string, Namesake>();
  const joining = { tables, classes, types: catalogue.types };
  for (const { tables: owned } of boundaries) joinColumns(owned, { ...joining, named });
  const alike = new Map<string, Namesake>();
  for (const { common = [] } of boundaries) joinColumns(common, { ...joining, named: alike });
  joinReferences(catalogue.tables, classes);
  joinNamesakes(catalogue, { classes, named, shared });
  // Rows that are everybody's are in the part that all have in common, too: a policy may ask for it.
  joinNamesakes(catalogue, { classes, named: alike, shared: new Set() });
  joinReferences(catalogue.tables, classes);
  const parts = commonClasses(boundaries, classes);
  const common = new Set(parts.map(({ number }) => number));
  const settings = [
    ...settingClasses(boundaries, { tables: catalogue.tables, classes }).filter(
      ({ number }) => !common.has(number),
    ),
    ...parts,
  ];
  const classOf = (table: string, column: string): number | undefined => classes.of(keyOf(table, column));
  const telling = (table: string, column: string): boolean => {
    const number = classOf(table, column);
    return number !== undefined && !common.has(number);
  };
  return {
    classOf,
    columnsOf: (number) => classes.columns(number),
    settings,
    common,
    owned: ownedTables(catalogue.tables, telling, shared),
    sources: sourcesOf(catalogue.tables, classOf),
  };
}

/** A table may be everybody's to one boundary and somebody's to another. */
function sharedByAll(boundaries: readonly Boundary[]): ReadonlySet<string> {
  const lists = boundaries.map((boundary) => boundary.shared.map(({ of }) => idOf(of)));
  return new Set(lists.flat().filter((id) => lists.every((list) => list.includes(id))));
}

/** Disjoint sets of columns. */
class Classes {
  readonly #numbers = new Map<string, number>();
  #next = 0;

  of(key: string): number | undefined {
    return this.#numbers.get(key);
  }

  columns(number: number): { table: string; column: string }[] {
    return [...this.#numbers].flatMap(([key, one]) => {
      const [table = '', column = ''] = key.split('\n');
      return one === number ? [{ table, column }] : [];
    });
  }

  add(key: string): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#next += 1;
    this.#numbers.set(key, this.#next);
    return this.#next;
  }

  join(one: string, other: string): void {
    const a = this.add(one);
    const b = this.add(other);
    if (a === b) return;
    for (const [key, number] of this.#numbers) if (number === b) this.#numbers.set(key, a);
  }
}

interface Namesake {
  readonly key: string;
  readonly family: string;
}

interface Joining {
  readonly tables: ReadonlyMap<string, Table>;
  readonly classes: Classes;
  readonly types: Catalogue['types'];
  /** A boundary's column by its name. */
  readonly named: Map<string, Namesake>;
}

/** Columns of one boundary that have one name, or lead to one key, hold the same owners. */
function joinColumns(columns: Boundary['tables'], { tables, classes, named, types }: Joining): void {
  for (const { of, column } of columns) {
    const table = tables.get(idOf(of));
    const found = table?.columns.find(({ name }) => name === column);
    if (table === undefined || found === undefined) continue;
    const key = keyOf(table.id, column);
    classes.add(key);
    if (isOwnKey(table, column)) continue;
    const namesake = named.get(column);
    if (namesake === undefined) named.set(column, { key, family: familyOf(found, types) });
    else classes.join(namesake.key, key);
  }
}

/** Types whose values can stand for each other; a text can stand for any. */
function familyOf(column: Column, types: Catalogue['types']): string {
  const { type } = baseOf(column, types);
  if (type?.category === 'S') return 'text';
  return /^int[248]$/.test(type?.name ?? '') ? 'int' : (type?.name ?? '');
}

/** `tenants.id`: its name says nothing about other tables' columns. */
function isOwnKey(table: Table, column: string): boolean {
  return table.keys.some((key) => key.columns?.length === 1 && key.columns[0] === column);
}

interface Link {
  readonly table: string;
  readonly column: string;
  readonly to: string;
  readonly toColumn: string;
}

/** Every column that refers to another. */
function linksOf(tables: readonly Table[]): readonly Link[] {
  return tables.flatMap((table) =>
    table.references.flatMap(({ columns, to, toColumns }) =>
      columns.map((column, at) => ({ table: table.id, column, to, toColumn: toColumns[at] ?? '' })),
    ),
  );
}

/** What an owner's column refers to is one too. What else refers there (who wrote it) is none by that alone. */
function joinReferences(tables: readonly Table[], classes: Classes): void {
  const links = linksOf(tables);
  for (let changed = true; changed;) {
    changed = false;
    for (const { table, column, to, toColumn } of links) {
      const from = keyOf(table, column);
      const target = keyOf(to, toColumn);
      if (classes.of(from) === undefined || classes.of(from) === classes.of(target)) continue;
      classes.join(from, target);
      changed = true;
    }
  }
}

function joinNamesakes(
  { tables, types }: Catalogue,
  {
    classes,
    named,
    shared,
  }: { classes: Classes; named: ReadonlyMap<string, Namesake>; shared: ReadonlySet<string> },
): void {
  for (const table of tables.filter(({ id }) => !shared.has(id))) {
    for (const column of table.columns) {
      const known = named.get(column.name);
      const family = familyOf(column, types);
      const fits = family === known?.family || family === 'text';
      if (known !== undefined && fits) classes.join(known.key, keyOf(table.id, column.name));
    }
  }
}

/** The class most of a boundary's tables are in; without any, the key of the table that the setting's name says. */
function settingClasses(
  boundaries: readonly Boundary[],
  given: { readonly tables: readonly Table[]; readonly classes: Classes },
): readonly SettingClass[] {
  const settings: SettingClass[] = [];
  for (const boundary of boundaries) {
    const counts = new Map<number, number>();
    for (const { of, column } of boundary.tables) {
      const found = given.classes.of(keyOf(idOf(of), column));
      if (found !== undefined) counts.set(found, (counts.get(found) ?? 0) + 1);
    }
    const named = keyNamedBy(boundary.within?.at(-1) ?? boundary.setting, given.tables);
    const byName = named === undefined ? undefined : keyOf(named.table, named.column);
    const fitting = byName === undefined ? undefined : given.classes.of(byName);
    const [most] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [];
    const chosen = fitting !== undefined && counts.has(fitting) ? fitting : most;
    const number = chosen ?? (byName === undefined ? undefined : given.classes.add(byName));
    const within = boundary.within === undefined ? {} : { within: boundary.within };
    if (number !== undefined) settings.push({ setting: boundary.setting, ...within, number });
  }
  return settings;
}

/** The class of each part that a boundary's owners have in common. */
function commonClasses(boundaries: readonly Boundary[], classes: Classes): readonly SettingClass[] {
  const found = new Map<string, SettingClass>();
  for (const { setting, within, of, column } of boundaries.flatMap((one) => one.common ?? [])) {
    const number = classes.add(keyOf(idOf(of), column));
    const spoken = within === undefined ? { setting } : { setting, within };
    found.set(JSON.stringify(spoken), { ...spoken, number });
  }
  return [...found.values()];
}

/** `app.current_user_id` speaks of the key of `users`. */
export function keyNamedBy(
  setting: string,
  tables: readonly Table[],
): { readonly table: string; readonly column: string } | undefined {
  const word = (setting.split('.').at(-1) ?? '')
    .replace(/^current_?/, '')
    .replace(/_?(id|uuid|key|ref)$/, '');
  if (word === '') return undefined;
  const names = [word, `${word}s`, `${word}es`, word.replace(/y$/, 'ies')];
  const table = names
    .map((name) => tables.find(({ of }) => of.name === name))
    .find((found) => found !== undefined);
  const primary = table?.keys.find((key) => key.primary)?.columns;
  if (table === undefined || primary?.length !== 1) return undefined;
  return { table: table.id, column: primary[0] ?? '' };
}

/**
 * A table is somebody's when it has an owner's column, refers to a table that is, or is referred to by one: what is not
 * said to be shared is kept apart, as the organisations that a list of members leads to.
 */
function ownedTables(
  tables: readonly Table[],
  telling: (table: string, column: string) => boolean,
  shared: ReadonlySet<string>,
): ReadonlySet<string> {
  const owned = new Set(
    tables
      .filter((table) => !shared.has(table.id) && table.columns.some(({ name }) => telling(table.id, name)))
      .map(({ id }) => id),
  );
  const free = (id: string): boolean => !shared.has(id);
  for (let size = -1; size !== owned.size;) {
    size = owned.size;
    for (const table of tables) {
      const led = table.references.map(({ to }) => to);
      if (free(table.id) && led.some((to) => owned.has(to))) owned.add(table.id);
      if (owned.has(table.id)) led.filter(free).forEach((to) => owned.add(to));
    }
  }
  return owned;
}

function sourcesOf(
  tables: readonly Table[],
  classOf: Owners['classOf'],
): ReadonlyMap<number, { readonly table: string; readonly column: string }> {
  const sources = new Map<number, { table: string; column: string }>();
  const links = linksOf(tables);
  for (const { table, column, to, toColumn } of links) {
    const number = classOf(table, column);
    if (number === undefined || classOf(to, toColumn) !== number) continue;
    const refers = links.some((link) => link.table === to && link.column === toColumn);
    if (!refers) sources.set(number, { table: to, column: toColumn });
  }
  for (const table of tables) {
    for (const { name } of table.columns) {
      const number = classOf(table.id, name);
      if (number !== undefined && isOwnKey(table, name) && !sources.has(number))
        sources.set(number, { table: table.id, column: name });
    }
  }
  return sources;
}
