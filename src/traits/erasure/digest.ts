// How a subject is named without its key: a digest that whoever has a row and the salt can compute, in SQL and in Node.
import { createHash } from 'node:crypto';

/** A subject's key: the column it is looked for in, after the value it means something within. */
export interface Key {
  readonly within?: string;
  readonly key: string;
}

/**
 * SHA-256 over the digest of what goes before and the next part: salt and kind of subject, what the key is within, the
 * key. Each step has a prefix of fixed length, so no two keys are one text.
 * @param salt 32 random bytes of the database
 */
export function digestOf(salt: Buffer, subject: string, { within, key }: Key): Buffer {
  const parts = [...(within === undefined ? [] : [within]), key];
  return parts.reduce((so, part) => sha256(so, part), sha256(salt, subject));
}

/** The name that stands in a pseudonymised column: from the digest, so that a second run writes the same. */
export function pseudonymOf(digest: Buffer, columnType: string): string {
  const hex = sha256(digest, 'pseudonym').toString('hex');
  if (/^uuid$/i.test(columnType.trim())) {
    const marked = `${hex.slice(0, 12)}8${hex.slice(13, 16)}8${hex.slice(17, 32)}`;
    return marked.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }
  return `erased_${hex.slice(0, 16)}`;
}

/**
 * {@link digestOf} as SQL.
 * @param start the digest of salt and subject, as SQL of type bytea
 * @param parts SQL of type text, what the key is within first
 */
export function digestSql(start: string, parts: readonly string[]): string {
  return parts.reduce(
    (so, part) => `pg_catalog.sha256(${so} || pg_catalog.convert_to(${part}, 'UTF8'))`,
    start,
  );
}

/** The digest every digest of a kind of subject begins with. */
export function startOf(salt: Buffer, subject: string): Buffer {
  return sha256(salt, subject);
}

function sha256(before: Buffer, text: string): Buffer {
  return createHash('sha256').update(before).update(text, 'utf8').digest();
}
