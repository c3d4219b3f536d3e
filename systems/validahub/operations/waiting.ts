// The corrections somebody has to look at.
import { sql } from 'drizzle-orm';
import type { CellValue } from './correction-rows.ts';
import { asTenant, rowsOf, type Hub } from './hub.ts';
import { idInput, tenantInput, wholeInput } from './input.ts';

/** A correction that waits for a decision. */
export interface WaitingCorrection {
  readonly id: string;
  readonly batchId: string;
  readonly jobId: string;
  readonly recordNumber: number;
  readonly field: string;
  readonly ruleId: string;
  readonly originalValue: CellValue;
  readonly correctedValue: CellValue;
  readonly confidence: number | null;
}

/**
 * The newest corrections that wait, of all jobs or of one.
 * @param of.limit 1 to 1,000; default 50
 * @throws HoldfastError HF_VALIDAHUB_INPUT
 */
export async function waitingCorrections(
  hub: Hub,
  of: { readonly tenant: string; readonly jobId?: string; readonly limit?: number },
): Promise<readonly WaitingCorrection[]> {
  const tenantId = tenantInput(of.tenant);
  const jobId = of.jobId === undefined ? null : idInput('job', of.jobId);
  const limit = wholeInput('limit', of.limit ?? 50, { least: 1, most: 1_000 });
  return asTenant(hub, tenantId, (tx) =>
    rowsOf<WaitingCorrection>(
      tx,
      sql`SELECT id, correction_batch_id AS "batchId", job_id AS "jobId", record_number AS "recordNumber",
          field_name AS field, rule_id AS "ruleId", original_value AS "originalValue",
          corrected_value AS "correctedValue", confidence::float8 AS confidence
        FROM validahub.correction_logs
        WHERE tenant_id = ${tenantId} AND status = 'pending' AND (${jobId}::uuid IS NULL OR job_id = ${jobId}::uuid)
        ORDER BY created_at DESC, id LIMIT ${limit}`,
    ),
  );
}
