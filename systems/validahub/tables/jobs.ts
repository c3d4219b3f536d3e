// One run of a rule version over one file, and what broke in it.
import { sql } from 'drizzle-orm';
import {
  check,
  foreignKey,
  index,
  integer,
  jsonb,
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
  moment,
  object,
  oneOf,
  tenantId,
  validahub,
} from './columns.ts';
import { ruleSets, ruleVersions } from './rules.ts';
import { tenants } from './tenants.ts';

const JOB_STATUSES = ['queued', 'running', 'completed', 'failed', 'cancelled'] as const;

/** One file checked against one version of the rules. */
export const jobs = validahub.table(
  'jobs',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull().defaultRandom(),
    channel: text('channel').notNull(),
    ruleSetId: uuid('rule_set_id').notNull(),
    ruleVersionId: uuid('rule_version_id').notNull(),
    fileName: text('file_name').notNull(),
    fileSha256: text('file_sha256').notNull(),
    idempotencyKey: text('idempotency_key'),
    status: text('status', { enum: JOB_STATUSES }).notNull().default('queued'),
    totalRows: integer('total_rows').notNull().default(0),
    rowsOk: integer('rows_ok').notNull().default(0),
    rowsWithErrors: integer('rows_with_errors').notNull().default(0),
    violations: integer('violations').notNull().default(0),
    corrections: integer('corrections').notNull().default(0),
    error: text('error'),
    /** The first record of the batch that failed. */
    failedRecord: integer('failed_record'),
    /** How the file was read (delimiter, encoding, mapping) and, once it ended, what was found per rule. */
    options: object('options'),
    report: object('report'),
    createdBy: text('created_by').notNull(),
    createdAt: createdAt(),
    startedAt: moment('started_at'),
    /** Moves with every batch; a running job whose beat is old has lost its process. */
    heartbeatAt: moment('heartbeat_at'),
    finishedAt: moment('finished_at'),
  },
  (t) => [
    primaryKey({ name: 'jobs_pkey', columns: [t.tenantId, t.id] }),
    foreignKey({ name: 'jobs_tenant_fkey', columns: [t.tenantId], foreignColumns: [tenants.id] }).onDelete(
      'restrict',
    ),
    foreignKey({
      name: 'jobs_rule_set_fkey',
      columns: [t.tenantId, t.ruleSetId],
      foreignColumns: [ruleSets.tenantId, ruleSets.id],
    }).onDelete('restrict'),
    foreignKey({
      name: 'jobs_rule_version_fkey',
      columns: [t.tenantId, t.ruleVersionId],
      foreignColumns: [ruleVersions.tenantId, ruleVersions.id],
    }).onDelete('restrict'),
    oneOf('jobs_channel', t.channel, CHANNELS),
    oneOf('jobs_status', t.status, JOB_STATUSES),
    check('jobs_file_sha256_form', sql`${t.fileSha256} ~ '^[a-f0-9]{64}$'`),
    check('jobs_idempotency_key_form', sql`${t.idempotencyKey} ~ '^[A-Za-z0-9_-]{16,128}$'`),
    check(
      'jobs_counts',
      sql`${t.totalRows} >= 0 and ${t.rowsOk} >= 0 and ${t.rowsWithErrors} >= 0 and ${t.violations} >= 0 and ${t.corrections} >= 0`,
    ),
    check(
      'jobs_finished_time',
      sql`(${t.status} in ('completed', 'failed', 'cancelled')) = (${t.finishedAt} is not null)`,
    ),
    atMost('jobs_created_by_length', t.createdBy, 100),
    uniqueIndex('jobs_idempotency_key').on(t.tenantId, t.idempotencyKey),
    index('idx_jobs_tenant_created').on(t.tenantId, falling(t.createdAt)),
    index('idx_jobs_tenant_version').on(t.tenantId, t.ruleVersionId),
    index('idx_jobs_tenant_set').on(t.tenantId, t.ruleSetId),
  ],
);

/** A rule that a row broke. Partitioned by month; only grows. */
export const jobViolations = validahub.table(
  'job_violations',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull().defaultRandom(),
    jobId: uuid('job_id').notNull(),
    recordNumber: integer('record_number').notNull(),
    fieldName: text('field_name').notNull(),
    ruleId: text('rule_id').notNull(),
    severity: text('severity', { enum: ['error', 'warning', 'info'] }).notNull(),
    originalValue: jsonb('original_value').$type<unknown>(),
    message: text('message').notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    primaryKey({ name: 'job_violations_pkey', columns: [t.tenantId, t.id, t.createdAt] }),
    foreignKey({
      name: 'job_violations_job_fkey',
      columns: [t.tenantId, t.jobId],
      foreignColumns: [jobs.tenantId, jobs.id],
    }).onDelete('restrict'),
    check('job_violations_record_number', sql`${t.recordNumber} >= 1`),
    oneOf('job_violations_severity', t.severity, ['error', 'warning', 'info']),
    atMost('job_violations_field_name_length', t.fieldName, 100),
    atMost('job_violations_rule_id_length', t.ruleId, 100),
    atMost('job_violations_message_length', t.message, 500),
    index('idx_job_violations_job').on(t.tenantId, t.jobId, t.recordNumber),
  ],
);
