// One erasure as the ledger has it: for whom by digest, on what basis, until when, and how much went from where.
import type { Piece, PieceBook } from '../../define/job.ts';
import type { ErasedPlace } from '../../define/erasure.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import type { RelationName } from '../../define/model.ts';
import type { Key } from './digest.ts';

/** `erasing`: registered, rows go. `erased`: none is left, and what they left behind was cleaned up. */
export type State = 'erasing' | 'erased';

/** One erasure. */
export interface Request {
  /** The kind of subject. */
  readonly subject: string;
  /** The digest of its key, hexadecimal. */
  readonly digest: string;
  readonly state: State;
  /** Why it is lawful, as whoever asked wrote it. */
  readonly basis: string;
  readonly requestedAt: Date;
  /** When the law wants it done. */
  readonly dueAt: Date;
  /** When it was last finished. */
  readonly erasedAt: Date | null;
  /** Transactions from this one on see the register: pg_current_xact_id of the one that registered it. */
  readonly xid: string;
  readonly counts: readonly ErasedPlace[];
  /** Relations that rows went from: they are vacuumed in the end. */
  readonly touched: readonly RelationName[];
  /** What could not be cleaned up, for a person. */
  readonly left: readonly string[];
  /** Whether touched tables are written anew in the end, so that no page of them keeps bytes of what went. */
  readonly rewrite: boolean;
  /** The key itself, for as long as a cache may have to be asked that knows no digests; absent without caches. */
  readonly open?: Key;
  /** Caches that have forgotten the subject. */
  readonly forgotten: readonly string[];
}

/** The piece's name under its subject. */
const PIECE = 'request';

/** The request as a piece. */
export function asPiece(request: Request): Piece {
  const { subject, digest, state, requestedAt, dueAt, erasedAt, ...rest } = request;
  return {
    subject: subjectOf(subject, digest),
    piece: PIECE,
    state,
    detail: {
      ...rest,
      requestedAt: requestedAt.toISOString(),
      dueAt: dueAt.toISOString(),
      erasedAt: erasedAt?.toISOString() ?? null,
    },
  };
}

/** The requests among a trait's pieces. */
export function requestsOf(pieces: readonly Piece[]): readonly Request[] {
  return pieces.filter((piece) => piece.piece === PIECE).map(fromPiece);
}

/** The request of one subject; undefined where it was never asked for. `query`: read in the caller's transaction. */
export async function requestOf(
  pieces: PieceBook,
  of: { readonly subject: string; readonly digest: string },
  query?: CatalogueQuery,
): Promise<Request | undefined> {
  return requestsOf(await pieces.list(subjectOf(of.subject, of.digest), query))[0];
}

/**
 * Whether every transaction of this database has ended that wrote before the request was committed: those since see the
 * register. Transactions of other databases are told apart by their sessions; prepared ones have none and count as ours.
 */
export async function isSettled(query: CatalogueQuery, request: Request): Promise<boolean> {
  const [row] = await query<{ ended: boolean }>(SETTLED_SQL, [request.xid]);
  return row?.ended === true;
}

const XID = '$1::pg_catalog.text::pg_catalog.xid8';
const SETTLED_SQL = `
  SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot()) > ${XID} OR NOT EXISTS (
    SELECT FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted
      AND (a.pid IS NULL OR a.datname = pg_catalog.current_database())
      AND pg_catalog.age(l.transactionid) > pg_catalog.age((${XID})::pg_catalog.xid)) AS ended`;

/** Counts with more of one place added. */
export function added(counts: readonly ErasedPlace[], more: ErasedPlace): readonly ErasedPlace[] {
  const so = counts.find((one) => one.place === more.place);
  const files = (so?.files ?? 0) + (more.files ?? 0);
  const entries = (so?.entries ?? 0) + (more.entries ?? 0);
  const told = so?.entries !== undefined || more.entries !== undefined;
  const sum = {
    place: more.place,
    rows: (so?.rows ?? 0) + more.rows,
    ...(files > 0 && { files }),
    ...(told && { entries }),
  };
  return so === undefined ? [...counts, sum] : counts.map((one) => (one === so ? sum : one));
}

function subjectOf(subject: string, digest: string): string {
  return `${subject} ${digest}`;
}

function fromPiece(piece: Piece): Request {
  const [subject = '', digest = ''] = piece.subject.split(' ');
  const detail = piece.detail as unknown as Omit<
    Request,
    'subject' | 'digest' | 'state' | 'requestedAt' | 'dueAt' | 'erasedAt' | 'forgotten'
  > & {
    readonly requestedAt: string;
    readonly dueAt: string;
    readonly erasedAt: string | null;
    // A request of an earlier release has none.
    readonly forgotten?: readonly string[];
  };
  return {
    subject,
    digest,
    state: piece.state as State,
    basis: detail.basis,
    requestedAt: new Date(detail.requestedAt),
    dueAt: new Date(detail.dueAt),
    erasedAt: detail.erasedAt === null ? null : new Date(detail.erasedAt),
    xid: detail.xid,
    counts: detail.counts,
    touched: detail.touched,
    left: detail.left,
    rewrite: detail.rewrite,
    ...(detail.open !== undefined && { open: detail.open }),
    forgotten: detail.forgotten ?? [],
  };
}
