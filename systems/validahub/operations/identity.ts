// Ids that rise with time, so that a batch's rows stand side by side in every index that holds them.
import { randomBytes } from 'node:crypto';

const COUNTER_END = 0x1000;

/**
 * Makes a generator of uuids of version 7: the millisecond, a counter within it, 62 random bits. Ids of one generator
 * rise strictly, also when the clock steps back.
 * @see https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7
 */
export function risingIds(now: () => Date): () => string {
  let last = 0;
  let counter = 0;
  return () => {
    const time = Math.max(now().getTime(), last);
    counter = time === last ? counter + 1 : 0;
    last = counter === COUNTER_END ? time + 1 : time;
    if (counter === COUNTER_END) counter = 0;
    const bytes = randomBytes(16);
    bytes.writeUIntBE(last, 0, 6);
    bytes.writeUInt16BE(0x7000 | counter, 6);
    bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8);
    const hex = bytes.toString('hex');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  };
}
