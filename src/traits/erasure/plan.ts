// An erasure resolved against the model: of each kind of subject, whose rows are where, and in which order they go.
import {
  findTable,
  type ForeignKey,
  label,
  type Model,
  type RelationName,
  type Table,
} from '../../define/model.ts';
import type { Forget } from '../../define/erasure.ts';
import { type ColumnReference, columnOf, relationOf } from '../reference.ts';
import { type SettingType, settingTypeOf } from '../setting.ts';
import { erasureDefaults, type ErasedTable, type ErasureOptions, type ErasureSubject } from './options.ts';

/** A column that carries a key, and the type the key is compared as. */
export interface Carrier {
  readonly column: string;
  readonly type: SettingType;
}

/** What a column of a row that stays becomes. */
export interface Replacement {
  readonly column: string;
  readonly type: string;
  readonly to: { readonly value: string | null } | 'pseudonym';
  /** It carries the key itself: changed only where it does. */
  readonly own: boolean;
}

/** What becomes of a subject's rows in one table. */
export interface Rule {
  readonly of: RelationName;
  /** Absent for rules that go through another table. */
  readonly by: readonly Carrier[];
  readonly within?: Carrier;
  /** A foreign key to a table of the subject, where no column of this one carries the key. */
  readonly via?: { readonly key: ForeignKey; readonly parent: RelationName };
  readonly act: 'delete' | 'change' | 'keep';
  readonly set: readonly Replacement[];
  readonly largeObjects: readonly string[];
  readonly despiteImmutability: boolean;
  readonly derived: boolean;
}

/** One kind of subject, resolved. */
export interface Subject {
  readonly name: string;
  readonly root?: RelationName;
  /** Rules in the order they are carried out: rows that point go before what they point at, figures after their rows. */
  readonly rules: readonly Rule[];
  readonly within: boolean;
  readonly term: string;
}

/** An erasure, resolved. */
export interface ErasurePlan {
  readonly subjects: readonly Subject[];
  /** The register of who was erased, and the salt of its digests. */
  readonly register: RelationName;
  readonly salt: RelationName;
  readonly job: string;
  readonly batch: { readonly rows: number; readonly pauseMs: number };
  /** Caches outside the database, in the order they are asked. */
  readonly caches: readonly (readonly [name: string, forget: Forget])[];
  readonly cacheAnswerMs: number;
}

/** The erasure resolved against the model. Tables that are not in it are passed over; the check says so. */
export function planOf(model: Model, options: ErasureOptions): ErasurePlan {
  const subjects = Object.entries(options.subjects).map(([name, asked]) => subjectOf(model, name, asked));
  const [first] = subjects;
  const schema = options.schema ?? first?.root?.schema ?? first?.rules[0]?.of.schema ?? 'public';
  return {
    subjects,
    register: { schema, name: 'holdfast_erased' },
    salt: { schema, name: 'holdfast_erased_salt' },
    job: options.job ?? erasureDefaults.job,
    batch: { ...erasureDefaults.batch, ...options.batch },
    caches: Object.entries(options.caches ?? {}),
    cacheAnswerMs: options.cacheAnswerMs ?? erasureDefaults.cacheAnswerMs,
  };
}

/** Tables that no rule speaks of: what promises keep for themselves, and archives, which go with their table. */
export function isOwn(table: Table): boolean {
  return table.internal === true || table.archiveOf !== undefined;
}

/** The column of the subject's table that identifies it. */
export function keyOf(model: Model, asked: ErasureSubject): string | undefined {
  if (asked.table === undefined) return undefined;
  if (asked.key !== undefined) return columnOf(asked.key);
  const within = asked.within === undefined ? undefined : columnOf(asked.within);
  const key = findTable(model, relationOf(asked.table))?.primaryKey?.columns ?? [];
  const own = key.filter((column) => column !== within);
  return own.length === 1 ? own[0] : undefined;
}

/** What the user says of a table, by `schema.name`. */
export function namedTables(asked: ErasureSubject): ReadonlyMap<string, ErasedTable> {
  return new Map((asked.tables ?? []).map((one) => [label(relationOf(one.table)), one]));
}

function subjectOf(model: Model, name: string, asked: ErasureSubject): Subject {
  const root = asked.table === undefined ? undefined : relationOf(asked.table);
  const named = namedTables(asked);
  const rules: Rule[] = [];
  const add = (rule: Rule | undefined): boolean => {
    if (rule === undefined || rules.some((one) => label(one.of) === label(rule.of))) return false;
    rules.push(rule);
    return true;
  };
  const direct = model.tables.filter((table) => !isOwn(table));
  for (const table of direct) add(directRule(model, table, asked));
  // Tables without a column for the key: through a foreign key to one that has a rule, as far as it goes.
  for (let found = true; found;)
    found = direct.some(
      (table) => named.has(label(table)) && add(viaRule(table, named.get(label(table)), rules)),
    );
  return {
    name,
    ...(root !== undefined && { root }),
    rules: ordered(model, rules),
    within: asked.within !== undefined,
    term: asked.term ?? erasureDefaults.term,
  };
}

function directRule(model: Model, table: Table, asked: ErasureSubject): Rule | undefined {
  const carriers = carriersOf(model, table, asked);
  if (carriers.length === 0) return undefined;
  const said = namedTables(asked).get(label(table));
  const isRoot = asked.table !== undefined && label(relationOf(asked.table)) === label(table);
  const everywhere = asked.everywhere === undefined ? undefined : columnOf(asked.everywhere);
  const named = said !== undefined || isRoot || table.columns.some((column) => column.name === everywhere);
  if (!named) return undefined;
  const by = carriers.flatMap((column) => carrier(table, column) ?? []);
  if (by.length < carriers.length) return undefined;
  const within = asked.within === undefined ? undefined : carrier(table, columnOf(asked.within));
  return { ...ruleOf(table, said, carriers), by, ...(within !== undefined && { within }) };
}

/** The columns of a table that carry the subject's key. */
export function carriersOf(model: Model, table: Table, asked: ErasureSubject): readonly string[] {
  const said = namedTables(asked).get(label(table));
  if (said?.by !== undefined) return listed(said.by);
  const key = keyOf(model, asked);
  const root = asked.table === undefined ? undefined : relationOf(asked.table);
  if (root !== undefined && label(root) === label(table)) return key === undefined ? [] : [key];
  const everywhere = asked.everywhere === undefined ? undefined : columnOf(asked.everywhere);
  if (everywhere !== undefined && table.columns.some((column) => column.name === everywhere))
    return [everywhere];
  if (root === undefined || key === undefined) return [];
  return table.foreignKeys.flatMap((foreign) => {
    const at = label(foreign.references) === label(root) ? foreign.references.columns.indexOf(key) : -1;
    return foreign.columns[at] ?? [];
  });
}

function carrier(table: Table, column: string): Carrier | undefined {
  const type = settingTypeOf(table.columns.find((one) => one.name === column)?.type ?? '');
  return type === undefined ? undefined : { column, type };
}

function viaRule(table: Table, said: ErasedTable | undefined, rules: readonly Rule[]): Rule | undefined {
  const key = table.foreignKeys.find((one) =>
    rules.some((rule) => label(rule.of) === label(one.references) && rule.act !== 'keep'),
  );
  if (key === undefined) return undefined;
  const parent = { schema: key.references.schema, name: key.references.name };
  return { ...ruleOf(table, said, []), by: [], via: { key, parent } };
}

function ruleOf(table: Table, said: ErasedTable | undefined, carriers: readonly string[]): Rule {
  const set = said === undefined ? [] : replacements(table, said, carriers);
  return {
    of: { schema: table.schema, name: table.name },
    by: [],
    act: said?.keep !== undefined ? 'keep' : set.length > 0 ? 'change' : 'delete',
    set,
    largeObjects: (said?.largeObjects ?? []).map(columnOf),
    despiteImmutability: said?.despiteImmutability === true,
    derived: table.derived === true,
  };
}

function replacements(table: Table, said: ErasedTable, carriers: readonly string[]): Replacement[] {
  const one = (column: string, to: Replacement['to']): Replacement => ({
    column,
    to,
    type: table.columns.find((each) => each.name === column)?.type ?? 'text',
    own: carriers.includes(column),
  });
  const { blank = [] } = said;
  const blanked = isList(blank)
    ? blank.map((column): readonly [string, string | null] => [columnOf(column), null])
    : Object.entries(blank);
  return [
    ...blanked.map(([column, value]) => one(column, { value })),
    ...(said.pseudonymise ?? []).map((column) => one(columnOf(column), 'pseudonym')),
  ];
}

/** Names of one column or several. */
export function listed(columns: ColumnReference | readonly ColumnReference[]): readonly string[] {
  return isList(columns) ? columns.map(columnOf) : [columnOf(columns)];
}

function isList<T>(value: T | readonly ColumnReference[]): value is readonly ColumnReference[] {
  return Array.isArray(value);
}

/** Whoever points goes before what it points at; figures that promises compute go as late as that allows. */
function ordered(model: Model, rules: readonly Rule[]): readonly Rule[] {
  const waiting = [...rules];
  const inOrder: Rule[] = [];
  const free = (rule: Rule): boolean =>
    !waiting.some((other) => other !== rule && pointsAt(model, other.of, rule.of));
  while (waiting.length > 0) {
    const ready = waiting.filter(free);
    const next = ready.find((rule) => !rule.derived) ?? ready[0] ?? waiting[0];
    if (next === undefined) break;
    inOrder.push(next);
    waiting.splice(waiting.indexOf(next), 1);
  }
  return inOrder;
}

function pointsAt(model: Model, from: RelationName, to: RelationName): boolean {
  return (findTable(model, from)?.foreignKeys ?? []).some((key) => label(key.references) === label(to));
}
