// HT7xx: indexes that are missing, needless, dead or wrong, and statistics that are not there.
import type { TrapCheck } from '../check.ts';
import { falselyImmutable, fullTextLosesNull, invalidIndex, partialMissesNull } from './broken.ts';
import { deadUnderRowSecurity } from './leakproof.ts';
import { foreignKeyWithoutIndex, indexesOutweighRows, indexOfOneValue, redundantIndex } from './redundant.ts';
import { tenantNotLeading, windowLosesIndex } from './tenants.ts';
import { autovacuumOff, ginForArrow, killsHot, neverAnalyzed } from './upkeep.ts';

export const indexes: readonly TrapCheck[] = [
  foreignKeyWithoutIndex,
  redundantIndex,
  indexOfOneValue,
  invalidIndex,
  deadUnderRowSecurity,
  windowLosesIndex,
  tenantNotLeading,
  falselyImmutable,
  killsHot,
  neverAnalyzed,
  autovacuumOff,
  partialMissesNull,
  fullTextLosesNull,
  indexesOutweighRows,
  ginForArrow,
];
