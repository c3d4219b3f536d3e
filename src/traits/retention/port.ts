// The border between what decides that rows leave and where they go: the state machine calls it, files/ keeps it.
import type { LeavingRange, TaskContext } from '../../define/job.ts';
import type { RelationName } from '../../define/model.ts';
import type { Store } from './files/store.ts';

/** Which rows a piece of the archive holds. The definition's name, the relation, the range and the serial are its name. */
export interface ArchivePiece {
  /** The relation the rows belong to, as the definition names it, not the partition. */
  readonly of: RelationName;
  /** The column that says how old a row is, and the half-open range of the piece. */
  readonly range: LeavingRange;
  /** Tells pieces of one range apart, such as rows that came late; default 0. */
  readonly serial?: number;
}

/**
 * Where the rows are while they are written and compared: a table (or a partitioned one) that nobody writes to any more,
 * a detached partition or a staging table. All of its rows belong to the piece.
 */
export type ArchiveSource = RelationName;

/** What the ledger remembers of a written piece: enough to find it, and to tell that it is still the same. */
export interface ArchiveReceipt {
  /** The piece's folder in the store, as `list` gives it. */
  readonly path: string;
  /** SHA-256 of the manifest's bytes, hexadecimal. */
  readonly manifest: string;
  readonly rows: number;
  /** Of all data files together. */
  readonly bytes: number;
}

/** One column of archived rows. */
export interface ArchivedColumn {
  readonly name: string;
  /** The type as PostgreSQL writes it, qualified where it is not PostgreSQL's own: `numeric(12,2)`, `shop.state`. */
  readonly type: string;
  /** How it is stored: a Parquet type of its own, or PostgreSQL's text of the value. */
  readonly stored: StoredAs;
  /** Decimals only. */
  readonly precision?: number;
  readonly scale?: number;
}

/** Ways a column is stored in Parquet; every one gives back exactly the value that went in. */
export type StoredAs =
  | 'boolean'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'float'
  | 'double'
  | 'decimal'
  | 'uuid'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'timestamptz'
  | 'json'
  | 'bytea'
  | 'text';

/** One data file of a piece. */
export interface ArchivedFile {
  readonly name: string;
  readonly rows: number;
  readonly bytes: number;
  /** SHA-256 of its bytes, hexadecimal. */
  readonly sha256: string;
}

/** What lies beside the data files, written last: a piece without it is what a cut-off run left. */
export interface Manifest {
  readonly format: 'holdfast-archive/1';
  readonly definition: string;
  readonly relation: RelationName;
  /** Bounds as ISO instants; `from` null: from the oldest row. */
  readonly range: { readonly column: string; readonly from: string | null; readonly to: string };
  readonly serial: number;
  readonly columns: readonly ArchivedColumn[];
  readonly rows: number;
  /** Oldest and newest value of the range's column, ISO with microseconds; null when no row has one. */
  readonly min: string | null;
  readonly max: string | null;
  /** Sum over the rows of SHA-256 over each row's text, whatever their order; see content.ts. */
  readonly content: string;
  readonly files: readonly ArchivedFile[];
  readonly createdAt: string;
}

/** A piece found in a store. */
export interface ListedPiece {
  readonly path: string;
  readonly receipt: ArchiveReceipt;
  readonly manifest: Manifest;
}

/** An archive of files in one store. */
export interface ArchiveFiles {
  /** Where it is, without credentials, as shown. */
  readonly shown: string;
  /** Where its files lie; `archive query` reads from there. */
  readonly store: Store;
  /**
   * Writes a piece: data files first, the manifest last. A second call goes on where the first was cut off: files without
   * a manifest are written anew; a complete piece that holds the same rows as the source is left as it is.
   * Reads in short transactions; stops between batches when the signal aborts.
   * @throws HoldfastError HF_ARCHIVE_TAKEN when a complete piece of that name holds other rows, HF_ARCHIVE_STORE when the
   *   store fails, HF_ABORTED when the signal was aborted
   */
  readonly write: (
    context: TaskContext,
    piece: ArchivePiece,
    source: ArchiveSource,
  ) => Promise<ArchiveReceipt>;
  /**
   * Reads a piece back from the store and compares it: the manifest with the receipt, every file with its SHA-256, and
   * row count, oldest, newest and content with the source table, which PostgreSQL sums up on its own. Without `source`
   * the content is compared with the manifest alone. Only after this may rows be dropped.
   * @throws HoldfastError HF_ARCHIVE_MISSING, HF_ARCHIVE_DAMAGED, HF_ARCHIVE_DIFFERS
   */
  readonly verify: (
    context: TaskContext,
    receipt: ArchiveReceipt,
    source?: ArchiveSource,
  ) => Promise<Manifest>;
  /** Every complete piece of the definition, oldest first by relation and range. */
  readonly list: (definition: string) => Promise<readonly ListedPiece[]>;
  /** Removes a piece for good, its manifest last. Removing what is gone already is as good. */
  readonly remove: (receipt: Pick<ArchiveReceipt, 'path'>) => Promise<void>;
}

/**
 * The state of a piece in the ledger, under the trait's own subject, that keeps a range from being taken: detail holds
 * `{ column, from, to, why }` with ISO bounds, `from` null from the oldest. A legal hold is one; so is the range that
 * `archive restore --into-live` put back.
 */
export const HELD = 'held';
