// The main job: a catalogue goes in, violations and corrections come out, batch by batch.
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { Query } from 'holdfast/use';
import { openCatalogue, type Catalogue } from '../catalogue/open.ts';
import type { Mapping } from '../catalogue/row.ts';
import type { Correction, Violation } from '../rules/rule.ts';
import { ReportBuilder } from '../rules/report.ts';
import { runRules, type RuleBatch } from '../rules/run.ts';
import { insertCorrections, type CorrectionRow } from './correction-rows.ts';
import { failure } from './failure.ts';
import { asTenant, type Hub } from './hub.ts';
import { actorInput, keyInput, tenantInput } from './input.ts';
import { beat, claimJob, endCompleted, endFailed, type Claim, type JobResult } from './job.ts';
import { chooseRules, type RulesChoice } from './lookup.ts';
import { keepShadow, shadowOf, ShadowRun } from './shadow.ts';

/** What to check, against which rules. */
export interface ApplyInput {
  readonly tenant: string;
  /** A path, a stream of bytes, or a catalogue that is open already (it stays open). */
  readonly source: string | Readable | Catalogue;
  readonly rules: RulesChoice;
  /** Source column → canonical field; default: the version's own mapping. */
  readonly mapping?: Mapping;
  /** The same key with the same file gives the first result again, for 24 hours. */
  readonly idempotencyKey?: string;
  readonly by: string;
  /** Told after every batch that is kept. */
  readonly onProgress?: (progress: { readonly rows: number }) => void;
}

/** How long a caller waits for another one who runs the same key, and how often it looks. */
export const WAIT_FOR_SAME_KEY = { totalMs: 60_000, everyMs: 100 } as const;

/**
 * Runs rules over a file and keeps what they found. Streams: memory is one batch of 1,000 rows, plus what rules over the
 * whole file remember. Each batch is one transaction; a batch that fails leaves nothing and ends the job as failed at its
 * first row, with the batches before it kept. The same file and version always give the same violations and corrections.
 * Where the current version is run and another one of the set is in its shadow, that one runs over the same rows, and what
 * would differ is added to its `shadow_metrics`; nothing of it is applied.
 * @throws HoldfastError HF_VALIDAHUB_INPUT, HF_VALIDAHUB_NOT_FOUND, HF_VALIDAHUB_NO_CURRENT, HF_VALIDAHUB_KEY_CONFLICT,
 *   HF_VALIDAHUB_JOB_RUNNING when another process runs the same key for longer than a minute, HF_VALIDAHUB_JOB_FAILED,
 *   and those of reading a catalogue
 */
export async function applyRules(hub: Hub, input: ApplyInput): Promise<JobResult> {
  const tenantId = tenantInput(input.tenant);
  const actor = actorInput(input.by);
  const idempotencyKey = input.idempotencyKey === undefined ? null : keyInput(input.idempotencyKey);
  const rules = await chooseRules(hub, tenantId, input.rules);
  const mapping = input.mapping ?? rules.plan.mapping;
  const given = isCatalogue(input.source);
  const opened = given ? (input.source as Catalogue) : await openCatalogue(input.source as string | Readable);
  try {
    const catalogue = opened.mapped(mapping);
    const claim: Claim = {
      tenantId,
      rules,
      fileName: catalogue.name,
      fileSha256: catalogue.sha256,
      idempotencyKey,
      options: { mapping, dialect: catalogue.dialect },
      actor,
    };
    const shadow = 'versionId' in input.rules ? undefined : await shadowOf(hub, { tenantId, ...rules });
    const claimed = await claimInTurn(hub, claim);
    if (typeof claimed !== 'string') return claimed;
    const beside = shadow === undefined ? null : new ShadowRun(shadow, catalogue);
    try {
      return await runJob(hub, { claim, jobId: claimed, catalogue, beside, onProgress: input.onProgress });
    } finally {
      await beside?.end();
    }
  } finally {
    if (!given) await opened.close();
  }
}

function isCatalogue(source: ApplyInput['source']): boolean {
  return typeof source === 'object' && 'sha256' in source;
}

/** The id of a job that is ours to run, or the result of the one that ran under the same key. */
async function claimInTurn(hub: Hub, claim: Claim): Promise<string | JobResult> {
  for (let waited = 0; waited <= WAIT_FOR_SAME_KEY.totalMs; waited += WAIT_FOR_SAME_KEY.everyMs) {
    const claimed = await asTenant(hub, claim.tenantId, (tx) => claimJob(tx, claim));
    if (claimed.kind === 'new') return claimed.jobId;
    if (claimed.kind === 'earlier') return claimed.result;
    await pause(WAIT_FOR_SAME_KEY.everyMs);
  }
  throw failure('JOB_RUNNING', {
    subject: `idempotency key ${claim.idempotencyKey}`,
    what: 'another process still runs the same request.',
    fix: 'Ask again later with the same key: it will give that result.',
  });
}

interface Running {
  readonly claim: Claim;
  readonly jobId: string;
  readonly catalogue: Catalogue;
  /** Another version that looks on. */
  readonly beside: ShadowRun | null;
  readonly onProgress: ApplyInput['onProgress'];
}

async function runJob(hub: Hub, job: Running): Promise<JobResult> {
  const { claim, jobId, catalogue } = job;
  const { rules } = claim;
  const builder = new ReportBuilder(rules.plan, catalogue);
  let rows = 0;
  try {
    for await (const batch of runRules(rules.plan, catalogue.rows(), { columns: catalogue.columns })) {
      await keepBatch(hub, job, batch);
      await job.beside?.next(batch);
      builder.add(batch);
      rows += batch.rows.length;
      job.onProgress?.({ rows });
    }
    const { ruleSetId, versionId, version, channel } = rules;
    const report = builder.report();
    const result = { jobId, channel, ruleSetId, versionId, version, report, repeated: false };
    await asTenant(hub, claim.tenantId, async (tx) => {
      await endCompleted(tx, { claim, result });
      if (job.beside !== null)
        await keepShadow(tx, { tenantId: claim.tenantId, jobId, run: job.beside, now: hub.now() });
    });
    return result;
  } catch (error) {
    const failedRecord = rows + 1;
    const message = error instanceof Error ? error.message : String(error);
    await asTenant(hub, claim.tenantId, (tx) =>
      endFailed(tx, { tenantId: claim.tenantId, jobId, failedRecord, error: message, actor: claim.actor }),
    ).catch(() => undefined);
    throw jobFailed(jobId, failedRecord, error);
  }
}

function jobFailed(jobId: string, failedRecord: number, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return failure('JOB_FAILED', {
    subject: `job ${jobId}`,
    what: `it failed in the batch that starts at record ${failedRecord}: ${reason}`,
    fix: 'Remove the cause and run the file again; the failed batch left nothing behind.',
    cause,
  });
}

async function keepBatch(hub: Hub, job: Running, batch: RuleBatch): Promise<void> {
  const { claim, jobId } = job;
  const ids = hub.nextId;
  const rows = batch.corrections.map((correction) => correctionRow(correction, ids()));
  const violations = batch.violations.map((violation) => violationRow(violation, ids()));
  await asTenant(hub, claim.tenantId, async (tx, query) => {
    await beat(tx, {
      tenantId: claim.tenantId,
      jobId,
      rows: batch.rows.length,
      withErrors: batch.rowsWithErrors,
      violations: violations.length,
      corrections: rows.length,
    });
    await insertViolations(query, { tenantId: claim.tenantId, jobId, rows: violations });
    await insertCorrections(
      query,
      {
        tenantId: claim.tenantId,
        jobId,
        ruleSetId: claim.rules.ruleSetId,
        ruleVersionId: claim.rules.versionId,
        batchId: ids(),
        actor: claim.actor,
      },
      rows,
    );
  });
}

function correctionRow(of: Correction, id: string): CorrectionRow {
  return {
    id,
    record_number: of.recordNumber,
    field_name: of.field,
    rule_id: of.ruleId,
    original_value: of.originalValue,
    corrected_value: of.correctedValue,
    correction_type: of.correctionType,
    correction_method: of.method,
    confidence: of.confidence,
    status: of.status,
    correction_metadata: { error_severity: of.severity },
    estimated_impact: {},
    created_at: null,
    correlation_id: null,
    request_id: null,
  };
}

function violationRow(of: Violation, id: string) {
  return {
    id,
    record_number: of.recordNumber,
    field_name: of.field,
    rule_id: of.ruleId,
    severity: of.severity,
    original_value: of.originalValue,
    message: of.message,
  };
}

const INSERT_VIOLATIONS_SQL = `
  INSERT INTO validahub.job_violations (
    tenant_id, job_id, id, record_number, field_name, rule_id, severity, original_value, message)
  SELECT $1, $2::uuid, r.id, r.record_number, r.field_name, r.rule_id, r.severity, r.original_value, r.message
  FROM jsonb_to_recordset($3::jsonb) AS r(
    id uuid, record_number int, field_name text, rule_id text, severity text, original_value jsonb, message text)`;

async function insertViolations(
  query: Query,
  of: { tenantId: string; jobId: string; rows: readonly ReturnType<typeof violationRow>[] },
): Promise<void> {
  if (of.rows.length === 0) return;
  await query(INSERT_VIOLATIONS_SQL, [of.tenantId, of.jobId, JSON.stringify(of.rows)]);
}
