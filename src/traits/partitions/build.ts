// Lowers partitions to PARTITION BY RANGE and checks that the table can be partitioned at all.
import {
  findTable,
  label,
  mapTables,
  type Model,
  type RelationName,
  type Table,
} from '../../define/model.ts';
import type { Diagnostic } from '../../define/trait.ts';

/** A table and the column its rows are ranged by. */
export interface Partitioned {
  readonly of: RelationName;
  readonly by: string;
}

/** Types a range of time can be made of; the bounds of the first are instants, those of the others have no zone. */
export type RangeType = 'timestamptz' | 'timestamp' | 'date';

/** The model with the table partitioned by range. */
export function partition(model: Model, { of, by }: Partitioned): Model {
  const is = (table: Table): boolean => table.schema === of.schema && table.name === of.name;
  return mapTables(model, is, (table) => ({ ...table, partitionBy: { method: 'range', columns: [by] } }));
}

/** The range type of a column, or undefined where it has another. */
export function rangeTypeOf(columnType: string): RangeType | undefined {
  const plain = columnType
    .toLowerCase()
    .replace(/\s*\(\d\)/, '')
    .trim();
  if (plain === 'timestamptz' || plain === 'timestamp with time zone') return 'timestamptz';
  if (plain === 'timestamp' || plain === 'timestamp without time zone') return 'timestamp';
  return plain === 'date' ? 'date' : undefined;
}

/**
 * What keeps the table from being partitioned.
 * @see https://www.postgresql.org/docs/current/ddl-partitioning.html#DDL-PARTITIONING-DECLARATIVE-LIMITATIONS
 */
export function findings(model: Model, { of, by }: Partitioned): readonly Diagnostic[] {
  const subject = `table ${label(of)}`;
  const table = findTable(model, of);
  if (table === undefined) {
    return [
      error('HF_TRAIT_TABLE', subject, {
        what: 'partitions names it, but the definition has no such table.',
        fix: 'Add the table or correct its name.',
      }),
    ];
  }
  const column = table.columns.find((one) => one.name === by);
  if (column === undefined) {
    return [
      error('HF_TRAIT_COLUMN', subject, {
        what: `partitions names column ${by}, which the table does not have.`,
        fix: 'Add the column or correct its name.',
      }),
    ];
  }
  const found: Diagnostic[] = [];
  if (rangeTypeOf(column.type) === undefined) {
    found.push(
      error('HF_PARTITION_TYPE', `column ${label(of)}.${by}`, {
        what: `its type ${column.type} is no time.`,
        fix: 'Use timestamptz, timestamp or date.',
      }),
    );
  }
  if (!column.notNull && !(table.primaryKey?.columns.includes(by) ?? false)) {
    found.push(
      error('HF_PARTITION_NULL', `column ${label(of)}.${by}`, {
        what: 'it may be NULL, and no partition takes such a row.',
        fix: 'Make it NOT NULL.',
      }),
    );
  }
  return [...found, ...keyFindings(table, by), ...pointersIn(model, table)];
}

function keyFindings(table: Table, by: string): Diagnostic[] {
  const keys = [
    ...(table.primaryKey === undefined ? [] : [{ kind: 'primary key', columns: table.primaryKey.columns }]),
    ...table.uniques.map((one) => ({ kind: 'unique key', columns: one.columns })),
    ...table.indexes
      .filter((one) => one.unique)
      .map((one) => ({
        kind: `unique index ${one.name}`,
        columns: one.elements.map((element) => element.column ?? '(expression)'),
      })),
  ];
  return keys
    .filter(({ columns }) => !columns.includes(by))
    .map(({ kind, columns }) =>
      error('HF_PARTITION_KEY', `${kind} (${columns.join(', ')}) of table ${label(table)}`, {
        what: `it does not contain ${by}: PostgreSQL keeps a key unique within one partition only.`,
        fix: `Add ${by} to it, or keep the values that must be unique over all time in a table of their own.`,
      }),
    );
}

/** A key that points at a partitioned table must name all of a unique key, the time included. */
function pointersIn(model: Model, table: Table): Diagnostic[] {
  const uniques = [...(table.primaryKey === undefined ? [] : [table.primaryKey]), ...table.uniques].map(
    (key) => sorted(key.columns),
  );
  const found: Diagnostic[] = [];
  for (const other of model.tables) {
    for (const key of other.foreignKeys) {
      if (key.references.schema !== table.schema || key.references.name !== table.name) continue;
      if (uniques.includes(sorted(key.references.columns))) continue;
      found.push(
        error('HF_PARTITION_FK', `foreign key (${key.columns.join(', ')}) of table ${label(other)}`, {
          what: `${label(table)} has no unique key on (${key.references.columns.join(', ')}): on a partitioned table every key contains the time.`,
          fix: 'Reference the whole key, time included, or drop the foreign key.',
        }),
      );
    }
  }
  return found;
}

function error(
  code: `HF_${string}`,
  subject: string,
  text: { readonly what: string; readonly fix: string },
): Diagnostic {
  return { code, severity: 'error', subject, ...text };
}

function sorted(columns: readonly string[]): string {
  return [...columns].sort().join('\0');
}
