// Lowers partitions to PARTITION BY RANGE and checks that the table can be partitioned at all.
import { checkPartitionKey } from '../../define/check.ts';
import {
  findTable,
  label,
  mapTables,
  type Model,
  type RelationName,
  type Table,
} from '../../define/model.ts';
import type { Diagnostic } from '../../define/trait.ts';
import type { Period } from './index.ts';

/** A table and the column its rows are ranged by. */
export interface Partitioned {
  readonly of: RelationName;
  readonly by: string;
  /** The calendar period of one partition. */
  readonly every?: Period;
}

/** Types a range of time can be made of; the bounds of the first are instants, those of the others have no zone. */
export type RangeType = 'timestamptz' | 'timestamp' | 'date';

/** The model with the table partitioned by range. */
export function partition(model: Model, { of, by, every }: Partitioned): Model {
  const is = (table: Table): boolean => table.schema === of.schema && table.name === of.name;
  const partitionBy = { method: 'range', columns: [by], ...(every !== undefined && { every }) } as const;
  return mapTables(model, is, (table) => ({ ...table, partitionBy }));
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
  return [...found, ...checkPartitionKey({ ...table, partitionBy: { method: 'range', columns: [by] } })];
}

function error(
  code: `HF_${string}`,
  subject: string,
  text: { readonly what: string; readonly fix: string },
): Diagnostic {
  return { code, severity: 'error', subject, ...text };
}
