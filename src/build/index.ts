// Public surface of holdfast/build: plan, apply, roll back, drift.
export { apply, applyDefaults, readPlan, type Applied, type ApplyOptions } from './apply.ts';
export { catalogueDump, type Dump, type DumpLine } from './catalogue-dump.ts';
export { compare, type Difference as StructureDifference } from './compare.ts';
export { type Built, type BuiltOptions, withBuilt } from './built.ts';
export { drift, type Difference, type Drift } from './drift.ts';
export { fingerprint } from './fingerprint.ts';
export { lower, type Lowered, type LoweredStatement } from './lower.ts';
export { plan, planAlteration, type Alteration } from './plan.ts';
export { rollback, type RollbackOptions, type RolledBack } from './rollback.ts';
export type { Progress as ApplyProgress } from './run.ts';
export { withScratch, type Scratch, type ScratchOptions, type ScratchServer } from './scratch.ts';
export type { PlanOptions, PlanProgress } from './sides.ts';
export type { BackStatement, Plan, Step, Work } from './step.ts';
export type { Blocker } from './waiting.ts';
