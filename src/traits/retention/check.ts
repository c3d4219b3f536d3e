// Mistakes that would make rows leave wrongly, or never, seen in the definition alone.
import { findTable, label, type Model, type Table } from '../../define/model.ts';
import type { Diagnostic } from '../../define/trait.ts';
import { rangeTypeOf } from '../partitions/build.ts';
import { columnOf } from '../reference.ts';
import { archiveName, type Asked, timeColumn } from './terms.ts';

/** What is wrong with one retention; none: an empty list. */
export function findings(model: Model, asked: Asked): readonly Diagnostic[] {
  const subject = `table ${label(asked.of)}`;
  const table = findTable(model, asked.of);
  if (table === undefined) {
    return [
      error('HF_TRAIT_TABLE', subject, {
        what: 'retention names it, but the definition has no such table.',
        fix: 'Add the table or correct its name.',
      }),
    ];
  }
  return [
    ...aboutTime(table, asked),
    ...aboutPartitions(table, asked),
    ...aboutKept(table, asked),
    ...aboutTenant(table, asked),
    ...aboutArchive(model, asked),
  ];
}

function aboutTime(table: Table, { options }: Asked): Diagnostic[] {
  const by = timeColumn(table, options);
  const column = table.columns.find((one) => one.name === by);
  if (column === undefined) {
    return [
      error('HF_TRAIT_COLUMN', `table ${label(table)}`, {
        what: `retention counts from column ${by}, which the table does not have.`,
        fix: "Name the column that says how old a row is in 'by'.",
      }),
    ];
  }
  const found: Diagnostic[] = [];
  const subject = `column ${label(table)}.${by}`;
  if (rangeTypeOf(column.type) === undefined) {
    found.push(
      error('HF_RETENTION_TYPE', subject, {
        what: `its type ${column.type} is no time.`,
        fix: 'Use timestamptz, timestamp or date.',
      }),
    );
  }
  if (!column.notNull && !(table.primaryKey?.columns.includes(by) ?? false)) {
    found.push(
      error('HF_RETENTION_NULL', subject, {
        what: 'it may be NULL, and such a row would never leave.',
        fix: 'Make it NOT NULL.',
      }),
    );
  }
  return found;
}

function aboutPartitions(table: Table, { options }: Asked): Diagnostic[] {
  const subject = `table ${label(table)}`;
  const key = table.partitionBy;
  if (key === undefined) {
    if (options.exact !== 'partition') return [];
    return [
      error('HF_RETENTION_EXACT', subject, {
        what: 'its rows are to leave by partition, and it has none.',
        fix: "Give it partitions, or leave out 'exact': its rows leave to the day.",
      }),
    ];
  }
  if (key.method === 'range' && key.columns.length === 1 && key.columns[0] === timeColumn(table, options)) {
    return [];
  }
  return [
    error('HF_RETENTION_BY', subject, {
      what: `it is partitioned by ${key.method} (${key.columns.join(', ')}), and retention counts from ${timeColumn(table, options)}: a partition would hold old rows and new ones.`,
      fix: 'Count from the one column whose ranges are its partitions.',
    }),
  ];
}

/**
 * Triggers refuse each DELETE of a table whose rows are kept, whoever asks. A whole partition leaves without one; rows
 * one by one could only leave through a hole in that promise, which others would find too.
 */
function aboutKept(table: Table, { options }: Asked): Diagnostic[] {
  const byRow = table.partitionBy === undefined || options.exact === 'day';
  if (!byRow || table.refuses === undefined) return [];
  return [
    error('HF_RETENTION_IMMUTABLE', `table ${label(table)}`, {
      what: 'its rows are kept as they are written, and would have to be deleted one by one.',
      fix:
        table.partitionBy === undefined
          ? 'Partition it by time: a whole partition leaves without a row being deleted.'
          : "Say exact: 'partition', with a shorter period where a month is too late.",
    }),
  ];
}

function aboutTenant(table: Table, { options }: Asked): Diagnostic[] {
  if (options.tenant === undefined) return [];
  const name = columnOf(options.tenant);
  if (table.columns.some((column) => column.name === name)) return [];
  return [
    error('HF_TRAIT_COLUMN', `table ${label(table)}`, {
      what: `retention names tenant column ${name}, which the table does not have.`,
      fix: 'Name the column that says whose row it is, or leave it out.',
    }),
  ];
}

function aboutArchive(model: Model, asked: Asked): Diagnostic[] {
  if (asked.options.archive === undefined) return [];
  const of = archiveName(asked);
  const taken = [...model.tables, ...model.views].some((one) => label(one) === label(of));
  if (!taken) return [];
  return [
    error('HF_RETENTION_ARCHIVE', `table ${label(asked.of)}`, {
      what: `its archive would be ${label(of)}, and the definition has that already.`,
      fix: "Give the archive another 'table' or 'schema'.",
    }),
  ];
}

function error(
  code: `HF_${string}`,
  subject: string,
  text: { readonly what: string; readonly fix: string },
): Diagnostic {
  return { code, severity: 'error', subject, ...text };
}
