// Public surface of holdfast/build: plan, apply, roll back, drift.
export { apply, applyDefaults, readPlan, type Applied, type ApplyOptions } from './apply.ts';
export { drift, type Difference, type Drift } from './drift.ts';
export { fingerprint } from './fingerprint.ts';
export { lower, type Lowered, type LoweredStatement } from './lower.ts';
export { plan, planAlteration, type Alteration } from './plan.ts';
export { rollback, type RollbackOptions, type RolledBack } from './rollback.ts';
export type { Progress as ApplyProgress } from './run.ts';
export type { PlanOptions, PlanProgress } from './sides.ts';
export type { BackStatement, Plan, Step, Work } from './step.ts';
export type { Blocker } from './waiting.ts';
