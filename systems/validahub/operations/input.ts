// Input is looked at before anything is opened: what is refused here has changed nothing.
import { TENANT_ID } from '../tables/columns.ts';
import { failure } from './failure.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const KEY = /^[A-Za-z0-9_-]{16,128}$/;

/** A tenant id: `t_` and 1 to 47 of a to z, 0 to 9 and `_`. */
export function tenantInput(value: string): string {
  if (typeof value === 'string' && TENANT_ID.test(value)) return value;
  throw failure('INPUT', {
    subject: `tenant ${show(value)}`,
    what: 'it is not a tenant id.',
    fix: 'Write t_ followed by 1 to 47 of a to z, 0 to 9 and _.',
  });
}

/** A uuid in lower case. */
export function idInput(what: string, value: string): string {
  if (typeof value === 'string' && UUID.test(value)) return value;
  throw failure('INPUT', {
    subject: `${what} ${show(value)}`,
    what: 'it is not an id.',
    fix: 'Pass the uuid that the operation which made it gave back, in lower case.',
  });
}

/** Text of 1 to `most` characters (as PostgreSQL counts them) that is more than blank and holds no zero byte. */
export function textInput(what: string, value: string, most: number): string {
  const length = typeof value === 'string' ? [...value].length : 0;
  if (length >= 1 && length <= most && value.trim() !== '' && !value.includes('\0')) return value;
  throw failure('INPUT', {
    subject: what,
    what: `${show(value)} is not text of 1 to ${most} characters.`,
    fix: `Give ${what} 1 to ${most} characters.`,
  });
}

/** The pseudonym of whoever acts: 1 to 100 characters. */
export function actorInput(value: string): string {
  return textInput('by', value, 100);
}

/** A whole number within bounds. */
export function wholeInput(what: string, value: number, bounds: { least: number; most: number }): number {
  if (Number.isInteger(value) && value >= bounds.least && value <= bounds.most) return value;
  throw failure('INPUT', {
    subject: what,
    what: `${show(value)} is not a whole number from ${bounds.least} to ${bounds.most}.`,
    fix: `Give ${what} a whole number from ${bounds.least} to ${bounds.most}.`,
  });
}

/** A share, 0 to 1. */
export function shareInput(what: string, value: number): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value;
  throw failure('INPUT', {
    subject: what,
    what: `${show(value)} is not a number from 0 to 1.`,
    fix: `Give ${what} a number from 0 to 1.`,
  });
}

/** One of a list of words. */
export function wordInput<Word extends string>(what: string, value: string, words: readonly Word[]): Word {
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  throw failure('INPUT', {
    subject: what,
    what: `${show(value)} is none of ${words.join(', ')}.`,
    fix: `Choose one of ${words.join(', ')}.`,
  });
}

/** An idempotency key: 16 to 128 of A to Z, a to z, 0 to 9, `_` and `-`. */
export function keyInput(value: string): string {
  if (typeof value === 'string' && KEY.test(value)) return value;
  throw failure('INPUT', {
    subject: 'idempotencyKey',
    what: `${show(value)} is not a key.`,
    fix: 'Use 16 to 128 letters, digits, _ and -; a uuid will do.',
  });
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
