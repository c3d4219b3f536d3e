// Decisions about corrections: taken once, forward only; what they count for is noted in the same transaction.
import { sql, type SQL } from 'drizzle-orm';
import { failure } from './failure.ts';
import { asTenant, record, rowsOf, type Hub, type Tx } from './hub.ts';
import { actorInput, idInput, tenantInput, textInput, wordInput } from './input.ts';

/** Which corrections: each by its id, or those of a batch that still wait. */
export type CorrectionChoice = { readonly ids: readonly string[] } | { readonly batchId: string };

/** A decision. */
export type DecisionInput = CorrectionChoice & {
  readonly tenant: string;
  readonly decision: 'accept' | 'reject';
  readonly by: string;
  readonly reason?: string;
};

interface Decision {
  readonly tenantId: string;
  readonly actor: string;
  readonly accept: boolean;
  readonly reason: string | null;
  readonly now: Date;
}

/**
 * Accepts or rejects corrections. By ids it is all or nothing; by batch it decides what still waits.
 * Rows are locked in the order of their ids: any number of people may decide overlapping batches at once and none of them
 * meets a deadlock.
 * @returns how many were decided
 * @throws HoldfastError HF_VALIDAHUB_INPUT, HF_VALIDAHUB_NOT_FOUND, HF_VALIDAHUB_CONFLICT when one was decided before
 */
export async function decideCorrections(
  hub: Hub,
  input: DecisionInput,
): Promise<{ readonly decided: number }> {
  const decision: Decision = {
    tenantId: tenantInput(input.tenant),
    actor: actorInput(input.by),
    accept: wordInput('decision', input.decision, ['accept', 'reject']) === 'accept',
    reason: input.reason === undefined ? null : textInput('reason', input.reason, 500),
    now: hub.now(),
  };
  const choice = choiceInput(input);
  return asTenant(hub, decision.tenantId, async (tx) => {
    const ids =
      'ids' in choice
        ? await lockIds(tx, decision, choice.ids)
        : await lockBatch(tx, decision, choice.batchId);
    await mark(tx, decision, ids);
    await record(tx, {
      tenantId: decision.tenantId,
      eventType: decision.accept ? 'corrections.accepted' : 'corrections.rejected',
      actor: decision.actor,
      entity: 'batchId' in choice ? 'correction_batch' : 'correction',
      entityId: 'batchId' in choice ? choice.batchId : (ids[0] ?? ''),
      details: { ids, ...(decision.reason === null ? {} : { reason: decision.reason }) },
    });
    return { decided: ids.length };
  });
}

function choiceInput(choice: CorrectionChoice): CorrectionChoice {
  if ('batchId' in choice) return { batchId: idInput('correction batch', choice.batchId) };
  const ids = [...new Set(choice.ids)].map((id) => idInput('correction', id));
  if (ids.length > 0) return { ids };
  throw failure('INPUT', { subject: 'ids', what: 'there are none.', fix: 'Name the corrections to decide.' });
}

const list = (ids: readonly string[]): SQL => sql`${sql.param(ids)}::uuid[]`;

async function lockIds(tx: Tx, of: Decision, wanted: readonly string[]): Promise<string[]> {
  const rows = await rowsOf<{ id: string; status: string }>(
    tx,
    sql`SELECT id, status FROM validahub.correction_logs
      WHERE tenant_id = ${of.tenantId} AND id = ANY (${list(wanted)}) ORDER BY id FOR NO KEY UPDATE`,
  );
  const found = new Set(rows.map((row) => row.id));
  const missing = wanted.find((id) => !found.has(id));
  if (missing !== undefined) throw unknownCorrection(missing);
  const decided = rows.find((row) => row.status !== 'pending');
  if (decided !== undefined) throw alreadyDecided(`correction ${decided.id}`, decided.status);
  return rows.map((row) => row.id);
}

async function lockBatch(tx: Tx, of: Decision, batchId: string): Promise<string[]> {
  const rows = await rowsOf<{ id: string }>(
    tx,
    sql`SELECT id FROM validahub.correction_logs
      WHERE tenant_id = ${of.tenantId} AND correction_batch_id = ${batchId}::uuid AND status = 'pending'
      ORDER BY id FOR NO KEY UPDATE`,
  );
  if (rows.length > 0) return rows.map((row) => row.id);
  const [any] = await rowsOf(
    tx,
    sql`SELECT 1 AS one FROM validahub.correction_logs
      WHERE tenant_id = ${of.tenantId} AND correction_batch_id = ${batchId}::uuid LIMIT 1`,
  );
  if (any === undefined) throw unknownCorrection(batchId);
  throw alreadyDecided(`correction batch ${batchId}`, 'decided');
}

function unknownCorrection(id: string): Error {
  return failure('NOT_FOUND', {
    subject: `correction ${id}`,
    what: 'there is no such correction.',
    fix: 'Look its id up; another tenant cannot decide it.',
  });
}

function alreadyDecided(subject: string, status: string): Error {
  return failure('CONFLICT', {
    subject,
    what: `it is ${status} already; nothing of this decision was kept.`,
    fix: 'Read it again: a decision is taken once.',
  });
}

async function mark(tx: Tx, of: Decision, ids: readonly string[]): Promise<void> {
  await tx.execute(sql`
    UPDATE validahub.correction_logs
    SET status = ${of.accept ? 'approved' : 'rejected'}, accepted = ${of.accept}, decided_at = ${of.now.toISOString()},
      approved_by = ${of.accept ? of.actor : null}, rejected_by = ${of.accept ? null : of.actor},
      rejection_reason = ${of.accept ? null : of.reason}
    WHERE tenant_id = ${of.tenantId} AND id = ANY (${list(ids)})`);
}

/**
 * Applies what was approved in a job; the corrected file then follows it. Calling it again applies what was approved since.
 * @returns how many were applied
 * @throws HoldfastError HF_VALIDAHUB_INPUT, HF_VALIDAHUB_NOT_FOUND
 */
export async function applyCorrections(
  hub: Hub,
  input: { readonly tenant: string; readonly jobId: string; readonly by: string },
): Promise<{ readonly applied: number }> {
  const tenantId = tenantInput(input.tenant);
  const jobId = idInput('job', input.jobId);
  const actor = actorInput(input.by);
  return asTenant(hub, tenantId, async (tx) => {
    await knownJob(tx, tenantId, jobId);
    const rows = await rowsOf<{ id: string }>(
      tx,
      sql`WITH chosen AS MATERIALIZED (
          SELECT id, created_at FROM validahub.correction_logs
          WHERE tenant_id = ${tenantId} AND job_id = ${jobId}::uuid AND status = 'approved'
          ORDER BY id FOR NO KEY UPDATE)
        UPDATE validahub.correction_logs c SET status = 'applied', applied_at = ${hub.now().toISOString()}
        FROM chosen WHERE c.tenant_id = ${tenantId} AND c.id = chosen.id AND c.created_at = chosen.created_at
        RETURNING c.id`,
    );
    if (rows.length > 0) {
      await record(tx, {
        tenantId,
        eventType: 'corrections.applied',
        actor,
        entity: 'job',
        entityId: jobId,
        details: { corrections: rows.length },
      });
    }
    return { applied: rows.length };
  });
}

async function knownJob(tx: Tx, tenantId: string, jobId: string): Promise<void> {
  const [job] = await rowsOf(
    tx,
    sql`SELECT 1 AS one FROM validahub.jobs WHERE tenant_id = ${tenantId} AND id = ${jobId}::uuid`,
  );
  if (job !== undefined) return;
  throw failure('NOT_FOUND', {
    subject: `job ${jobId}`,
    what: 'there is no such job.',
    fix: 'Pass the id that applyRules gave back.',
  });
}

/**
 * Takes an applied correction back: the corrected file then has what stood there without it. Both values stay in the log,
 * and the acceptance that was counted stays counted; a reverted correction is not applied again (log a new one).
 * @throws HoldfastError HF_VALIDAHUB_INPUT (also without a reason), HF_VALIDAHUB_NOT_FOUND, HF_VALIDAHUB_CONFLICT
 */
export async function revertCorrection(
  hub: Hub,
  input: { readonly tenant: string; readonly id: string; readonly by: string; readonly reason: string },
): Promise<void> {
  const tenantId = tenantInput(input.tenant);
  const id = idInput('correction', input.id);
  const actor = actorInput(input.by);
  const reason = textInput('reason', input.reason, 500);
  await asTenant(hub, tenantId, async (tx) => {
    const [row] = await rowsOf<{ status: string }>(
      tx,
      sql`SELECT status FROM validahub.correction_logs
        WHERE tenant_id = ${tenantId} AND id = ${id}::uuid FOR NO KEY UPDATE`,
    );
    if (row === undefined) throw unknownCorrection(id);
    if (row.status !== 'applied') {
      throw failure('CONFLICT', {
        subject: `correction ${id}`,
        what: `it is ${row.status}, not applied.`,
        fix: 'Only what is applied can be reverted.',
      });
    }
    await tx.execute(sql`
      UPDATE validahub.correction_logs SET status = 'reverted', reverted_at = ${hub.now().toISOString()}
      WHERE tenant_id = ${tenantId} AND id = ${id}::uuid`);
    await record(tx, {
      tenantId,
      eventType: 'correction.reverted',
      actor,
      entity: 'correction',
      entityId: id,
      details: { reason },
    });
  });
}
