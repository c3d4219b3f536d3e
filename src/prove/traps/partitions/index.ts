// HT5xx: partitions.
import type { TrapCheck } from '../check.ts';

export const partitions: readonly TrapCheck[] = [];
