// The indexes of correction_logs that only the newest months carry. A predicate on the age of a row cannot make an
// index "hot": PostgreSQL refuses now() in it, and a bound once written stays. So age is the partition's: the partitions
// trait builds these on the newest two partitions and drops them when a partition grows old.
import { sql, type SQL } from 'drizzle-orm';
import { index, type AnyIndexBuilder, type ExtraConfigColumn } from 'drizzle-orm/pg-core';
import { bucket, falling } from './columns.ts';

/** The columns of correction_logs that a hot index uses. */
export type HotColumns = Readonly<
  Record<
    | 'tenantId'
    | 'createdAt'
    | 'jobId'
    | 'correctionBatchId'
    | 'recordNumber'
    | 'fieldName'
    | 'ruleId'
    | 'originalValue'
    | 'correctedValue'
    | 'correctionMethod'
    | 'confidence'
    | 'correctionMetadata'
    | 'status'
    | 'appliedAt'
    | 'revertedAt'
    | 'estimatedImpact'
    | 'createdBy'
    | 'correlationId'
    | 'requestId',
    ExtraConfigColumn
  >
>;

const NAME = 'idx_correction_logs_';

/** A number kept in JSON, for an index; a check on the table refuses what is no number. */
const figure = (column: ExtraConfigColumn, key: string): SQL =>
  sql`((${column} -> '${sql.raw(key)}')::numeric)`;

/** The start of a value's JSON text: enough to group by, short enough for any index row. */
const start = (column: ExtraConfigColumn): SQL => sql`"left"(${column}::text, 50)`;

const work = (t: HotColumns): AnyIndexBuilder[] => [
  index(`${NAME}tenant_time_hot`).on(t.tenantId, falling(t.createdAt)),
  index(`${NAME}job_operations`).on(t.tenantId, t.jobId, t.recordNumber, t.fieldName),
  index(`${NAME}batch_operations`).on(t.tenantId, t.correctionBatchId, t.status),
  index(`${NAME}pending_review`)
    .on(t.tenantId, falling(t.createdAt), t.fieldName)
    .where(sql`${t.status} = 'pending'`),
  index(`${NAME}applied_audit`)
    .on(t.tenantId, falling(t.appliedAt), t.correctionMethod, t.createdBy)
    .where(sql`${t.status} = 'applied'`),
  index(`${NAME}high_confidence`)
    .on(t.tenantId, falling(t.confidence))
    .where(sql`${t.confidence} >= 0.8 and ${t.status} = 'pending'`),
  index(`${NAME}reverted`)
    .on(t.tenantId, falling(t.revertedAt), t.createdBy)
    .where(sql`${t.revertedAt} is not null`),
  index(`${NAME}correlation_tracking`)
    .on(t.tenantId, t.correlationId, t.requestId, falling(t.createdAt))
    .where(sql`${t.correlationId} is not null`),
];

const analysis = (t: HotColumns): AnyIndexBuilder[] => [
  index(`${NAME}rule_effectiveness`).on(
    t.tenantId,
    t.ruleId,
    t.correctionMethod,
    t.status,
    falling(t.createdAt),
  ),
  index(`${NAME}field_patterns`).on(t.tenantId, t.fieldName, t.correctionMethod, falling(t.createdAt)),
  index(`${NAME}hourly_buckets`).on(t.tenantId, bucket('hour', t.createdAt), t.ruleId),
  index(`${NAME}daily_buckets`).on(t.tenantId, bucket('day', t.createdAt), t.correctionMethod),
  index(`${NAME}user_activity`).on(t.tenantId, t.createdBy, bucket('day', t.createdAt)),
  index(`${NAME}pattern_frequency`)
    .on(t.tenantId, t.fieldName, start(t.originalValue), start(t.correctedValue))
    .where(sql`${t.originalValue} is not null and ${t.correctedValue} is not null`),
  index(`${NAME}processing_performance`)
    .on(t.tenantId, figure(t.correctionMetadata, 'processing_time_ms'))
    .where(sql`${figure(t.correctionMetadata, 'processing_time_ms')} > 1000`),
  index(`${NAME}revenue_impact`)
    .on(t.tenantId, figure(t.estimatedImpact, 'revenue_impact'), t.createdAt)
    .where(sql`${figure(t.estimatedImpact, 'revenue_impact')} > 0`),
  // An empty object has no key to find: leaving it out keeps the common insert from touching these two at all.
  index(`${NAME}metadata_gin`)
    .using('gin', t.correctionMetadata)
    .where(sql`${t.correctionMetadata} <> '{}'::jsonb`),
  index(`${NAME}impact_analysis_gin`)
    .using('gin', t.estimatedImpact)
    .where(sql`${t.estimatedImpact} <> '{}'::jsonb`),
];

/** The 18 indexes of the newest months. */
export const hotIndexes = (t: HotColumns): AnyIndexBuilder[] => [...work(t), ...analysis(t)];
