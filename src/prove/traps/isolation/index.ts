// HT1xx: whose rows a session sees and writes.
import type { TrapCheck } from '../check.ts';
import { truncateGranted } from './truncate-granted.ts';

export const isolation: readonly TrapCheck[] = [truncateGranted];
