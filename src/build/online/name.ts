// Names for what the online forms make on the way, cut as PostgreSQL cuts its own generated names.
import { createHash } from 'node:crypto';

const MAX_BYTES = 63;

/**
 * Joins parts of a generated name with `_`; when the result is longer than PostgreSQL keeps, the longest part is
 * shortened, never the last one, in whole characters.
 * @param parts at least one; the last is the label (`idx`, `not_null`)
 * @see `makeObjectName` in src/backend/commands/indexcmds.c
 */
export function objectName(...parts: readonly string[]): string {
  const cut = [...parts];
  while (Buffer.byteLength(cut.join('_')) > MAX_BYTES) {
    const lengths = cut.slice(0, -1).map((part) => Buffer.byteLength(part));
    const longest = lengths.indexOf(Math.max(...lengths));
    cut[longest] = [...(cut[longest] ?? '')].slice(0, -1).join('');
  }
  return cut.filter((part) => part !== '').join('_');
}

/** The name under which a successor is built while the object it replaces still has its own. */
export function successorName(name: string): string {
  return objectName(name, 'hf_new');
}

/**
 * The name of a partition's part of an index of its parent. It ends in six digits of a hash over the parent's index
 * and its definition, because the name PostgreSQL itself would choose may be taken by an index of the same columns.
 */
export function partName(partition: string, index: string, definition: string): string {
  const digest = createHash('sha256').update(`${index}\0${definition}`).digest('hex').slice(0, 6);
  return objectName(partition, index, digest);
}

/** The name PostgreSQL 18 gives a NOT NULL constraint that nobody named. */
export function notNullName(table: string, column: string): string {
  return objectName(table, column, 'not_null');
}
