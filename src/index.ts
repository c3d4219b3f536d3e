// What a definition's file imports. Everything else has its stage's own path: holdfast/build, /use, /server, /traits, /define.
export { HoldfastError } from './error.ts';
export type { ErrorParts } from './error.ts';
export {
  collate,
  comment,
  covering,
  database,
  deferrable,
  DefinitionError,
  exclusion,
  extension,
  grant,
  job,
  key,
  on,
  statement,
  storage,
  trigger,
  unlogged,
} from './define/index.ts';
export type { DatabaseOptions, Definition, Trait } from './define/index.ts';
export {
  folder,
  immutability,
  incremental,
  partitions,
  retention,
  rollups,
  s3,
  setting,
  tenancy,
  versioning,
} from './traits/index.ts';
export { connect } from './use/index.ts';
export { apply, plan, rollback } from './build/index.ts';
export { embedded } from './server/index.ts';
