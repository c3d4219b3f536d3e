// What a user says of how long rows stay, and what stands where nothing is said.
import type { ColumnReference } from '../reference.ts';
import type { Duration } from './duration.ts';
import type { ArchiveFiles } from './port.ts';

/** Where rows go when they are no longer online. */
export interface RetentionArchive {
  /**
   * `schema`: a table of the same columns in another schema, without copying where whole partitions leave.
   * `files`: from there into files of `store`, one a period, which are read back and compared before the rows go.
   */
  readonly to: 'schema' | 'files';
  /** Schema of the archive's table; default {@link retentionDefaults}. */
  readonly schema?: string;
  /** Name of the archive's table; default the table's own. */
  readonly table?: string;
  /** Where files go; needed for `files`. */
  readonly store?: ArchiveFiles;
  /** How long rows stay in the archive after their time online; needed where they are deleted `then`. */
  readonly for?: Duration;
  /** Roles that may read the archive's table, under the same row security as the table's; default nobody. */
  readonly readers?: readonly string[];
}

export interface RetentionOptions {
  /** The column that says how old a row is; default: the partition column, or `created_at`. */
  readonly by?: ColumnReference;
  /** How long rows stay in the table: `'90 days'`, `'2 years'`. */
  readonly online: Duration;
  /** Absent: rows that leave are deleted. */
  readonly archive?: RetentionArchive;
  /** What becomes of rows in the end: deleted, or kept in the archive for ever. */
  readonly then: 'delete' | 'keep';
  /**
   * `partition`: whole partitions leave, once their newest row is old enough: the oldest is up to one period late.
   * `day`: rows leave on the day they are old enough, in batches. Default: `partition` for a partitioned table.
   */
  readonly exact?: 'partition' | 'day';
  /** The column that says whose row it is, for holds on one tenant; default `tenant_id` where the table has it. */
  readonly tenant?: ColumnReference;
  /** The job it hangs on; default {@link retentionDefaults}. */
  readonly job?: string;
  /** Rows of the first batch (later ones adapt) and the pause between two, in milliseconds. */
  readonly batch?: { readonly rows?: number; readonly pauseMs?: number };
}

/** What stands where nothing is said. */
export const retentionDefaults = {
  by: 'created_at',
  tenant: 'tenant_id',
  schema: 'archive',
  job: 'retention',
  batch: { rows: 1_000, pauseMs: 50 },
} as const;
