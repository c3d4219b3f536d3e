// Chance for rows and requests: each has a seed of its own, so that it does not matter how many came before.
import type { Chance } from '../../define/index.ts';
import { seeded } from '../lapse/random.ts';

/**
 * A generator for one thing: the same place in the same series gives the same numbers.
 * @param seed the series
 * @param number the place in it
 */
export function chanceOf(seed: number, number: number): Chance {
  // 2^32 by the golden ratio: neighbours in the series are far apart among the seeds.
  return seeded(Math.imul(number + 1, 0x9e3779b1) ^ Math.imul(seed, 0x85ebca6b));
}

/** A number for a name (FNV-1a, 32 bits). */
export function seedOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
