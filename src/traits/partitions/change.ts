// How one change of a busy table is carried out: it waits briefly, lets go, and comes back later.
import type { TaskContext } from '../../define/job.ts';
import { label, type RelationName } from '../../define/model.ts';
import type { CatalogueQuery, SettlementStatement } from '../../define/trait.ts';
import { HoldfastError } from '../../error.ts';

/** Statements that hold together. */
export interface Change {
  /** What it makes or mends: `partition shop.orders_y2027m01 of shop.orders`. */
  readonly subject: string;
  readonly sql: readonly string[];
  /** It takes a lock that readers or writers wait for. */
  readonly stopsOthers: boolean;
}

const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 250;
// lock_not_available, query_canceled (its time was over), deadlock_detected: the table is busy, not broken.
const BUSY: readonly (string | undefined)[] = ['55P03', '57014', '40P01'];

/**
 * Several locks, waited for one after another, would make writers behind the first wait for the sum: each statement as a
 * whole gets the time that one lock may be waited for.
 */
const AS_LONG_AS_A_LOCK =
  "SELECT pg_catalog.set_config('statement_timeout', pg_catalog.current_setting('lock_timeout'), true)";

/**
 * Carries a change out in one transaction, under the session's lock timeout. While others hold the table it lets go, so
 * that nobody queues behind it, and tries again after a pause that doubles, five times in all.
 * @returns undefined when it is done; what kept it from being done, as an error to be thrown or counted
 * @throws what the session throws by itself: a lease that is lost ends everything
 */
export async function carryOut(context: TaskContext, change: Change): Promise<HoldfastError | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const failure = await context.session
      .transaction(async (query) => {
        for (const sql of change.sql) await query(change.stopsOthers ? `${AS_LONG_AS_A_LOCK};\n${sql}` : sql);
      })
      .then(() => undefined, refusal);
    if (failure === undefined) return undefined;
    const later = BUSY.includes(failure.code) && attempt < ATTEMPTS && !context.signal.aborted;
    if (!later) return told(change.subject, failure);
    await context.pause(FIRST_PAUSE_MS * 2 ** (attempt - 1));
  }
}

/** How long a statement that stops nobody waits for old transactions, in milliseconds, before it lets go. */
const PATIENCE_MS = 60_000;

/**
 * Carries out a statement that PostgreSQL refuses inside a transaction. It stops nobody, so it waits a minute for old
 * transactions where others wait for the session's lock timeout. What a failure left is cleared, or else found by the
 * next run.
 * @returns as {@link carryOut}
 */
export async function onItsOwn(
  { session: { query } }: TaskContext,
  { subject, statement }: { readonly subject: string; readonly statement: SettlementStatement },
): Promise<HoldfastError | undefined> {
  const before = await patience(query, String(PATIENCE_MS));
  const failure = await query(statement.sql).then(() => undefined, refusal);
  const cleanUp = failure !== undefined && !statement.transactional ? (statement.cleanUp ?? []) : [];
  for (const sql of cleanUp) await query(sql).catch(refusal);
  if (before !== undefined) await patience(query, before);
  return failure === undefined ? undefined : told(subject, failure);
}

/**
 * A statement by itself begins with its transaction. Behind a pooler it runs in one that was begun for it, and a setting
 * that outlives that would reach somebody else's session.
 */
const SESSION_SQL = `
  SELECT pg_catalog.current_setting('lock_timeout') AS timeout,
    pg_catalog.statement_timestamp() = pg_catalog.transaction_timestamp() AS own`;
const LOCK_TIMEOUT_SQL = `SELECT pg_catalog.set_config('lock_timeout', $1, false)`;

/** Sets the session's lock timeout and gives what it was; undefined where the session is not ours to set. */
async function patience(query: CatalogueQuery, timeout: string): Promise<string | undefined> {
  const [session] = await query<{ timeout: string; own: boolean }>(SESSION_SQL);
  if (session?.own !== true) return undefined;
  await query(LOCK_TIMEOUT_SQL, [timeout]);
  return session.timeout;
}

/**
 * What kept the catalogue of a table from being read, as the table's own error.
 * @throws what is not the table's: a lost lease, a mistake in the program
 */
export function ofTheTable(error: unknown, of: RelationName): HoldfastError {
  if (error instanceof HoldfastError && error.code.startsWith('HF_PARTITION_')) return error;
  return told(`table ${label(of)}`, refusal(error));
}

interface Refusal {
  readonly error: Error;
  readonly code: string | undefined;
}

/** An error of the server's; ours, such as a lost lease, go on up. */
function refusal(error: unknown): Refusal {
  if (error instanceof HoldfastError || !(error instanceof Error)) throw error;
  return { error, code: (error as { code?: string }).code };
}

function told(subject: string, { code, error }: Refusal): HoldfastError {
  return BUSY.includes(code) ? busy(subject, error) : refused(subject, error);
}

function refused(subject: string, cause: Error): HoldfastError {
  return new HoldfastError({
    code: 'HF_PARTITION_REFUSED',
    subject,
    what: `PostgreSQL refused it: ${cause.message}.`,
    fix: 'Take away what the message names; the next run tries again, and other tables are not held up.',
    cause,
  });
}

function busy(subject: string, cause: Error): HoldfastError {
  return new HoldfastError({
    code: 'HF_PARTITION_BUSY',
    subject,
    what: `other transactions held the table all the while: ${cause.message}.`,
    fix: 'Nothing was left half made and the next run tries again; pg_stat_activity shows who is in the way.',
    cause,
  });
}
