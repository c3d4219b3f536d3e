// Figures of rules: from the rollups with their age, and counted anew.
import { describe, expect } from 'vitest';
import { Readable } from 'node:stream';
import {
  applyRules,
  comparePerformance,
  decideCorrections,
  logCorrections,
  ruleEffectiveness,
  topErrorFields,
  type Hub,
} from '../operations/index.ts';
import type { TestDatabase } from '../../../test/cluster/index.ts';
import { freshTenant, published, test } from './installed.ts';

const by = 'p_1';
const DAY_MS = 86_400_000;

/** A tenant with 10 corrections of rule_a (8 accepted, 1 rejected, 1 open) and 4 of rule_b (1 accepted, 3 rejected). */
async function decided(hub: Hub): Promise<string> {
  const { tenant, setId } = await published(hub);
  const source = Readable.from([Buffer.from('sku,title,brand\n1,,Acme\n2,,acme\n3,Item,acme\n')]);
  const { jobId } = await applyRules(hub, { tenant, source, rules: { setId }, by });
  const of = (ruleId: string, n: number) =>
    logCorrections(hub, {
      tenant,
      jobId,
      by,
      corrections: Array.from({ length: n }, (_, index) => ({
        recordNumber: 1,
        field: 'brand',
        ruleId,
        originalValue: `${index}`,
        correctedValue: `x${index}`,
        confidence: 0.5 + index / 100,
      })),
    });
  const a = (await of('rule_a', 10)).ids;
  const b = (await of('rule_b', 4)).ids;
  await decideCorrections(hub, { tenant, ids: [...a.slice(0, 8), ...b.slice(0, 1)], decision: 'accept', by });
  await decideCorrections(hub, { tenant, ids: [...a.slice(8, 9), ...b.slice(1)], decision: 'reject', by });
  return tenant;
}

/** What the job refresh-mv does: the days, then the view over them. */
async function refresh(db: TestDatabase, at: Date): Promise<void> {
  await db.query('SELECT FROM validahub.rule_effectiveness_daily_settle($1)', [at.toISOString()]);
  await db.query('SELECT FROM validahub.mv_rule_effectiveness_refresh($1)', [at.toISOString()]);
}

/** A day of the daily rollup, as it stands when it was brought up to date. */
async function putDay(db: TestDatabase, of: { tenant: string; rule: string; day: Date; counts: number[] }) {
  const [applications, successful, rejected] = of.counts;
  await db.query(
    `INSERT INTO validahub.rule_effectiveness_daily (tenant_id, rule_id, rule_version_id, channel, metric_date,
       applications, successful, rejected)
     VALUES ($1, $2, gen_random_uuid(), 'custom', ($3::timestamptz AT TIME ZONE 'UTC')::date, $4, $5, $6)`,
    [of.tenant, of.rule, of.day.toISOString(), applications, successful, rejected],
  );
}

describe('ruleEffectiveness', () => {
  test('from the view it is as old as its refresh, fresh it counts the log', async ({ db, installed }) => {
    const { hub, clock } = installed;
    const tenant = await decided(hub);
    const fresh = await ruleEffectiveness(hub, { tenant, fresh: true });
    expect(fresh).toMatchObject({ source: 'correction_logs', ageMs: 0 });
    expect(fresh.rules).toMatchObject([
      { ruleId: 'rule_a', applications: 10, acceptances: 8, rejections: 1, successRate: 0.8 },
      { ruleId: 'rule_b', applications: 4, acceptances: 1, rejections: 3, successRate: 0.25 },
      { ruleId: 'brand_listed', applications: 2, acceptances: 0, rejections: 0, successRate: 0 },
    ]);
    expect(fresh.rules[0]?.meanConfidence).toBeCloseTo(0.545, 10);
    await refresh(db, new Date(clock.now.getTime() - 600_000));
    const kept = await ruleEffectiveness(hub, { tenant });
    expect(kept).toMatchObject({ source: 'mv_rule_effectiveness', ageMs: 600_000 });
    expect(kept.rules).toEqual(fresh.rules.map((rule) => ({ ...rule, rejections: null })));
    expect((await ruleEffectiveness(hub, { tenant, ruleId: 'rule_b' })).rules).toHaveLength(1);
  });

  test('fresh takes channel and days, which begin at midnight UTC', async ({ installed: { hub, clock } }) => {
    const tenant = await decided(hub);
    const rules = async (more: object) =>
      (await ruleEffectiveness(hub, { tenant, fresh: true, ...more })).rules.length;
    expect(await rules({ channel: 'custom' })).toBe(3);
    expect(await rules({ channel: 'shopee' })).toBe(0);
    const today = clock.now;
    expect(await rules({ from: today, to: today })).toBe(3);
    expect(await rules({ to: new Date(today.getTime() - DAY_MS) })).toBe(0);
    await expect(
      ruleEffectiveness(hub, { tenant, from: today, to: new Date(today.getTime() - DAY_MS) }),
    ).rejects.toMatchObject({ code: 'HF_VALIDAHUB_INPUT', subject: 'from' });
  });

  test("never shows another tenant's figures", async ({ db, installed: { hub, clock } }) => {
    await decided(hub);
    await refresh(db, clock.now);
    for (const fresh of [true, false]) {
      expect((await ruleEffectiveness(hub, { tenant: freshTenant(), fresh })).rules).toEqual([]);
    }
  });
});

describe('topErrorFields', () => {
  test('counts what broke in the last days', async ({ installed: { hub, clock } }) => {
    const tenant = await decided(hub);
    const { fields, source } = await topErrorFields(hub, { tenant });
    expect(source).toBe('job_violations');
    expect(fields).toEqual([{ field: 'title', violations: 2, errors: 2, rules: 1, jobs: 1 }]);
    const start = clock.now;
    try {
      clock.now = new Date(start.getTime() + 31 * DAY_MS);
      expect((await topErrorFields(hub, { tenant })).fields).toEqual([]);
      expect((await topErrorFields(hub, { tenant, days: 60 })).fields).toHaveLength(1);
    } finally {
      clock.now = start;
    }
    await expect(topErrorFields(hub, { tenant, days: 91 })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_INPUT',
    });
  });
});

describe('comparePerformance', () => {
  test('says how far two rules are apart, and whether that is more than chance', async ({
    db,
    installed,
  }) => {
    const { hub, clock } = installed;
    const { tenant } = await published(hub);
    const day = clock.now;
    // 56/70 against 48/80: Newcombe 1998, table II (a): 0.2000, method 10: 0.0524 to 0.3339.
    await putDay(db, { tenant, rule: 'rule_a', day, counts: [40, 26, 14] });
    const before = new Date(day.getTime() - 3 * DAY_MS);
    await putDay(db, { tenant, rule: 'rule_a', day: before, counts: [30, 30, 0] });
    await putDay(db, { tenant, rule: 'rule_b', day, counts: [90, 48, 32] });
    const compared = await comparePerformance(hub, { tenant, ruleA: 'rule_a', ruleB: 'rule_b' });
    expect(compared.difference).toBeCloseTo(0.2, 4);
    expect(compared.interval?.[0]).toBeCloseTo(0.0524, 4);
    expect(compared.interval?.[1]).toBeCloseTo(0.3339, 4);
    expect(compared).toMatchObject({
      a: { applications: 70 },
      b: { applications: 90, successRate: 48 / 90 },
    });
    const lastTwo = await comparePerformance(hub, { tenant, ruleA: 'rule_a', ruleB: 'rule_b', days: 2 });
    expect(lastTwo.a).toMatchObject({ applications: 40, acceptances: 26 });
    await expect(comparePerformance(hub, { tenant, ruleA: 'rule_a', ruleB: 'rule_c' })).rejects.toMatchObject(
      {
        code: 'HF_VALIDAHUB_NOT_FOUND',
        subject: 'rule rule_c',
      },
    );
  });
});
