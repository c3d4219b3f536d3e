// What to say when a connection dies: whether the work is certainly undone or nobody can know.
import { HoldfastError } from '../error.ts';
import { SQLSTATE, isSqlstate, sqlstateOf } from '../server/index.ts';
import type { Target } from '../server/index.ts';

/**
 * The error for a connection that died before COMMIT was sent, or whose server said that it ended the statement:
 * nothing of the transaction was saved.
 */
export function connectionLost(target: Target, cause: unknown): HoldfastError {
  return new HoldfastError({
    code: 'HF_CONNECTION_LOST',
    subject: `database ${target.shown}`,
    what: 'the connection was lost in the middle of a transaction; nothing of it was saved.',
    fix: 'Run the whole transaction again; the pool opens a new connection.',
    cause,
  });
}

/** The error for a connection that died after COMMIT was sent and before the server answered. */
export function outcomeUnknown(target: Target, cause: unknown): HoldfastError {
  return new HoldfastError({
    code: 'HF_OUTCOME_UNKNOWN',
    subject: `database ${target.shown}`,
    what: 'the connection was lost while the transaction was being committed; it may or may not have been saved.',
    fix: 'Look whether it was saved before running it again, or give it an idempotency key.',
    cause,
  });
}

/** Whether the server itself ended the session, by an administrator, a crash or an idle limit. */
export function endedByServer(error: unknown): boolean {
  return isSqlstate(error, SQLSTATE.adminShutdown, SQLSTATE.crashShutdown, SQLSTATE.idleInTransactionTimeout);
}

/** Whether an error speaks of the connection and not of a statement: no SQLSTATE, or one of class 08. */
export function aboutConnection(error: unknown): boolean {
  const state = sqlstateOf(error);
  return state === undefined || state.startsWith('08');
}
