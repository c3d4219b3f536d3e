// What a promise says about time, as values: where rows are at which age, how far ahead there is room, which figures
// equal which. A replay of years holds them against a server; nothing here knows which trait they come from.
import type { WatchContext } from './measure.ts';
import type { RelationName } from './model.ts';

/** Everything a trait promises about time. Pure; only the functions within read a server. */
export interface Promised {
  readonly residences?: readonly Residence[];
  readonly horizons?: readonly Horizon[];
  readonly sums?: readonly Sum[];
}

/** How long rows stay somewhere, counted from the time in their own column. */
export interface Stay {
  /** Rows of this instant and later are there still, whatever ran up to `now`; null: every row is. */
  readonly keepsFrom: (now: Date) => Date | null;
  /** Rows before this instant have left once the job has run at `now`; null: none has to. */
  readonly clearsBefore: (now: Date) => Date | null;
}

/** Where the rows of one relation are, by age. A row is in one of the places or gone for good, never in two. */
export interface Residence {
  readonly of: RelationName;
  /** The column whose time decides. */
  readonly column: string;
  /** The job that moves the rows: promises hold once it has run. */
  readonly job: string;
  readonly online: Stay;
  /** Absent: what leaves the table is gone. Its stay is counted from the row's own time too. */
  readonly archive?: Stay & { readonly parts: (context: WatchContext) => Promise<readonly ArchivedPart[]> };
}

/** One part of an archive: a detached partition, a table of moved rows, a file. */
export interface ArchivedPart {
  /** As shown: `archive.orders_y2026m01`, or the name of a file. */
  readonly name: string;
  /** The range of time its rows lie in; null: open. */
  readonly from: Date | null;
  readonly to: Date | null;
  /** The rows: something that can stand after FROM, or the rows themselves, values as PostgreSQL's text or null. */
  readonly rows:
    | { readonly sql: string }
    | { readonly read: () => AsyncIterable<Readonly<Record<string, string | null>>> };
  /** True where the part's rows can change once it is listed; what cannot is read once. */
  readonly grows: boolean;
}

/** One range of time that rows of a relation find a place in. */
export interface Place {
  readonly name: string;
  readonly from: Date;
  readonly to: Date;
}

/** How far ahead rows find a place. */
export interface Horizon {
  readonly of: RelationName;
  /** The column whose time says which place a row takes. */
  readonly column: string;
  /** The job that makes room. */
  readonly job: string;
  /** The places that are there now, oldest first. */
  readonly places: (context: WatchContext) => Promise<readonly Place[]>;
  /** How far they reach without a gap once the job has run at `now`. */
  readonly reachesTo: (now: Date) => Date;
  /** Room that is never used up, in milliseconds, even where the job was late. */
  readonly leastMs: number;
}

/** Figures that are kept and equal the same figures computed anew. */
export interface Sum {
  /** As shown: `table shop.order_days`. */
  readonly subject: string;
  /** The job that brings them up to date. */
  readonly job: string;
  /** A query that gives what is kept. */
  readonly kept: string;
  /** Of which rows: those that are in the relations now, or also those that have left them since. */
  readonly of: 'present' | 'ever';
  /** The relations it is computed from. */
  readonly reads: readonly RelationName[];
  /** A query that computes it anew, with the same columns; `source` gives what to read in place of a relation, as SQL. */
  readonly recomputed: (source: (of: RelationName) => string) => string;
}
