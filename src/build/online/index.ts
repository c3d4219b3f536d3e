// What `build` uses of the online forms.
export { toSteps } from './to-steps.ts';
export { lockTimeoutMs } from './draft.ts';
