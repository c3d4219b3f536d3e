// One apply at a time. The lease is a row whose fence grows with every holder; a session advisory lock, keyed by the
// fence, shows that the holder's backend still lives. Every step's transaction holds the row FOR KEY SHARE and checks
// the fence, so a holder that was passed over writes nothing more.
import { hostname } from 'node:os';
import type { ClientBase } from 'pg';
import { HoldfastError } from '../error.ts';
import { SQLSTATE, isSqlstate } from '../server/index.ts';
import { ident } from '../sql.ts';

/** First half of the advisory key: tells our locks from the application's. */
const LOCK_CLASS = 0x486f6c64;

/** Defaults of the lease, in milliseconds. */
export const leaseDefaults = { expiresMs: 30_000, waitMs: 10_000 } as const;

/** The right to change the structure of one database, held by one session. */
export interface Lease {
  readonly schema: string;
  readonly fence: string;
}

/** Who holds the lease. */
export interface Holder {
  readonly fence: string;
  readonly backendPid: number;
  readonly host: string;
  readonly processPid: number;
  readonly since: string;
  readonly silentMs: number;
  readonly alive: boolean;
}

const LIVES = `EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.granted
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  AND l.classid = ${LOCK_CLASS} AND l.objid = (fence % 2147483647)::pg_catalog.oid AND l.pid = backend_pid)`;

const holderSql = (schema: string, lock: string): string => `SELECT fence, backend_pid AS "backendPid", host,
  process_pid AS "processPid", since::text AS since,
  (extract(epoch FROM pg_catalog.clock_timestamp() - renewed_at) * 1000)::float8 AS "silentMs", ${LIVES} AS alive
  FROM ${ident(schema)}.lease WHERE name = 'structure' ${lock}`;

/**
 * Takes the lease if nobody living holds it.
 * A holder that was silent for `expiresMs` is cut off first; that needs the right to end its session.
 * @param client the session that will run the steps, outside a transaction and not behind a transaction pooler
 * @param options `after`: the lease this run held until its session broke; it is renewed only if nobody had it since
 * @returns the lease, or who holds it
 * @throws HoldfastError HF_LEASE_LOST when others held it after `after`, though nobody does now
 */
export async function takeLease(
  client: ClientBase,
  options: { readonly schema: string; readonly expiresMs?: number; readonly after?: string },
): Promise<{ readonly lease: Lease } | { readonly heldBy: Holder }> {
  const { schema, expiresMs = leaseDefaults.expiresMs, after } = options;
  const seen = await holderOf(client, schema, '');
  // Who was passed over has no say over those who came after, however silent they are.
  const silence = passedOver(seen, after) ? Infinity : expiresMs;
  if (seen?.alive === true && !(await cutOff(client, seen, silence))) return { heldBy: seen };
  await client.query('BEGIN');
  try {
    // Waits for a step that still holds the row, which ends with the session that was found dead or cut off.
    const holder = await holderOf(client, schema, 'FOR UPDATE');
    if (holder?.alive === true && holder.fence !== seen?.fence) {
      await client.query('ROLLBACK');
      return { heldBy: holder };
    }
    if (passedOver(holder, after)) throw leaseLost();
    const taken = await client.query<{ fence: string }>(takeSql(schema), [hostname(), process.pid]);
    const fence = taken.rows[0]?.fence ?? '0';
    await client.query(LIVING_SQL, [LOCK_CLASS, fence]);
    await client.query('COMMIT');
    return { lease: { schema, fence } };
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

function passedOver(holder: Holder | undefined, after: string | undefined): boolean {
  return after !== undefined && holder?.fence !== after;
}

async function holderOf(
  client: ClientBase,
  schema: string,
  lock: '' | 'FOR UPDATE',
): Promise<Holder | undefined> {
  const { rows } = await client.query<Holder>(holderSql(schema, lock));
  return rows[0];
}

const takeSql = (schema: string): string => `UPDATE ${ident(schema)}.lease SET fence = fence + 1,
  backend_pid = pg_catalog.pg_backend_pid(), host = $1, process_pid = $2,
  since = pg_catalog.clock_timestamp(), renewed_at = pg_catalog.clock_timestamp()
  WHERE name = 'structure' RETURNING fence`;

const LIVING_SQL = `SELECT pg_catalog.pg_advisory_lock($1, ($2::int8 % 2147483647)::int4)`;
const CUT_OFF_SQL = `SELECT pg_catalog.pg_terminate_backend($1, 5000) AS gone`;

async function cutOff(client: ClientBase, holder: Holder, expiresMs: number): Promise<boolean> {
  if (holder.silentMs < expiresMs) return false;
  try {
    const { rows } = await client.query<{ gone: boolean }>(CUT_OFF_SQL, [holder.backendPid]);
    return rows[0]?.gone === true;
  } catch (error) {
    if (isSqlstate(error, SQLSTATE.insufficientPrivilege)) return false;
    throw error;
  }
}

/** Says that the holder still works. Its own session is busy with steps, so this comes from a second one. */
export async function renewLease(client: Pick<ClientBase, 'query'>, lease: Lease): Promise<void> {
  await client.query(
    `UPDATE ${ident(lease.schema)}.lease SET renewed_at = pg_catalog.clock_timestamp()
     WHERE name = 'structure' AND fence = $1`,
    [lease.fence],
  );
}

/**
 * Holds the lease for the rest of the transaction: nobody can take it before COMMIT.
 * @throws HoldfastError HF_LEASE_LOST when another run took it meanwhile
 */
export async function holdLease(client: Pick<ClientBase, 'query'>, lease: Lease): Promise<void> {
  const { rows } = await client.query(
    `SELECT FROM ${ident(lease.schema)}.lease WHERE name = 'structure' AND fence = $1 FOR KEY SHARE`,
    [lease.fence],
  );
  if (rows.length === 0) throw leaseLost();
}

function leaseLost(): HoldfastError {
  return new HoldfastError({
    code: 'HF_LEASE_LOST',
    subject: 'this run',
    what: 'another run took over while this one was silent; nothing more was written.',
    fix: 'See what the other run did (holdfast status), then run again if it is needed.',
  });
}

/** Gives the lease back; a session that ends gives it back by ending. */
export async function releaseLease(client: Pick<ClientBase, 'query'>, lease: Lease): Promise<void> {
  await client.query(`SELECT pg_catalog.pg_advisory_unlock($1, ($2::int8 % 2147483647)::int4)`, [
    LOCK_CLASS,
    lease.fence,
  ]);
}

/** The refusal for a second run. */
export function leaseHeld(holder: Holder): HoldfastError {
  return new HoldfastError({
    code: 'HF_APPLY_RUNNING',
    subject: `process ${holder.processPid} on ${holder.host}`,
    what: `it has been changing this database since ${holder.since} (backend ${holder.backendPid}).`,
    fix: 'Wait until it is done, or stop it; what it did stays in the ledger.',
  });
}
