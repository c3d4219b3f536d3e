// HT6xx: constraints that refuse nothing, or what was not meant to be refused.
import type { TrapCheck } from '../check.ts';
import {
  checkNeverRejects,
  checkPassesNull,
  freeTextState,
  negativeNumbers,
  notValidated,
} from './checks.ts';
import {
  cascadeBlocked,
  namesake,
  pointsAtItself,
  setNullRefused,
  telemetryForeignKey,
} from './foreign-keys.ts';
import { idleRetention, looseRetention } from './retention.ts';
import { softDeleteUnique, uniqueByCase } from './unique.ts';

export const keys: readonly TrapCheck[] = [
  checkNeverRejects,
  checkPassesNull,
  freeTextState,
  notValidated,
  cascadeBlocked,
  setNullRefused,
  telemetryForeignKey,
  pointsAtItself,
  softDeleteUnique,
  uniqueByCase,
  looseRetention,
  namesake,
  negativeNumbers,
  idleRetention,
];
