// Names for objects that a promise adds, kept within what PostgreSQL stores.
import { createHash } from 'node:crypto';

const MAX_BYTES = 63;
const HASH_LENGTH = 8;

/**
 * A name of at most 63 bytes. A longer one is cut and ends in the first 8 hex digits of its SHA-256, so that two long
 * names never meet in one; PostgreSQL itself would cut both to the same 63 bytes without an error.
 */
export function objectName(wanted: string): string {
  if (Buffer.byteLength(wanted) <= MAX_BYTES) return wanted;
  const hash = createHash('sha256').update(wanted).digest('hex').slice(0, HASH_LENGTH);
  return `${cut(wanted, MAX_BYTES - HASH_LENGTH - 1)}_${hash}`;
}

/** The longest start of a name that has at most so many bytes and splits no character. */
export function cut(name: string, bytes: number): string {
  let kept = '';
  for (const character of name) {
    if (Buffer.byteLength(kept) + Buffer.byteLength(character) > bytes) return kept;
    kept += character;
  }
  return kept;
}
