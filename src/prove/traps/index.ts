// Public surface of the search for traps.
export type { Draft, Fact, Severity, TrapCheck, TrapContext } from './check.ts';
export { CHECKS } from './checks.ts';
export { trapsEvidence } from './evidence.ts';
export { findTraps, trapsDefaults, type Finding, type Traps, type TrapsOptions } from './find.ts';
export { trapPages } from './pages.ts';
export { fixDefaults, planFixes, type FixOptions } from './fix.ts';
export { type DefinitionTrapsOptions, trapsOfDefinition } from './definition.ts';
