// Recognises another owner's rows in whatever a session got: by the rows that were made, never by names.
import { label, type RelationName } from '../../define/model.ts';
import type { Boundary } from '../../define/proof.ts';
import type { Population, Row, World } from '../rows/index.ts';
import type { Result, Seen } from './attacker.ts';

/** Whose a value is: a world's number, or 0 for everybody's. */
type Owner = number;

const TELLING_DIGITS = 4;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
// A number by itself: one inside a hex string or a longer name is chance.
const NUMBER = /(?<![\w.-])\d{5,}(?![\w.-])/g;

/** Knows whose every row is. */
export class Witness {
  readonly #population: Population;
  readonly #rows = new Map<string, { owner: Owner; row: Row }[]>();
  readonly #values = new Map<string, Owner | undefined>();
  readonly #ownerColumns: ReadonlySet<string>;

  constructor(population: Population, boundaries: readonly Boundary[]) {
    this.#population = population;
    this.#ownerColumns = new Set(
      boundaries.flatMap((one) => one.tables.map(({ of, column }) => `${label(of)}.${column}`)),
    );
    for (const row of population.shared) this.#take(0, row);
    for (const world of population.worlds) {
      for (const row of world.rows) this.#take(world.number, row);
      for (const value of world.names) this.#value(world.number, value);
    }
  }

  /** Rows of one table that are somebody else's than the viewer's, in the order they were made. */
  others(of: RelationName, viewer: World | undefined): readonly Row[] {
    return this.#of(of)
      .filter(({ owner }) => owner !== 0 && owner !== viewer?.number)
      .map(({ row }) => row);
  }

  /** Rows of a world in one table. */
  rowsOf(of: RelationName, world: World): readonly Row[] {
    return this.#of(of)
      .filter(({ owner }) => owner === world.number)
      .map(({ row }) => row);
  }

  /** Rows of one table that are nobody's. */
  sharedOf(of: RelationName): readonly Row[] {
    return this.#of(of)
      .filter(({ owner }) => owner === 0)
      .map(({ row }) => row);
  }

  /**
   * What a result from one table shows of other owners: more rows alike than the viewer and everybody have.
   * @param viewer undefined: a session that works for nobody
   */
  inTable(of: RelationName, result: Result, viewer: World | undefined): string | undefined {
    const known = this.#of(of);
    if (known.length === 0 || result.columns.length === 0) return undefined;
    const allowed = new Map<string, number>();
    const total = new Map<string, number>();
    for (const { owner, row } of known) {
      const key = keyOf(result.columns.map((column) => row.values[column] ?? null));
      total.set(key, (total.get(key) ?? 0) + 1);
      if (owner === 0 || owner === viewer?.number) allowed.set(key, (allowed.get(key) ?? 0) + 1);
    }
    const seen = new Map<string, number>();
    for (const row of result.rows) {
      const key = keyOf(row);
      const count = (seen.get(key) ?? 0) + 1;
      seen.set(key, count);
      if (count > (allowed.get(key) ?? 0) && (total.get(key) ?? 0) > (allowed.get(key) ?? 0))
        return shown(result.columns, row);
    }
    return undefined;
  }

  /** What a result shows of other owners' rows of the tables it was made from, by the columns that keep their names. */
  inView(bases: readonly Base[], result: Result, viewer: World | undefined): string | undefined {
    for (const base of bases) {
      const common = result.columns.flatMap((name, at) =>
        base.columns.includes(name) ? [{ name, at }] : [],
      );
      const tells = common.some(
        ({ name }) => this.#ownerColumns.has(`${label(base.of)}.${name}`) || base.keys.includes(name),
      );
      if (!tells) continue;
      const mine = new Set<string>();
      const theirs = new Set<string>();
      for (const { owner, row } of this.#of(base.of)) {
        const key = keyOf(common.map(({ name }) => row.values[name] ?? null));
        if (owner === 0 || owner === viewer?.number) mine.add(key);
        else theirs.add(key);
      }
      for (const row of result.rows) {
        const values = common.map(({ at }) => row[at] ?? null);
        const key = keyOf(values);
        if (values.some((value) => value !== null) && theirs.has(key) && !mine.has(key))
          return shown(result.columns, row);
      }
    }
    return this.inText(
      result.rows.flatMap((row) => row.filter((value) => value !== null)),
      { viewer },
    );
  }

  /** The first text that holds something only another owner has; what the session itself sent does not count. */
  inText(
    texts: readonly string[],
    { viewer, given = [] }: { readonly viewer: World | undefined; readonly given?: readonly string[] },
  ): string | undefined {
    const sent = new Set(given);
    for (const text of texts) {
      if (sent.has(text)) continue;
      const rest = given.reduce(
        (left, value) => (value.length > 2 ? left.replaceAll(value, '') : left),
        text,
      );
      const marked = this.#population.worlds.find(
        (world) => world.number !== viewer?.number && world.marker !== '' && rest.includes(world.marker),
      );
      if (marked !== undefined) return cut(text);
      const words = [text, ...(rest.match(UUID) ?? []), ...(rest.match(NUMBER) ?? [])];
      const foreign = words.some((word) => {
        const owner = sent.has(word) ? undefined : this.#values.get(word);
        return owner !== undefined && owner !== 0 && owner !== viewer?.number;
      });
      if (foreign) return cut(text);
    }
    return undefined;
  }

  /** Everything an attempt brought back, searched. */
  inSeen(
    seen: Seen,
    by: { readonly viewer: World | undefined; readonly given?: readonly string[] },
  ): string | undefined {
    const values = seen.results.flatMap((result) => result.rows.flat().filter((value) => value !== null));
    const said = [
      ...seen.notices,
      ...(seen.error === undefined ? [] : [seen.error.message, seen.error.detail]),
    ];
    return this.inText([...values, ...said, ...seen.copied.split(/[\t\n]/)], by);
  }

  /** Takes in a row that was made besides. */
  add(world: World, row: Row): void {
    this.#take(world.number, row);
  }

  /** Whose a row would be that has these values: by an owner column, else by the rows its foreign keys lead to. */
  ownerOf(target: Owned, values: Readonly<Record<string, string | null>>): number | undefined {
    for (const column of Object.keys(values)) {
      if (!this.#ownerColumns.has(`${label(target.root)}.${column}`)) continue;
      const world = this.#population.worlds.find((one) => one.names.includes(values[column] ?? ''));
      if (world !== undefined) return world.number;
    }
    for (const { columns, to, toColumns } of target.references) {
      const found = this.#of(to).find(({ row }) =>
        columns.every((name, at) => values[name] != null && row.values[toColumns[at] ?? ''] === values[name]),
      );
      if (found !== undefined && found.owner !== 0) return found.owner;
    }
    return undefined;
  }

  #of(of: RelationName): readonly { owner: Owner; row: Row }[] {
    return this.#rows.get(label(of)) ?? [];
  }

  #take(owner: Owner, row: Row): void {
    const key = label(row.of);
    const rows = this.#rows.get(key);
    if (rows === undefined) this.#rows.set(key, [{ owner, row }]);
    else rows.push({ owner, row });
    for (const value of Object.values(row.values)) if (value !== null) this.#value(owner, value);
  }

  /** Values that two owners have tell of nobody, nor do words, dates and round or short numbers. */
  #value(owner: Owner, value: string): void {
    if (value.length < TELLING_DIGITS || !/\d/.test(value) || /^-?\d+000$|^\d{4}-\d\d-\d\d/.test(value))
      return;
    const known = this.#values.get(value);
    if (known === undefined && !this.#values.has(value)) this.#values.set(value, owner);
    else if (known !== owner) this.#values.set(value, undefined);
  }
}

/** A table that a view is made from. */
export interface Base {
  readonly of: RelationName;
  readonly columns: readonly string[];
  /** Columns of its keys. */
  readonly keys: readonly string[];
}

/** What says whose a row of a table is. */
export interface Owned {
  readonly root: RelationName;
  readonly references: readonly {
    readonly columns: readonly string[];
    readonly to: RelationName;
    readonly toColumns: readonly string[];
  }[];
}

function keyOf(values: readonly (string | null)[]): string {
  return JSON.stringify(values);
}

function shown(columns: readonly string[], row: readonly (string | null)[]): string {
  return cut(columns.map((column, at) => `${column} = ${row[at] ?? 'NULL'}`).join(', '));
}

const MOST_SHOWN = 240;

function cut(text: string): string {
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}
