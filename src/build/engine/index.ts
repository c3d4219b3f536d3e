// The engine as the rest of the folder sees it.
export { elaborate, type Elaboration } from './elaborate.ts';
export { extract, type Facts, type Unmodelled } from './facts.ts';
export { planChange, type Change } from './plan-change.ts';
export { LEDGER_SCHEMA, managedKeys, type Ownership } from './view.ts';
export { rebuildPlan } from './rebuild.ts';
