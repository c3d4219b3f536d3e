// Public surface of holdfast/prove: what shows that a promise holds on a real server, and what was seen.
export type * from './evidence.ts';
export {
  brokenPlans,
  budgetServerSettings,
  budgetsEvidence,
  proveBudgets,
  type BudgetsOptions,
  type Measured,
  type MeasuredFigure,
  type MeasuredTime,
} from './budgets/index.ts';
export { applicationRoles, guessBoundaries, settingsRead } from './boundary/index.ts';
export type { ApplicationRole, BoundaryHints, Guess, SettingRead } from './boundary/index.ts';
export { overall } from './evidence.ts';
export { visible, visibleLines } from './visible.ts';
export { page, type PageOptions } from './page/index.ts';
export {
  proofs,
  recordDefaults,
  recordProof,
  standing,
  type ProofRecord,
  type Recorded,
  type RecordedProof,
  type RecordOptions,
  type Standing,
} from './record.ts';
export {
  proveRemoval,
  removalDefaults,
  removalEvidence,
  type RemovalOptions,
  type Removed,
} from './removal/index.ts';
export { proveStructure, structureEvidence, type Structure, type StructureOptions } from './structure.ts';
export {
  findTraps,
  fixDefaults,
  planFixes,
  trapsDefaults,
  trapsEvidence,
  type Finding,
  type FixOptions,
  type Severity,
  type Traps,
  type TrapsOptions,
  trapsOfDefinition,
  CHECKS,
  type DefinitionTrapsOptions,
} from './traps/index.ts';
export {
  isolationEvidence,
  proveIsolation,
  type Cell,
  type Crossing,
  type Isolation,
  type IsolationOptions,
  type Outcome,
  type Told,
} from './isolation/index.ts';
export { lapse, lapseDefaults, type LapseOptions } from './lapse/lapse.ts';
export type { Failure } from './lapse/replay.ts';
export { brokenLines, jobRows, relationRows, verdict, type JobFigures, type Lapse } from './lapse/report.ts';
export type { Figures } from './lapse/standing.ts';
export { timeline, type Life, type Mark, type Picture, type Track } from './lapse/timeline.ts';
export type { Slice, Traffic, TrafficContext, Written } from './lapse/traffic.ts';
export { variantOf, variants, type Variant } from './lapse/variants.ts';
