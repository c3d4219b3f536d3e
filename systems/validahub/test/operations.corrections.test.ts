// Corrections by hand, decisions, and many people deciding at once.
import { describe, expect } from 'vitest';
import {
  applyCorrections,
  applyRules,
  decideCorrections,
  logCorrections,
  revertCorrection,
  type CorrectionInput,
  type Hub,
} from '../operations/index.ts';
import { Readable } from 'node:stream';
import { published, test } from './installed.ts';

const by = 'p_1';
/** Brings the patterns up to date, as the keeper and the miner do. */
const SETTLE = 'SELECT FROM validahub.correction_patterns_settle()';

const one: CorrectionInput = {
  recordNumber: 1,
  field: 'title',
  ruleId: 'by_hand',
  originalValue: 'a',
  correctedValue: 'b',
};

/** A tenant with a completed job. */
async function withJob(hub: Hub): Promise<{ tenant: string; jobId: string }> {
  const { tenant, setId } = await published(hub);
  const source = Readable.from([Buffer.from('sku,title,brand\n1,Item,Acme\n')]);
  const { jobId } = await applyRules(hub, { tenant, source, rules: { setId }, by });
  return { tenant, jobId };
}

async function statuses(hub: Hub, tenant: string): Promise<Record<string, number>> {
  const { rows } = await hub.sessions
    .session({ tenant })
    .query<{ status: string; n: number }>(
      'SELECT status, count(*)::int AS n FROM validahub.correction_logs GROUP BY status',
    );
  return Object.fromEntries(rows.map((row) => [row.status, row.n]));
}

describe('logCorrections', () => {
  test('logs a batch with one statement and gives the ids in order', async ({ installed: { hub } }) => {
    const { tenant, jobId } = await withJob(hub);
    const corrections = Array.from({ length: 1_000 }, (_, index) => ({ ...one, recordNumber: index + 1 }));
    const { ids, batchId } = await logCorrections(hub, { tenant, jobId, corrections, by });
    const { rows } = await hub.sessions
      .session({ tenant })
      .query<{ id: string; record_number: number; batch: string }>(
        'SELECT id, record_number, correction_batch_id AS batch FROM validahub.correction_logs ORDER BY record_number',
      );
    expect(rows.map((row) => row.id)).toEqual(ids);
    expect(new Set(rows.map((row) => row.batch))).toEqual(new Set([batchId]));
  });

  test('keeps what the values are: null, number, text', async ({ installed: { hub } }) => {
    const { tenant, jobId } = await withJob(hub);
    await logCorrections(hub, {
      tenant,
      jobId,
      corrections: [
        { ...one, originalValue: null, correctedValue: 3.5 },
        { ...one, originalValue: '3.5', correctedValue: null },
      ],
      by,
    });
    const { rows } = await hub.sessions
      .session({ tenant })
      .query('SELECT original_value AS o, corrected_value AS c FROM validahub.correction_logs ORDER BY id');
    expect(rows).toEqual([
      { o: null, c: 3.5 },
      { o: '3.5', c: null },
    ]);
  });

  const faults: readonly (readonly [string, Partial<CorrectionInput>, string])[] = [
    ['equal values', { correctedValue: 'a' }, 'its original and corrected value are equal.'],
    ['a long value', { correctedValue: 'x'.repeat(1_001) }, 'a value is longer than 1000 characters.'],
    ['a confidence over 1', { confidence: 1.01 }, 'its confidence is not from 0 to 1.'],
    ['a confidence that is no number', { confidence: Number.NaN }, 'its confidence is not from 0 to 1.'],
    ['record 0', { recordNumber: 0 }, 'its record number is not a whole number from 1.'],
    ['no field', { field: '' }, 'its field is not text of 1 to 100 characters.'],
    ['a zero byte', { correctedValue: 'a\0b' }, 'its values are not text, numbers, booleans or null.'],
    [
      'a time that is no number',
      { metadata: { processing_time_ms: 'slow' } },
      'its processing_time_ms is not a number.',
    ],
  ];
  for (const [what, change, message] of faults) {
    test(`refuses ${what}, and the whole batch with it`, async ({ installed: { hub } }) => {
      const { tenant, jobId } = await withJob(hub);
      await expect(
        logCorrections(hub, { tenant, jobId, corrections: [one, { ...one, ...change }], by }),
      ).rejects.toMatchObject({ code: 'HF_VALIDAHUB_CORRECTION', what: message });
      expect(await statuses(hub, tenant)).toEqual({});
    });
  }

  test('reports a time without a partition', async ({ installed: { hub } }) => {
    const { tenant, jobId } = await withJob(hub);
    const old = { ...one, createdAt: new Date('2001-01-01T00:00:00Z') };
    await expect(logCorrections(hub, { tenant, jobId, corrections: [one, old], by })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_NO_PARTITION',
    });
    expect(await statuses(hub, tenant)).toEqual({});
  });

  test("refuses a job that is another tenant's", async ({ installed: { hub } }) => {
    const { jobId } = await withJob(hub);
    const other = await withJob(hub);
    await expect(
      logCorrections(hub, { tenant: other.tenant, jobId, corrections: [one], by }),
    ).rejects.toMatchObject({ code: 'HF_VALIDAHUB_NOT_FOUND' });
  });
});

describe('decisions', () => {
  test('are taken once, by ids all or nothing', async ({ installed: { hub } }) => {
    const { tenant, jobId } = await withJob(hub);
    const { ids } = await logCorrections(hub, { tenant, jobId, corrections: [one, one, one], by });
    const [first = '', second = ''] = ids;
    await decideCorrections(hub, { tenant, ids: [first], decision: 'reject', by, reason: 'no' });
    await expect(
      decideCorrections(hub, { tenant, ids: [second, first], decision: 'accept', by }),
    ).rejects.toMatchObject({ code: 'HF_VALIDAHUB_CONFLICT', subject: `correction ${first}` });
    expect(await statuses(hub, tenant)).toEqual({ pending: 2, rejected: 1 });
    const other = await withJob(hub);
    await expect(
      decideCorrections(hub, { tenant: other.tenant, ids: [second], decision: 'accept', by }),
    ).rejects.toMatchObject({ code: 'HF_VALIDAHUB_NOT_FOUND' });
  });

  test('by batch take what still waits, then conflict', async ({ installed: { hub } }) => {
    const { tenant, jobId } = await withJob(hub);
    const { ids, batchId } = await logCorrections(hub, { tenant, jobId, corrections: [one, one, one], by });
    await decideCorrections(hub, { tenant, ids: ids.slice(0, 1), decision: 'reject', by });
    expect(await decideCorrections(hub, { tenant, batchId, decision: 'accept', by })).toEqual({ decided: 2 });
    await expect(decideCorrections(hub, { tenant, batchId, decision: 'accept', by })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_CONFLICT',
    });
  });

  test('count for their pattern once it is brought up to date', async ({ db, installed: { hub } }) => {
    const { tenant, jobId } = await withJob(hub);
    const corrections = [
      { ...one, confidence: 0.5 },
      { ...one, confidence: 0.7 },
      { ...one, correctedValue: 'c' },
      { ...one, originalValue: null },
    ];
    const { ids } = await logCorrections(hub, { tenant, jobId, corrections, by });
    await decideCorrections(hub, { tenant, ids: ids.slice(0, 1), decision: 'accept', by });
    await decideCorrections(hub, { tenant, ids: ids.slice(1), decision: 'reject', by });
    await db.query(SETTLE);
    const { rows } = await hub.sessions.session({ tenant }).query(
      `SELECT original_value AS o, corrected_value AS c, channel, proposed, accepted, rejected, sum_confidence AS sum
       FROM validahub.correction_patterns ORDER BY original_value NULLS LAST, corrected_value`,
    );
    expect(rows).toEqual([
      { o: 'a', c: 'b', channel: 'custom', proposed: '2', accepted: '1', rejected: '1', sum: '1.2000' },
      { o: 'a', c: 'c', channel: 'custom', proposed: '1', accepted: '0', rejected: '1', sum: '0' },
      { o: null, c: 'b', channel: 'custom', proposed: '1', accepted: '0', rejected: '1', sum: '0' },
    ]);
  });

  test('move forward only: approved, applied, reverted', async ({ installed: { hub } }) => {
    const { tenant, jobId } = await withJob(hub);
    const { ids } = await logCorrections(hub, { tenant, jobId, corrections: [one, one], by });
    const [first = '', second = ''] = ids;
    const revert = (id: string) => revertCorrection(hub, { tenant, id, by, reason: 'wrong after all' });
    await decideCorrections(hub, { tenant, ids: [first], decision: 'accept', by });
    await decideCorrections(hub, { tenant, ids: [second], decision: 'reject', by });
    await expect(revert(first)).rejects.toThrow('it is approved, not applied.');
    expect(await applyCorrections(hub, { tenant, jobId, by })).toEqual({ applied: 1 });
    expect(await applyCorrections(hub, { tenant, jobId, by })).toEqual({ applied: 0 });
    await revert(first);
    await expect(revert(first)).rejects.toMatchObject({ code: 'HF_VALIDAHUB_CONFLICT' });
    await expect(revert(second)).rejects.toMatchObject({ code: 'HF_VALIDAHUB_CONFLICT' });
    expect(await statuses(hub, tenant)).toEqual({ rejected: 1, reverted: 1 });
  });

  test('of 32 people over the same corrections decide each one once, without a deadlock', async ({
    db,
    installed: { hub },
  }) => {
    const { tenant, jobId } = await withJob(hub);
    const corrections = Array.from({ length: 64 }, (_, index) => ({
      ...one,
      recordNumber: index + 1,
      correctedValue: `v${index % 8}`,
    }));
    const { ids } = await logCorrections(hub, { tenant, jobId, corrections, by });
    const tries = await Promise.allSettled(
      Array.from({ length: 32 }, (_, person) => {
        // Overlapping windows, every other one in the opposite order.
        const mine = Array.from({ length: 8 }, (_, step) => ids[(person * 2 + step) % 64] ?? '');
        const wanted = person % 2 === 0 ? mine : mine.toReversed();
        return decideCorrections(hub, { tenant, ids: wanted, decision: 'accept', by: `p_${person}` });
      }),
    );
    for (const result of tries) {
      if (result.status === 'rejected')
        expect(result.reason).toMatchObject({ code: 'HF_VALIDAHUB_CONFLICT' });
    }
    const decided = tries.filter((result) => result.status === 'fulfilled').length * 8;
    expect(decided).toBeGreaterThanOrEqual(8);
    expect((await statuses(hub, tenant))['approved']).toBe(decided);
    await db.query(SETTLE);
    const { rows } = await hub.sessions
      .session({ tenant })
      .query<{ accepted: number }>(
        'SELECT sum(accepted)::int AS accepted FROM validahub.correction_patterns',
      );
    expect(rows).toEqual([{ accepted: decided }]);
  });

  test('of 32 people over corrections of their own that share every pattern all succeed', async ({
    db,
    installed: { hub },
  }) => {
    const { tenant, jobId } = await withJob(hub);
    const batches = await Promise.all(
      Array.from({ length: 32 }, (_, person) => {
        const values = ['k', 'l', 'm', 'n', 'o', 'p'].map((value) => ({ ...one, correctedValue: value }));
        const corrections = person % 2 === 0 ? values : values.toReversed();
        return logCorrections(hub, { tenant, jobId, corrections, by });
      }),
    );
    await Promise.all(
      batches.map(({ batchId }) => decideCorrections(hub, { tenant, batchId, decision: 'accept', by })),
    );
    await db.query(SETTLE);
    const { rows } = await hub.sessions
      .session({ tenant })
      .query('SELECT accepted FROM validahub.correction_patterns');
    expect(rows).toEqual(Array.from({ length: 6 }, () => ({ accepted: '32' })));
  });
});
