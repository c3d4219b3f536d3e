// A day or an instant as an operator types it.
import { HoldfastError } from '../error.ts';
import { type Invocation, text } from './command.ts';

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/;

/**
 * The instant an option names; a day begins at midnight UTC.
 * @throws HoldfastError HF_ARCHIVE_RANGE when it is missing or names none
 */
export function instant(invocation: Invocation, name: 'from' | 'to'): Date {
  const given = text(invocation, name) ?? '';
  const at = new Date(given);
  if ((DAY.test(given) || INSTANT.test(given)) && !Number.isNaN(at.getTime())) return at;
  throw badRange(
    `--${name}`,
    given === '' ? 'it is missing.' : `${JSON.stringify(given)} is no day or instant.`,
  );
}

/** A range that cannot be read. */
export function badRange(subject: string, what: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_ARCHIVE_RANGE',
    subject,
    what,
    fix: 'Write days or instants, as in --from 2026-01-01 --to 2026-02-01T12:00Z.',
  });
}
