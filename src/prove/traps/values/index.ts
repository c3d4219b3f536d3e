// The room's checks, in the order of their codes.
import type { TrapCheck } from '../check.ts';

export const values: readonly TrapCheck[] = [];
