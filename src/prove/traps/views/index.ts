// HT2xx: what views and materialised views show, and whether they can be refreshed.
import type { TrapCheck } from '../check.ts';
import {
  matviewNeverRefreshed,
  matviewNotPopulated,
  matviewNullKey,
  matviewWithoutKey,
} from './matview-refresh.ts';
import { matviewEmptied, matviewOpensRows } from './matview-rows.ts';
import { unqualifiedInRestrictedPath } from './restricted-path.ts';
import { dayOfSessionTimeZone, fanOutCounts, missingAsZero, thresholdHidesRows } from './view-figures.ts';
import { personalDataInView, viewBypassesRowSecurity } from './view-rows.ts';

export const views: readonly TrapCheck[] = [
  matviewEmptied,
  matviewOpensRows,
  viewBypassesRowSecurity,
  matviewWithoutKey,
  matviewNotPopulated,
  matviewNullKey,
  unqualifiedInRestrictedPath,
  fanOutCounts,
  missingAsZero,
  dayOfSessionTimeZone,
  personalDataInView,
  matviewNeverRefreshed,
  thresholdHidesRows,
];
