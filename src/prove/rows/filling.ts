// The state of filling a copy: what was made so far, and how to ask the server.
import type { Client } from 'pg';
import type { CatalogueQuery } from '../../define/trait.ts';
import { close, connect } from '../../server/index.ts';
import { ident, qualified } from '../../sql.ts';
import { textWith } from '../boundary/index.ts';
import type { Catalogue, Rule, Table, Type } from './catalogue.ts';
import { columnsIn } from './expression.ts';
import { ringsOf } from './order.ts';
import { keyNamedBy, type Owners } from './owners.ts';
import type { Row } from './population.ts';
import { uuidOf } from './random.ts';
import type { Code, Spoken } from './spoken.ts';

/** A check or a trigger that waits must not hold everything up. */
const STATEMENT_TIMEOUT_MS = 15_000;

/** A row that was inserted. */
export interface Made extends Row {
  readonly table: string;
  readonly world: number;
  /** Where it lies right now. */
  readonly at: { readonly partition: string; readonly tuple: string };
}

/** What {@link Filling} starts from. */
export interface FillingOptions {
  readonly url: string;
  readonly catalogue: Catalogue;
  readonly owners: Owners;
  readonly seed: number;
  /** By world; the first is for rows that are nobody's. */
  readonly markers: readonly string[];
  readonly now: Date;
  readonly spoken: Spoken;
}

/** Everything the steps of filling share. One session, each INSERT its own transaction. */
export class Filling {
  readonly catalogue: Catalogue;
  readonly types: ReadonlyMap<number, Type>;
  readonly owners: Owners;
  readonly seed: number;
  readonly markers: readonly string[];
  readonly now: Date;
  readonly #spoken: Spoken;
  readonly #rings: ReadonlyMap<string, number>;
  readonly #client: Client;
  readonly #path: string;
  readonly #rows = new Map<string, Map<number, Made[]>>();
  readonly #names = new Map<string, string>();
  readonly #memory = new Map<string, Map<string, readonly number[]>>();
  #entered = '';
  readonly #defaults = new Map<string, ReadonlyMap<string, string>>();

  private constructor(options: FillingOptions, client: Client, path: string) {
    this.catalogue = options.catalogue;
    this.types = options.catalogue.types;
    this.owners = options.owners;
    this.seed = options.seed;
    this.markers = options.markers;
    this.now = options.now;
    this.#spoken = options.spoken;
    this.#rings = ringsOf(options.catalogue.tables);
    this.#client = client;
    this.#path = path;
  }

  /** Opens the session. */
  static async open(options: FillingOptions): Promise<Filling> {
    const client = await connect(options.url, { applicationName: 'holdfast rows' });
    await client.query(`SET statement_timeout = ${STATEMENT_TIMEOUT_MS}`);
    await client.query(
      "SET synchronous_commit = off; SET jit = off; SET DateStyle = 'ISO'; SET TimeZone = 'UTC'",
    );
    const { rows } = await client.query<{ path: string }>(
      `SELECT pg_catalog.current_setting('search_path') AS path`,
    );
    return new Filling(options, client, rows[0]?.path ?? '');
  }

  async end(): Promise<void> {
    await close(this.#client);
  }

  /** Runs a statement outside a transaction. */
  ask: CatalogueQuery = async <Row extends object>(sql: string, values: readonly unknown[] = []) =>
    (await this.#client.query(sql, [...values])).rows as Row[];

  /**
   * Makes the session one of a world, on a path that finds what the table's triggers call by bare name.
   * @param path the table's schema
   */
  async enter(world: number, path: string): Promise<void> {
    const unset = Object.fromEntries(this.owners.settings.map(({ setting }) => [setting, '']));
    const settings = Object.entries({
      ...unset,
      ...this.settingsOf(world),
      ...this.contextOf(world),
    });
    const state = JSON.stringify([settings, path]);
    if (state === this.#entered) return;
    this.#entered = state;
    const all = [
      ...settings,
      ['search_path', this.#path === '' ? ident(path) : `${this.#path}, ${ident(path)}`],
    ];
    await this.ask(
      `SELECT pg_catalog.set_config(s.name, s.value, false)
       FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS s (name, value)`,
      [all.map(([name]) => name), all.map(([, value]) => value)],
    );
  }

  /**
   * Values for the settings that the database's code reads besides those of the boundaries: the key of a row of the
   * world where the setting's name says of which table, else something of the type it is read as.
   */
  contextOf(world: number): Readonly<Record<string, string>> {
    const context: Record<string, string> = {};
    for (const [setting, type] of this.#spoken.settings) {
      if (this.owners.settings.some((one) => one.setting === setting)) continue;
      const key = keyNamedBy(setting, this.catalogue.tables);
      const row = key === undefined ? undefined : this.rowsFor(key.table, world)[0];
      context[setting] = row?.values[key?.column ?? ''] ?? this.#anyOf(type, setting, world);
    }
    return context;
  }

  /** The boundaries' settings of a session that works for a world, as far as its owners' names are known. */
  settingsOf(world: number): Readonly<Record<string, string>> {
    const settings: Record<string, string> = {};
    for (const one of this.owners.settings) {
      const name = this.nameOf(one.number, world);
      if (name !== undefined) settings[one.setting] = textWith(one, name, settings[one.setting]);
    }
    return settings;
  }

  /** The names of a world's owners, one for each boundary's setting where it is known, none that all have in common. */
  namesOf(world: number): readonly string[] {
    const telling = this.owners.settings.filter(({ number }) => !this.owners.common.has(number));
    return telling.flatMap(({ number }) => this.nameOf(number, world) ?? []);
  }

  #anyOf(type: string, setting: string, world: number): string {
    if (type === 'uuid') return uuidOf(this.seed, setting, world);
    if (/^(int|bigint|smallint|numeric)/.test(type)) return String(world);
    if (type.startsWith('bool')) return 'false';
    if (type.startsWith('json')) return '{}';
    return /^(date|timestamp)/.test(type) ? this.now.toISOString() : (this.markers[world] ?? '');
  }

  /** The name of a world's owner in a class, once it is known. */
  nameOf(number: number, world: number): string | undefined {
    return this.#names.get(this.#nameKey(number, world));
  }

  bear(number: number, world: number, name: string): string {
    this.#names.set(this.#nameKey(number, world), name);
    return name;
  }

  #nameKey(number: number, world: number): string {
    return this.owners.common.has(number) ? `${number}` : `${number} ${world}`;
  }

  /** Which candidates rows of a table, in one of its partitions, took before. */
  memoryOf({
    table,
    rules,
  }: {
    readonly table: Table;
    readonly rules: readonly Rule[];
  }): Map<string, readonly number[]> {
    const key = `${table.id}\n${rules.map(({ name }) => name).join('\n')}`;
    const memory = this.#memory.get(key) ?? new Map<string, readonly number[]>();
    this.#memory.set(key, memory);
    return memory;
  }

  /** Whether two tables lead to each other by their references. */
  inRing(one: string, other: string): boolean {
    return this.#rings.has(one) && this.#rings.get(one) === this.#rings.get(other);
  }

  /** What the database's own code compares a column of this name with. */
  spokenOf(column: string): readonly string[] {
    return this.#spoken.values.get(column) ?? [];
  }

  /** The policies of a table, and what code speaks of it by name. */
  codesAbout({ id, of }: Table): readonly Code[] {
    return this.#spoken.codes.filter(
      ({ table, code }) => table === id || columnsIn(code, [of.name]).length > 0,
    );
  }

  /** Rows that a row of a world may refer to: the world's, and those that are nobody's. */
  rowsFor(table: string, world: number): readonly Made[] {
    const rows = this.#rows.get(table);
    const own = rows?.get(world) ?? [];
    return this.owners.owned.has(table) || world === 0 ? own : (rows?.get(0) ?? []);
  }

  /** Every row of a table that was made. */
  all(table: string): readonly Made[] {
    return [...(this.#rows.get(table)?.values() ?? [])].flat();
  }

  keep(row: Made): void {
    const rows = this.#rows.get(row.table) ?? new Map<number, Made[]>();
    this.#rows.set(row.table, rows);
    const list = rows.get(row.world) ?? [];
    rows.set(row.world, list);
    list.push(row);
    const table = this.catalogue.tables.find(({ id }) => id === row.table);
    for (const column of table?.columns ?? []) {
      const number = this.owners.classOf(row.table, column.name);
      const value = row.values[column.name];
      if (
        number !== undefined &&
        (row.world > 0 || this.owners.common.has(number)) &&
        value != null &&
        this.nameOf(number, row.world) === undefined
      ) {
        this.bear(number, row.world, value);
      }
    }
  }

  replace(old: Made, row: Made): void {
    const list = this.#rows.get(old.table)?.get(old.world);
    const at = list?.indexOf(old) ?? -1;
    if (list !== undefined && at >= 0) list[at] = row;
  }

  forget(row: Made): void {
    const list = this.#rows.get(row.table)?.get(row.world);
    const at = list?.indexOf(row) ?? -1;
    if (list !== undefined && at >= 0) list.splice(at, 1);
  }

  /** What the defaults of a table's columns are, those that number rows left out. */
  async defaultsOf(table: Table): Promise<ReadonlyMap<string, string>> {
    const known = this.#defaults.get(table.id);
    if (known !== undefined) return known;
    const found = new Map<string, string>();
    for (const column of table.columns) {
      if (column.default === null || column.counts) continue;
      const rows = await this.ask<{ value: string | null }>(
        `SELECT (${column.default})::${column.sql}::pg_catalog.text AS value`,
      ).catch(() => []);
      const value = rows[0]?.value;
      if (value != null) found.set(column.name, value);
    }
    this.#defaults.set(table.id, found);
    return found;
  }

  /** How the whole of a row comes back, and where it lies. */
  returning(table: Table): string {
    const columns = table.columns.map(({ name }) => `${ident(name)}::pg_catalog.text AS ${ident(name)}`);
    return [
      'tableoid::pg_catalog.regclass::pg_catalog.text AS "hf partition", ctid::pg_catalog.text AS "hf tuple"',
      ...columns,
    ].join(', ');
  }

  /** A row as `returning` gave it. */
  made(table: Table, world: number, row: Readonly<Record<string, string | null>>): Made {
    const { 'hf partition': partition, 'hf tuple': tuple, ...values } = row;
    return {
      table: table.id,
      of: table.of,
      world,
      values,
      at: { partition: partition ?? qualified(table.of), tuple: tuple ?? '' },
    };
  }
}
