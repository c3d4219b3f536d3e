// Public surface of holdfast/use: what an application imports to speak for one tenant at a time.
export { connect, connectDefaults } from './connect.ts';
export type { Connected, ConnectOptions } from './connect.ts';
export type { Database, DrizzleOptions, Transaction } from './drizzle.ts';
export { erasedDefaults, onErased } from './erased.ts';
export type { ErasedNews, ErasedOptions, Listening } from './erased.ts';
export type { SessionContext, TransactionOptions } from './opening.ts';
export { retryDefaults } from './retry.ts';
export type { RetryOptions } from './retry.ts';
export type { Query, Session, SessionOptions } from './session.ts';
