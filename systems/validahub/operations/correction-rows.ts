// How corrections enter the log: any number of them in one statement with one parameter.
import type { Query } from 'holdfast/use';
import { failure, hasNoPartition, isDangling } from './failure.ts';
import { eventSql, eventValues, type AuditEvent } from './hub.ts';

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

const INSERT_SQL = `
  INSERT INTO validahub.correction_logs (
    tenant_id, job_id, rule_set_id, rule_version_id, correction_batch_id, created_by,
    id, record_number, field_name, rule_id, original_value, corrected_value, correction_type, correction_method,
    confidence, status, accepted, decided_at, applied_at, correction_metadata, estimated_impact, created_at,
    correlation_id, request_id)
  SELECT $1, $2::uuid, $3::uuid, $4::uuid, $5::uuid, $6,
    r.id, r.record_number, r.field_name, r.rule_id, r.original_value, r.corrected_value, r.correction_type,
    r.correction_method, r.confidence, r.status, nullif(r.status = 'applied', false),
    CASE WHEN r.status = 'applied' THEN now() END, CASE WHEN r.status = 'applied' THEN now() END,
    r.correction_metadata, r.estimated_impact, coalesce(r.created_at, now()), r.correlation_id, r.request_id
  FROM jsonb_to_recordset($7::jsonb) AS r(
    id uuid, record_number int, field_name text, rule_id text, original_value jsonb, corrected_value jsonb,
    correction_type text, correction_method text, confidence numeric, status text, correction_metadata jsonb,
    estimated_impact jsonb, created_at timestamptz, correlation_id text, request_id text)`;

/** The rows and their event in one statement, so that a session sends them in one round trip. */
const INSERT_AND_RECORD_SQL = `WITH logged AS (${INSERT_SQL}) ${eventSql(8)}`;

/**
 * Inserts the rows with one statement, and with them the event that tells of it, if there is one.
 * @throws HoldfastError HF_VALIDAHUB_NO_PARTITION when a row's time lies in no partition, HF_VALIDAHUB_NOT_FOUND when the
 *   job (or the version) is not this tenant's; either way none of the rows is there
 */
export async function insertCorrections(
  query: Query,
  batch: CorrectionBatch & { readonly event?: AuditEvent },
  rows: readonly CorrectionRow[],
): Promise<void> {
  if (rows.length === 0) return;
  const { tenantId, jobId, ruleSetId, ruleVersionId, batchId, actor, event } = batch;
  const values = [tenantId, jobId, ruleSetId, ruleVersionId, batchId, actor, JSON.stringify(rows)];
  try {
    if (event === undefined) await query(INSERT_SQL, values);
    else await query(INSERT_AND_RECORD_SQL, [...values, ...eventValues(event)]);
  } catch (error) {
    throw refused(error, jobId);
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
