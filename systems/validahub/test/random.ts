// A generator of chance that gives the same again for the same seed, so that a test that fails can be repeated.

/** Numbers and choices from one seed. */
export interface Random {
  /** A whole number from 0 to `below` - 1. */
  readonly below: (below: number) => number;
  readonly pick: <T>(items: readonly T[]) => T;
  /** Up to `max` pieces joined. */
  readonly text: (pieces: readonly string[], max: number) => string;
}

/** mulberry32, by Tommy Ettinger; public domain. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T;
  const text = (pieces: readonly string[], max: number): string =>
    Array.from({ length: below(max + 1) }, () => pick(pieces)).join('');
  return { below, pick, text };
}
