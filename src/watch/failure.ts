// Why a part of a collection is missing, in words that may leave this process: names, never values or passwords.
import { HoldfastError } from '../error.ts';
import { SQLSTATE, isSqlstate, sqlstateOf } from '../server/index.ts';

/** What became of a collector that failed. */
export interface Failure {
  readonly code: `HF_${string}`;
  readonly what: string;
  /** Whether the role lacks a right, which a GRANT would mend. */
  readonly denied: boolean;
}

// Syntax errors, missing objects and missing rights: PostgreSQL's text names objects there. Elsewhere it may quote a
// row's values, so that only the code is passed on.
const NAMES_ONLY = '42';

/** Says what was thrown: a server's refusal, a lost session, or a mistake of the collector itself. */
export function failureOf(error: unknown): Failure {
  if (error instanceof HoldfastError) {
    return { code: error.code, what: `${error.subject}: ${error.what}`, denied: false };
  }
  const message = error instanceof Error ? error.message : String(error);
  const state = sqlstateOf(error);
  if (isSqlstate(error, SQLSTATE.insufficientPrivilege)) {
    const what = `${message}. Grant the role what docs/guide/watch.md lists.`;
    return { code: 'HF_WATCH_DENIED', what, denied: true };
  }
  if (isSqlstate(error, SQLSTATE.queryCanceled, SQLSTATE.lockNotAvailable)) {
    const what = 'a statement took longer than a collection may, or waited for a lock.';
    return { code: 'HF_WATCH_SLOW', what, denied: false };
  }
  if (state === undefined) return { code: 'HF_WATCH_FAILED', what: message, denied: false };
  const quoted = state.startsWith(NAMES_ONLY) ? `: ${message}` : '';
  const what = `PostgreSQL refused a statement of it (SQLSTATE ${state})${quoted}.`;
  return { code: 'HF_WATCH_FAILED', what, denied: false };
}
