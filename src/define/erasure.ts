// What an erasure asks of the other promises: each says itself what it keeps of a table's rows in other places.
import type { TaskContext } from './job.ts';
import type { RelationName } from './model.ts';
import type { CatalogueQuery } from './trait.ts';

/** A row of a table, values as PostgreSQL prints them; null is NULL. */
export type RowText = Readonly<Record<string, string | null>>;

/**
 * A setting that the session which erases turns `on` for a transaction (`set_config`, local): what keeps rows as they are
 * lets it through, for rows of a registered subject alone and for members of the role that owns the register alone.
 */
export const ERASING_SETTING = 'holdfast.erasing';

/**
 * The channel on which an erasure says that a subject's rows are gone, once it is committed: whoever listens forgets what
 * they remember of rows. The payload is JSON with the definition's name and the kind of subject; no key is in it.
 */
export const ERASED_CHANNEL = 'holdfast_erased';

/** Whom a cache is to forget, its key as rows carried it. */
export interface ForgottenSubject {
  /** The kind of subject: `person`. */
  readonly subject: string;
  readonly key: string;
  /** What the key means something within: the tenant. */
  readonly within?: string;
}

/**
 * Makes a cache outside the database forget a subject. It is called when the subject's rows are gone, and called again
 * where what it did could not be written down: forgetting twice must be as good as once.
 * @param signal aborted when nobody waits for the answer any more: it took too long, or the run is to stop
 * @returns how many entries went; 0 where none was there
 */
export type Forget = (
  subject: ForgottenSubject,
  signal: AbortSignal,
) => Promise<{ readonly entries: number }>;

/** The rows of one table that belong to one subject, and what becomes of them. */
export interface SubjectRows {
  readonly of: RelationName;
  /** What kind of subject, as shown: `person`. The key itself is in no message. */
  readonly subject: string;
  /** A condition on rows `t` of any relation with the table's columns; its values are the first parameters. */
  readonly where: string;
  readonly values: readonly string[];
  /** Whether a row that lies elsewhere is the subject's; columns that are not given count as not equal. */
  readonly theirs: (row: RowText) => boolean;
  /** What becomes of such a row: columns with their new values, none where nothing is left to change; null: it goes. */
  readonly change: (row: RowText) => ReadonlyMap<string, string | null> | null;
  /** Erases in a relation with the table's columns, in batches that block no writer. @returns rows deleted or changed */
  readonly sweep: (relation: RelationName) => Promise<number>;
  /** How many rows of a relation are still to be erased. */
  readonly count: (relation: RelationName) => Promise<number>;
  /** Adds to the report what was erased elsewhere, in the caller's transaction. */
  readonly note: (query: CatalogueQuery, erased: ErasedPlace) => Promise<void>;
  /** What was looked through in this run already and cannot change any more; names are the caller's. */
  readonly seen: Set<string>;
}

/** How much was erased, or would be, in one place. */
export interface ErasedPlace {
  /** `table shop.orders`, `archive table archive.orders`, `archive files of shop.orders`. */
  readonly place: string;
  readonly rows: number;
  /** Files that were written anew or removed. */
  readonly files?: number;
  /** Entries that a cache forgot; its rows are none. */
  readonly entries?: number;
}

/** A row that lies elsewhere than in its table. */
export interface SubjectRow {
  readonly place: string;
  readonly row: RowText;
}

/** A trait's part in an erasure. Every function is idempotent and safe to kill at any statement. */
export interface ErasurePart {
  /**
   * Refuses where rows must stay, whatever the request's basis: a legal hold. Called in each transaction that takes rows;
   * what it saw holds until that ends.
   * @throws HoldfastError saying what keeps them
   */
  readonly mayGo?: (context: TaskContext, query: CatalogueQuery, rows: SubjectRows) => Promise<void>;
  /** How much it keeps of them elsewhere. Reads only. */
  readonly counts?: (context: TaskContext, rows: SubjectRows) => Promise<readonly ErasedPlace[]>;
  /** Hands their copies elsewhere to `take`, one by one. Reads only. */
  readonly copies?: (
    context: TaskContext,
    rows: SubjectRows,
    take: (row: SubjectRow) => Promise<void>,
  ) => Promise<void>;
  /** Erases what it keeps of them elsewhere; called after the table itself. @returns rows deleted or changed */
  readonly erase?: (context: TaskContext, rows: SubjectRows) => Promise<number>;
  /** Called once at the end with every relation that rows went from. @returns relations that it wrote to */
  readonly finish?: (
    context: TaskContext,
    touched: readonly RelationName[],
  ) => Promise<readonly RelationName[]>;
}
