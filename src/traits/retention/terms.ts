// What a retention promises, worked out for one model: the one reading of the options that all faces share.
import { findTable, type Column, type Model, type RelationName, type Table } from '../../define/model.ts';
import type { Period } from '../partitions/index.ts';
import { boundText } from '../partitions/period.ts';
import { rangeTypeOf, type RangeType } from '../partitions/build.ts';
import { columnOf } from '../reference.ts';
import { before, lengthOf, type Length, startOfDay } from './duration.ts';
import { type RetentionOptions, retentionDefaults } from './options.ts';
import type { ArchiveFiles } from './port.ts';

/** A table and the options it was given. */
export interface Asked {
  readonly of: RelationName;
  readonly options: RetentionOptions;
}

/** The promise about one table. */
export interface Terms {
  readonly of: RelationName;
  readonly by: string;
  readonly type: RangeType;
  readonly columns: readonly Column[];
  readonly partitioned: boolean;
  /** Whether rows leave one by one: a plain table, or a partitioned one to the day. */
  readonly byRow: boolean;
  /** Period of one part of the archive: the partition's own, or a month. */
  readonly every: Period;
  readonly online: Length;
  readonly archive?: {
    readonly of: RelationName;
    /** Absent: for ever. */
    readonly stays?: Length;
    readonly files?: ArchiveFiles;
  };
  /** The column that says whose row it is. */
  readonly tenant?: string;
  readonly job: string;
  readonly batch: { readonly rows: number; readonly pauseMs: number };
}

/** The terms of a retention; undefined where the table is not in the model, which the check says. */
export function termsOf(model: Model, { of, options }: Asked): Terms | undefined {
  const table = findTable(model, of);
  if (table === undefined) return undefined;
  const by = timeColumn(table, options);
  const type = rangeTypeOf(table.columns.find((column) => column.name === by)?.type ?? '');
  const tenant = options.tenant === undefined ? retentionDefaults.tenant : columnOf(options.tenant);
  const { archive } = options;
  const partitioned = table.partitionBy !== undefined;
  return {
    of,
    by,
    type: type ?? 'timestamptz',
    columns: table.columns,
    partitioned,
    byRow: !partitioned || options.exact === 'day',
    every: table.partitionBy?.every ?? 'month',
    online: lengthOf(options.online, of.name),
    ...(archive !== undefined && {
      archive: {
        of: archiveName({ of, options }),
        ...(archive.for !== undefined && { stays: lengthOf(archive.for, of.name) }),
        ...(archive.store !== undefined && { files: archive.store }),
      },
    }),
    ...(table.columns.some((column) => column.name === tenant) && { tenant }),
    job: options.job ?? retentionDefaults.job,
    batch: { ...retentionDefaults.batch, ...options.batch },
  };
}

/** The archive's table. */
export function archiveName({ of, options }: Asked): RelationName {
  return {
    schema: options.archive?.schema ?? retentionDefaults.schema,
    name: options.archive?.table ?? of.name,
  };
}

/** The column that says how old a row is. */
export function timeColumn(table: Table, options: RetentionOptions): string {
  if (options.by !== undefined) return columnOf(options.by);
  return table.partitionBy?.columns[0] ?? retentionDefaults.by;
}

/** Rows before this midnight of UTC have been online long enough. */
export function onlineUntil(terms: Terms, now: Date): Date {
  return startOfDay(before(now, terms.online));
}

/** Rows before this midnight of UTC have been in the archive long enough; null where they stay for ever. */
export function archivedUntil(terms: Terms, now: Date): Date | null {
  const stays = terms.archive?.stays;
  return stays === undefined ? null : startOfDay(before(before(now, terms.online), stays));
}

/** An instant as a parameter that the time column is compared with, whatever zone the session has. */
export function instantOf(terms: Terms, instant: Date): string {
  return boundText(instant.getTime(), terms.type);
}
