// The figures ValidaHub keeps of its corrections: each is brought up to date at the cost of what changed since.
import type { Trait } from 'holdfast/define';
import { incremental, rollups } from 'holdfast/traits';
import { JOB } from './jobs.ts';
import { NO_VERSION } from './tables/effectiveness.ts';
import * as tables from './tables/index.ts';

/** Who keeps the figures, who reads them, and the setting that carries the tenant. */
export interface FigureRoles {
  readonly system: string;
  readonly app: string;
  readonly analytics: string;
  readonly setting: string;
}

/** Each correction has its job, and a job's channel never changes. */
const JOB_OF = 'JOIN validahub.jobs AS job ON job.tenant_id = source.tenant_id AND job.id = source.job_id';

const hash = (column: string): string => `sha256(convert_to(coalesce(source.${column}::text, ''), 'UTF8'))`;

const one = (condition: string): string => `CASE WHEN ${condition} THEN 1 ELSE 0 END`;

const percentile = (part: number): string =>
  `percentile_cont(${part}) WITHIN GROUP (ORDER BY source.confidence)::numeric(5,4)`;

/**
 * The days of each rule, the view over them, and the patterns that mining reads. The days come before the view: both hang
 * on one job, whose tasks run in this order, so the view is never older than its days.
 */
export function figures({ system, app, analytics, setting }: FigureRoles): readonly Trait[] {
  const readers = [app, analytics];
  return [
    incremental(tables.ruleEffectivenessDaily, {
      of: tables.correctionLogs,
      join: JOB_OF,
      key: {
        tenant_id: 'source.tenant_id',
        rule_id: 'source.rule_id',
        rule_version_id: `coalesce(source.rule_version_id, '${NO_VERSION}')`,
        channel: 'job.channel',
      },
      time: 'created_at',
      bucket: { column: 'metric_date', every: 'day' },
      count: 'applications',
      sums: {
        successful: one('source.accepted'),
        rejected: one('NOT source.accepted'),
        automatic: one("source.correction_method = 'automatic'"),
        manual: one("source.correction_method = 'manual'"),
        confidence_sum: 'source.confidence',
        confidence_count: one('source.confidence IS NOT NULL'),
      },
      recounted: { median_confidence: percentile(0.5), p95_confidence: percentile(0.95) },
      stamp: 'refreshed_at',
      refreshedBy: system,
      readers,
      job: JOB.refresh,
      budget: '2 hours',
    }),
    incremental(tables.correctionPatterns, {
      of: tables.correctionLogs,
      join: JOB_OF,
      where: "source.correction_method <> 'automatic'",
      key: {
        tenant_id: 'source.tenant_id',
        field_name: 'source.field_name',
        rule_id: 'source.rule_id',
        original_hash: hash('original_value'),
        corrected_hash: hash('corrected_value'),
      },
      time: 'created_at',
      count: 'proposed',
      sums: {
        accepted: one('source.accepted'),
        rejected: one('NOT source.accepted'),
        sum_confidence: 'source.confidence',
      },
      least: { first_seen: 'source.created_at' },
      greatest: { last_seen: 'source.created_at' },
      carried: {
        original_value: 'source.original_value',
        corrected_value: 'source.corrected_value',
        channel: 'job.channel',
      },
      refreshedBy: system,
      readers: [app],
      // Whoever mines brings it up to date first: a decision counts from the moment it is taken.
      callers: [app],
    }),
    rollups(tables.mvRuleEffectiveness, {
      key: ['tenant_id', 'rule_id'],
      refreshedBy: system,
      job: JOB.refresh,
      floor: { ratio: 0.5 },
      guard: { name: 'rule_effectiveness_v', column: 'tenant_id', setting, readers },
    }),
  ];
}
