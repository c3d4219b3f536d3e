// Runs statements of a plan, forward or back, so that it can be cut off at any point: a transactional statement commits
// together with its ledger row; one that cannot run in a transaction is noted before and after, and what it left tells
// whether it is done.
import type { Client } from 'pg';
import { HoldfastError } from '../error.ts';
import { SQLSTATE, close, isSqlstate, sqlstateOf } from '../server/index.ts';
import {
  holdLease,
  leaseHeld,
  markDone,
  markFailed,
  markStarted,
  stepsOf,
  takeLease,
} from '../ledger/index.ts';
import type { Lease, StepKey } from '../ledger/index.ts';
import { REHEARSAL_MARK } from './scratch-roles.ts';
import { openSession } from './session.ts';
import { backoffMs, lockWait, type Blocker, type Clock } from './waiting.ts';
import { watch, type Watcher } from './watch.ts';

/** One statement to run. */
export interface Act {
  readonly key: StepKey;
  readonly sql: string;
  readonly subject: string;
  readonly transactional: boolean;
  readonly lockTimeoutMs: number;
  readonly locks: boolean;
  readonly doneWhen?: string;
  readonly cleanUp?: readonly string[];
}

/** What a run tells while it works. */
export interface Progress {
  readonly step: number;
  readonly of: number;
  readonly subject: string;
  readonly state: 'started' | 'waiting' | 'done';
  /** Those who are in the way, while waiting. */
  readonly waitingFor: readonly Blocker[];
}

/** Where a run stands with respect to one statement; see {@link RunOptions.onBoundary}. */
export type Boundary = 'before' | 'between' | 'after';

export interface RunOptions {
  readonly clock: Clock;
  /** How long one statement may be kept from its lock in all, in milliseconds. */
  readonly patienceMs: number;
  readonly onProgress?: (progress: Progress) => void;
  /**
   * Called before a statement, between it and its ledger row, and after that row is there. The run waits for it; what
   * it throws ends the run as a crash would.
   */
  readonly onBoundary?: (boundary: Boundary, key: StepKey) => Promise<void> | void;
}

/** A session with the lease, and the run it works for. */
export interface Worker {
  readonly url: string;
  readonly schema: string;
  readonly options: RunOptions;
  /** Replaced when the connection breaks. */
  client: Client;
  lease: Lease;
  watcher: Watcher;
}

const RETRIED = [
  SQLSTATE.lockNotAvailable,
  SQLSTATE.deadlockDetected,
  SQLSTATE.serializationFailure,
] as const;
const LOST = ['08000', '08003', '08006', '57P01', '57P02', '57P03', '25P03', '57P05'];

/**
 * Runs batches in order, each batch in one transaction; a batch of one that is not transactional runs outside.
 * Statements that the ledger has as done are skipped.
 * @throws HoldfastError HF_STEP_FAILED with the server's reason; HF_LOCK_WAIT naming who was in the way;
 *   HF_LEASE_LOST when another run took over
 */
export async function runSteps(
  worker: Worker,
  run: string,
  batches: readonly (readonly Act[])[],
): Promise<void> {
  const ledger = await stepsOf(worker.client, run, worker.schema);
  const rows = new Map(ledger.map((row) => [keyText(row), row]));
  const of = batches.flat().length;
  for (const batch of batches) {
    const open = batch.filter((act) => rows.get(keyText(act.key))?.state !== 'done');
    const [first] = open;
    if (first === undefined) continue;
    tell(worker, first, { of, state: 'started' });
    const task: Task = { worker, run, acts: open, of, resumed: rows.has(keyText(first.key)) };
    await (first.transactional ? together(task) : alone(task, first));
    tell(worker, open.at(-1) ?? first, { of, state: 'done' });
  }
}

interface Task {
  readonly worker: Worker;
  readonly run: string;
  readonly acts: readonly Act[];
  readonly of: number;
  readonly resumed: boolean;
}

function keyText({ direction, number, part }: StepKey): string {
  return `${direction} ${number} ${part}`;
}

function tell(
  worker: Worker,
  act: Act,
  rest: { readonly of: number; readonly state: 'started' | 'done' },
): void {
  worker.options.onProgress?.({ step: act.key.number, subject: act.subject, waitingFor: [], ...rest });
}

async function together(task: Task): Promise<void> {
  const { worker, acts } = task;
  const current: { act: Act | undefined } = { act: acts[0] };
  await persistently(task, current, async () => {
    // A COMMIT whose answer was lost may have happened.
    if (await isDone(task, acts[0])) return;
    await boundaries(worker, 'before', acts);
    await worker.client.query('BEGIN');
    await holdLease(worker.client, worker.lease);
    await inTransaction(task, current);
    await boundaries(worker, 'between', acts);
    await markDone(worker.client, worker.schema, { run: task.run, keys: acts.map((act) => act.key) });
    await worker.client.query('COMMIT');
    await boundaries(worker, 'after', acts);
  });
}

// The locks of earlier statements are held while a later one waits, so all share one allowance.
async function inTransaction({ worker, acts }: Task, current: { act: Act | undefined }): Promise<void> {
  const { clock } = worker.options;
  let left = Math.max(...acts.map((act) => act.lockTimeoutMs));
  const limited = left > 0;
  if (!limited) left = worker.options.patienceMs;
  await limitLock(worker.client, 'SET LOCAL', left);
  for (const act of acts) {
    current.act = act;
    const before = clock.nowMs();
    await worker.client.query(act.sql);
    if (!limited || !act.locks) continue;
    left -= clock.nowMs() - before;
    if (acts.length > 1) await limitLock(worker.client, 'SET LOCAL', left);
  }
}

async function limitLock(client: Client, verb: 'SET' | 'SET LOCAL', ms: number): Promise<void> {
  await client.query(`${verb} lock_timeout = ${Math.max(1, Math.floor(ms))}`);
}

async function alone(task: Task, act: Act): Promise<void> {
  const { worker, run } = task;
  const { client: _, schema, options } = worker;
  let tried = task.resumed;
  await persistently(task, { act }, async () => {
    if (tried && (await isThere(worker.client, act))) return noteDone(task, act);
    if (tried) await cleanUp(worker, act);
    await boundaries(worker, 'before', [act]);
    await fenced(worker, () => markStarted(worker.client, schema, { run, key: act.key }));
    tried = true;
    await limitLock(worker.client, 'SET', act.lockTimeoutMs > 0 ? act.lockTimeoutMs : options.patienceMs);
    await worker.client.query(act.sql);
    if (act.doneWhen !== undefined && !(await isThere(worker.client, act))) throw notThere(act);
    await boundaries(worker, 'between', [act]);
    await noteDone(task, act);
    await boundaries(worker, 'after', [act]);
  });
}

async function noteDone({ worker, run }: Task, act: Act): Promise<void> {
  await fenced(worker, () => markDone(worker.client, worker.schema, { run, keys: [act.key] }));
}

/**
 * Writes to the ledger under the lease, over a new session where the old one broke meanwhile.
 * @param write is run again after a break, so it must bear that
 * @throws HoldfastError HF_LEASE_LOST or HF_APPLY_RUNNING when another run took over
 */
export async function writeFenced(worker: Worker, write: () => Promise<void>): Promise<void> {
  try {
    await fenced(worker, write);
  } catch (error) {
    if (!isLost(error)) throw error;
    await reconnect(worker);
    await fenced(worker, write);
  }
}

async function fenced(worker: Worker, write: () => Promise<void>): Promise<void> {
  await worker.client.query('BEGIN');
  await holdLease(worker.client, worker.lease);
  await write();
  await worker.client.query('COMMIT');
}

/** Whether the effect of a statement is there already. False where nothing can tell: then it is run again. */
export async function isThere(client: Pick<Client, 'query'>, act: Pick<Act, 'doneWhen'>): Promise<boolean> {
  if (act.doneWhen === undefined) return false;
  const { rows } = await client.query<{ done: boolean }>(act.doneWhen);
  return rows[0]?.done === true;
}

async function cleanUp(worker: Worker, act: Act): Promise<void> {
  if (act.cleanUp === undefined) return;
  await limitLock(worker.client, 'SET', worker.options.patienceMs);
  for (const sql of act.cleanUp) await worker.client.query(sql);
}

async function isDone({ worker, run }: Task, act: Act | undefined): Promise<boolean> {
  if (act === undefined) return false;
  const rows = await stepsOf(worker.client, run, worker.schema);
  return rows.some((row) => row.state === 'done' && keyText(row) === keyText(act.key));
}

/** Tries until it works, until patience ends, or until it fails for a reason that trying again does not mend. */
async function persistently(
  task: Task,
  current: { readonly act: Act | undefined },
  attempt: () => Promise<void>,
): Promise<void> {
  const { worker } = task;
  const { clock, patienceMs } = worker.options;
  const since = clock.nowMs();
  for (let tries = 1; ; tries += 1) {
    const act = current.act ?? task.acts[0];
    if (act === undefined) return;
    worker.watcher.look((waitingFor) =>
      worker.options.onProgress?.({
        step: act.key.number,
        of: task.of,
        subject: act.subject,
        state: 'waiting',
        waitingFor,
      }),
    );
    try {
      await attempt();
      return;
    } catch (error) {
      const waited = clock.nowMs() - since;
      await recover(task, current.act ?? act, { error, waited, outOfPatience: waited >= patienceMs });
      await clock.sleep(backoffMs(tries, clock.random));
    } finally {
      worker.watcher.lookAway();
    }
  }
}

interface Failure {
  readonly error: unknown;
  readonly waited: number;
  readonly outOfPatience: boolean;
}

async function recover(task: Task, act: Act, { error, waited, outOfPatience }: Failure): Promise<void> {
  const { worker } = task;
  if (error instanceof HoldfastError && error.code !== 'HF_NOT_THERE') throw error;
  if (isLost(error)) {
    await reconnect(worker);
    return;
  }
  if (sqlstateOf(error) === undefined && !(error instanceof HoldfastError)) throw error;
  await worker.client.query('ROLLBACK');
  if (isSqlstate(error, ...RETRIED)) {
    if (outOfPatience) await giveUp(task, act, error);
    if (outOfPatience) throw lockWait(act.subject, waited, worker.watcher.seen());
    return;
  }
  if (!outOfPatience && isSqlstate(error, ...TAKEN) && (await isPassing(worker.client, act))) return;
  await giveUp(task, act, error);
  throw error instanceof HoldfastError ? error : stepFailed(act, error);
}

const TAKEN = [SQLSTATE.duplicateObject, SQLSTATE.uniqueViolation] as const;

const PASSING_SQL = `SELECT EXISTS (SELECT FROM pg_catalog.pg_roles r
  WHERE 'role ' || r.rolname = $1 AND pg_catalog.shobj_description(r.oid, 'pg_authid') = $2)
  OR NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE 'role ' || r.rolname = $1) AS passing`;

/** Whether the role that is in the way belongs to another plan's rehearsal and goes when that ends (or is gone by now). */
async function isPassing(client: Client, act: Act): Promise<boolean> {
  if (!act.subject.startsWith('role ')) return false;
  const { rows } = await client.query<{ passing: boolean }>(PASSING_SQL, [act.subject, REHEARSAL_MARK]);
  return rows[0]?.passing === true;
}

// What is left must not be taken for the real thing later. A name that was taken before is not ours to clear.
async function giveUp({ worker, run }: Task, act: Act, error: unknown): Promise<void> {
  const taken = isSqlstate(error, SQLSTATE.duplicateTable, SQLSTATE.duplicateObject);
  if (!act.transactional && !taken) await cleanUp(worker, act);
  const state = sqlstateOf(error) ?? '';
  // Messages of class 22 (data exception) quote the value.
  const message = error instanceof Error && !state.startsWith('22') ? error.message : 'a value does not fit';
  await markFailed(worker.client, worker.schema, { run, key: act.key, error: `${state} ${message}`.trim() });
}

function isLost(error: unknown): boolean {
  const state = sqlstateOf(error);
  if (state !== undefined) return LOST.includes(state);
  if (!(error instanceof Error) || error instanceof HoldfastError) return false;
  const { code } = error as { code?: string };
  const broken = ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNREFUSED'].includes(code ?? '');
  return (
    broken || /^(Connection terminated|Client (has encountered|was closed)|Client has)/.test(error.message)
  );
}

async function reconnect(worker: Worker): Promise<void> {
  const { clock, patienceMs } = worker.options;
  const since = clock.nowMs();
  await close(worker.client);
  for (let tries = 1; ; tries += 1) {
    try {
      worker.client = await openSession(worker.url, 'holdfast apply');
      await retake(worker);
      await worker.watcher.stop();
      worker.watcher = await watch(worker.url, worker.client, worker.lease);
      return;
    } catch (error) {
      const connecting =
        error instanceof HoldfastError && ['HF_CONNECT', 'HF_TOO_MANY_CONNECTIONS'].includes(error.code);
      const starting = sqlstateOf(error)?.startsWith('57P') === true;
      if ((!connecting && !starting && !isLost(error)) || clock.nowMs() - since >= patienceMs) throw error;
      await clock.sleep(backoffMs(tries, clock.random));
    }
  }
}

// Our own old backend may outlive its connection for a moment; it is ended at once. Whoever else held the lease since
// may have finished, undone or gone beyond this run, so it ends.
async function retake(worker: Worker): Promise<void> {
  const { schema, fence } = worker.lease;
  const taken = await takeLease(worker.client, { schema, expiresMs: 0, after: fence });
  if ('heldBy' in taken) throw leaseHeld(taken.heldBy);
  worker.lease = taken.lease;
}

async function boundaries(worker: Worker, boundary: Boundary, acts: readonly Act[]): Promise<void> {
  const { onBoundary } = worker.options;
  if (onBoundary === undefined) return;
  for (const act of acts) await onBoundary(boundary, act.key);
}

function notThere(act: Act): HoldfastError {
  return new HoldfastError({
    code: 'HF_NOT_THERE',
    subject: act.subject,
    what: 'the statement ran, but its effect is not there.',
    fix: 'See the server log for what undid it, then run the same plan again.',
  });
}

const ADVICE: Readonly<Record<string, string>> = {
  '23502': 'Fill the rows that hold no value there, then run the same plan again.',
  '23503': 'Mend the rows that point at nothing, then run the same plan again.',
  '23505': 'Remove the duplicate rows, then run the same plan again.',
  '23514': 'Mend the rows that break the check, then run the same plan again.',
  '42501': 'Give the role that right, or apply as the owner of the object.',
};

function stepFailed(act: Act, cause: unknown): HoldfastError {
  const state = sqlstateOf(cause) ?? '';
  const message = cause instanceof Error ? cause.message : String(cause);
  return new HoldfastError({
    code: 'HF_STEP_FAILED',
    subject: act.subject,
    what: `step ${act.key.number} failed (${state}): ${message.replace(/\.$/, '')}.`,
    fix: ADVICE[state] ?? 'Mend the cause and run the same plan again, or roll back.',
    cause,
  });
}
