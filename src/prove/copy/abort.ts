import { HoldfastError } from '../../error.ts';

/** Throws HF_INTERRUPTED when the signal has aborted. */
export function refuseAborted(signal: AbortSignal | undefined, cause?: unknown): void {
  if (signal?.aborted !== true) return;
  throw new HoldfastError({
    code: 'HF_INTERRUPTED',
    subject: 'the proof',
    what: 'it was stopped before it was finished; the database was not changed.',
    fix: 'Run it again.',
    cause,
  });
}
