// HT2xx: what views and materialised views show, and whether they can be refreshed.
import type { TrapCheck } from '../check.ts';

export const views: readonly TrapCheck[] = [];
