// Corrections: what was or should be changed in a file, and the one decision about each.
import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  customType,
  doublePrecision,
  foreignKey,
  index,
  integer,
  jsonb,
  numeric,
  primaryKey,
  text,
  uuid,
} from 'drizzle-orm/pg-core';
import { atMost, createdAt, falling, moment, object, oneOf, tenantId, validahub } from './columns.ts';
import { CORRECTION_TYPES } from '../rules/rule.ts';
import { wilsonLowerSql } from '../wilson.ts';
import { jobs } from './jobs.ts';
import { ruleSets, ruleVersions } from './rules.ts';
import { tenants } from './tenants.ts';

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

/** Who proposed a correction. */
export const CORRECTION_METHODS = ['manual', 'automatic', 'ml_suggestion', 'rule_based'] as const;

/** The states of a correction, in the one order they may follow. */
export const CORRECTION_STATUSES = ['pending', 'approved', 'rejected', 'applied', 'reverted'] as const;

/**
 * One correction of one cell. Partitioned by month; its values never change, its decision moves forward only.
 * The indexes of the newest months alone stand in `hot.ts`.
 */
export const correctionLogs = validahub.table(
  'correction_logs',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull().defaultRandom(),
    createdAt: createdAt(),
    jobId: uuid('job_id').notNull(),
    ruleSetId: uuid('rule_set_id'),
    ruleVersionId: uuid('rule_version_id'),
    correctionBatchId: uuid('correction_batch_id').notNull(),
    recordNumber: integer('record_number').notNull(),
    fieldName: text('field_name').notNull(),
    ruleId: text('rule_id').notNull(),
    originalValue: jsonb('original_value').$type<unknown>(),
    correctedValue: jsonb('corrected_value').$type<unknown>(),
    correctionType: text('correction_type', { enum: CORRECTION_TYPES })
      .notNull()
      .default('value_replacement'),
    correctionMethod: text('correction_method', { enum: CORRECTION_METHODS }).notNull(),
    confidence: numeric('confidence', { precision: 5, scale: 4 }),
    correctionMetadata: object('correction_metadata'),
    status: text('status', { enum: CORRECTION_STATUSES }).notNull().default('pending'),
    /** Null until decided; true for what was approved (also once applied or reverted), false for what was rejected. */
    accepted: boolean('accepted'),
    appliedAt: moment('applied_at'),
    revertedAt: moment('reverted_at'),
    decidedAt: moment('decided_at'),
    approvedBy: text('approved_by'),
    rejectedBy: text('rejected_by'),
    rejectionReason: text('rejection_reason'),
    estimatedImpact: object('estimated_impact'),
    actualImpact: object('actual_impact'),
    createdBy: text('created_by').notNull(),
    correlationId: text('correlation_id'),
    requestId: text('request_id'),
  },
  (t) => [
    primaryKey({ name: 'correction_logs_pkey', columns: [t.tenantId, t.id, t.createdAt] }),
    foreignKey({
      name: 'correction_logs_job_fkey',
      columns: [t.tenantId, t.jobId],
      foreignColumns: [jobs.tenantId, jobs.id],
    }).onDelete('restrict'),
    foreignKey({
      name: 'correction_logs_rule_set_fkey',
      columns: [t.tenantId, t.ruleSetId],
      foreignColumns: [ruleSets.tenantId, ruleSets.id],
    }).onDelete('restrict'),
    foreignKey({
      name: 'correction_logs_rule_version_fkey',
      columns: [t.tenantId, t.ruleVersionId],
      foreignColumns: [ruleVersions.tenantId, ruleVersions.id],
    }).onDelete('restrict'),
    check('correction_logs_record_number', sql`${t.recordNumber} >= 1`),
    atMost('correction_logs_field_name_length', t.fieldName, 100),
    atMost('correction_logs_rule_id_length', t.ruleId, 100),
    atMost('correction_logs_created_by_length', t.createdBy, 100),
    check('correction_logs_values_differ', sql`${t.originalValue} is distinct from ${t.correctedValue}`),
    oneOf('correction_logs_type', t.correctionType, CORRECTION_TYPES),
    oneOf('correction_logs_method', t.correctionMethod, CORRECTION_METHODS),
    oneOf('correction_logs_status', t.status, CORRECTION_STATUSES),
    check('correction_logs_confidence', sql`${t.confidence} between 0 and 1`),
    // IS NOT DISTINCT FROM: a check that comes out null passes, so plain equality would let every null through.
    check(
      'correction_logs_accepted_follows_status',
      sql`${t.accepted} is not distinct from (case ${t.status} when 'pending' then null when 'rejected' then false else true end)`,
    ),
    check('correction_logs_decided_time', sql`(${t.status} = 'pending') = (${t.decidedAt} is null)`),
    check(
      'correction_logs_applied_time',
      sql`(${t.status} in ('applied', 'reverted')) = (${t.appliedAt} is not null)`,
    ),
    check('correction_logs_reverted_time', sql`(${t.status} = 'reverted') = (${t.revertedAt} is not null)`),
    // The hot indexes cast these two to numbers; what is no number is refused here, by name, instead of in the index.
    check(
      'correction_logs_processing_time_number',
      sql`coalesce(jsonb_typeof(${t.correctionMetadata} -> 'processing_time_ms'), 'number') = 'number'`,
    ),
    check(
      'correction_logs_revenue_impact_number',
      sql`coalesce(jsonb_typeof(${t.estimatedImpact} -> 'revenue_impact'), 'number') = 'number'`,
    ),
    index('idx_correction_logs_summary_covering').on(t.tenantId, t.ruleId, falling(t.createdAt)),
    index('idx_correction_logs_created_brin').using('brin', t.createdAt),
    // A job is deleted after a year; without it each deletion would read every month of corrections.
    index('idx_correction_logs_job').on(t.tenantId, t.jobId),
  ],
);

/**
 * How often one correction of one value was proposed to people, accepted and rejected: an incremental rollup of the log, so
 * that mining reads this small table and never the log. It outlives the corrections it was counted from.
 */
export const correctionPatterns = validahub.table(
  'correction_patterns',
  {
    tenantId: tenantId(),
    fieldName: text('field_name').notNull(),
    ruleId: text('rule_id').notNull(),
    /** SHA-256 of the value's JSON text; of nothing where the value is null. */
    originalHash: bytea('original_hash').notNull(),
    correctedHash: bytea('corrected_hash').notNull(),
    originalValue: jsonb('original_value').$type<unknown>(),
    correctedValue: jsonb('corrected_value').$type<unknown>(),
    channel: text('channel'),
    proposed: bigint('proposed', { mode: 'number' }).notNull().default(0),
    accepted: bigint('accepted', { mode: 'number' }).notNull().default(0),
    rejected: bigint('rejected', { mode: 'number' }).notNull().default(0),
    sumConfidence: numeric('sum_confidence').notNull().default('0'),
    firstSeen: moment('first_seen').notNull().defaultNow(),
    lastSeen: moment('last_seen').notNull().defaultNow(),
    lastMinedAt: moment('last_mined_at'),
    /** Lower bound of the share of decisions that accept it (wilson.ts), computed by the server from the counts beside it. */
    confidence: doublePrecision('confidence').generatedAlwaysAs(
      sql.raw(
        `CASE WHEN accepted + rejected = 0 THEN 0 ELSE ${wilsonLowerSql('accepted::float8', '(accepted + rejected)::float8')} END`,
      ),
    ),
  },
  (t) => [
    // The miner reads the surest from its top and stops: what it costs is the page, not the table.
    index('idx_correction_patterns_surest').on(
      t.tenantId,
      falling(t.confidence),
      t.originalHash,
      t.correctedHash,
    ),
    primaryKey({
      name: 'correction_patterns_pkey',
      columns: [t.tenantId, t.fieldName, t.ruleId, t.originalHash, t.correctedHash],
    }),
    foreignKey({
      name: 'correction_patterns_tenant_fkey',
      columns: [t.tenantId],
      foreignColumns: [tenants.id],
    }).onDelete('restrict'),
    check(
      'correction_patterns_hashes',
      sql`length(${t.originalHash}) = 32 and length(${t.correctedHash}) = 32`,
    ),
    check(
      'correction_patterns_counts',
      sql`${t.proposed} >= 0 and ${t.accepted} >= 0 and ${t.rejected} >= 0 and ${t.accepted} + ${t.rejected} <= ${t.proposed}`,
    ),
  ],
);
