// One part of a table's past on its way: a partition, or the rows of one period, and the state the ledger has it in.
import type { Piece } from '../../define/job.ts';
import { label, type RelationName } from '../../define/model.ts';
import type { ArchiveReceipt } from './port.ts';
import type { Terms } from './terms.ts';

/**
 * Where a part stands, and where its rows are read meanwhile.
 * Online side: `closing` no row is written to it any more (read in the table); `closed` its sums are taken, it is being
 * detached (read in the table, or under its own name once the detach has begun).
 * Archive side: `receiving` rows arrive in batches; `archived`; `filing` nothing arrives any more, a file is written;
 * `written`; `verified` the file was read back (all of these read in the archive's table); `filed` in the file alone;
 * `leaving` and `removing` its time in the archive is over; `gone`.
 */
export type State =
  | 'closing'
  | 'closed'
  | 'receiving'
  | 'archived'
  | 'filing'
  | 'written'
  | 'verified'
  | 'filed'
  | 'leaving'
  | 'removing'
  | 'gone';

/** States in which a part rests, by design for as long as it takes. */
export const RESTING: ReadonlySet<State> = new Set<State>(['receiving', 'archived', 'filed', 'gone']);

/** One part on its way. */
export interface Unit {
  /** Its name among the parts of one table. */
  readonly key: string;
  readonly state: State;
  /** The half-open range of time; `from` null: from the oldest. */
  readonly from: Date | null;
  readonly to: Date;
  /** Tells parts of one range apart: rows that came late, a partition that was made again. */
  readonly serial: number;
  /** The table its rows are in, or were in last. */
  readonly table: RelationName;
  /** The keeper's clock when this state began. */
  readonly since: Date;
  /** Known once nothing is written to it any more. */
  readonly rows?: number;
  readonly bytes?: number;
  readonly receipt?: ArchiveReceipt;
  /** The serial under which its file is being written anew: what lies there belongs to nobody else. */
  readonly fresh?: number;
  /** The path of the file that another has replaced, as long as it may still be there. */
  readonly stale?: string;
}

/** Rows that left a table one by one, counted since ever. */
export interface Tally {
  /** Into the archive. */
  readonly moved: number;
  /** For good, from the table or from the archive. */
  readonly deleted: number;
  /** Rows that were old enough in the last run and stayed because others point at them. */
  readonly referenced: number;
  /** Rows deleted since the table was last vacuumed. */
  readonly unvacuumed: number;
}

/** The piece that {@link Tally} is kept in. */
export const TALLY = 'rows';

/** The subject of all pieces of one table. */
export function subjectOf(of: RelationName): string {
  return `table ${label(of)}`;
}

/** The piece a part is in the ledger. */
export function asPiece(terms: Terms, unit: Unit): Piece {
  const { key, state, from, to, since, ...rest } = unit;
  return {
    subject: subjectOf(terms.of),
    piece: key,
    state,
    detail: {
      ...rest,
      column: terms.by,
      from: from?.toISOString() ?? null,
      to: to.toISOString(),
      since: since.toISOString(),
    },
  };
}

/** The parts among a table's pieces, in the order they began. */
export function unitsOf(terms: Terms, pieces: readonly Piece[]): readonly Unit[] {
  return pieces
    .filter((piece) => piece.subject === subjectOf(terms.of) && STATES.has(piece.state))
    .map(fromPiece)
    .sort((left, right) => timeOf(left.from) - timeOf(right.from) || left.serial - right.serial);
}

const STATES: ReadonlySet<string> = new Set<State>([
  'closing',
  'closed',
  'receiving',
  'archived',
  'filing',
  'written',
  'verified',
  'filed',
  'leaving',
  'removing',
  'gone',
]);

function fromPiece(piece: Piece): Unit {
  const detail = piece.detail as Omit<Unit, 'key' | 'state' | 'from' | 'to' | 'since'> & {
    readonly from: string | null;
    readonly to: string;
    readonly since: string;
  };
  return {
    key: piece.piece,
    state: piece.state as State,
    from: detail.from === null ? null : new Date(detail.from),
    to: new Date(detail.to),
    serial: detail.serial,
    table: detail.table,
    since: new Date(detail.since),
    ...(detail.rows !== undefined && { rows: detail.rows }),
    ...(detail.bytes !== undefined && { bytes: detail.bytes }),
    ...(detail.receipt !== undefined && { receipt: detail.receipt }),
    ...(detail.fresh !== undefined && { fresh: detail.fresh }),
    ...(detail.stale !== undefined && { stale: detail.stale }),
  };
}

/** The tally among a table's pieces. */
export function tallyOf(terms: Terms, pieces: readonly Piece[]): Tally {
  const found = pieces.find((piece) => piece.subject === subjectOf(terms.of) && piece.piece === TALLY);
  return { moved: 0, deleted: 0, referenced: 0, unvacuumed: 0, ...found?.detail };
}

/** A new part of a range, with a key that no earlier part has. */
export function newUnit(
  earlier: readonly Unit[],
  made: Pick<Unit, 'state' | 'from' | 'to' | 'table' | 'since'>,
): Unit {
  const same = earlier.filter((one) => timeOf(one.from) === timeOf(made.from));
  const serial = same.length === 0 ? 0 : 1 + Math.max(...same.map((one) => one.serial));
  const start = made.from?.toISOString() ?? 'oldest';
  return { ...made, serial, key: serial === 0 ? start : `${start} ${serial}` };
}

/** The start of a range in milliseconds; one that is open begins before all others. */
export function timeOf(from: Date | null): number {
  return from?.getTime() ?? -Infinity;
}
