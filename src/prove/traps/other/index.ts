// HT9xx: migrations, queues and the rest.
import type { TrapCheck } from '../check.ts';

export const other: readonly TrapCheck[] = [];
