// What `populate` is asked and what it gives.
import type { RelationName } from '../../define/model.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import type { Boundary } from '../../define/proof.ts';

/** The database that rows are made in: a copy, or a definition that was built. */
export interface Ground {
  /** A superuser's session to it. */
  readonly url: string;
  /** Reads its catalogue, with `pg_catalog` as its path. */
  readonly query: CatalogueQuery;
  readonly now: Date;
}

/** How many rows, and whose. */
export interface PopulateOptions {
  readonly boundaries: readonly Boundary[];
  /** Owners; at least 2. */
  readonly worlds: number;
  /** Rows of one world in one table, where its constraints allow; default 2. */
  readonly rowsPerTable?: number;
  /** Tables that get no row: something else fills them. */
  readonly leaveOut?: (of: RelationName) => boolean;
  /** The same seed gives the same values. */
  readonly seed: number;
  readonly signal?: AbortSignal;
}

/** The rows that were made. */
export interface Population {
  readonly worlds: readonly World[];
  /** Tables no row could be made for, with PostgreSQL's own error. */
  readonly empty: readonly { readonly of: RelationName; readonly why: string }[];
  /** Rows that belong to no world. */
  readonly shared: readonly Row[];
  /** What had to be done otherwise than a client of the database would: triggers passed over, a partition made. */
  readonly notes: readonly { readonly of: RelationName; readonly what: string }[];
}

/** One owner's closed set of rows: every foreign key of one of its rows points to another of them, or to a shared row. */
export interface World {
  /** From 1. */
  readonly number: number;
  /** A word that stands in every text of this world that its constraints leave free: `w1k3f9`. */
  readonly marker: string;
  /** The value of each boundary's setting for this world. */
  readonly settings: Readonly<Record<string, string>>;
  /** What those settings say: the owners' names, as they stand in columns. */
  readonly names: readonly string[];
  /** Values for settings that the database's code reads besides: who acts, a request's number. */
  readonly context: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
}

/** One row, as it is in the table: the parent's name where it lies in a partition. */
export interface Row {
  readonly of: RelationName;
  /** The values of the columns, as text. */
  readonly values: Readonly<Record<string, string | null>>;
}
