// HT3xx: what functions, roles, secrets and settings do to whoever meets them.
import type { TrapCheck } from '../check.ts';
import { archiveCommandOverwrites, archiveShipsLate } from './archiving.ts';
import { archiveLosesRows, functionNamesMissingRelation, statementCannotRunInFunction } from './bodies.ts';
import { chainForks, hashNotReproducible } from './chains.ts';
import { definerForPublic, definerWithoutSearchPath } from './definer.ts';
import { countedThenInserted, counterRolledBack } from './races.ts';
import { applicationRoleBypasses, noRoleCanBackUp } from './roles.ts';
import { cipherNotThere, passwordUnchecked, plaintextSecretColumn, weakSymmetricDefault } from './secrets.ts';
import {
  functionSettingErrors,
  keyReadFromSetting,
  secretInSettings,
  sessionSettingTrusted,
  settingOutlivesTransaction,
  settingSetForRole,
  timeoutForEverybody,
} from './settings.ts';

export const functions: readonly TrapCheck[] = [
  definerWithoutSearchPath,
  definerForPublic,
  functionSettingErrors,
  settingOutlivesTransaction,
  settingSetForRole,
  secretInSettings,
  keyReadFromSetting,
  timeoutForEverybody,
  applicationRoleBypasses,
  noRoleCanBackUp,
  plaintextSecretColumn,
  passwordUnchecked,
  cipherNotThere,
  weakSymmetricDefault,
  chainForks,
  hashNotReproducible,
  statementCannotRunInFunction,
  functionNamesMissingRelation,
  archiveLosesRows,
  archiveCommandOverwrites,
  archiveShipsLate,
  sessionSettingTrusted,
  countedThenInserted,
  counterRolledBack,
];
