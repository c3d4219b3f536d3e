export { HoldfastError } from './error.ts';
export type { ErrorParts } from './error.ts';
