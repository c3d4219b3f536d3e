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
export type * from './budget.ts';
export type { Facet, RelationFacet } from './facet.ts';
export { extension, grant, on, statement } from './facets.ts';
export type { GrantTarget } from './facets.ts';
export {
  collate,
  comment,
  covering,
  deferrable,
  exclusion,
  forceRowSecurity,
  indexed,
  key,
  matchFull,
  nullsNotDistinct,
  onDeleteSetOnly,
  storage,
  trigger,
  unlogged,
  virtual,
} from './relation-facets.ts';
export type { CommentTarget, Deferral, ExclusionOptions, TriggerOptions } from './relation-facets.ts';
export { ERASED_CHANNEL, ERASING_SETTING } from './erasure.ts';
export type * from './erasure.ts';
export { job, jobDefaults, PUT_BACK_SETTING } from './job.ts';
export type * from './job.ts';
export { indoors } from './indoors.ts';
export type * from './measure.ts';
export { aboutAlert, aboutMetric, collectMeasures, engineWords } from './measures.ts';
export type { Measures } from './measures.ts';
export { findTable, label, mapTables, ROLE_WORDS } from './model.ts';
export type * from './model.ts';
export type * from './promise.ts';
export type * from './proof.ts';
export { collectProofs } from './proofs.ts';
export type { Proofs } from './proofs.ts';
export type * from './trait.ts';
