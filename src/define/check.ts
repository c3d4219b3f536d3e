// Mistakes that show in the definition alone, before a server is asked. Each check takes a model and gives findings.
import type { Index, KeyConstraint, Model, RelationName, Table, View } from './model.ts';
import { findTable, label } from './model.ts';
import type { Diagnostic } from './trait.ts';

/** Every check that holds for all definitions: names, references, partition keys, immutable expressions. */
export function checkModel(model: Model): Diagnostic[] {
  return [
    ...checkNames(model),
    ...checkReferences(model),
    ...model.tables.flatMap(checkPartitionKey),
    ...checkImmutable(model),
  ];
}

/** Two objects that PostgreSQL would put into one name: relations of a schema, columns, constraints, policies. */
export function checkNames(model: Model): Diagnostic[] {
  const relations = [
    ...model.tables.map((one) => ({ ...one, kind: 'table' })),
    ...model.views.map((one) => ({ ...one, kind: one.materialized ? 'materialized view' : 'view' })),
    ...model.sequences.map((one) => ({ ...one, kind: 'sequence' })),
    ...[...model.tables, ...model.views].flatMap((owner) =>
      owner.indexes.map((index) => ({
        schema: owner.schema,
        name: index.name,
        kind: `index on ${label(owner)}`,
      })),
    ),
    ...model.tables.flatMap((table) =>
      keysOf(table).map((key) => ({ schema: table.schema, name: key.name, kind: `key of ${label(table)}` })),
    ),
  ].filter((one): one is RelationName & { kind: string } => one.name !== undefined);
  return [
    ...duplicates(relations.map((one) => ({ name: label(one), what: one.kind }))),
    ...duplicates(model.enums.map((one) => ({ name: label(one), what: 'enum' }))),
    ...model.tables.flatMap(checkTableNames),
    ...model.enums.filter((one) => model.tables.some((table) => label(table) === label(one))).map(typeClash),
  ];
}

function keysOf(table: Table): readonly { readonly name?: string }[] {
  return [...(table.primaryKey ? [table.primaryKey] : []), ...table.uniques, ...table.exclusions];
}

function checkTableNames(table: Table): Diagnostic[] {
  const within = (names: readonly (string | undefined)[], what: string): Diagnostic[] =>
    duplicates(
      names
        .filter((name) => name !== undefined)
        .map((name) => ({ name: `${name} of table ${label(table)}`, what })),
    );
  const constraints = [...keysOf(table), ...table.foreignKeys, ...table.checks];
  return [
    ...within(
      table.columns.map((one) => one.name),
      'column',
    ),
    ...within(
      constraints.map((one) => one.name),
      'constraint',
    ),
    ...within(
      table.policies.map((one) => one.name),
      'policy',
    ),
  ];
}

function duplicates(names: readonly { readonly name: string; readonly what: string }[]): Diagnostic[] {
  const seen = new Map<string, string[]>();
  for (const { name, what } of names) seen.set(name, [...(seen.get(name) ?? []), what]);
  return [...seen]
    .filter(([, kinds]) => kinds.length > 1)
    .map(([name, kinds]) => ({
      code: 'HF_DUPLICATE_NAME',
      severity: 'error',
      subject: `name ${name}`,
      what: `${kinds.length} objects would have it (${kinds.join(', ')}); PostgreSQL keeps 63 bytes of a name.`,
      fix: 'Give all but one of them another name.',
    }));
}

// Every table brings a row type of its name.
function typeClash(type: RelationName): Diagnostic {
  return {
    code: 'HF_DUPLICATE_NAME',
    severity: 'error',
    subject: `enum ${label(type)}`,
    what: 'a table of the same name already gives its row type that name.',
    fix: 'Rename the enum or the table.',
  };
}

/** Foreign keys whose target is not in the definition, or has no key of these columns. */
export function checkReferences(model: Model): Diagnostic[] {
  return model.tables.flatMap((table) =>
    table.foreignKeys.flatMap((foreignKey): Diagnostic[] => {
      const subject = `foreign key ${foreignKey.name ?? foreignKey.columns.join(', ')} of table ${label(table)}`;
      const target = findTable(model, foreignKey.references);
      const where = `${label(foreignKey.references)} (${foreignKey.references.columns.join(', ')})`;
      if (target === undefined) {
        return [
          {
            code: 'HF_REFERENCE',
            severity: 'error',
            subject,
            what: `it points at table ${label(foreignKey.references)}, which is not in the definition.`,
            fix: 'Export that table from the schema, or write the foreign key in a .sql file.',
          },
        ];
      }
      if (isKey(target, foreignKey.references.columns)) return [];
      return [
        {
          code: 'HF_REFERENCE',
          severity: 'error',
          subject,
          what: `it points at ${where}, and no primary key or unique of that table has exactly these columns.`,
          fix: 'Point it at a key, or make these columns unique.',
        },
      ];
    }),
  );
}

// PostgreSQL takes a unique index too, if it has no predicate and no expressions.
function isKey(table: Table, columns: readonly string[]): boolean {
  const wanted = [...columns].sort().join('\0');
  const same = (names: readonly (string | undefined)[]): boolean =>
    names.length === columns.length && [...names].sort().join('\0') === wanted;
  return (
    [...(table.primaryKey ? [table.primaryKey] : []), ...table.uniques].some((key) => same(key.columns)) ||
    table.indexes.some(
      (index) =>
        index.unique && index.where === undefined && same(index.elements.map((element) => element.column)),
    )
  );
}

/**
 * A unique key of a partitioned table that lacks a partition column: PostgreSQL cannot hold it across partitions.
 * @see https://www.postgresql.org/docs/current/ddl-partitioning.html#DDL-PARTITIONING-DECLARATIVE-LIMITATIONS
 */
export function checkPartitionKey(table: Table): Diagnostic[] {
  const by = table.partitionBy?.columns ?? [];
  if (by.length === 0) return [];
  const keys = [
    ...(table.primaryKey ? [{ what: 'the primary key', columns: table.primaryKey.columns }] : []),
    ...table.uniques.map((key) => ({ what: `unique ${key.name ?? ''}`.trim(), columns: key.columns })),
    ...table.indexes
      .filter((index) => index.unique)
      .map((index) => ({ what: `unique index ${index.name}`, columns: plainColumns(index) })),
  ];
  return keys.flatMap(({ what, columns }): Diagnostic[] => {
    const missing = by.filter((column) => !columns.includes(column));
    if (missing.length === 0) return [];
    return [
      {
        code: 'HF_PARTITION_KEY',
        severity: 'error',
        subject: `table ${label(table)}`,
        what: `${what} (${columns.join(', ')}) lacks the partition column ${missing.join(', ')}, and PostgreSQL checks uniqueness within one partition only.`,
        fix: `Add ${missing.join(', ')} to the key, or keep what must be unique for ever in a table of its own.`,
      },
    ];
  });
}

function plainColumns(index: Index): string[] {
  return index.elements.flatMap((element) => (element.column === undefined ? [] : [element.column]));
}

// By word only; the server is asked when the definition is loaded and answers 42P17 for the rest.
const MOVING =
  /\b(now\s*\(|current_(?:date|time|timestamp|user|setting|role)\b|localtime(?:stamp)?\b|session_user\b|(?:clock|statement|transaction)_timestamp\s*\(|timeofday\s*\(|random\s*\(|gen_random_uuid\s*\(|uuidv[47]\s*\(|nextval\s*\()/i;

/** Index predicates, index expressions and generated columns that plainly change with time, user or chance. */
export function checkImmutable(model: Model): Diagnostic[] {
  const indexes = [...model.tables, ...model.views].flatMap((owner) =>
    owner.indexes.flatMap((index) => [
      { subject: `index ${index.name} on ${label(owner)}`, part: 'its predicate', sql: index.where ?? '' },
      ...index.elements.map((element) => ({
        subject: `index ${index.name} on ${label(owner)}`,
        part: 'its expression',
        sql: element.expression ?? '',
      })),
    ]),
  );
  const generated = model.tables.flatMap((table) =>
    table.columns.map((column) => ({
      subject: `column ${column.name} of table ${label(table)}`,
      part: 'its generation expression',
      sql: column.generated?.as ?? '',
    })),
  );
  return [...indexes, ...generated].flatMap(({ subject, part, sql }) => {
    const word = MOVING.exec(withoutStrings(sql))?.[1];
    return word === undefined
      ? []
      : [notImmutable(subject, `${part} (${sql}) calls ${word.replace(/\s*\($/, '()')}`)];
  });
}

function withoutStrings(sql: string): string {
  return sql.replace(/'(?:[^']|'')*'/g, "''").replace(/"(?:[^"]|"")*"/g, '""');
}

function notImmutable(subject: string, what: string): Diagnostic {
  return {
    code: 'HF_NOT_IMMUTABLE',
    severity: 'error',
    subject,
    what: `${what}, which gives another answer later; PostgreSQL would refuse it, or keep rows it should not.`,
    fix: "Index the plain column with the time in the query, or convert with a fixed zone: (at AT TIME ZONE 'UTC')::date.",
  };
}

/**
 * A materialised view without a unique index over plain columns and all rows: it cannot be refreshed concurrently.
 * For traits that refresh concurrently.
 * @see https://www.postgresql.org/docs/current/sql-refreshmaterializedview.html
 */
export function checkRefreshKey(view: View): Diagnostic[] {
  const full = view.indexes.some(
    (index) =>
      index.unique &&
      index.where === undefined &&
      index.elements.every((element) => element.column !== undefined),
  );
  if (full || !view.materialized) return [];
  return [
    {
      code: 'HF_MATVIEW_KEY',
      severity: 'error',
      subject: `materialized view ${label(view)}`,
      what: 'it has no unique key over plain columns and all its rows, so it cannot be refreshed while it is read.',
      fix: 'Name the columns that identify a row of it; a key with WHERE or an expression does not do.',
    },
  ];
}

/**
 * Unique keys of a tenant's table that do not begin with the tenant: a duplicate in another tenant shows through them.
 * @param tenantColumn the column that says whose row it is; tables without it are passed over
 */
export function checkTenantKeys(model: Model, tenantColumn: string): Diagnostic[] {
  return tenantTables(model, tenantColumn).flatMap((table) => {
    const keys = [
      ...(table.primaryKey ? [{ what: 'the primary key', ...table.primaryKey }] : []),
      ...table.uniques.map((key) => ({ what: `unique ${key.name ?? ''}`.trim(), columns: key.columns })),
      ...table.indexes
        .filter((index) => index.unique)
        .map((index) => ({
          what: `unique index ${index.name}`,
          columns: index.elements.map((one) => one.column ?? `(${one.expression})`),
        })),
    ];
    return keys
      .filter((key: Pick<KeyConstraint, 'columns'>) => key.columns[0] !== tenantColumn)
      .map(({ what, columns }): Diagnostic => ({
        code: 'HF_TENANT_KEY',
        severity: 'error',
        subject: `table ${label(table)}`,
        what: `${what} (${columns.join(', ')}) does not begin with ${tenantColumn}, so a duplicate tells one tenant what another has.`,
        fix: `Write (${[tenantColumn, ...columns.filter((one) => one !== tenantColumn)].join(', ')}).`,
      }));
  });
}

/** Foreign keys between two tenant tables that do not carry the tenant: a row could point into another tenant. */
export function checkTenantReferences(model: Model, tenantColumn: string): Diagnostic[] {
  const tenants = new Set(tenantTables(model, tenantColumn).map(label));
  return tenantTables(model, tenantColumn).flatMap((table) =>
    table.foreignKeys
      .filter((foreignKey) => {
        const at = foreignKey.columns.indexOf(tenantColumn);
        const carried = at !== -1 && foreignKey.references.columns[at] === tenantColumn;
        return tenants.has(label(foreignKey.references)) && !carried;
      })
      .map((foreignKey): Diagnostic => {
        const { columns, references } = foreignKey;
        const pairs = columns
          .map((column, at) => [column, references.columns[at] ?? ''] as const)
          .filter((pair) => !pair.includes(tenantColumn));
        const own = [tenantColumn, ...pairs.map(([column]) => column)].join(', ');
        const other = [tenantColumn, ...pairs.map(([, column]) => column)].join(', ');
        return {
          code: 'HF_TENANT_REFERENCE',
          severity: 'error',
          subject: `foreign key ${foreignKey.name ?? columns.join(', ')} of table ${label(table)}`,
          what: `it does not carry ${tenantColumn}, so a row may point at a row of another tenant.`,
          fix:
            pairs.length === 0
              ? 'Name the tenant on both sides, and what else identifies the row.'
              : `Write (${own}) references ${label(references)} (${other}).`,
        };
      }),
  );
}

function tenantTables(model: Model, tenantColumn: string): Table[] {
  return model.tables.filter((table) => table.columns.some((column) => column.name === tenantColumn));
}
