// HT9xx: migrations, queues and the rest.
import type { TrapCheck } from '../check.ts';
import { largeUnpartitioned, migrationsUnchecked } from './growth.ts';
import { queuedTwice, queueWithoutLease, ttlWithoutEnd } from './queues.ts';

export const other: readonly TrapCheck[] = [
  queueWithoutLease,
  queuedTwice,
  migrationsUnchecked,
  largeUnpartitioned,
  ttlWithoutEnd,
];
