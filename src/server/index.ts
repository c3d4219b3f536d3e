// Public surface of holdfast/server: reaching servers, and having one.
export {
  blank,
  close,
  connect,
  connectError,
  connectDefaults,
  majorOf,
  openPool,
  redact,
  serverVersion,
  supported,
  supportedMajors,
  target,
  urlFromEnvironment,
  withClient,
  withDatabase,
} from './connection.ts';
export type { ConnectOptions, Target } from './connection.ts';
export { SQLSTATE, isSqlstate, sqlstateOf } from './sqlstate.ts';
export type { Sqlstate } from './sqlstate.ts';
