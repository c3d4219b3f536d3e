// A user's Drizzle schema, as drizzle-kit would take it, read into the model. What has no place in the model is an
// error that names it; what is not about the database (relations, functions, validators) is left alone.
import { is, Table as DrizzleTable, View as DrizzleView } from 'drizzle-orm';
import {
  getTableConfig,
  isPgEnum,
  PgMaterializedView,
  PgPolicy,
  PgRole,
  PgSchema,
  PgSequence,
  PgTable,
  PgView,
} from 'drizzle-orm/pg-core';
import { HoldfastError } from '../../error.ts';
import { label, type Model, type RelationName, type Role, type Table, type View } from '../model.ts';
import type { Diagnostic } from '../trait.ts';
import { enumOf, sequenceOptions } from './column.ts';
import type { Expressions } from './expression.ts';
import { storedName } from './name.ts';
import { readPolicy, readRole, rolesOf } from './policy.ts';
import { extraConfig, notLowered, type Reading, readTable, relationOf } from './table.ts';
import { readMaterializedView, readView } from './view.ts';

/** What a Drizzle schema says, and what of it cannot be said. */
export interface SchemaReading {
  readonly model: Pick<
    Model,
    'schemas' | 'extensions' | 'roles' | 'enums' | 'sequences' | 'tables' | 'views'
  >;
  readonly diagnostics: readonly Diagnostic[];
  /** How many tables the schema exports; the model holds fewer when some could not be read. */
  readonly tableCount: number;
}

interface Found {
  readonly schemas: PgSchema[];
  readonly tables: PgTable[];
  readonly views: View[];
  readonly enums: Model['enums'][number][];
  readonly sequences: Model['sequences'][number][];
  readonly roles: PgRole[];
  readonly policies: { readonly key: string; readonly policy: PgPolicy }[];
}

/**
 * Reads a Drizzle pg-core schema.
 * @param tables the module itself or an object of its exports
 * @param read reads its names and expressions
 */
export function readSchema(tables: Readonly<Record<string, unknown>>, read: Expressions): SchemaReading {
  const diagnostics: Diagnostic[] = [];
  const reading: Reading = { read, report: (one) => void diagnostics.push(one) };
  const found = sort(tables, reading);
  const own = found.tables.flatMap((table) => attempt(table, reading));
  const linked = linkPolicies(own, found, reading);
  const all: SchemaReading['model'] = {
    schemas: [],
    extensions: extensionsOf(linked),
    roles: roles(found),
    enums: byLabel(found.enums),
    sequences: byLabel(found.sequences),
    tables: byLabel(linked),
    views: byLabel(found.views),
  };
  return {
    model: { ...all, schemas: schemas(found, all) },
    diagnostics,
    tableCount: found.tables.length,
  };
}

// The exports of a module stand in the order its loader gives them, so it says nothing; names do.
function byLabel<T extends RelationName>(relations: readonly T[]): T[] {
  return [...relations].sort((one, other) => compareText(label(one), label(other)));
}

function compareText(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

// What Drizzle itself refuses (a reference to a table that is not there yet, an unknown value) is the schema's mistake.
function attempt(table: PgTable, reading: Reading): Table[] {
  try {
    return [readTable(table, reading)];
  } catch (error) {
    const { schema, name } = relationOf(table);
    const subject = `table ${schema}.${name}`;
    if (error instanceof HoldfastError) {
      const { code, what, fix } = error;
      reading.report({ code, severity: 'error', subject: `${subject}, ${error.subject}`, what, fix });
    } else {
      reading.report({
        code: 'HF_DRIZZLE',
        severity: 'error',
        subject,
        what: `Drizzle cannot read it: ${error instanceof Error ? error.message : String(error)}`,
        fix: 'Mend the table; references between files must be functions, () => other.id.',
      });
    }
    return [];
  }
}

function sort(tables: Readonly<Record<string, unknown>>, reading: Reading): Found {
  const found: Found = {
    schemas: [],
    tables: [],
    views: [],
    enums: [],
    sequences: [],
    roles: [],
    policies: [],
  };
  const values = new Set<unknown>();
  for (const [key, value] of Object.entries(tables)) {
    // A schema may export one thing under two names; it is still one thing.
    if (values.has(value)) continue;
    values.add(value);
    place(key, value, { found, reading });
  }
  reportLeftOut(tables, found, reading);
  reportEnums(found, reading);
  return found;
}

function place(key: string, value: unknown, { found, reading }: { found: Found; reading: Reading }): void {
  if (isPgEnum(value)) {
    found.enums.push({
      schema: value.schema ?? 'public',
      name: storedName(value.enumName),
      values: value.enumValues,
    });
  } else if (typeof value !== 'object' || value === null) {
    return;
  } else if (is(value, PgTable)) found.tables.push(value);
  else if (is(value, PgSchema)) found.schemas.push(value);
  else if (is(value, PgView))
    found.views.push(...[readView(value, reading.read)].filter((view) => view !== undefined));
  else if (is(value, PgMaterializedView)) {
    found.views.push(...[readMaterializedView(value, reading.read)].filter((view) => view !== undefined));
  } else if (is(value, PgSequence)) found.sequences.push(readSequence(value));
  else if (is(value, PgRole)) found.roles.push(value);
  else if (is(value, PgPolicy)) found.policies.push({ key, policy: value });
  else if (is(value, DrizzleTable) || is(value, DrizzleView)) {
    reading.report(
      notLowered(`export ${key}`, `it is a ${kindOf(value)} of another database, not of pg-core`),
    );
  } else if (UNFINISHED.test(kindOf(value))) {
    reading.report(
      notLowered(`export ${key}`, `it is a ${kindOf(value)} that was never finished or put into a table`),
    );
  }
}

// Builders that only become something inside a table, or by a last call such as `.as(…)`.
const UNFINISHED =
  /^(Pg|MySql|SQLite|SingleStore)(Manual)?(Materialized)?(ViewBuilder|DefaultViewBuilderCore|MaterializedViewBuilderCore|IndexBuilderOn|UniqueOnConstraintBuilder)$/;

function kindOf(value: object): string {
  const kind = (value.constructor as unknown as { [key: symbol]: unknown } | undefined)?.[
    Symbol.for('drizzle:entityKind')
  ];
  return typeof kind === 'string' ? kind : '';
}

function readSequence(sequence: PgSequence): Model['sequences'][number] {
  return {
    schema: sequence.schema ?? 'public',
    name: storedName(sequence.seqName ?? ''),
    options: sequenceOptions(sequence.seqOptions ?? {}),
  };
}

// Constraints exported beside the tables do nothing there, and tables inside an object are not exports: neither is seen
// by Drizzle, so neither may be passed over.
function reportLeftOut(tables: Readonly<Record<string, unknown>>, found: Found, reading: Reading): void {
  const used = new Set(found.tables.flatMap(entriesOf));
  const known = new Set<unknown>(found.tables);
  for (const [key, value] of Object.entries(tables)) {
    if (typeof value !== 'object' || value === null) continue;
    const kind = kindOf(value);
    if (/^Pg(Index|Check|UniqueConstraint|PrimaryKey|ForeignKey)Builder$/.test(kind) && !used.has(value)) {
      reading.report(notLowered(`export ${key}`, `it is a ${kind} that no table's extra config holds`));
    }
    if (kind !== '' || !isPlain(value)) continue;
    for (const [inner, one] of Object.entries(value)) {
      if (typeof one === 'object' && one !== null && is(one, PgTable) && !known.has(one)) {
        const { schema, name } = relationOf(one);
        reading.report(
          notLowered(
            `export ${key}.${inner}`,
            `table ${schema}.${name} stands inside an object and is not an export itself`,
          ),
        );
      }
    }
  }
}

// drizzle-kit makes the types a schema exports; a column of another would have no type.
function reportEnums(found: Found, reading: Reading): void {
  const known = new Set(found.enums.map(label));
  for (const table of found.tables) {
    for (const column of getTableConfig(table).columns) {
      const type = enumOf(column);
      if (type === undefined || known.has(label(type))) continue;
      reading.report({
        code: 'HF_NOT_LOWERED',
        severity: 'error',
        subject: `enum ${label(type)}`,
        what: `column ${column.name} of table ${label(relationOf(table))} is of this type, and the schema does not export it.`,
        fix: 'Export the pgEnum beside the tables.',
      });
    }
  }
}

// A table whose third argument fails is reported when it is read.
function entriesOf(table: PgTable): readonly unknown[] {
  try {
    return extraConfig(table);
  } catch {
    return [];
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function linkPolicies(tables: readonly Table[], found: Found, reading: Reading): Table[] {
  const byTable = new Map<string, Table>(tables.map((table) => [label(table), table]));
  const own = new Set(found.tables.flatMap(entriesOf));
  const linked = [...found.policies].sort((one, other) => compareText(one.policy.name, other.policy.name));
  for (const { key, policy } of linked) {
    const { _linkedTable: target } = policy as PgPolicy & { readonly _linkedTable?: PgTable };
    if (target === undefined) {
      if (!own.has(policy)) {
        reading.report(
          notLowered(`policy ${policy.name} (export ${key})`, 'it is in no table and linked to none'),
        );
      }
      continue;
    }
    const table = byTable.get(label(relationOf(target)));
    if (table === undefined) {
      const where = label(relationOf(target));
      reading.report(
        notLowered(
          `policy ${policy.name} (export ${key})`,
          `it is linked to ${where}, a table this definition does not hold`,
        ),
      );
      continue;
    }
    const policies = [...table.policies, readPolicy(policy, reading.read)];
    byTable.set(label(table), { ...table, policies, rowSecurity: 'enabled' });
  }
  return tables.map((table) => byTable.get(label(table)) ?? table);
}

// A declared role wins over the same name merely referred to.
function roles(found: Found): Role[] {
  const inTables = found.tables
    .flatMap(extraConfig)
    .filter((entry) => typeof entry === 'object' && is(entry, PgPolicy));
  const policies = [...inTables, ...found.policies.map(({ policy }) => policy)];
  const byName = new Map<string, Role>();
  for (const role of [...found.roles.map(readRole), ...policies.flatMap(rolesOf)]) {
    const known = byName.get(role.name);
    if (known === undefined || (known.existing === true && role.existing !== true))
      byName.set(role.name, role);
  }
  return [...byName.values()].sort((one, other) => compareText(one.name, other.name));
}

function schemas(found: Found, model: SchemaReading['model']): string[] {
  const existing = found.schemas.filter((one) => (one as { isExisting?: boolean }).isExisting === true);
  const names = [
    ...found.schemas.map((schema) => schema.schemaName),
    ...[...model.enums, ...model.sequences, ...model.tables, ...model.views].map((one) => one.schema),
  ];
  const foreign = new Set(['public', ...existing.map((schema) => schema.schemaName)]);
  return [...new Set(names.map(storedName))].filter((name) => !foreign.has(name)).sort(compareText);
}

// pg-core has columns of types, and indexes by operator classes, that come with an extension; without it the definition
// cannot be built.
const EXTENSION_WORDS: readonly (readonly [RegExp, string])[] = [
  [/^(vector|halfvec|sparsevec)\b/, 'vector'],
  [/^(geometry|geography)\b/, 'postgis'],
  [/^citext\b/, 'citext'],
  [/^hstore\b/, 'hstore'],
  [/^ltree\b/, 'ltree'],
  [/^(gin|gist)_trgm_ops\b/, 'pg_trgm'],
];

function extensionsOf(tables: readonly Table[]): { readonly name: string }[] {
  const words = tables.flatMap((table) => [
    ...table.columns.map((column) => column.type.toLowerCase()),
    ...table.indexes.flatMap((index) => index.elements.map((element) => element.opclass ?? '')),
  ]);
  return EXTENSION_WORDS.filter(([pattern]) => words.some((word) => pattern.test(word))).map(([, name]) => ({
    name,
  }));
}
