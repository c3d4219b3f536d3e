// HT8xx: types, sequences and states.
import type { TrapCheck } from '../check.ts';

export const values: readonly TrapCheck[] = [];
