// Isolation under attack: every object by every way across, as the roles an application logs in as.
export { isolationEvidence } from './evidence.ts';
export { proveIsolation } from './isolation.ts';
export type { Cell, Crossing, Isolation, IsolationOptions, Outcome, Told } from './result.ts';
