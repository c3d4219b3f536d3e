// Rule sets and their versions. A version never changes once it is published, and none is ever deleted.
import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  date,
  foreignKey,
  index,
  integer,
  jsonb,
  numeric,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import {
  atMost,
  CHANNELS,
  createdAt,
  falling,
  list,
  moment,
  object,
  oneOf,
  tenantId,
  validahub,
} from './columns.ts';
import { tenants } from './tenants.ts';

const SEMVER = `'^(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)(-[0-9A-Za-z-]+(\\.[0-9A-Za-z-]+)*)?$'`;

/** One family of rules for one channel. */
export const ruleSets = validahub.table(
  'rule_sets',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull().defaultRandom(),
    channel: text('channel').notNull(),
    name: text('name').notNull(),
    description: text('description'),
    /** The version that is current, for reading; `rule_versions.is_current` is what decides. */
    currentVersion: text('current_version'),
    status: text('status').notNull().default('draft'),
    isActive: boolean('is_active').notNull().default(true),
    autoApplyPatches: boolean('auto_apply_patches').notNull().default(true),
    shadowPeriodDays: integer('shadow_period_days').notNull().default(7),
    requireMajorOptIn: boolean('require_major_opt_in').notNull().default(true),
    metadata: object('metadata'),
    /** Counts changes; a writer that names a stale one is refused. */
    version: integer('version').notNull().default(1),
    eventStreamPosition: bigint('event_stream_position', { mode: 'bigint' }),
    createdBy: text('created_by').notNull(),
    updatedBy: text('updated_by').notNull(),
    createdAt: createdAt(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
    deletedAt: moment('deleted_at'),
    deletionReason: text('deletion_reason'),
  },
  (t) => [
    primaryKey({ name: 'rule_sets_pkey', columns: [t.tenantId, t.id] }),
    foreignKey({
      name: 'rule_sets_tenant_fkey',
      columns: [t.tenantId],
      foreignColumns: [tenants.id],
    }).onDelete('restrict'),
    oneOf('rule_sets_channel', t.channel, CHANNELS),
    oneOf('rule_sets_status', t.status, ['draft', 'published', 'deprecated', 'archived']),
    check('rule_sets_name_length', sql`char_length(${t.name}) between 1 and 100`),
    check('rule_sets_current_version_form', sql`${t.currentVersion} ~ ${sql.raw(SEMVER)}`),
    check('rule_sets_shadow_period', sql`${t.shadowPeriodDays} between 0 and 30`),
    check('rule_sets_version_positive', sql`${t.version} > 0`),
    atMost('rule_sets_created_by_length', t.createdBy, 100),
    atMost('rule_sets_updated_by_length', t.updatedBy, 100),
    uniqueIndex('rule_sets_active_name_key')
      .on(t.tenantId, t.channel, t.name)
      .where(sql`${t.isActive} and ${t.deletedAt} is null`),
    index('idx_rule_sets_tenant_channel_performance')
      .on(t.tenantId, t.channel, t.isActive)
      .where(sql`${t.isActive}`),
    index('idx_rule_sets_tenant_active_updated')
      .on(t.tenantId, t.isActive, falling(t.updatedAt))
      .where(sql`${t.isActive}`),
    index('idx_rule_sets_metadata_search_gin').using('gin', t.metadata.op('jsonb_path_ops')),
    index('idx_rule_sets_tenant_status_created').on(t.tenantId, t.status, falling(t.createdAt)),
    index('idx_rule_sets_auto_apply_patches')
      .on(t.tenantId, t.autoApplyPatches, t.shadowPeriodDays)
      .where(sql`${t.autoApplyPatches}`),
  ],
);

const VERSION_STATUSES = ['draft', 'validated', 'testing', 'published', 'deprecated', 'archived'] as const;

/** One numbered state of a rule set. */
export const ruleVersions = validahub.table(
  'rule_versions',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull().defaultRandom(),
    ruleSetId: uuid('rule_set_id').notNull(),
    major: integer('major').notNull(),
    minor: integer('minor').notNull(),
    patch: integer('patch').notNull(),
    prerelease: text('prerelease'),
    version: text('version').notNull(),
    status: text('status', { enum: VERSION_STATUSES }).notNull().default('draft'),
    isCurrent: boolean('is_current').notNull().default(false),
    isLatest: boolean('is_latest').notNull().default(false),
    rules: jsonb('rules').$type<readonly unknown[]>().notNull(),
    ruleCount: integer('rule_count').notNull(),
    /** Source column → canonical field. */
    mapping: object('mapping'),
    /** The execution plan the compiler made of the rules. */
    compiled: jsonb('compiled'),
    /** SHA-256 of the canonical JSON of mapping, rules and compiler version. */
    checksum: text('checksum'),
    compatibilityLevel: text('compatibility_level', { enum: ['major', 'minor', 'patch'] }),
    breakingChanges: list('breaking_changes'),
    migrationNotes: text('migration_notes'),
    changelog: text('changelog'),
    validationErrors: list('validation_errors'),
    performanceProfile: object('performance_profile'),
    testCoveragePercent: numeric('test_coverage_percent', { precision: 5, scale: 2 }),
    shadowStartDate: date('shadow_start_date'),
    shadowEndDate: date('shadow_end_date'),
    shadowMetrics: object('shadow_metrics'),
    publishedAt: moment('published_at'),
    activatedAt: moment('activated_at'),
    deprecatedAt: moment('deprecated_at'),
    archivedAt: moment('archived_at'),
    sunsetDate: moment('sunset_date'),
    deprecationReason: text('deprecation_reason'),
    createdBy: text('created_by').notNull(),
    publishedBy: text('published_by'),
    deprecatedBy: text('deprecated_by'),
    createdAt: createdAt(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
    versionNumber: integer('version_number').notNull().default(1),
  },
  (t) => [
    primaryKey({ name: 'rule_versions_pkey', columns: [t.tenantId, t.id] }),
    foreignKey({
      name: 'rule_versions_rule_set_fkey',
      columns: [t.tenantId, t.ruleSetId],
      foreignColumns: [ruleSets.tenantId, ruleSets.id],
    }).onDelete('restrict'),
    check('rule_versions_numbers', sql`${t.major} >= 0 and ${t.minor} >= 0 and ${t.patch} >= 0`),
    check(
      'rule_versions_prerelease_form',
      sql`char_length(${t.prerelease}) <= 50 and ${t.prerelease} ~ '^[0-9A-Za-z-]+(\\.[0-9A-Za-z-]+)*$'`,
    ),
    check(
      'rule_versions_version_joined',
      sql`${t.version} = ${t.major}::text || '.' || ${t.minor}::text || '.' || ${t.patch}::text || coalesce('-' || ${t.prerelease}, '')`,
    ),
    oneOf('rule_versions_status', t.status, VERSION_STATUSES),
    oneOf('rule_versions_compatibility_level', t.compatibilityLevel, ['major', 'minor', 'patch']),
    // A CASE, because AND gives no order: the length of what is not an array is an error, not false.
    check(
      'rule_versions_rules_listed',
      sql`case when jsonb_typeof(${t.rules}) = 'array' then jsonb_array_length(${t.rules}) >= 1 and jsonb_array_length(${t.rules}) = ${t.ruleCount} else false end`,
    ),
    check('rule_versions_checksum_form', sql`${t.checksum} ~ '^[a-f0-9]{64}$'`),
    check('rule_versions_coverage', sql`${t.testCoveragePercent} between 0 and 100`),
    check(
      'rule_versions_published_facts',
      sql`${t.status} not in ('published', 'deprecated', 'archived') or (${t.checksum} is not null and ${t.publishedAt} is not null and ${t.publishedBy} is not null and ${t.compiled} is not null)`,
    ),
    check('rule_versions_deprecated_time', sql`${t.status} <> 'deprecated' or ${t.deprecatedAt} is not null`),
    check('rule_versions_archived_time', sql`${t.status} <> 'archived' or ${t.archivedAt} is not null`),
    check(
      'rule_versions_testing_dates',
      sql`${t.status} <> 'testing' or (${t.shadowStartDate} is not null and ${t.shadowEndDate} is not null)`,
    ),
    check('rule_versions_shadow_order', sql`${t.shadowEndDate} >= ${t.shadowStartDate}`),
    check(
      'rule_versions_current_is_published',
      sql`not ${t.isCurrent} or (${t.status} = 'published' and ${t.activatedAt} is not null)`,
    ),
    atMost('rule_versions_created_by_length', t.createdBy, 100),
    uniqueIndex('idx_rule_versions_tenant_set_version').on(t.tenantId, t.ruleSetId, t.version),
    uniqueIndex('idx_rule_versions_tenant_set_current')
      .on(t.tenantId, t.ruleSetId)
      .where(sql`${t.isCurrent}`),
    index('idx_rule_versions_tenant_set_semantic').on(
      t.tenantId,
      t.ruleSetId,
      falling(t.major),
      falling(t.minor),
      falling(t.patch),
    ),
    index('idx_rule_versions_published_performance')
      .on(t.tenantId, t.ruleSetId, falling(t.publishedAt))
      .where(sql`${t.status} = 'published'`),
    index('idx_rule_versions_tenant_status_created').on(t.tenantId, t.status, falling(t.createdAt)),
    index('idx_rule_versions_rules_content_gin').using('gin', t.rules),
    index('idx_rule_versions_performance_gin').using('gin', t.performanceProfile),
    index('idx_rule_versions_breaking_changes_gin').using('gin', t.breakingChanges),
    index('idx_rule_versions_compatibility').on(t.tenantId, t.ruleSetId, t.compatibilityLevel, t.createdAt),
    index('idx_rule_versions_api_covering')
      .on(t.tenantId, t.ruleSetId, t.isCurrent)
      .where(sql`${t.isCurrent}`),
  ],
);
