// HT7xx: indexes, statistics and plans.
import type { TrapCheck } from '../check.ts';

export const indexes: readonly TrapCheck[] = [];
