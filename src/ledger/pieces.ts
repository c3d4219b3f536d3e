// What is on its way through several states. A piece is written in the transaction of its effect; a state that is not
// the expected one means that somebody else moved it.
import { HoldfastError } from '../error.ts';
import { ident } from '../sql.ts';

/** Runs one statement with parameters and gives its rows. */
export type PieceQuery = <Row extends object>(
  sql: string,
  values?: readonly unknown[],
) => Promise<readonly Row[]>;

/** Whose pieces. */
export interface PieceOwner {
  readonly schema: string;
  readonly definition: string;
  readonly trait: string;
}

/** One piece as the ledger has it. */
export interface PieceRow {
  readonly subject: string;
  readonly piece: string;
  readonly state: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** The pieces of a trait, or those of one subject of it, by subject and piece. */
export async function listPieces(
  query: PieceQuery,
  of: PieceOwner,
  subject?: string,
): Promise<readonly PieceRow[]> {
  return query<PieceRow>(
    `SELECT subject, piece, state, detail FROM ${ident(of.schema)}.piece
     WHERE definition = $1 AND trait = $2 AND ($3::pg_catalog.text IS NULL OR subject = $3)
     ORDER BY subject COLLATE "C", piece COLLATE "C"`,
    [of.definition, of.trait, subject ?? null],
  );
}

const SET = 'state = $5, detail = $6, changed_at = pg_catalog.clock_timestamp()';

function putSql(schema: string, from: string | null | undefined): string {
  const table = `${ident(schema)}.piece`;
  if (typeof from === 'string')
    return `UPDATE ${table} SET ${SET}
      WHERE definition = $1 AND trait = $2 AND subject = $3 AND piece = $4 AND state = $7 RETURNING true AS written`;
  return `INSERT INTO ${table} (definition, trait, subject, piece, state, detail) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (definition, trait, subject, piece) DO ${from === null ? 'NOTHING' : `UPDATE SET ${SET}`}
    RETURNING true AS written`;
}

/**
 * Writes a piece in the caller's transaction.
 * @param put `from`: the state it must be in, null when it must not be there, absent when any will do
 * @throws HoldfastError HF_PIECE_MOVED when it is in another state
 */
export async function putPiece(
  query: PieceQuery,
  of: PieceOwner,
  put: { readonly piece: PieceRow; readonly from?: string | null | undefined },
): Promise<void> {
  const { piece, from } = put;
  const values: unknown[] = [of.definition, of.trait, piece.subject, piece.piece, piece.state];
  values.push(JSON.stringify(piece.detail));
  const rows = await query<{ written: boolean }>(
    putSql(of.schema, from),
    typeof from === 'string' ? [...values, from] : values,
  );
  if (rows.length === 1) return;
  throw new HoldfastError({
    code: 'HF_PIECE_MOVED',
    subject: `${piece.subject}, ${piece.piece}`,
    what:
      from === null
        ? 'the ledger has it already.'
        : `it is no longer ${from}; it cannot become ${piece.state}.`,
    fix: 'Run the job again: it goes on from the state the ledger has.',
  });
}

/** Forgets a piece in the caller's transaction. */
export async function removePiece(
  query: PieceQuery,
  of: PieceOwner,
  piece: Pick<PieceRow, 'subject' | 'piece'>,
): Promise<void> {
  await query(
    `DELETE FROM ${ident(of.schema)}.piece WHERE definition = $1 AND trait = $2 AND subject = $3 AND piece = $4`,
    [of.definition, of.trait, piece.subject, piece.piece],
  );
}
