// What a user says of who can be erased and what becomes of each table's rows.
import type { Forget } from '../../define/erasure.ts';
import type { ColumnReference, TableReference } from '../reference.ts';
import type { Duration } from '../retention/duration.ts';
import type { ArchiveFiles } from '../retention/port.ts';

/** What becomes of a subject's rows in one table; where nothing is said they are deleted. */
export interface ErasedTable {
  readonly table: TableReference;
  /**
   * Columns that carry the subject's key: a row is the subject's where any of them does. Default: the subject's
   * `everywhere` column, or the columns of foreign keys that lead to the subject's table.
   */
  readonly by?: ColumnReference | readonly ColumnReference[];
  /**
   * The row stays and these columns lose their values: a list becomes NULL, an object says what stands there instead.
   * Of several columns in `by`, each is changed only where it carries the key.
   */
  readonly blank?: readonly ColumnReference[] | Readonly<Record<string, string | null>>;
  /** The row stays and these columns get one pseudonym, the same in every table: text or uuid columns. */
  readonly pseudonymise?: readonly ColumnReference[];
  /** The rows stay as they are, for this reason: they hold nothing about the subject but a pseudonym. */
  readonly keep?: string;
  /** Columns with the numbers of large objects, which go with the row. */
  readonly largeObjects?: readonly ColumnReference[];
  /** Lets the erasure through the triggers of a table whose rows are kept as they are written. */
  readonly despiteImmutability?: boolean;
}

/** One kind of subject: a person, a tenant. */
export interface ErasureSubject {
  /** The table with one row a subject; absent where no table of the database is about it. */
  readonly table?: TableReference;
  /** The column of that table that identifies it; default its primary key, where that is one column. */
  readonly key?: ColumnReference;
  /** A column of every table that the key means nothing without, such as the tenant; a key is then `tenant/key`. */
  readonly within?: ColumnReference;
  /** Every table that has this column carries the key in it, named or not. */
  readonly everywhere?: ColumnReference;
  /** What becomes of the rows of single tables. */
  readonly tables?: readonly ErasedTable[];
  /** Within what time the law wants it done; default {@link erasureDefaults}. */
  readonly term?: Duration;
}

export interface ErasureOptions {
  /** Kinds of subjects by name: small letters, digits and underscores. */
  readonly subjects: Readonly<Record<string, ErasureSubject>>;
  /** Schema of the register of who was erased; default: that of the first subject's table. */
  readonly schema?: string;
  /**
   * Where a copy of the register is kept outside the database: a restored backup knows nothing of what was erased after it
   * was taken. A folder or a bucket, as for archives.
   */
  readonly tombstones?: ArchiveFiles;
  /**
   * Caches outside the database by name, as reports call them, each with what makes it forget a subject: a search index, a
   * Redis. An erasure is not finished before each has said how much it forgot; one that fails is asked again by the job.
   */
  readonly caches?: Readonly<Record<string, Forget>>;
  /** How long a cache may take to answer, in milliseconds; then it has failed. */
  readonly cacheAnswerMs?: number;
  /** The job that finishes erasures and repeats them on rows that came back; default {@link erasureDefaults}. */
  readonly job?: string;
  /** Rows of one batch and the pause between two, in milliseconds. */
  readonly batch?: { readonly rows?: number; readonly pauseMs?: number };
}

/** What stands where nothing is said. */
export const erasureDefaults = {
  term: '15 days',
  job: 'erasure',
  batch: { rows: 1_000, pauseMs: 20 },
  cacheAnswerMs: 30_000,
} as const;
