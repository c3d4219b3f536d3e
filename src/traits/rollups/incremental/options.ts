// What a user says of an incremental rollup.
import type { ColumnReference, TableReference } from '../../reference.ts';

/** Columns of the target by their names in the database, each with an SQL expression. */
export type Expressions = Readonly<Record<string, string>>;

export interface IncrementalOptions {
  /** The table whose rows are summed up; every expression calls it `source`. */
  readonly of: TableReference;
  /**
   * What stands after the source in FROM: `JOIN app.orders AS o ON o.id = source.order_id`. What it brings must not
   * change once a row was counted.
   */
  readonly join?: string;
  /** Which rows count, as an SQL condition; default all. */
  readonly where?: string;
  /** The target's key: column → expression over one source row. With the bucket it is the target's primary key. Rows with a NULL in it do not count. */
  readonly key: Expressions;
  /** The source's column of time: needed where rows leave it, so that it knows which have been closed. */
  readonly time?: ColumnReference;
  /** One more column of the key, filled with the start of the UTC period that the row's time lies in. */
  readonly bucket?: { readonly column: ColumnReference; readonly every: 'hour' | 'day' | 'month' };
  /** The target's column that counts rows. A row whose count comes to 0 goes. */
  readonly count: ColumnReference;
  /** Column → expression over one source row, added up; a NULL adds nothing. Whole numbers and numeric without a scale. */
  readonly sums?: Expressions;
  /** Column → expression: the least there ever was. It never grows again when a row goes. */
  readonly least?: Expressions;
  /** Column → expression: the greatest there ever was. It never shrinks again when a row goes. */
  readonly greatest?: Expressions;
  /** Column → expression that follows from the key; taken from one of the first rows and never changed. */
  readonly carried?: Expressions;
  /**
   * Column → aggregate over the bucket's rows that cannot be added up: `percentile_cont(0.5) WITHIN GROUP (ORDER BY …)`.
   * Computed anew for touched buckets alone; needs `bucket`, and an index on the source that finds one.
   */
  readonly recounted?: Expressions;
  /** The target's column that holds when the row was last brought up to date. */
  readonly stamp?: ColumnReference;
  /** Role without login and with BYPASSRLS whose rights it counts with: it sees every tenant. */
  readonly refreshedBy: string;
  /** Roles that may read how old it is. */
  readonly readers?: readonly string[];
  /** Roles that may bring it up to date themselves by calling its function `…_settle()`. */
  readonly callers?: readonly string[];
  /** Tables named in `join`; default: those of the definition whose name stands in it. */
  readonly reads?: readonly TableReference[];
  /** The job that brings it up to date; default `rollup`, every minute. */
  readonly job?: string;
  /** How old it may be before an alert: `15 minutes`; default `1 hour`. */
  readonly budget?: string;
}
