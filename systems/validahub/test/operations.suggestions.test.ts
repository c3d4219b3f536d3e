// Decisions about suggestions: once each, into one draft whose number says what it holds.
import { describe, expect } from 'vitest';
import {
  acceptSuggestion,
  addVersion,
  createRuleSet,
  expireSuggestions,
  listSuggestions,
  mineSuggestions,
  publishVersion,
  rejectSuggestion,
  validateVersion,
  type Hub,
} from '../operations/index.ts';
import { applied, implementationOf, type Implementation } from '../operations/mined-rule.ts';
import { compileRules, type Rule } from '../rules/index.ts';
import type { TestDatabase } from '../../../test/cluster/index.ts';
import { freshTenant, published, SAMPLE_RULES, test } from './installed.ts';
import { putPatterns, type PatternRow } from './patterns.ts';

const by = 'p_1';
const DAY_MS = 86_400_000;

/** A tenant with a published set, and the ids of what was mined there, in the order of the patterns. */
async function suggested(
  of: { hub: Hub; db: TestDatabase },
  patterns: readonly PatternRow[],
): Promise<{ tenant: string; setId: string; ids: string[] }> {
  const { tenant, setId } = await published(of.hub);
  await putPatterns(of.db, tenant, patterns);
  const { suggestions } = await mineSuggestions(of.hub, { tenant, by, limit: 1_000 });
  const ids = patterns.map(
    (pattern) => suggestions.find((one) => one.originalValue === pattern.original)?.id ?? '',
  );
  return { tenant, setId, ids };
}

const spelt = (n: number): PatternRow => ({ original: `b${n}`, corrected: `B${n}`, accepted: 9 });

async function versions(hub: Hub, tenant: string) {
  const { rows } = await hub.sessions
    .session({ tenant })
    .query<{ version: string; status: string; rules: Rule[] }>(
      'SELECT version, status, rules FROM validahub.rule_versions ORDER BY major, minor, patch',
    );
  return rows;
}

describe('acceptSuggestion', () => {
  test('a new rule raises the minor number, an entry of a known one the patch', async ({ db, installed }) => {
    const { hub } = installed;
    const { tenant, setId, ids } = await suggested({ hub, db }, [spelt(1), spelt(2), spelt(3)]);
    const [first = '', second = '', third = ''] = ids;
    expect(await acceptSuggestion(hub, { tenant, id: first, by })).toMatchObject({ version: '1.1.0', setId });
    const { versionId } = await acceptSuggestion(hub, { tenant, id: second, by });
    expect((await versions(hub, tenant)).map((row) => [row.version, row.status])).toEqual([
      ['1.0.0', 'published'],
      ['1.1.0', 'draft'],
    ]);
    await validateVersion(hub, { tenant, versionId, by });
    await publishVersion(hub, { tenant, versionId, by, makeCurrent: true });
    expect(await acceptSuggestion(hub, { tenant, id: third, by })).toMatchObject({ version: '1.1.1' });
    const rules = (await versions(hub, tenant)).at(-1)?.rules ?? [];
    expect(rules.map((rule) => rule.id)).toEqual([
      ...SAMPLE_RULES.map((rule) => rule.id),
      'learnt_brand_spelt',
    ]);
    expect(rules.at(-1)).toMatchObject({
      precedence: 499,
      params: { not: { field: 'brand', in: ['b1', 'b2', 'b3'] } },
      fix: [{ step: 'trim' }, { step: 'replace', map: { b1: 'B1', b2: 'B2', b3: 'B3' } }],
    });
    const { rows } = await hub.sessions
      .session({ tenant })
      .query(
        `SELECT details ->> 'version' AS version FROM validahub.audit_log WHERE event_type = 'suggestion.accepted' ORDER BY seq`,
      );
    expect(rows).toEqual([{ version: '1.1.0' }, { version: '1.1.0' }, { version: '1.1.1' }]);
  });

  test('any number at once land in one draft, each once', async ({ db, installed }) => {
    const { hub } = installed;
    const patterns = Array.from({ length: 12 }, (_, n) => spelt(n));
    const { tenant, ids } = await suggested({ hub, db }, patterns);
    const tries = await Promise.allSettled(
      [...ids, ...ids].map((id) => acceptSuggestion(hub, { tenant, id, by })),
    );
    expect(tries.filter((one) => one.status === 'fulfilled')).toHaveLength(12);
    for (const one of tries) {
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'HF_VALIDAHUB_CONFLICT' });
    }
    const found = await versions(hub, tenant);
    expect(found.map((row) => row.version)).toEqual(['1.0.0', '1.1.0']);
    const all = Object.fromEntries(patterns.map(({ original, corrected }) => [original, corrected]));
    expect(mapOf(found.at(-1)?.rules)).toEqual(all);
  });

  test('a reading of the set that is stale is refused', async ({ db, installed }) => {
    const { hub } = installed;
    const { tenant, ids } = await suggested({ hub, db }, [spelt(1), spelt(2)]);
    const [first = '', second = ''] = ids;
    const { setVersion } = await acceptSuggestion(hub, { tenant, id: first, by });
    await expect(
      acceptSuggestion(hub, { tenant, id: second, by, expectedVersion: setVersion - 1 }),
    ).rejects.toMatchObject({ code: 'HF_VALIDAHUB_STALE' });
    await acceptSuggestion(hub, { tenant, id: second, by, expectedVersion: setVersion });
  });

  test("goes into somebody's open draft, and raises its number where that says too little", async ({
    db,
    installed,
  }) => {
    const { hub } = installed;
    const { tenant, setId, ids } = await suggested({ hub, db }, [spelt(1)]);
    const { rows } = await hub.sessions
      .session({ tenant })
      .query<{ version: number }>('SELECT version FROM validahub.rule_sets');
    const rules = SAMPLE_RULES.map((rule) => ({ ...rule, message: `${rule.message} Please.` }));
    const draft = { tenant, setId, version: '1.0.1', rules, expectedVersion: rows[0]?.version ?? 0, by };
    const { id: versionId } = await addVersion(hub, draft);
    await validateVersion(hub, { tenant, versionId, by });
    const accepted = await acceptSuggestion(hub, { tenant, id: ids[0] ?? '', by });
    expect(accepted).toMatchObject({ versionId, version: '1.1.0' });
    const [, after] = await versions(hub, tenant);
    expect(after).toMatchObject({ version: '1.1.0', status: 'draft' });
    expect(after?.rules[0]?.message).toBe('A title is needed. Please.');
    await expect(publishVersion(hub, { tenant, versionId, by })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_VERSION_STATUS',
    });
    await validateVersion(hub, { tenant, versionId, by });
    expect(await publishVersion(hub, { tenant, versionId, by })).toMatchObject({ compatibility: 'minor' });
  });

  test("is decided once, in time, by the tenant's own", async ({ db, installed }) => {
    const { hub, clock } = installed;
    const { tenant, ids } = await suggested({ hub, db }, [spelt(1), spelt(2)]);
    const [first = '', second = ''] = ids;
    await rejectSuggestion(hub, { tenant, id: first, by, reason: 'not ours', feedback: 2 });
    await expect(acceptSuggestion(hub, { tenant, id: first, by })).rejects.toThrow(
      `suggestion ${first}: it is rejected already; nothing of this decision was kept. Read it again: a suggestion is decided once. [HF_VALIDAHUB_CONFLICT]`,
    );
    const other = await published(hub);
    await expect(acceptSuggestion(hub, { tenant: other.tenant, id: second, by })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_NOT_FOUND',
    });
    await expect(
      rejectSuggestion(hub, { tenant, id: second, by, reason: 'no', feedback: 6 }),
    ).rejects.toMatchObject({ code: 'HF_VALIDAHUB_INPUT' });
    await expect(rejectSuggestion(hub, { tenant, id: second, by, reason: '' })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_INPUT',
    });
    const start = clock.now;
    try {
      clock.now = new Date(start.getTime() + 30 * DAY_MS);
      await expect(acceptSuggestion(hub, { tenant, id: second, by })).rejects.toThrow(
        'it is expired already',
      );
      expect(await listSuggestions(hub, { tenant })).toEqual([]);
    } finally {
      clock.now = start;
    }
    expect((await listSuggestions(hub, { tenant })).map((one) => one.id)).toEqual([second]);
  });

  test('asks which set where it is not clear', async ({ db, installed }) => {
    const { hub } = installed;
    const { tenant, setId, ids } = await suggested({ hub, db }, [{ ...spelt(1), channel: null }]);
    const [id = ''] = ids;
    await createRuleSet(hub, { tenant, channel: 'shopee', name: 'More', by });
    await expect(acceptSuggestion(hub, { tenant, id, by })).rejects.toThrow(
      'more than one rule set could take',
    );
    await expect(acceptSuggestion(hub, { tenant, id, by, setId: NO_SET })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_NOT_FOUND',
    });
    expect(await acceptSuggestion(hub, { tenant, id, by, setId })).toMatchObject({ setId });
  });
});

const NO_SET = '00000000-0000-4000-8000-000000000000';

describe('expireSuggestions', () => {
  test('ends what is over, in batches, and says so once', async ({ db, installed }) => {
    const { hub, clock } = installed;
    const { tenant } = await published(hub);
    await db.query(
      `INSERT INTO validahub.suggestions (tenant_id, suggestion_type, title, source, model_name, model_version,
         evidence_hash, confidence_score, expires_at)
       SELECT $1, 'value', 'x', 'user_feedback', 'm', '1', encode(sha256(n::text::bytea), 'hex'), 0.5,
         $2::timestamptz + make_interval(secs => n - 2500)
       FROM generate_series(1, 2600) n`,
      [tenant, clock.now.toISOString()],
    );
    expect(await expireSuggestions(hub, { tenant, by })).toEqual({ expired: 2_500 });
    expect(await expireSuggestions(hub, { tenant, by })).toEqual({ expired: 0 });
    const rows = await db.query(
      `SELECT details ->> 'suggestions' AS n FROM validahub.audit_log
       WHERE tenant_id = $1 AND event_type = 'suggestions.expired' ORDER BY seq`,
      [tenant],
    );
    expect(rows).toEqual([{ n: '1000' }, { n: '1000' }, { n: '500' }]);
    expect(await expireSuggestions(hub, { tenant: freshTenant(), by })).toEqual({ expired: 0 });
  });
});

const replace = (from: string, to: string): Implementation => ({
  kind: 'replace',
  field: 'brand',
  from,
  to,
  before: 500,
});

const after = (...wanted: Implementation[]) =>
  wanted.reduce<readonly Rule[] | string>((rules, one) => {
    if (typeof rules === 'string') return rules;
    const result = applied(rules, one);
    return 'refused' in result ? result.refused : result.rules;
  }, []);

function mapOf(rules: readonly Rule[] | string | undefined): unknown {
  const step = typeof rules === 'string' ? undefined : rules?.at(-1)?.fix?.[1];
  return step?.step === 'replace' ? step.map : rules;
}

const made = (original: string | null, corrected: string | null) =>
  implementationOf({ field: 'f', original, corrected, before: 500 });

describe('what rules make of implementations', () => {
  test('a way through several spellings leads to its end, and never back', () => {
    expect(mapOf(after(replace('a', 'b'), replace('b', 'c')))).toEqual({ a: 'c', b: 'c' });
    expect(mapOf(after(replace('b', 'c'), replace('a', 'b')))).toEqual({ b: 'c', a: 'c' });
    expect(after(replace('a', 'b'), replace('b', 'a'))).toBe(
      'the rule learnt_brand_spelt says otherwise of "b".',
    );
    expect(after(replace('a', 'b'), replace('a', 'c'))).toBe(
      'the rule learnt_brand_spelt says otherwise of "a".',
    );
    expect(mapOf(after(replace('a', 'b'), replace('a', 'b')))).toEqual({ a: 'b' });
  });

  test('compile, whatever the field and the values are called', () => {
    for (const name of ['brand', 'Preço (R$)', '__proto__', 'x'.repeat(100), '商品']) {
      const rules = after(
        { ...replace('__proto__', 'constructor'), field: name } as Implementation,
        { ...replace('"', '\\'), field: name } as Implementation,
        { kind: 'fill', field: name, value: 'v', before: 1 },
      );
      expect(compileRules(rules).errors).toEqual([]);
    }
  });

  test('nothing is made of what no rule can say', () => {
    expect([made(' a', 'a'), made(null, ''), made('a', ' a ')]).toEqual([null, null, null]);
    expect(made('', 'x')).toMatchObject({ kind: 'fill' });
    expect(made('a', null)).toMatchObject({ kind: 'replace', to: '' });
  });

  test('a rule acts by itself only where it has a correction to make', () => {
    const act: Implementation = { kind: 'act', ruleId: 'brand_listed' };
    expect(applied(SAMPLE_RULES, act)).toMatchObject({ level: 'patch' });
    expect(applied(SAMPLE_RULES, { ...act, ruleId: 'title_required' })).toEqual({
      refused: 'the rule title_required only reports; it has no correction to make.',
    });
    expect(applied([], act)).toEqual({ refused: 'the rule brand_listed is not in it.' });
  });
});
