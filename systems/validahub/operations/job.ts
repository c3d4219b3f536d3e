// The life of a job's row: claimed under its idempotency key, beating with every batch, ended once.
import { and, eq, sql } from 'drizzle-orm';
import type { Report } from '../rules/report.ts';
import { jobs } from '../tables/index.ts';
import { failure } from './failure.ts';
import { record, rowsOf, type Tx } from './hub.ts';
import type { ActiveRules } from './lookup.ts';

/** What came of a job. */
export interface JobResult {
  readonly jobId: string;
  readonly channel: string;
  readonly ruleSetId: string;
  readonly versionId: string;
  readonly version: string;
  readonly report: Report;
  /** True when an earlier job with the same key gave this result. */
  readonly repeated: boolean;
}

/** What a job is claimed with. */
export interface Claim {
  readonly tenantId: string;
  readonly rules: ActiveRules;
  readonly fileName: string;
  readonly fileSha256: string;
  readonly idempotencyKey: string | null;
  readonly options: Readonly<Record<string, unknown>>;
  readonly actor: string;
}

/** How a claim went: a new job, the result of an earlier one, or another process at work under the same key. */
export type Claimed =
  | { readonly kind: 'new'; readonly jobId: string }
  | { readonly kind: 'earlier'; readonly result: JobResult }
  | { readonly kind: 'running'; readonly jobId: string };

/** How long a key is remembered, and how long a running job may be silent before its process counts as gone. */
export const JOB_TIMES = { keyHours: 24, silentSeconds: 120 } as const;

interface KeyRow {
  readonly id: string;
  readonly status: string;
  readonly file_sha256: string;
  readonly report: unknown;
  readonly aged: boolean;
  readonly silent: boolean;
}

/**
 * Claims a job. Of any number of callers with one key, the unique index lets one make it; the others find it.
 * @throws HoldfastError HF_VALIDAHUB_KEY_CONFLICT when the key was used with another file
 */
export async function claimJob(tx: Tx, claim: Claim): Promise<Claimed> {
  if (claim.idempotencyKey !== null) {
    const earlier = await underKey(tx, claim, claim.idempotencyKey);
    if (earlier !== null) return earlier;
  }
  const [made] = await tx
    .insert(jobs)
    .values({
      tenantId: claim.tenantId,
      channel: claim.rules.channel,
      ruleSetId: claim.rules.ruleSetId,
      ruleVersionId: claim.rules.versionId,
      fileName: claim.fileName,
      fileSha256: claim.fileSha256,
      idempotencyKey: claim.idempotencyKey,
      status: 'running',
      options: claim.options,
      createdBy: claim.actor,
      startedAt: sql`now()`,
      heartbeatAt: sql`now()`,
    })
    .onConflictDoNothing({ target: [jobs.tenantId, jobs.idempotencyKey] })
    .returning({ id: jobs.id });
  if (made === undefined) return { kind: 'running', jobId: '' };
  await record(tx, {
    tenantId: claim.tenantId,
    eventType: 'job.started',
    actor: claim.actor,
    entity: 'job',
    entityId: made.id,
    details: { file: claim.fileSha256, version: claim.rules.version },
  });
  return { kind: 'new', jobId: made.id };
}

/** What stands under a key: null when it is free, which it also becomes when its job is old, failed or lost. */
async function underKey(tx: Tx, claim: Claim, key: string): Promise<Claimed | null> {
  const [found] = await rowsOf<KeyRow>(
    tx,
    sql`SELECT id, status, file_sha256, report,
        created_at < now() - make_interval(hours => ${JOB_TIMES.keyHours}) AS aged,
        heartbeat_at < now() - make_interval(secs => ${JOB_TIMES.silentSeconds}) AS silent
      FROM validahub.jobs WHERE tenant_id = ${claim.tenantId} AND idempotency_key = ${key} FOR NO KEY UPDATE`,
  );
  if (found === undefined) return null;
  const running = found.status === 'running' && !found.silent;
  if (found.status === 'running' && found.silent) {
    await endFailed(tx, {
      tenantId: claim.tenantId,
      jobId: found.id,
      failedRecord: null,
      error: `Its process was silent for ${JOB_TIMES.silentSeconds} seconds.`,
      actor: claim.actor,
    });
    return null;
  }
  if (found.aged && !running) {
    await tx
      .update(jobs)
      .set({ idempotencyKey: null })
      .where(and(eq(jobs.tenantId, claim.tenantId), eq(jobs.id, found.id)));
    return null;
  }
  if (found.file_sha256 !== claim.fileSha256) throw keyConflict(key, found.id);
  if (running) return { kind: 'running', jobId: found.id };
  return { kind: 'earlier', result: { ...(found.report as JobResult), repeated: true } };
}

function keyConflict(key: string, jobId: string): Error {
  return failure('KEY_CONFLICT', {
    subject: `idempotency key ${key}`,
    what: `job ${jobId} used it for another file.`,
    fix: 'Use a new key for each file; the same key only repeats the same request.',
  });
}

/**
 * Moves the counters and the heartbeat of a running job, in the transaction of its batch.
 * @throws HoldfastError HF_VALIDAHUB_JOB_STATUS when the job no longer runs: somebody took it for lost and the batch must
 *   not be kept
 */
export async function beat(
  tx: Tx,
  of: {
    tenantId: string;
    jobId: string;
    rows: number;
    withErrors: number;
    violations: number;
    corrections: number;
  },
): Promise<void> {
  const moved = await tx
    .update(jobs)
    .set({
      heartbeatAt: sql`now()`,
      totalRows: sql`${jobs.totalRows} + ${of.rows}`,
      rowsOk: sql`${jobs.rowsOk} + ${of.rows - of.withErrors}`,
      rowsWithErrors: sql`${jobs.rowsWithErrors} + ${of.withErrors}`,
      violations: sql`${jobs.violations} + ${of.violations}`,
      corrections: sql`${jobs.corrections} + ${of.corrections}`,
    })
    .where(and(eq(jobs.tenantId, of.tenantId), eq(jobs.id, of.jobId), eq(jobs.status, 'running')))
    .returning({ id: jobs.id });
  if (moved.length === 1) return;
  throw failure('JOB_STATUS', {
    subject: `job ${of.jobId}`,
    what: 'it is no longer running: it was silent for too long and was taken for lost.',
    fix: 'Run the file again.',
  });
}

/** Ends a job with its result, which the same key gives back from then on. */
export async function endCompleted(tx: Tx, of: { claim: Claim; result: JobResult }): Promise<void> {
  const { claim, result } = of;
  await tx
    .update(jobs)
    .set({ status: 'completed', finishedAt: sql`now()`, report: { ...result } })
    .where(and(eq(jobs.tenantId, claim.tenantId), eq(jobs.id, result.jobId), eq(jobs.status, 'running')));
  await record(tx, {
    tenantId: claim.tenantId,
    eventType: 'job.completed',
    actor: claim.actor,
    entity: 'job',
    entityId: result.jobId,
    details: {
      rows: result.report.rows,
      violations: result.report.violations,
      corrections: result.report.corrected + result.report.pending,
    },
  });
}

/** Ends a job that failed and frees its key, so that the same request may be tried again. */
export async function endFailed(
  tx: Tx,
  of: { tenantId: string; jobId: string; failedRecord: number | null; error: string; actor: string },
): Promise<void> {
  await tx
    .update(jobs)
    .set({
      status: 'failed',
      finishedAt: sql`now()`,
      failedRecord: of.failedRecord,
      error: of.error.slice(0, 500),
      idempotencyKey: null,
    })
    .where(and(eq(jobs.tenantId, of.tenantId), eq(jobs.id, of.jobId), eq(jobs.status, 'running')));
  await record(tx, {
    tenantId: of.tenantId,
    eventType: 'job.failed',
    actor: of.actor,
    entity: 'job',
    entityId: of.jobId,
    details: { failedRecord: of.failedRecord },
  });
}

/**
 * Reads a job.
 * @throws HoldfastError HF_VALIDAHUB_NOT_FOUND
 */
export async function readJob(tx: Tx, tenantId: string, jobId: string): Promise<typeof jobs.$inferSelect> {
  const [job] = await tx
    .select()
    .from(jobs)
    .where(and(eq(jobs.tenantId, tenantId), eq(jobs.id, jobId)));
  if (job !== undefined) return job;
  throw failure('NOT_FOUND', {
    subject: `job ${jobId}`,
    what: 'there is no such job.',
    fix: 'Pass the id that applyRules gave back.',
  });
}
