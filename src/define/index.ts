// What `holdfast/define` gives: a definition, what is said beside Drizzle, and the contract of traits.
export { database, DefinitionError } from './database.ts';
export type { DatabaseOptions, Definition, Tables } from './database.ts';
export {
  checkImmutable,
  checkModel,
  checkNames,
  checkPartitionKey,
  checkReferences,
  checkRefreshKey,
  checkTenantKeys,
  checkTenantReferences,
} from './check.ts';
export type { Facet } from './facet.ts';
export { findTable, label, mapTables } from './model.ts';
export type * from './model.ts';
export type * from './trait.ts';
