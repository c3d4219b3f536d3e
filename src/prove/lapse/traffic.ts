// What happens to a database in a replay while time passes: the rows its users write. The only thing the replay cannot
// read from the definition, so whoever wrote the definition writes this beside it (`lapse.ts`, default export).
import type { CatalogueQuery, RelationName } from '../../define/index.ts';

/** What the traffic did in one slice, as it believes; the replay compares it with what it finds. */
export interface Written {
  readonly relation: RelationName;
  readonly inserted: number;
  readonly deleted: number;
}

/** One stretch of simulated time. */
export interface Slice {
  /** Included. */
  readonly from: Date;
  /** Excluded. */
  readonly to: Date;
  /** Days since the replay began, from 0. */
  readonly day: number;
  /** Rows asked for in this slice, in all relations together, roughly; at least one. */
  readonly rows: number;
  /**
   * Row times within the slice, ascending, as `2026-01-15 00:00:00.000000+00`: random, and from two on always the first
   * and the last microsecond of the slice among them. The server's own now() is real time: never rely on it.
   */
  readonly times: (count: number) => readonly string[];
  /** Rows older than this may be on their way out: neither update nor delete them. */
  readonly touchFrom: Date;
}

/** What the traffic is given. */
export interface TrafficContext {
  /** The scratch database, as the role that built it; for those who open sessions of their own. */
  readonly url: string;
  /** One session as the role that built the database (a superuser as a rule, so no policy filters it). */
  readonly query: CatalogueQuery;
  /** Chance with a seed: at least 0, less than 1. Use no other. */
  readonly random: () => number;
}

/** The traffic of one database. */
export interface Traffic {
  /** The column that says whose row it is, for the books; absent: they are kept for all rows together. */
  readonly tenant?: string;
  /** Once, after the definition was applied: what all rows refer to. Times are those of `slice.from`. */
  readonly begin?: (context: TrafficContext, slice: Slice) => Promise<void>;
  /**
   * Writes one slice: inserts with times of the slice given explicitly, and updates or deletes of rows not older than
   * `slice.touchFrom`. The time column of a row never changes. Every row the relations with promises get is written here.
   */
  readonly write: (context: TrafficContext, slice: Slice) => Promise<readonly Written[]>;
}
