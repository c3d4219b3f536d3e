// ValidaHub as one definition: its tables and the promises about them.
import { covering, database, key, on, type Definition } from 'holdfast/define';
import { immutability, partitions, retention, tenancy, versioning, type TenantTable } from 'holdfast/traits';
import { targets } from './budgets.ts';
import { erasing } from './erasing.ts';
import { figures } from './figures.ts';
import { JOB, JOBS } from './jobs.ts';
import { TENANT_ID } from './tables/columns.ts';
import { HOT_INDEXES } from './tables/hot.ts';
import * as tables from './tables/index.ts';

/** The transaction-local setting that carries the tenant. */
export const TENANT_SETTING = 'app.current_tenant_id';

/** The roles of one installation; they belong to the whole server, so two installations on it need names of their own. */
export interface RoleNames {
  /** Logs in, within one tenant. */
  readonly app: string;
  /** Logs in and reads the guarded views alone. */
  readonly analytics: string;
  /** Sees every tenant: migrations. */
  readonly admin: string;
  /** Sees every tenant: refreshes, retention. */
  readonly system: string;
  /** Owns everything and never logs in. */
  readonly owner: string;
}

/** The names in `database.ts`. */
export const ROLES: RoleNames = {
  app: 'validahub_app',
  analytics: 'validahub_analytics',
  admin: 'validahub_admin',
  system: 'validahub_system',
  owner: 'validahub_owner',
};

/** ValidaHub's definition, with its roles under the given names. */
export function defineValidahub(roles: RoleNames = ROLES): Definition<typeof tables> {
  const byMonth = {
    by: 'created_at',
    every: 'month',
    ahead: 3,
    job: JOB.partitions,
    analyzeJob: JOB.analyze,
  } as const;
  return database('validahub', {
    tables,
    facets: BESIDE_DRIZZLE,
    jobs: JOBS,
    accept: ACCEPTED,
    traits: [
      partitions(tables.correctionLogs, { ...byMonth, hot: { newest: 2, indexes: HOT_INDEXES } }),
      partitions(tables.jobViolations, byMonth),
      partitions(tables.auditLog, byMonth),
      immutability(tables.ruleVersions, FROZEN_ONCE_PUBLISHED),
      immutability(tables.correctionLogs, DECIDED_ONCE),
      immutability(tables.jobViolations, { kind: 'append-only' }),
      immutability(tables.auditLog, { kind: 'append-only' }),
      versioning(tables.ruleSets, { updatedAt: 'updated_at', revision: 'version' }),
      versioning(tables.suggestions, { updatedAt: 'updated_at' }),
      ...kept(roles),
      erasing(),
      ...figures({
        system: roles.system,
        app: roles.app,
        analytics: roles.analytics,
        setting: TENANT_SETTING,
      }),
      tenancy({
        column: 'tenant_id',
        setting: TENANT_SETTING,
        pattern: TENANT_ID,
        roles: {
          app: roles.app,
          analytics: roles.analytics,
          bypass: [roles.system, roles.admin],
          owner: roles.owner,
        },
        tables: RIGHTS,
        guardedViews: [{ view: tables.ruleEffectivenessDailyV, readers: ['app', 'analytics'] }],
      }),
      targets,
    ],
  });
}

/**
 * How long rows stay. Whole months leave at once, so the oldest are up to a month and the week of the job late; the others
 * leave to the day and the week. Versions of rules are never deleted. The audit trail is archived and kept there: deleting
 * from it needs the anchor of its chain, which comes with the audit trait.
 */
function kept(roles: RoleNames) {
  const job = JOB.archive;
  const archive = { to: 'schema', readers: [roles.app] } as const;
  return [
    retention(tables.correctionLogs, {
      online: '90 days',
      archive: { ...archive, for: '2 years' },
      then: 'delete',
      job,
    }),
    retention(tables.suggestions, {
      online: '180 days',
      archive: { ...archive, for: '1 year' },
      then: 'delete',
      job,
    }),
    retention(tables.jobViolations, { online: '90 days', then: 'delete', job }),
    retention(tables.jobs, { online: '1 year', then: 'delete', job }),
    retention(tables.auditLog, { online: '2 years', archive, then: 'keep', job }),
  ];
}

/** What `holdfast prove traps` finds here and is meant. */
const ACCEPTED = [
  ...[
    'rule_sets_metadata_search_gin on validahub.rule_sets',
    'rule_versions_breaking_changes_gin on validahub.rule_versions',
    'rule_versions_performance_gin on validahub.rule_versions',
    'rule_versions_rules_content_gin on validahub.rule_versions',
    'suggestions_algorithm_gin on validahub.suggestions',
    'suggestions_alternatives_gin on validahub.suggestions',
    'suggestions_context_features_gin on validahub.suggestions',
  ].map((of) => ({
    code: 'HT705',
    subject: `index idx_${of}`,
    because:
      'the specification asks for GIN indexes; they serve the roles above tenants, and no operation of the application searches by them',
  })),
  ...['rule_set', 'rule_version'].map((of) => ({
    code: 'HT701',
    subject: `foreign key correction_logs_${of}_fkey on validahub.correction_logs`,
    because:
      'rule sets and versions are never deleted and their keys never change, so nothing looks from there',
  })),
];

/** What Drizzle has no word for: columns an index carries along, so that a summary is read from it alone, and the view's key. */
const BESIDE_DRIZZLE = [
  on(tables.ruleVersions, (t) => [
    covering('idx_rule_versions_api_covering', t.version, t.status, t.publishedAt, t.ruleCount),
  ]),
  on(tables.correctionLogs, (t) => [
    covering('idx_correction_logs_summary_covering', t.accepted, t.confidence, t.status, t.correctionMethod),
  ]),
  on(tables.mvRuleEffectiveness, (t) => [key('idx_mv_rule_effectiveness_unique', t.tenantId, t.ruleId)]),
  on(tables.suggestions, (t) => [
    covering('idx_suggestions_summary_covering', t.status, t.confidenceScore, t.suggestionType, t.modelName),
  ]),
];

const FROZEN_ONCE_PUBLISHED = {
  kind: 'frozen',
  when: { column: 'status', is: ['published', 'deprecated', 'archived'] },
  mayChange: [
    'is_current',
    'is_latest',
    'activated_at',
    'shadow_start_date',
    'shadow_end_date',
    'shadow_metrics',
    'deprecated_at',
    'deprecated_by',
    'deprecation_reason',
    'sunset_date',
    'archived_at',
  ],
  order: { status: { published: ['deprecated'], deprecated: ['archived'] } },
  delete: 'never',
} as const;

const DECIDED_ONCE = {
  kind: 'append-only',
  decision: {
    column: 'status',
    steps: { pending: ['approved', 'rejected'], approved: ['applied'], applied: ['reverted'] },
    with: [
      'accepted',
      'decided_at',
      'applied_at',
      'reverted_at',
      'approved_by',
      'rejected_by',
      'rejection_reason',
      'actual_impact',
    ],
  },
} as const;

/** What the application may do, least first: nothing here is deleted by it. */
const RIGHTS: readonly TenantTable[] = [
  { table: tables.tenants, column: 'id', app: ['select', 'insert'] },
  { table: tables.ruleSets, app: ['select', 'insert', 'update'] },
  { table: tables.ruleVersions, app: ['select', 'insert', 'update'] },
  { table: tables.jobs, app: ['select', 'insert', 'update'] },
  { table: tables.jobViolations, app: ['select', 'insert'] },
  { table: tables.correctionLogs, app: ['select', 'insert', 'update'] },
  { table: tables.correctionPatterns, app: ['select'] },
  { table: tables.suggestions, app: ['select', 'insert', 'update'] },
  { table: tables.auditLog, app: ['select', 'insert'] },
  { table: tables.erasureRequests, app: ['select', 'insert'] },
  { table: tables.ruleEffectivenessDaily, app: ['select'] },
];
