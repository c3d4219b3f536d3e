// Every way an operation says no: stable codes, and PostgreSQL's own refusals turned into them.
import { HoldfastError, type ErrorParts } from 'holdfast';

/** The codes of ValidaHub's operations, without their prefix. */
export type FailureCode =
  | 'INPUT'
  | 'NOT_FOUND'
  | 'TENANT_EXISTS'
  | 'SET_EXISTS'
  | 'STALE'
  | 'VERSION_EXISTS'
  | 'VERSION_NOT_HIGHER'
  | 'VERSION_STATUS'
  | 'VERSION_CURRENT'
  | 'SHADOW_RUNNING'
  | 'BUMP_TOO_SMALL'
  | 'CHECKSUM'
  | 'NO_CURRENT'
  | 'KEY_CONFLICT'
  | 'JOB_RUNNING'
  | 'JOB_FAILED'
  | 'JOB_STATUS'
  | 'FILE_CHANGED'
  | 'CORRECTION'
  | 'NO_PARTITION'
  | 'CONFLICT';

/** Makes the error an operation throws; `code` gets the prefix `HF_VALIDAHUB_`. */
export function failure(code: FailureCode, parts: Omit<ErrorParts, 'code'>): HoldfastError {
  return new HoldfastError({ code: `HF_VALIDAHUB_${code}`, ...parts });
}

/** What PostgreSQL said, found under whatever wrapped it; undefined when it did not come from the server. */
export interface ServerRefusal {
  /** SQLSTATE, five characters. */
  readonly code: string;
  readonly constraint?: string;
  readonly message: string;
}

/** Walks the causes of an error down to the server's own. */
export function refusal(error: unknown): ServerRefusal | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code, constraint } = at as { code?: unknown; constraint?: unknown };
    if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) {
      return { code, message: at.message, ...(typeof constraint === 'string' ? { constraint } : {}) };
    }
  }
  return undefined;
}

const UNIQUE_VIOLATION = '23505';
const CHECK_VIOLATION = '23514';
const FOREIGN_KEY_VIOLATION = '23503';

/** Whether the server refused a duplicate of the named unique index or constraint. */
export function isDuplicate(error: unknown, constraint: string): boolean {
  const said = refusal(error);
  return said?.code === UNIQUE_VIOLATION && said.constraint === constraint;
}

/** Whether a foreign key found nothing to point at (within the tenant, as every key carries it). */
export function isDangling(error: unknown): boolean {
  return refusal(error)?.code === FOREIGN_KEY_VIOLATION;
}

/**
 * Whether a row's time has no partition. PostgreSQL gives it the SQLSTATE of a check and no constraint name, which a
 * real check always carries.
 * @see ExecFindPartition in src/backend/executor/execPartition.c
 */
export function hasNoPartition(error: unknown): boolean {
  const said = refusal(error);
  return said?.code === CHECK_VIOLATION && said.constraint === undefined;
}
