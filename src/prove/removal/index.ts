// Shows that whoever asks to be forgotten is.
export { removalEvidence } from './evidence.ts';
export { proveRemoval, removalDefaults } from './removal.ts';
export type { RemovalOptions, Removed } from './removal.ts';
export type { Place } from './search.ts';
export type { Change } from './snapshot.ts';
export type { Fault, Step, Trial } from './trial.ts';
