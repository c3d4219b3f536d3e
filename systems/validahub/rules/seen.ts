// What a global rule remembers while rows stream by: 96 bits of SHA-256 of each key and the record it was first
// seen in, in flat arrays. 16 bytes a slot, at most 3 of 4 slots used: 1M different keys take 32 MiB (48 MiB
// for a moment while the table doubles), whatever their length. Two keys among a million meet by chance with
// probability 1e-17, so a value is never called repeated when it is not.

import { hash } from 'node:crypto';

const FIRST_SLOTS = 1_024;
const WORDS = 4;

/** A set of keys that remembers one number (from 1) with each. Memory grows with the keys, not their length. */
export class SeenKeys {
  #slots = new Uint32Array(FIRST_SLOTS * WORDS);
  #used = 0;

  /** Bytes held now. */
  get bytes(): number {
    return this.#slots.byteLength;
  }

  /**
   * The number remembered with the key; when it is new, 0, and `recordNumber` is remembered with it.
   * @param recordNumber 1 to 4294967295.
   */
  firstSeen(key: string, recordNumber: number): number {
    if ((this.#used + 1) * 4 > (this.#slots.length / WORDS) * 3) this.#grow();
    const digest = hash('sha256', key, 'buffer');
    const words = [digest.readUInt32LE(0), digest.readUInt32LE(4), digest.readUInt32LE(8)] as const;
    const at = this.#find(this.#slots, words);
    const known = this.#slots[at + 3] ?? 0;
    if (known > 0) return known;
    this.#put(this.#slots, at, [...words, recordNumber]);
    this.#used += 1;
    return 0;
  }

  #find(slots: Uint32Array, words: readonly [number, number, number]): number {
    const mask = slots.length / WORDS - 1;
    let slot = words[0] & mask;
    for (;;) {
      const at = slot * WORDS;
      if (slots[at + 3] === 0) return at;
      if (slots[at] === words[0] && slots[at + 1] === words[1] && slots[at + 2] === words[2]) return at;
      slot = (slot + 1) & mask;
    }
  }

  #put(slots: Uint32Array, at: number, entry: readonly number[]): void {
    slots.set(entry, at);
  }

  #grow(): void {
    const larger = new Uint32Array(this.#slots.length * 2);
    for (let at = 0; at < this.#slots.length; at += WORDS) {
      const entry = this.#slots.subarray(at, at + WORDS);
      if ((entry[3] ?? 0) === 0) continue;
      const words = [entry[0] ?? 0, entry[1] ?? 0, entry[2] ?? 0] as const;
      this.#put(larger, this.#find(larger, words), [...entry]);
    }
    this.#slots = larger;
  }
}
