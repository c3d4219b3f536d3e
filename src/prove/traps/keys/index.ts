// HT6xx: constraints, keys and foreign keys.
import type { TrapCheck } from '../check.ts';

export const keys: readonly TrapCheck[] = [];
