// The promises of this release. A trait is one folder; copying a folder and exporting it here adds one.
export { budget, budgetDefaults, budgets, figure, skewed, volume } from './budgets/index.ts';
export type {
  BudgetOptions,
  FigureOptions,
  OneStatement,
  Requirement,
  Run,
  TypedTurn,
  TypedVolume,
  VolumeOptions,
  VolumeRowsOptions,
} from './budgets/index.ts';
export { erasure, erasureDefaults, erasersOf } from './erasure/index.ts';
export type {
  ErasedTable,
  Eraser,
  ErasingTrait,
  ErasureOptions,
  ErasureReport,
  ErasureRequest,
  ErasureSubject,
  Exported,
} from './erasure/index.ts';
export { immutability } from './immutability/index.ts';
export type { AppendOnly, Frozen, ImmutabilityOptions, Steps } from './immutability/index.ts';
export { partitions } from './partitions/index.ts';
export type { HotIndex, PartitionsOptions, Period } from './partitions/index.ts';
export { columnOf, relationOf } from './reference.ts';
export type { ColumnReference, TableReference, ViewReference } from './reference.ts';
export {
  folder,
  holds,
  placeHold,
  releaseHold,
  retention,
  retentionDefaults,
  s3,
  shelvesOf,
} from './retention/index.ts';
export type {
  ArchiveFiles,
  Duration,
  Hold,
  HoldRequest,
  PutBack,
  Restored,
  RestoreRequest,
  RetentionArchive,
  RetentionOptions,
  S3Options,
  Shelf,
  ShelvedPart,
  ShelvingTrait,
} from './retention/index.ts';
export { incremental, rollups } from './rollups/index.ts';
export type { Expressions, IncrementalOptions, RollupGuard, RollupsOptions } from './rollups/index.ts';
export { setting, tenancy } from './tenancy/index.ts';
export type {
  GuardedView,
  LoginRole,
  Membership,
  Restriction,
  Right,
  SettingType,
  SharedTable,
  TenancyOptions,
  TenancyRoles,
  TenantTable,
} from './tenancy/index.ts';
export { versioning } from './versioning/index.ts';
export type { VersioningOptions } from './versioning/index.ts';
