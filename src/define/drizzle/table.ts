// One Drizzle table as a table of the model: columns, keys, references, checks, indexes and its own policies.
import { is, SQL } from 'drizzle-orm';
import {
  CheckBuilder,
  ForeignKeyBuilder,
  getMaterializedViewConfig,
  getTableConfig,
  getViewConfig,
  type Index as DrizzleIndex,
  IndexBuilder,
  PgColumn,
  type PgMaterializedView,
  PgPolicy,
  PgTable,
  PgView,
  PrimaryKeyBuilder,
  UniqueConstraintBuilder,
} from 'drizzle-orm/pg-core';
import type { Check, ForeignKey, Index, IndexElement, KeyConstraint, RelationName, Table } from '../model.ts';
import type { Diagnostic } from '../trait.ts';
import { readColumn } from './column.ts';
import type { Expressions } from './expression.ts';
import { storedName } from './name.ts';
import { readPolicy } from './policy.ts';

/** Where a reader puts what it finds wrong, and how it reads expressions. */
export interface Reading {
  readonly read: Expressions;
  readonly report: (diagnostic: Diagnostic) => void;
}

type Config = ReturnType<typeof getTableConfig>;

interface Place extends RelationName {
  /** The name before PostgreSQL cuts it: Drizzle builds the names of constraints from it. */
  readonly fullName: string;
}

const BUILDERS = [
  IndexBuilder,
  CheckBuilder,
  UniqueConstraintBuilder,
  PrimaryKeyBuilder,
  ForeignKeyBuilder,
  PgPolicy,
];

/** Gives the model's table for a Drizzle table; reports what it cannot lower. */
export function readTable(drizzle: PgTable, reading: Reading): Table {
  for (const entry of extraConfig(drizzle)) reportUnknown(entry, relationOf(drizzle), reading);
  const config = getTableConfig(drizzle);
  const place = { ...relationOf(drizzle), fullName: config.name };
  const subject = `table ${place.schema}.${place.name}`;
  const columns = config.columns.filter((column) => {
    if (is(column, PgColumn)) return true;
    reading.report(
      notLowered(
        `column ${String((column as { name?: unknown }).name)} of ${subject}`,
        'it is not a pg-core column.',
      ),
    );
    return false;
  });
  const key = primaryKey(config, { place, reading });
  const policies = config.policies.map((policy) => readPolicy(policy, reading.read));
  return {
    schema: place.schema,
    name: place.name,
    columns: columns.map((column) =>
      readColumn(column, { schema: place.schema, table: config.name, read: reading.read }),
    ),
    ...(key && { primaryKey: key }),
    uniques: uniques(config, place, reading.read),
    foreignKeys: config.foreignKeys.flatMap((foreignKey) => readForeignKey(foreignKey, { place, reading })),
    checks: config.checks.map((check) => readCheck(check, reading.read)),
    exclusions: [],
    indexes: config.indexes.flatMap((index) => readIndex(index, { place, reading })),
    policies,
    rowSecurity: config.enableRLS || policies.length > 0 ? 'enabled' : 'off',
  };
}

/** The schema and stored name of a Drizzle table, view or materialised view. */
export function nameOf(relation: PgTable | PgView | PgMaterializedView): RelationName {
  if (is(relation, PgTable)) return relationOf(relation);
  const config = is(relation, PgView) ? getViewConfig(relation) : getMaterializedViewConfig(relation);
  return { schema: config.schema ?? 'public', name: storedName(config.name) };
}

/** The schema and stored name of a Drizzle table. */
export function relationOf(drizzle: PgTable): RelationName {
  const config = drizzle as unknown as Record<symbol, string | undefined>;
  return {
    schema: config[Symbol.for('drizzle:Schema')] ?? 'public',
    name: storedName(config[Symbol.for('drizzle:Name')] ?? ''),
  };
}

/**
 * Everything a table's third argument gives, also what Drizzle 0.x would drop without a word.
 * @returns its values, arrays in it flattened once, as Drizzle does
 */
export function extraConfig(drizzle: PgTable): readonly unknown[] {
  const table = drizzle as unknown as Record<symbol, unknown>;
  const build = table[Symbol.for('drizzle:ExtraConfigBuilder')];
  if (typeof build !== 'function') return [];
  const given: unknown = build(table[Symbol.for('drizzle:ExtraConfigColumns')]);
  if (Array.isArray(given)) return given.flat(1);
  return typeof given === 'object' && given !== null ? Object.values(given) : [given];
}

/** The finding for something in a schema that has no place in the model. */
export function notLowered(subject: string, what: string): Diagnostic {
  return {
    code: 'HF_NOT_LOWERED',
    severity: 'error',
    subject,
    what: `${what.replace(/\.$/, '')}, so it would be missing from the database.`,
    fix: 'Say it with pg-core or a facet, or write it in a .sql file and leave it out here.',
  };
}

function reportUnknown(entry: unknown, of: RelationName, reading: Reading): void {
  if (typeof entry === 'object' && entry !== null && BUILDERS.some((builder) => is(entry, builder as never)))
    return;
  const table = `extra config of table ${of.schema}.${of.name}`;
  if (!is(entry, SQL)) {
    reading.report(
      notLowered(table, `it holds ${describe(entry)}, which is no index, key, check or policy of pg-core`),
    );
    return;
  }
  const text = reading.read.text(entry).replace(/\s+/g, ' ').trim();
  reading.report({
    ...notLowered(`${table}: ${text}`, 'Drizzle takes no SQL text there and drops it'),
    fix: "Write a constraint as check('name', sql`…`), anything else as a facet or in a .sql file.",
  });
}

function describe(entry: unknown): string {
  if (typeof entry !== 'object' || entry === null)
    return `a value of type ${entry === null ? 'null' : typeof entry}`;
  const kind = (entry.constructor as unknown as { [key: symbol]: unknown } | undefined)?.[
    Symbol.for('drizzle:entityKind')
  ];
  return typeof kind === 'string' ? `a ${kind}` : 'an object';
}

interface At {
  readonly place: Place;
  readonly reading: Reading;
}

// drizzle-kit writes an inline key as `PRIMARY KEY`, so PostgreSQL names it, and every other with Drizzle's name.
function primaryKey(config: Config, { place, reading }: At): KeyConstraint | undefined {
  const inline = config.columns.filter((column) => column.primary);
  if (inline.length + config.primaryKeys.length > 1) {
    reading.report({
      code: 'HF_PRIMARY_KEY',
      severity: 'error',
      subject: `table ${place.schema}.${place.name}`,
      what: `it declares ${inline.length + config.primaryKeys.length} primary keys, and a table has one.`,
      fix: 'Name all columns in one primaryKey({ columns: […] }).',
    });
  }
  const [composite] = config.primaryKeys;
  if (composite === undefined) {
    return inline[0] && { columns: [storedName(reading.read.columnName(inline[0]))] };
  }
  const name = renamed(composite.getName(), composite.columns, reading.read);
  return { name: storedName(name), columns: columnNames(composite.columns, reading.read) };
}

function uniques(config: Config, place: Place, read: Expressions): KeyConstraint[] {
  const inline = config.columns.filter((column) => column.isUnique);
  return [
    ...inline.map((column) => ({
      name: storedName(column.uniqueName ?? `${place.fullName}_${column.name}_unique`),
      columns: columnNames([column], read),
      ...(column.uniqueType === 'not distinct' && { nullsNotDistinct: true }),
    })),
    ...config.uniqueConstraints.map((unique) => ({
      name: storedName(
        unique.getName() ?? `${place.fullName}_${unique.columns.map(read.columnName).join('_')}_unique`,
      ),
      columns: columnNames(unique.columns, read),
      ...(unique.nullsNotDistinct && { nullsNotDistinct: true }),
    })),
  ];
}

function readForeignKey(drizzle: Config['foreignKeys'][number], { place, reading }: At): ForeignKey[] {
  const { columns, foreignColumns, foreignTable } = drizzle.reference();
  const subject = `foreign key of table ${place.schema}.${place.name}`;
  if (foreignColumns.some((column) => !is(column, PgColumn))) {
    reading.report(notLowered(subject, 'it points at a column that is not of pg-core'));
    return [];
  }
  const name = renamed(drizzle.getName(), [...columns, ...foreignColumns], reading.read);
  return [
    {
      name: storedName(name),
      columns: columnNames(columns, reading.read),
      references: { ...relationOf(foreignTable), columns: columnNames(foreignColumns, reading.read) },
      ...(drizzle.onDelete !== undefined &&
        drizzle.onDelete !== 'no action' && { onDelete: drizzle.onDelete }),
      ...(drizzle.onUpdate !== undefined &&
        drizzle.onUpdate !== 'no action' && { onUpdate: drizzle.onUpdate }),
    },
  ];
}

function readCheck(drizzle: Config['checks'][number], read: Expressions): Check {
  return { name: storedName(drizzle.name), expression: read.text(drizzle.value) };
}

function readIndex({ config }: DrizzleIndex, { place, reading }: At): Index[] {
  const elements = config.columns.map((column) => readElement(column, reading.read));
  const name = config.name ?? indexName(elements, place);
  if (name === undefined) {
    reading.report({
      code: 'HF_INDEX_NAME',
      severity: 'error',
      subject: `index on table ${place.schema}.${place.name}`,
      what: `it has an expression (${elements.find((one) => one.expression !== undefined)?.expression}) and no name.`,
      fix: "Give it a name: index('name').on(…).",
    });
    return [];
  }
  const options = Object.entries(config.with ?? {}).map(([key, value]) => [key, String(value)] as const);
  return [
    {
      name: storedName(name),
      unique: config.unique ?? false,
      method: config.method ?? 'btree',
      elements,
      ...(config.where && { where: reading.read.text(config.where) }),
      ...(options.length > 0 && { with: Object.fromEntries(options) }),
    },
  ];
}

function indexName(elements: readonly IndexElement[], place: Place): string | undefined {
  if (elements.some((element) => element.column === undefined)) return undefined;
  return `${place.fullName}_${elements.map((element) => element.column).join('_')}_index`;
}

// Drizzle's `.desc()` leaves `nulls: 'last'` standing, and drizzle-kit writes it: DESC NULLS LAST.
function readElement(column: DrizzleIndex['config']['columns'][number], read: Expressions): IndexElement {
  if (is(column, SQL)) return { expression: read.indexText(column) };
  const named = column as { readonly name?: string; readonly indexConfig?: Partial<IndexChoice> };
  const { order = 'asc', nulls = order === 'desc' ? 'first' : 'last', opClass } = named.indexConfig ?? {};
  return {
    column: storedName(read.columnName(column as { name: string })),
    ...(opClass !== undefined && { opclass: opClass }),
    ...(order === 'desc' && { order }),
    ...((order === 'asc') !== (nulls === 'last') && { nulls }),
  };
}

interface IndexChoice {
  readonly order: 'asc' | 'desc';
  readonly nulls: 'first' | 'last';
  readonly opClass: string;
}

function columnNames(columns: readonly { readonly name: string }[], read: Expressions): string[] {
  return columns.map((column) => storedName(read.columnName(column)));
}

// drizzle-kit's rule: under a casing, the generated name has each column's key replaced by its name, first place only.
function renamed(name: string, columns: readonly { readonly name: string }[], read: Expressions): string {
  return columns.reduce((so, column) => so.replace(column.name, read.columnName(column)), name);
}
