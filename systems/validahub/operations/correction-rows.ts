// How corrections enter the log: any number of them in one statement with one parameter.
import { sql } from 'drizzle-orm';
import { failure, hasNoPartition, isDangling } from './failure.ts';
import type { Tx } from './hub.ts';

/** What a cell may hold. */
export type CellValue = string | number | boolean | null;

/** One row for the log, with the log's own column names: it travels as JSON. */
export interface CorrectionRow {
  readonly id: string;
  readonly record_number: number;
  readonly field_name: string;
  readonly rule_id: string;
  readonly original_value: CellValue;
  readonly corrected_value: CellValue;
  readonly correction_type: string;
  readonly correction_method: string;
  readonly confidence: number | null;
  readonly status: 'pending' | 'applied';
  readonly correction_metadata: Readonly<Record<string, unknown>>;
  readonly estimated_impact: Readonly<Record<string, unknown>>;
  /** ISO 8601; null: now. */
  readonly created_at: string | null;
  readonly correlation_id: string | null;
  readonly request_id: string | null;
}

/** What the rows of one batch have in common. */
export interface CorrectionBatch {
  readonly tenantId: string;
  readonly jobId: string;
  readonly ruleSetId: string | null;
  readonly ruleVersionId: string | null;
  readonly batchId: string;
  readonly actor: string;
}

/**
 * Inserts the rows with one statement.
 * @throws HoldfastError HF_VALIDAHUB_NO_PARTITION when a row's time lies in no partition, HF_VALIDAHUB_NOT_FOUND when the
 *   job (or the version) is not this tenant's; either way none of the rows is there
 */
export async function insertCorrections(
  tx: Tx,
  batch: CorrectionBatch,
  rows: readonly CorrectionRow[],
): Promise<void> {
  if (rows.length === 0) return;
  try {
    await tx.execute(sql`
      INSERT INTO validahub.correction_logs (
        tenant_id, job_id, rule_set_id, rule_version_id, correction_batch_id, created_by,
        id, record_number, field_name, rule_id, original_value, corrected_value, correction_type, correction_method,
        confidence, status, accepted, decided_at, applied_at, correction_metadata, estimated_impact, created_at,
        correlation_id, request_id)
      SELECT ${batch.tenantId}, ${batch.jobId}::uuid, ${batch.ruleSetId}::uuid, ${batch.ruleVersionId}::uuid,
        ${batch.batchId}::uuid, ${batch.actor},
        r.id, r.record_number, r.field_name, r.rule_id, r.original_value, r.corrected_value, r.correction_type,
        r.correction_method, r.confidence, r.status, nullif(r.status = 'applied', false),
        CASE WHEN r.status = 'applied' THEN now() END, CASE WHEN r.status = 'applied' THEN now() END,
        r.correction_metadata, r.estimated_impact, coalesce(r.created_at, now()), r.correlation_id, r.request_id
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS r(
        id uuid, record_number int, field_name text, rule_id text, original_value jsonb, corrected_value jsonb,
        correction_type text, correction_method text, confidence numeric, status text, correction_metadata jsonb,
        estimated_impact jsonb, created_at timestamptz, correlation_id text, request_id text)`);
  } catch (error) {
    throw refused(error, batch.jobId);
  }
}

function refused(error: unknown, jobId: string): unknown {
  if (hasNoPartition(error)) {
    return failure('NO_PARTITION', {
      subject: 'table validahub.correction_logs',
      what: 'the time of a correction lies in no partition; nothing was logged.',
      fix: 'Run holdfast apply, which makes the months ahead; older months that were archived take no new rows.',
      cause: error,
    });
  }
  if (!isDangling(error)) return error;
  return failure('NOT_FOUND', {
    subject: `job ${jobId}`,
    what: 'there is no such job or rule version.',
    fix: 'Pass the id that applyRules gave back.',
    cause: error,
  });
}
