// Corrections that people and other systems bring themselves.
import { CORRECTION_TYPES } from '../rules/rule.ts';
import { CORRECTION_METHODS } from '../tables/corrections.ts';
import { insertCorrections, type CellValue, type CorrectionRow } from './correction-rows.ts';
import { failure } from './failure.ts';
import type { AuditEvent, Hub } from './hub.ts';
import { actorInput, idInput, tenantInput } from './input.ts';

/** One correction to log. */
export interface CorrectionInput {
  /** Row of the job's file, from 1. */
  readonly recordNumber: number;
  readonly field: string;
  readonly ruleId: string;
  readonly originalValue: CellValue;
  readonly correctedValue: CellValue;
  readonly type?: (typeof CORRECTION_TYPES)[number];
  /** Who found it; `automatic` ones count as applied, the others wait for a decision. Default `manual`. */
  readonly method?: (typeof CORRECTION_METHODS)[number];
  /** 0 to 1. */
  readonly confidence?: number;
  /** `processing_time_ms` and `error_severity` have a meaning; other keys are kept. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** `revenue_impact` has a meaning; other keys are kept. */
  readonly estimatedImpact?: Readonly<Record<string, unknown>>;
  /** When it was made; default now. Its month must have a partition. */
  readonly createdAt?: Date;
  readonly correlationId?: string;
  readonly requestId?: string;
}

/** What {@link logCorrections} takes at most. */
export const LOG_LIMITS = { corrections: 10_000, valueCharacters: 1_000 } as const;

/**
 * Logs corrections of a job with one multi-row insert, in one round trip.
 * @returns their ids in the order given, and the batch they can be decided by
 * @throws HoldfastError HF_VALIDAHUB_INPUT, HF_VALIDAHUB_CORRECTION naming the first wrong one (equal values, a value over
 *   1,000 characters, a confidence outside 0 to 1 …), HF_VALIDAHUB_NOT_FOUND for the job, HF_VALIDAHUB_NO_PARTITION;
 *   nothing is logged then
 */
export async function logCorrections(
  hub: Hub,
  input: {
    readonly tenant: string;
    readonly jobId: string;
    readonly corrections: readonly CorrectionInput[];
    readonly by: string;
  },
): Promise<{ readonly batchId: string; readonly ids: readonly string[] }> {
  const tenantId = tenantInput(input.tenant);
  const jobId = idInput('job', input.jobId);
  const actor = actorInput(input.by);
  countInput(input.corrections);
  const rows = input.corrections.map((correction, index) => rowOf(correction, { index, id: hub.nextId() }));
  const batchId = hub.nextId();
  const event: AuditEvent = {
    tenantId,
    eventType: 'corrections.logged',
    actor,
    entity: 'job',
    entityId: jobId,
    details: { batchId, corrections: rows.length },
  };
  const { query } = hub.sessions.session({ tenant: tenantId });
  const batch = { tenantId, jobId, ruleSetId: null, ruleVersionId: null, batchId, actor, event };
  await insertCorrections(query, batch, rows);
  return { batchId, ids: rows.map((row) => row.id) };
}

function countInput(corrections: readonly CorrectionInput[]): void {
  const count = Array.isArray(corrections) ? corrections.length : 0;
  if (count >= 1 && count <= LOG_LIMITS.corrections) return;
  throw failure('INPUT', {
    subject: 'corrections',
    what: `there are ${count}.`,
    fix: `Pass 1 to ${LOG_LIMITS.corrections} at a time.`,
  });
}

function rowOf(correction: CorrectionInput, at: { index: number; id: string }): CorrectionRow {
  const method = correction.method ?? 'manual';
  const row: CorrectionRow = {
    id: at.id,
    record_number: correction.recordNumber,
    field_name: correction.field,
    rule_id: correction.ruleId,
    original_value: correction.originalValue,
    corrected_value: correction.correctedValue,
    correction_type: correction.type ?? 'value_replacement',
    correction_method: method,
    confidence: correction.confidence ?? null,
    status: method === 'automatic' ? 'applied' : 'pending',
    correction_metadata: correction.metadata ?? {},
    estimated_impact: correction.estimatedImpact ?? {},
    created_at: correction.createdAt?.toISOString() ?? null,
    correlation_id: correction.correlationId ?? null,
    request_id: correction.requestId ?? null,
  };
  const wrong = faultOf(row);
  if (wrong === undefined) return row;
  throw failure('CORRECTION', {
    subject: `correction ${at.index + 1} (${row.field_name}, record ${String(row.record_number)})`,
    what: wrong,
    fix: 'Correct it and send the batch again; nothing of it was logged.',
  });
}

function faultOf(row: CorrectionRow): string | undefined {
  return CHECKS.find(([, holds]) => !holds(row))?.[0];
}

const MOST_RECORDS = 2_147_483_647;
const within = (text: unknown, most: number): boolean =>
  typeof text === 'string' && text.length > 0 && [...text].length <= most && !text.includes('\0');
const isCell = (value: unknown): boolean =>
  value === null ||
  typeof value === 'boolean' ||
  (typeof value === 'number' && Number.isFinite(value)) ||
  (typeof value === 'string' && !value.includes('\0'));
const isNumberOrAbsent = (value: unknown): boolean =>
  value === undefined || (typeof value === 'number' && Number.isFinite(value));

const CHECKS: readonly (readonly [what: string, holds: (row: CorrectionRow) => boolean])[] = [
  [
    'its record number is not a whole number from 1.',
    (row) =>
      Number.isInteger(row.record_number) && row.record_number >= 1 && row.record_number <= MOST_RECORDS,
  ],
  ['its field is not text of 1 to 100 characters.', (row) => within(row.field_name, 100)],
  ['its rule id is not text of 1 to 100 characters.', (row) => within(row.rule_id, 100)],
  [
    'its values are not text, numbers, booleans or null.',
    (row) => isCell(row.original_value) && isCell(row.corrected_value),
  ],
  ['its original and corrected value are equal.', (row) => row.original_value !== row.corrected_value],
  [
    `a value is longer than ${LOG_LIMITS.valueCharacters} characters.`,
    (row) => fits(row.original_value) && fits(row.corrected_value),
  ],
  [
    'its confidence is not from 0 to 1.',
    (row) => row.confidence === null || (row.confidence >= 0 && row.confidence <= 1),
  ],
  ['its type is not known.', (row) => CORRECTION_TYPES.some((type) => type === row.correction_type)],
  [
    'its method is not known.',
    (row) => CORRECTION_METHODS.some((method) => method === row.correction_method),
  ],
  [
    'its processing_time_ms is not a number.',
    (row) => isNumberOrAbsent(row.correction_metadata['processing_time_ms']),
  ],
  ['its revenue_impact is not a number.', (row) => isNumberOrAbsent(row.estimated_impact['revenue_impact'])],
];

function fits(value: CellValue): boolean {
  return [...String(value)].length <= LOG_LIMITS.valueCharacters;
}
