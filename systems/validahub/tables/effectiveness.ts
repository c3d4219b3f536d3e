// How well each rule does: the document's materialised view, and the daily rollup.
import { sql } from 'drizzle-orm';
import { bigint, check, date, foreignKey, index, numeric, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { CHANNELS, falling, moment, oneOf, tenantId, validahub } from './columns.ts';
import { tenants } from './tenants.ts';

const SUCCESS = '(successful::numeric / applications)';
const REJECTION = '(rejected::numeric / applications)';
const AUTOMATION = '(automatic::numeric / applications)';
const MEAN = 'coalesce(round(confidence_sum / nullif(confidence_count, 0), 4), 0)';

/** Stands for the version of corrections that no rule version made. */
export const NO_VERSION = '00000000-0000-0000-0000-000000000000';

/** A figure of 0 to 1, computed by the server from the counts beside it, so that the two can never disagree. */
const score = (name: string, expression: string) =>
  numeric(name, { precision: 6, scale: 5 }).generatedAlwaysAs(sql.raw(expression));

/**
 * Each rule's day: counts per rule, version and channel, and what follows from them. It outlives the corrections it was
 * counted from: the definition keeps it as an incremental rollup that is closed before they leave.
 */
export const ruleEffectivenessDaily = validahub.table(
  'rule_effectiveness_daily',
  {
    tenantId: tenantId(),
    ruleId: text('rule_id').notNull(),
    ruleVersionId: uuid('rule_version_id').notNull(),
    channel: text('channel').notNull(),
    /** The UTC day. */
    metricDate: date('metric_date').notNull(),
    applications: bigint('applications', { mode: 'number' }).notNull(),
    successful: bigint('successful', { mode: 'number' }).notNull().default(0),
    rejected: bigint('rejected', { mode: 'number' }).notNull().default(0),
    automatic: bigint('automatic', { mode: 'number' }).notNull().default(0),
    manual: bigint('manual', { mode: 'number' }).notNull().default(0),
    /** Sum and number of the confidences there were, so that means of days and rules can be merged exactly. */
    confidenceSum: numeric('confidence_sum').notNull().default('0'),
    confidenceCount: bigint('confidence_count', { mode: 'number' }).notNull().default(0),
    meanConfidence: numeric('mean_confidence', { precision: 5, scale: 4 }).generatedAlwaysAs(sql.raw(MEAN)),
    medianConfidence: numeric('median_confidence', { precision: 5, scale: 4 }),
    p95Confidence: numeric('p95_confidence', { precision: 5, scale: 4 }),
    successRate: score('success_rate', SUCCESS),
    rejectionRate: score('rejection_rate', REJECTION),
    automationRate: score('automation_rate', AUTOMATION),
    qualityScore: score('quality_score', `0.6 * ${SUCCESS} + 0.4 * ${MEAN}`),
    overallScore: score(
      'overall_score',
      `0.4 * ${SUCCESS} + 0.3 * ${MEAN} + 0.2 * ${AUTOMATION} + 0.1 * (1 - ${REJECTION})`,
    ),
    refreshedAt: moment('refreshed_at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({
      name: 'rule_effectiveness_daily_pkey',
      columns: [t.tenantId, t.ruleId, t.ruleVersionId, t.channel, t.metricDate],
    }),
    foreignKey({
      name: 'rule_effectiveness_daily_tenant_fkey',
      columns: [t.tenantId],
      foreignColumns: [tenants.id],
    }).onDelete('restrict'),
    oneOf('rule_effectiveness_daily_channel', t.channel, CHANNELS),
    check(
      'rule_effectiveness_daily_counts',
      sql`${t.applications} > 0 and ${t.successful} >= 0 and ${t.rejected} >= 0 and ${t.automatic} >= 0 and ${t.manual} >= 0 and ${t.successful} + ${t.rejected} <= ${t.applications} and ${t.automatic} + ${t.manual} <= ${t.applications}`,
    ),
    check(
      'rule_effectiveness_daily_confidence',
      sql`${t.confidenceCount} between 0 and ${t.applications} and ${t.confidenceSum} between 0 and ${t.confidenceCount}`,
    ),
    index('idx_rule_effectiveness_time_series').on(
      t.tenantId,
      falling(t.metricDate),
      falling(t.overallScore),
    ),
    index('idx_rule_effectiveness_performance_ranking').on(
      t.tenantId,
      falling(t.overallScore),
      falling(t.qualityScore),
      falling(t.metricDate),
    ),
    index('idx_rule_effectiveness_channel_analysis').on(
      t.tenantId,
      t.channel,
      sql`date_trunc('month', ${t.metricDate}::timestamp)`,
      t.automationRate,
    ),
    index('idx_rule_effectiveness_recent_alerts')
      .on(t.tenantId, falling(t.metricDate), t.successRate)
      .where(sql`${t.successRate} < 0.8`),
    index('idx_rule_effectiveness_rule_evolution').on(t.tenantId, t.ruleId, falling(t.metricDate)),
  ],
);

const daily = ruleEffectivenessDaily;

/**
 * Applications, acceptances and mean confidence of each rule of each tenant. Refreshed hourly; read through its guard.
 * It adds up the days and not the log: what left the log stays in it.
 */
export const mvRuleEffectiveness = validahub.materializedView('mv_rule_effectiveness', {
  tenantId: text('tenant_id'),
  ruleId: text('rule_id'),
  applications: bigint('applications', { mode: 'number' }),
  acceptances: bigint('acceptances', { mode: 'number' }),
  avgConfidence: numeric('avg_confidence'),
}).as(sql`select ${daily.tenantId}, ${daily.ruleId}, sum(${daily.applications})::bigint as applications,
  sum(${daily.successful})::bigint as acceptances,
  sum(${daily.confidenceSum}) / nullif(sum(${daily.confidenceCount}), 0) as avg_confidence
  from ${daily} group by ${daily.tenantId}, ${daily.ruleId}`);

/** The daily figures as their readers see them, guarded by the tenancy: theirs alone. */
export const ruleEffectivenessDailyV = validahub.view('rule_effectiveness_daily_v').as((query) =>
  query
    .select({
      tenantId: daily.tenantId,
      ruleId: daily.ruleId,
      ruleVersionId: daily.ruleVersionId,
      channel: daily.channel,
      metricDate: daily.metricDate,
      applications: daily.applications,
      successful: daily.successful,
      rejected: daily.rejected,
      automatic: daily.automatic,
      manual: daily.manual,
      confidenceSum: daily.confidenceSum,
      confidenceCount: daily.confidenceCount,
      meanConfidence: daily.meanConfidence,
      medianConfidence: daily.medianConfidence,
      p95Confidence: daily.p95Confidence,
      successRate: daily.successRate,
      rejectionRate: daily.rejectionRate,
      automationRate: daily.automationRate,
      qualityScore: daily.qualityScore,
      overallScore: daily.overallScore,
      refreshedAt: daily.refreshedAt,
    })
    .from(daily),
);
