// Who leads the keepers of this database. The lead is the row `keeper` of the lease table and nothing else: no session
// owns it, so it works behind a transaction pooler. Each function is one statement. The fence grows with every holder.
// A transaction of the leader holds the row FOR KEY SHARE, which the UPDATE of a heartbeat may pass and the FOR UPDATE of
// a challenger may not: nobody takes over in the middle of a transaction, and who was passed over commits nothing.
import { hostname } from 'node:os';
import type { ClientBase } from 'pg';
import { HoldfastError } from '../error.ts';
import { SQLSTATE, isSqlstate } from '../server/index.ts';
import { ident, literal } from '../sql.ts';

type Client = Pick<ClientBase, 'query'>;

/** The lead of one ledger, as its holder remembers it. */
export interface Lead {
  readonly schema: string;
  readonly fence: string;
}

/** Who leads, as the ledger has it. */
export interface Leader {
  readonly fence: string;
  /** The name it gave itself; null when nobody leads. */
  readonly holder: string | null;
  readonly host: string | null;
  readonly processPid: number | null;
  readonly since: Date | null;
  readonly renewedAt: Date | null;
  /** How long it has said nothing, in milliseconds; negative when the clock stepped back. */
  readonly silentMs: number;
  readonly beat: string;
  /** Whether a job runs right now. */
  readonly busy: boolean;
  /** The fence of the last keeper that led, commands left out. */
  readonly keeperFence: string | null;
}

/** Which ledger, and what time it is: an injected clock's time, or the server's where none is given. */
export interface LeadAt {
  readonly schema: string;
  readonly now?: Date | undefined;
}

// $1 is the injected clock's time or null.
const CLOCK = 'coalesce($1::pg_catalog.timestamptz, pg_catalog.clock_timestamp())';

const leaderSql = (schema: string): string => `SELECT fence, holder, host, process_pid AS "processPid", since,
  renewed_at AS "renewedAt", beat, busy, keeper_fence AS "keeperFence",
  coalesce(extract(epoch FROM ${CLOCK} - renewed_at) * 1000, 0)::pg_catalog.float8 AS "silentMs"
  FROM ${ident(schema)}.lease WHERE name = 'keeper'`;

/** Who leads now; undefined where the ledger has no such row. */
export async function leaderOf(client: Client, { schema, now }: LeadAt): Promise<Leader | undefined> {
  const { rows } = await client.query<Leader>(leaderSql(schema), [now ?? null]);
  return rows[0];
}

/** A challenge: taken only if the row still is as it was seen. */
export interface Challenge extends LeadAt {
  readonly seen: Pick<Leader, 'fence' | 'beat' | 'busy'>;
  readonly holder: string;
  /** Keepers lead until they stop; a command leads for one piece of work. */
  readonly as: 'keeper' | 'command';
}

// Only if nothing moved since it was seen: two challengers decide by the same row, and one of them comes second.
const takeSql = (schema: string): string => `WITH free AS (
    SELECT name FROM ${ident(schema)}.lease
    WHERE name = 'keeper' AND fence = $2 AND beat = $3 AND busy = $4 FOR UPDATE NOWAIT)
  UPDATE ${ident(schema)}.lease l SET fence = l.fence + 1, beat = l.beat + 1, holder = $5, host = $6, process_pid = $7,
    backend_pid = NULL, busy = $8, since = ${CLOCK}, renewed_at = ${CLOCK},
    keeper_fence = CASE WHEN $8 THEN l.keeper_fence ELSE l.fence + 1 END
  FROM free WHERE l.name = free.name RETURNING l.fence`;

/**
 * Takes the lead from whoever was seen to have it.
 * @returns undefined when somebody moved first, or still holds the row in a transaction
 */
export async function takeLead(client: Client, challenge: Challenge): Promise<Lead | undefined> {
  const { schema, now, seen, holder } = challenge;
  try {
    const { rows } = await client.query<{ fence: string }>(takeSql(schema), [
      now ?? null,
      seen.fence,
      seen.beat,
      seen.busy,
      holder,
      hostname(),
      process.pid,
      challenge.as === 'command',
    ]);
    return rows[0] === undefined ? undefined : { schema, fence: rows[0].fence };
  } catch (error) {
    if (isSqlstate(error, SQLSTATE.lockNotAvailable)) return undefined;
    throw error;
  }
}

/** Says that the holder lives. @returns false when it was passed over */
export async function renewLead(client: Client, lead: Lead, now?: Date): Promise<boolean> {
  const { rowCount } = await client.query(
    `UPDATE ${ident(lead.schema)}.lease SET beat = beat + 1, renewed_at = ${CLOCK}
     WHERE name = 'keeper' AND fence = $2 AND holder IS NOT NULL`,
    [now ?? null, lead.fence],
  );
  return rowCount === 1;
}

/** Gives the lead back, so that another may take it at once. The fence stays, or a late holder would match it. */
export async function releaseLead(client: Client, lead: Lead): Promise<void> {
  await client.query(
    `UPDATE ${ident(lead.schema)}.lease SET holder = NULL, busy = false, beat = beat + 1
     WHERE name = 'keeper' AND fence = $1`,
    [lead.fence],
  );
}

/** The statement that holds the lead until the transaction ends; no row when somebody else leads. Takes no parameters. */
export function holdLeadSql(lead: Lead): string {
  return `SELECT true AS held FROM ${ident(lead.schema)}.lease
    WHERE name = 'keeper' AND fence = ${literal(lead.fence)} AND holder IS NOT NULL FOR KEY SHARE`;
}

/** Whether the lead is still held, at the moment of asking. */
export async function leadHeld(client: Client, lead: Lead): Promise<boolean> {
  const { rows } = await client.query(
    `SELECT true AS held FROM ${ident(lead.schema)}.lease WHERE name = 'keeper' AND fence = $1 AND holder IS NOT NULL`,
    [lead.fence],
  );
  return rows.length === 1;
}

/** The application name of the sessions that work under a lead: whoever takes over finds them by it. */
export function leadApplication(lead: Lead): string {
  return `${lead.schema.slice(0, 30)} keeper ${lead.fence}`;
}

const SESSIONS_SQL = `SELECT pg_catalog.pg_terminate_backend(pid, 2000) AS gone
  FROM pg_catalog.pg_stat_activity
  WHERE datname = pg_catalog.current_database() AND application_name = $1 AND pid <> pg_catalog.pg_backend_pid()`;

/**
 * Ends the sessions of a leader that fell silent: a statement it left behind would meet the same job of its successor.
 * Without the right to end them (another role's) they end by themselves, and hold up the succession until then.
 */
export async function endSessionsOf(client: Client, lead: Lead): Promise<void> {
  try {
    await client.query(SESSIONS_SQL, [leadApplication(lead)]);
  } catch (error) {
    if (!isSqlstate(error, SQLSTATE.insufficientPrivilege)) throw error;
  }
}

/** The refusal for who was passed over. */
export function leadLost(): HoldfastError {
  return new HoldfastError({
    code: 'HF_LEASE_LOST',
    subject: 'this keeper',
    what: 'another one took the lead while this one was silent; nothing more was written.',
    fix: 'See who leads now (holdfast status); the job goes on there.',
  });
}
