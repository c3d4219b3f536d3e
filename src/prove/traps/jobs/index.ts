// HT4xx: what runs by itself, and what looks at the server.
import type { TrapCheck } from '../check.ts';

export const jobs: readonly TrapCheck[] = [];
