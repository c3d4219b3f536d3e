// Suggestions: what was learnt from decided corrections and waits for a person.
import { sql, type BuildExtraConfigColumns } from 'drizzle-orm';
import {
  boolean,
  check,
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
import { jobs } from './jobs.ts';
import { tenants } from './tenants.ts';

const columns = {
  tenantId: tenantId(),
  id: uuid('id').notNull().defaultRandom(),
  suggestionType: text('suggestion_type').notNull(),
  suggestionCategory: text('suggestion_category'),
  jobId: uuid('job_id'),
  recordNumber: integer('record_number'),
  fieldName: text('field_name'),
  channel: text('channel'),
  ruleId: text('rule_id'),
  title: text('title').notNull(),
  explanation: text('explanation'),
  originalValue: jsonb('original_value').$type<unknown>(),
  suggestedValue: jsonb('suggested_value').$type<unknown>(),
  alternativeSuggestions: list('alternative_suggestions'),
  /** A rule, where accepting makes one. */
  suggestedImplementation: object('suggested_implementation'),
  source: text('source').notNull(),
  modelName: text('model_name').notNull(),
  modelVersion: text('model_version').notNull(),
  algorithmMetadata: object('algorithm_metadata'),
  contextFeatures: object('context_features'),
  evidenceData: object('evidence_data'),
  /**
   * SHA-256 of what the evidence is about (for a mined pattern of its two hashes), never of its counts: two suggestions
   * about the same are the same suggestion.
   */
  evidenceHash: text('evidence_hash').notNull(),
  businessImpact: object('business_impact'),
  confidenceScore: numeric('confidence_score', { precision: 5, scale: 4 }).notNull(),
  priorityScore: numeric('priority_score', { precision: 5, scale: 2 }),
  batchId: uuid('batch_id'),
  batchPosition: integer('batch_position'),
  modelInferenceTimeMs: integer('model_inference_time_ms'),
  status: text('status').notNull().default('generated'),
  reviewedAt: moment('reviewed_at'),
  reviewedBy: text('reviewed_by'),
  acceptedAt: moment('accepted_at'),
  acceptedBy: text('accepted_by'),
  rejectedAt: moment('rejected_at'),
  rejectedBy: text('rejected_by'),
  rejectionReason: text('rejection_reason'),
  userFeedback: jsonb('user_feedback'),
  feedbackScore: integer('feedback_score'),
  expiresAt: moment('expires_at'),
  usedForTraining: boolean('used_for_training').notNull().default(false),
  createdAt: createdAt(),
  updatedAt: moment('updated_at').notNull().defaultNow(),
};

type Columns = BuildExtraConfigColumns<'suggestions', typeof columns, 'pg'>;

const constraints = (t: Columns) => [
  primaryKey({ name: 'suggestions_pkey', columns: [t.tenantId, t.id] }),
  foreignKey({
    name: 'suggestions_tenant_fkey',
    columns: [t.tenantId],
    foreignColumns: [tenants.id],
  }).onDelete('restrict'),
  foreignKey({
    name: 'suggestions_job_fkey',
    columns: [t.tenantId, t.jobId],
    foreignColumns: [jobs.tenantId, jobs.id],
  }).onDelete('restrict'),
  oneOf('suggestions_type', t.suggestionType, [
    'new_rule',
    'rule_improvement',
    'correction_strategy',
    'field_validation',
    'value',
  ]),
  oneOf('suggestions_category', t.suggestionCategory, [
    'accuracy',
    'performance',
    'coverage',
    'user_experience',
  ]),
  oneOf('suggestions_channel', t.channel, CHANNELS),
  oneOf('suggestions_source', t.source, [
    'ml_model',
    'rule_engine',
    'user_feedback',
    'historical_pattern',
    'external_api',
  ]),
  oneOf('suggestions_status', t.status, [
    'generated',
    'reviewed',
    'accepted',
    'rejected',
    'expired',
    'applied',
  ]),
  atMost('suggestions_field_name_length', t.fieldName, 100),
  atMost('suggestions_rule_id_length', t.ruleId, 100),
  atMost('suggestions_title_length', t.title, 200),
  check('suggestions_record_number', sql`${t.recordNumber} >= 1`),
  check(
    'suggestions_alternatives',
    sql`case when jsonb_typeof(${t.alternativeSuggestions}) = 'array' then jsonb_array_length(${t.alternativeSuggestions}) <= 5 else false end`,
  ),
  check('suggestions_evidence_hash_form', sql`${t.evidenceHash} ~ '^[a-f0-9]{64}$'`),
  check('suggestions_confidence', sql`${t.confidenceScore} between 0 and 1`),
  check('suggestions_priority', sql`${t.priorityScore} between 0 and 100`),
  check('suggestions_feedback', sql`${t.feedbackScore} between 1 and 5`),
  check('suggestions_accepted_time', sql`${t.status} <> 'accepted' or ${t.acceptedAt} is not null`),
  check('suggestions_rejected_time', sql`${t.status} <> 'rejected' or ${t.rejectedAt} is not null`),
  check(
    'suggestions_revenue_impact_number',
    sql`coalesce(jsonb_typeof(${t.businessImpact} -> 'revenue_impact'), 'number') = 'number'`,
  ),
];

const indexes = (t: Columns) => [
  uniqueIndex('suggestions_open_key')
    .on(
      t.tenantId,
      t.suggestionType,
      sql`coalesce(${t.fieldName}, '')`,
      sql`coalesce(${t.ruleId}, '')`,
      t.evidenceHash,
    )
    .where(sql`${t.status} in ('generated', 'reviewed')`),
  index('idx_suggestions_auto_accept_candidates')
    .on(t.tenantId, falling(t.confidenceScore), t.modelVersion)
    .where(sql`${t.confidenceScore} >= 0.9 and ${t.status} = 'generated'`),
  index('idx_suggestions_job_processing').on(t.tenantId, t.jobId, t.recordNumber, t.fieldName),
  index('idx_suggestions_model_comparison').on(
    t.tenantId,
    t.modelName,
    t.modelVersion,
    t.confidenceScore,
    t.status,
    falling(t.createdAt),
  ),
  index('idx_suggestions_feedback_analysis')
    .on(t.tenantId, t.status, falling(t.acceptedAt))
    .where(sql`${t.status} in ('accepted', 'rejected')`),
  index('idx_suggestions_field_intelligence').on(
    t.tenantId,
    t.fieldName,
    t.suggestionType,
    falling(t.confidenceScore),
  ),
  index('idx_suggestions_batch_processing')
    .on(t.tenantId, t.batchId, t.status)
    .where(sql`${t.batchId} is not null`),
  index('idx_suggestions_algorithm_gin').using('gin', t.algorithmMetadata),
  index('idx_suggestions_context_features_gin').using('gin', t.contextFeatures),
  index('idx_suggestions_alternatives_gin').using('gin', t.alternativeSuggestions),
  index('idx_suggestions_inference_performance')
    .on(t.tenantId, falling(t.modelInferenceTimeMs), t.createdAt)
    .where(sql`${t.modelInferenceTimeMs} > 500`),
  index('idx_suggestions_business_impact')
    .on(t.tenantId, sql`((${t.businessImpact} -> 'revenue_impact')::numeric)`)
    .where(sql`(${t.businessImpact} -> 'revenue_impact')::numeric > 0`),
  index('idx_suggestions_summary_covering').on(t.tenantId, falling(t.createdAt)),
  // The miner asks of each pattern whether it was suggested before.
  index('idx_suggestions_evidence').on(t.tenantId, t.evidenceHash),
  index('idx_suggestions_expires_at')
    .on(t.tenantId, t.expiresAt)
    .where(sql`${t.status} in ('generated', 'reviewed')`),
];

/** A proposed rule or value, with the evidence for it. */
export const suggestions = validahub.table('suggestions', columns, (t) => [...constraints(t), ...indexes(t)]);
