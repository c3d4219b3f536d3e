// HT3xx: what functions, roles, secrets and settings do to whoever meets them.
import type { TrapCheck } from '../check.ts';

export const functions: readonly TrapCheck[] = [];
