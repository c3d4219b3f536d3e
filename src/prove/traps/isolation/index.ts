// HT1xx: whose rows a session sees and writes.
import type { TrapCheck } from '../check.ts';
import { appendOnlyForeignKey, appendOnlyTruncatable } from './append-only.ts';
import { foreignKeyCrosses, uniqueReveals } from './crossing-keys.ts';
import { defaultPrivilegesOpenPartitions, partitionWithoutRowSecurity } from './partitions-open.ts';
import {
  childHiddenFromParentsReaders,
  membershipOpen,
  policiesRecurse,
  policyIgnoresRoles,
  policyRefusesCreation,
} from './policies-read.ts';
import { policySettingErrors } from './policy-setting.ts';
import {
  rowSecurityNotForced,
  rowSecurityWithoutPolicy,
  tenantColumnWithoutRowSecurity,
} from './row-security-missing.ts';
import { truncateGranted } from './truncate-granted.ts';

export const isolation: readonly TrapCheck[] = [
  tenantColumnWithoutRowSecurity,
  rowSecurityWithoutPolicy,
  rowSecurityNotForced,
  partitionWithoutRowSecurity,
  defaultPrivilegesOpenPartitions,
  uniqueReveals,
  foreignKeyCrosses,
  policiesRecurse,
  childHiddenFromParentsReaders,
  policyRefusesCreation,
  policyIgnoresRoles,
  membershipOpen,
  truncateGranted,
  appendOnlyTruncatable,
  appendOnlyForeignKey,
  policySettingErrors,
];
