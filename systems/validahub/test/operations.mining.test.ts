// Mining: what decided corrections suggest, and what they must not.
import { describe, expect } from 'vitest';
import { Readable } from 'node:stream';
import {
  acceptSuggestion,
  applyRules,
  decideCorrections,
  logCorrections,
  mineSuggestions,
  publishVersion,
  rejectSuggestion,
  validateVersion,
  type Hub,
  type MineInput,
} from '../operations/index.ts';
import { wilsonLower, wilsonLowerSql } from '../wilson.ts';
import { freshTenant, published, test } from './installed.ts';
import { putPatterns } from './patterns.ts';

const by = 'p_1';
const DAY_MS = 86_400_000;

async function mined(hub: Hub, tenant: string, input: Partial<MineInput> = {}) {
  const { suggestions } = await mineSuggestions(hub, { tenant, by, ...input });
  return suggestions.map(({ type, originalValue, suggestedValue, confidence }) => [
    type,
    originalValue,
    suggestedValue,
    confidence,
  ]);
}

describe('confidence', () => {
  test('is the lower bound of the score interval, in SQL as in TypeScript', async ({ db }) => {
    // 81 of 263: Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3 (Wilson): 0.2553 to 0.3662.
    expect(wilsonLower(81, 263)).toBeCloseTo(0.2553, 4);
    expect(wilsonLower(15, 148)).toBeCloseTo(0.0624, 4);
    expect(wilsonLower(0, 20)).toBe(0);
    expect(wilsonLower(1, 29)).toBeCloseTo(0.0061, 4);
    expect(wilsonLower(3, 3)).toBeCloseTo(0.4385, 4);
    expect(wilsonLower(4, 4)).toBeCloseTo(0.5101, 4);
    expect(wilsonLower(0, 0)).toBe(0);
    const cases = [
      [81, 263],
      [1, 29],
      [4, 4],
      [0, 5],
      [1_000_000, 1_000_001],
    ] as const;
    for (const [hits, of] of cases) {
      const [row] = await db.query<{ bound: number }>(
        `SELECT ${wilsonLowerSql('$1::float8', '$2::float8')} AS bound`,
        [hits, of],
      );
      expect(row?.bound).toBeCloseTo(wilsonLower(hits, of), 12);
    }
  });
});

const file = (rows: number) =>
  Readable.from([Buffer.from(`sku,title,brand\n${'1,Item,acme\n'.repeat(rows)}`)]);

describe('mineSuggestions', () => {
  test('from files checked and proposals decided to a rule that corrects by itself', async ({
    installed: { hub },
  }) => {
    const { tenant, setId } = await published(hub);
    const first = await applyRules(hub, { tenant, source: file(4), rules: { setId }, by });
    expect(first.report.pending).toBe(4);
    expect(await mined(hub, tenant)).toEqual([]);
    await acceptAll(hub, tenant, first.jobId);
    const { suggestions } = await mineSuggestions(hub, { tenant, by });
    expect(suggestions).toMatchObject([
      {
        type: 'new_rule',
        field: 'brand',
        ruleId: 'brand_listed',
        channel: 'custom',
        originalValue: 'acme',
        suggestedValue: 'Acme',
        confidence: 0.5101,
        accepted: 4,
        against: 0,
        title: 'Write "Acme" for "acme" in brand',
      },
    ]);
    const [suggestion] = suggestions;
    const accepted = await acceptSuggestion(hub, { tenant, id: suggestion?.id ?? '', by });
    expect(accepted).toMatchObject({ ruleId: 'learnt_brand_spelt', version: '1.1.0', setId });
    expect(await mined(hub, tenant)).toEqual([]);

    const { versionId } = accepted;
    expect(await validateVersion(hub, { tenant, versionId, by })).toMatchObject({ status: 'validated' });
    await publishVersion(hub, { tenant, versionId, by, makeCurrent: true });
    const second = await applyRules(hub, { tenant, source: file(3), rules: { setId }, by });
    expect(second.report).toMatchObject({ pending: 0, corrected: 3 });
  });

  test('holds every threshold, surest first, and no more than the limit', async ({ db, installed }) => {
    const { hub } = installed;
    const { tenant } = await published(hub);
    await putPatterns(db, tenant, [
      { original: 'two', corrected: 'Two', accepted: 2 },
      { original: 'three', corrected: 'Three', accepted: 3 },
      { original: 'four', corrected: 'Four', accepted: 4 },
      { original: 'mostly', corrected: 'Mostly', accepted: 40, rejected: 10 },
      { original: 'often', corrected: 'Often', accepted: 79, rejected: 21 },
      { original: 'always', corrected: 'Always', accepted: 40 },
    ]);
    expect(await mined(hub, tenant, { limit: 1 })).toEqual([['new_rule', 'always', 'Always', 0.9123]]);
    expect(await mined(hub, tenant)).toEqual([
      ['new_rule', 'mostly', 'Mostly', 0.6696],
      ['new_rule', 'four', 'Four', 0.5101],
    ]);
    expect(await mined(hub, tenant, { minConfidence: 0.4 })).toEqual([
      ['new_rule', 'three', 'Three', 0.4385],
    ]);
    expect(await mined(hub, tenant, { minSupport: 1, minConfidence: 0, minAcceptance: 0.7 })).toEqual([
      ['new_rule', 'often', 'Often', 0.7002],
      ['new_rule', 'two', 'Two', 0.3423],
    ]);
  });

  test('what was accepted otherwise for the same original counts against it', async ({ db, installed }) => {
    const { hub } = installed;
    const { tenant } = await published(hub);
    const brands = Array.from({ length: 50 }, (_, index) => `Brand ${index}`);
    await putPatterns(db, tenant, [
      ...brands.map((corrected) => ({ rule: 'brand_filled', original: '', corrected, accepted: 20 })),
      { original: 'hp', corrected: 'HP', accepted: 30 },
      { original: 'hp', corrected: 'Hewlett Packard', accepted: 2 },
      { original: 'hp', corrected: 'hP', accepted: 0, rejected: 9 },
      { field: 'currency', rule: 'currency_needed', original: null, corrected: 'BRL', accepted: 12 },
    ]);
    const { suggestions } = await mineSuggestions(hub, { tenant, by });
    expect(suggestions.map((one) => [one.type, one.title, one.accepted, one.against])).toEqual([
      ['new_rule', 'Write "HP" for "hp" in brand', 30, 2],
      ['value', 'Fill an empty currency with "BRL"', 12, 0],
    ]);
    const [stored] = await db.query<{ alternatives: unknown; category: string; days: number }>(
      `SELECT alternative_suggestions AS alternatives, suggestion_category AS category,
         extract(day FROM expires_at - created_at)::int AS days
       FROM validahub.suggestions WHERE tenant_id = $1 AND rule_id = 'brand_listed'`,
      [tenant],
    );
    expect(stored).toEqual({
      alternatives: [{ value: 'Hewlett Packard', accepted: 2 }],
      category: 'accuracy',
      days: 30,
    });
  });

  test('a rule whose proposals are always right is suggested to act by itself', async ({ db, installed }) => {
    const { hub } = installed;
    const { tenant } = await published(hub);
    const patterns = Array.from({ length: 10 }, (_, index) => ({
      original: `brand ${index}`,
      corrected: `Brand ${index}`,
      accepted: 2,
    }));
    await putPatterns(db, tenant, patterns.slice(0, 9));
    expect(await mined(hub, tenant, { rules: true })).toEqual([]);
    await putPatterns(db, tenant, patterns.slice(9));
    expect(await mined(hub, tenant)).toEqual([]);
    expect(await mined(hub, tenant, { rules: true })).toEqual([['rule_improvement', null, null, 0.8388]]);
    expect(await mined(hub, tenant, { rules: true })).toEqual([]);
  });

  test('leaves out what the current rules change by themselves', async ({ db, installed }) => {
    const { hub } = installed;
    const { tenant } = await published(hub);
    await putPatterns(db, tenant, [
      { field: 'title', rule: 'by_hand', original: 'Item ', corrected: 'Item', accepted: 9 },
      { field: 'title', rule: 'by_hand', original: 'Itm', corrected: 'Item', accepted: 9 },
    ]);
    expect(await mined(hub, tenant)).toEqual([['new_rule', 'Itm', 'Item', 0.7008]]);
  });

  test('a rejected one is not made again for 90 days, an expired one is', async ({ db, installed }) => {
    const { hub, clock } = installed;
    const { tenant } = await published(hub);
    await putPatterns(db, tenant, [{ original: 'a', corrected: 'A', accepted: 9 }]);
    const { suggestions } = await mineSuggestions(hub, { tenant, by });
    await rejectSuggestion(hub, { tenant, id: suggestions[0]?.id ?? '', by, reason: 'no', feedback: 1 });
    const start = clock.now;
    try {
      clock.now = new Date(start.getTime() + 89 * DAY_MS);
      expect(await mined(hub, tenant)).toEqual([]);
      clock.now = new Date(start.getTime() + 91 * DAY_MS);
      expect(await mined(hub, tenant)).toHaveLength(1);
    } finally {
      clock.now = start;
    }
  });

  test('two miners at once make no suggestion twice', async ({ db, installed }) => {
    const { hub } = installed;
    const { tenant } = await published(hub);
    const patterns = Array.from({ length: 200 }, (_, index) => ({
      original: `x${index}`,
      corrected: `X${index}`,
      accepted: 5 + (index % 7),
    }));
    await putPatterns(db, tenant, patterns);
    const runs = await Promise.all(
      Array.from({ length: 8 }, () => mineSuggestions(hub, { tenant, by, limit: 100 })),
    );
    const made = runs.flatMap((run) => run.suggestions.map((one) => one.originalValue));
    expect(new Set(made).size).toBe(made.length);
    const [row] = await db.query<{ n: number }>(
      'SELECT count(*)::int AS n FROM validahub.suggestions WHERE tenant_id = $1',
      [tenant],
    );
    expect(row?.n).toBe(made.length);
    expect(made.length).toBeGreaterThanOrEqual(100);
  });

  test("never reads another tenant's patterns", async ({ db, installed }) => {
    const { hub } = installed;
    const mine = await published(hub);
    const other = await published(hub);
    await putPatterns(db, other.tenant, [{ original: 'a', corrected: 'A', accepted: 99 }]);
    expect(await mined(hub, mine.tenant)).toEqual([]);
    expect(await mined(hub, freshTenant())).toEqual([]);
    expect(await mined(hub, other.tenant)).toHaveLength(1);
  });

  test('refuses what it cannot mean', async ({ installed: { hub } }) => {
    const wrong = [
      { minSupport: 0 },
      { minAcceptance: 1.1 },
      { minConfidence: Number.NaN },
      { limit: 1_001 },
      { expiresInDays: 0 },
      { tenant: 'nobody' },
    ];
    for (const input of wrong) {
      await expect(mineSuggestions(hub, { tenant: 't_a', by, ...input })).rejects.toMatchObject({
        code: 'HF_VALIDAHUB_INPUT',
      });
    }
  });
});

async function acceptAll(hub: Hub, tenant: string, jobId: string): Promise<void> {
  const { rows } = await hub.sessions
    .session({ tenant })
    .query<{ id: string }>(
      `SELECT id FROM validahub.correction_logs WHERE job_id = $1 AND status = 'pending'`,
      [jobId],
    );
  await decideCorrections(hub, { tenant, ids: rows.map((row) => row.id), decision: 'accept', by });
}

describe('values of every kind', () => {
  test('numbers and removals become text a rule can say; what no rule can say is left', async ({
    db,
    installed,
  }) => {
    const { hub } = installed;
    const { tenant } = await published(hub);
    await putPatterns(db, tenant, [
      { field: 'stock', rule: 'r', original: 1.5, corrected: 2, accepted: 9 },
      { field: 'brand', rule: 'r', original: 'N/A', corrected: null, accepted: 8 },
      { field: 'brand', rule: 'r', original: ' spaced', corrected: 'spaced', accepted: 7 },
      { field: 'brand', rule: 'r', original: null, corrected: '', accepted: 7 },
    ]);
    const { suggestions } = await mineSuggestions(hub, { tenant, by });
    expect(suggestions.map((one) => one.title)).toEqual([
      'Write "2" for "1.5" in stock',
      'Empty brand where it says "N/A"',
    ]);
    for (const { id } of suggestions) await acceptSuggestion(hub, { tenant, id, by });
    const { rows } = await hub.sessions
      .session({ tenant })
      .query<{ rules: { id: string; fix: unknown }[] }>(
        `SELECT rules FROM validahub.rule_versions WHERE version = '1.1.0'`,
      );
    expect(rows[0]?.rules.filter((rule) => rule.id.startsWith('learnt')).map((rule) => rule.fix)).toEqual([
      [{ step: 'trim' }, { step: 'replace', map: { '1.5': '2' } }],
      [{ step: 'trim' }, { step: 'replace', map: { 'N/A': '' } }],
    ]);
  });

  test('patterns logged by hand are mined like those of rules', async ({ installed: { hub } }) => {
    const { tenant, setId } = await published(hub);
    const source = Readable.from([Buffer.from('sku,title,brand\n1,Item,Acme\n')]);
    const { jobId } = await applyRules(hub, { tenant, source, rules: { setId }, by });
    const corrections = Array.from({ length: 6 }, (_, index) => ({
      recordNumber: index + 1,
      field: 'colour',
      ruleId: 'by_hand',
      originalValue: 'Grey',
      correctedValue: 'Gray',
    }));
    const { batchId } = await logCorrections(hub, { tenant, jobId, corrections, by });
    await decideCorrections(hub, { tenant, batchId, decision: 'accept', by });
    expect(await mined(hub, tenant)).toEqual([['new_rule', 'Grey', 'Gray', 0.6096]]);
  });
});
