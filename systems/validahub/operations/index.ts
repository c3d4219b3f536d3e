// What ValidaHub can do. Each operation checks its input before anything is opened, runs as the application's role under
// row security, leaves an event in the audit trail and throws HoldfastError with a code HF_VALIDAHUB_….
export { forgetErased, openHub, type Hub, type Sessions } from './hub.ts';
export { createRuleSet, createTenant, findRuleSet, type RuleSetInput, type SetPolicy } from './tenants.ts';
export {
  addVersion,
  validateVersion,
  type Validation,
  type VersionChoice,
  type VersionInput,
} from './versions.ts';
export { deprecateVersion, publishVersion, rollbackTo, type Publication } from './publish.ts';
export { chooseRules, ruleLookup, type ActiveRules, type RulesChoice } from './lookup.ts';
export { CACHE_TTL_MS } from './cache.ts';
export { applyRules, type ApplyInput } from './apply.ts';
export type { JobResult } from './job.ts';
export { LOG_LIMITS, logCorrections, type CorrectionInput } from './log.ts';
export {
  applyCorrections,
  decideCorrections,
  revertCorrection,
  type CorrectionChoice,
  type DecisionInput,
} from './decide.ts';
export { exportCorrected, type ExportCount, type ExportInput } from './export.ts';
export { MINE_DEFAULTS, mineSuggestions, type Mined, type MineInput } from './mine.ts';
export {
  acceptSuggestion,
  expireSuggestions,
  listSuggestions,
  rejectSuggestion,
  type Acceptance,
  type Suggestion,
} from './suggestions.ts';
export {
  comparePerformance,
  ruleEffectiveness,
  topErrorFields,
  type Comparison,
  type EffectivenessInput,
  type ErrorField,
  type Freshness,
  type RuleEffect,
} from './effectiveness.ts';
export { endShadow, type ShadowEnd } from './shadow.ts';
export { waitingCorrections, type WaitingCorrection } from './waiting.ts';
export {
  checkPartitionHealth,
  MAINTENANCE_DAYS,
  maintainPartitions,
  type PartitionHealth,
  type PartitionReport,
} from './partitions.ts';
