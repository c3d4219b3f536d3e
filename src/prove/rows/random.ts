// Values that look random and are the same for the same seed.
import { createHash } from 'node:crypto';

/** A number from 0 up to 2^32, from what is named. */
export function hashOf(...parts: readonly (string | number)[]): number {
  return createHash('sha256').update(parts.join('\u001f')).digest().readUInt32BE(0);
}

/** A UUID from what is named, marked as version 4. */
export function uuidOf(...parts: readonly (string | number)[]): string {
  const hex = createHash('sha256').update(parts.join('\u001f')).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Letters and digits from what is named. */
export function wordOf(length: number, ...parts: readonly (string | number)[]): string {
  let word = '';
  for (let at = 0; word.length < length; at += 1) word += hashOf(...parts, at).toString(36);
  return word.slice(0, length);
}
