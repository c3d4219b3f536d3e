// The indexes of correction_logs that only the newest months carry. A predicate on the age of a row cannot make an
// index "hot": PostgreSQL refuses now() in it, and a bound once written stays. So age is the partition's: the partitions
// trait builds these on the newest two partitions and leaves them off the older ones.
import type { HotIndex } from 'holdfast/traits';

const newestFirst = (column: string) => ({ column, order: 'desc', nulls: 'first' }) as const;

/** The UTC hour or day: on a timestamptz itself date_trunc depends on the session's zone, and no index takes it. */
const bucket = (unit: 'hour' | 'day') => ({
  expression: `(date_trunc('${unit}', (created_at AT TIME ZONE 'UTC')))`,
});

/** A number kept in JSON; a check on the table refuses what is no number. */
const figure = (column: string, key: string): string => `((${column} -> '${key}')::numeric)`;

/** The start of a value's JSON text: enough to group by, short enough for any index row. */
const start = (column: string) => ({ expression: `("left"(${column}::text, 50))` });

const WORK: readonly HotIndex[] = [
  { name: 'tenant_time_hot', on: ['tenant_id', newestFirst('created_at')], include: ['status', 'rule_id'] },
  { name: 'job_operations', on: ['tenant_id', 'job_id', 'record_number', 'field_name'] },
  { name: 'batch_operations', on: ['tenant_id', 'correction_batch_id', 'status'] },
  {
    name: 'pending_review',
    on: ['tenant_id', newestFirst('created_at'), 'field_name'],
    where: "status = 'pending'",
  },
  {
    name: 'applied_audit',
    on: ['tenant_id', newestFirst('applied_at'), 'correction_method', 'created_by'],
    where: "status = 'applied'",
  },
  {
    name: 'high_confidence',
    on: ['tenant_id', newestFirst('confidence')],
    where: "confidence >= 0.8 AND status = 'pending'",
  },
  {
    name: 'reverted',
    on: ['tenant_id', newestFirst('reverted_at'), 'created_by'],
    where: 'reverted_at IS NOT NULL',
  },
  {
    name: 'correlation_tracking',
    on: ['tenant_id', 'correlation_id', 'request_id', newestFirst('created_at')],
    where: 'correlation_id IS NOT NULL',
  },
];

const ANALYSIS: readonly HotIndex[] = [
  {
    name: 'rule_effectiveness',
    on: ['tenant_id', 'rule_id', 'correction_method', 'status', newestFirst('created_at')],
  },
  { name: 'field_patterns', on: ['tenant_id', 'field_name', 'correction_method', newestFirst('created_at')] },
  { name: 'hourly_buckets', on: ['tenant_id', bucket('hour'), 'rule_id'] },
  { name: 'daily_buckets', on: ['tenant_id', bucket('day'), 'correction_method'] },
  { name: 'user_activity', on: ['tenant_id', 'created_by', bucket('day')] },
  {
    name: 'pattern_frequency',
    on: ['tenant_id', 'field_name', start('original_value'), start('corrected_value')],
    where: 'original_value IS NOT NULL AND corrected_value IS NOT NULL',
  },
  {
    name: 'processing_performance',
    on: ['tenant_id', { expression: figure('correction_metadata', 'processing_time_ms') }],
    where: `${figure('correction_metadata', 'processing_time_ms')} > 1000`,
  },
  {
    name: 'revenue_impact',
    on: ['tenant_id', { expression: figure('estimated_impact', 'revenue_impact') }, 'created_at'],
    where: `${figure('estimated_impact', 'revenue_impact')} > 0`,
  },
  // An empty object has no key to find: leaving it out keeps the common insert from touching these two at all.
  {
    name: 'metadata_gin',
    using: 'gin',
    on: ['correction_metadata'],
    where: "correction_metadata <> '{}'::jsonb",
  },
  {
    name: 'impact_analysis_gin',
    using: 'gin',
    on: ['estimated_impact'],
    where: "estimated_impact <> '{}'::jsonb",
  },
];

/** The 18 indexes of the newest months: `idx_correction_logs_…` of the specification, one of each a partition. */
export const HOT_INDEXES: readonly HotIndex[] = [...WORK, ...ANALYSIS];
