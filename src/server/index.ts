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
export { findBinaries, findPgDump, listBinaries } from './binaries.ts';
export type { Binaries, FindOptions, Refused } from './binaries.ts';
export { serverSettings } from './data-folder.ts';
export { embedded, embeddedDefaults, stopEmbedded } from './embedded.ts';
export type { Embedded, EmbeddedOptions } from './embedded.ts';
export { makePassword, type Password } from './password.ts';
export { release } from './release.ts';
export { SQLSTATE, isSqlstate, sqlstateOf } from './sqlstate.ts';
export type { Sqlstate } from './sqlstate.ts';
