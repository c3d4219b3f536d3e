// The figures that are kept of corrections: equal to a full count, closed before corrections leave, and not forgetting.
import { Readable } from 'node:stream';
import { expect } from 'vitest';
import type { TaskContext } from 'holdfast/define';
import type { TestDatabase } from '../../../test/cluster/index.ts';
import { maintain, runJob } from '../../../test/traits/keeping.ts';
import {
  applyCorrections,
  applyRules,
  decideCorrections,
  logCorrections,
  ruleEffectiveness,
  type Hub,
} from '../operations/index.ts';
import { published, test, type Installed } from './installed.ts';

const by = 'p_1';

/** A tenant whose file was corrected by rules and by hand, some of it decided, some applied. */
async function worked(hub: Hub): Promise<string> {
  const { tenant, setId } = await published(hub);
  const source = Readable.from([Buffer.from('sku,title,brand\n1, Item ,acme\n2,,ACME\n3, Other,Acme\n')]);
  const { jobId } = await applyRules(hub, { tenant, source, rules: { setId }, by });
  const corrections = Array.from({ length: 12 }, (_, index) => ({
    recordNumber: index + 1,
    field: 'brand',
    ruleId: `by_hand_${index % 2}`,
    originalValue: 'acme',
    correctedValue: `Acme ${index % 3}`,
    ...(index % 4 === 0 ? {} : { confidence: index / 20 }),
  }));
  const { ids } = await logCorrections(hub, { tenant, jobId, corrections, by });
  await decideCorrections(hub, { tenant, ids: ids.slice(0, 5), decision: 'accept', by });
  await decideCorrections(hub, { tenant, ids: ids.slice(5, 8), decision: 'reject', by });
  await applyCorrections(hub, { tenant, jobId, by });
  return tenant;
}

async function kept({ definition, clock }: Installed, db: TestDatabase): Promise<void> {
  const { session } = await maintain(db, { now: clock.now });
  for (const job of ['rollup', 'refresh-mv']) {
    const outcome = await runJob(definition, job, { session, now: clock.now });
    expect(Object.values(outcome).filter((one) => one instanceof Error)).toEqual([]);
    expect(Object.keys(outcome)).toEqual(
      job === 'rollup'
        ? ['rollup validahub.correction_patterns']
        : ['rollup validahub.rule_effectiveness_daily', 'materialised view validahub.mv_rule_effectiveness'],
    );
  }
}

test('what is kept equals what a full count gives, for every rollup', async ({ db, installed }) => {
  const tenant = await worked(installed.hub);
  await worked(installed.hub);
  await kept(installed, db);
  const { definition } = installed;
  const sums = definition.traits.flatMap((trait) => trait.promises?.(definition.model).sums ?? []);
  expect(sums.map(({ subject }) => subject)).toEqual([
    'table validahub.rule_effectiveness_daily',
    'table validahub.correction_patterns',
    'materialised view validahub.mv_rule_effectiveness',
  ]);
  for (const sum of sums) {
    const anew = sum.recomputed((of) => `"${of.schema}"."${of.name}"`);
    const differ = await db.query(
      `(SELECT 'kept', * FROM (${sum.kept} EXCEPT ${anew}) k) UNION ALL (SELECT 'anew', * FROM (${anew} EXCEPT ${sum.kept}) a)`,
    );
    expect(differ, sum.subject).toEqual([]);
  }
  const rules = await ruleEffectiveness(installed.hub, { tenant });
  expect(rules.rules.map(({ ruleId, applications }) => [ruleId, applications])).toEqual([
    ['by_hand_0', 6],
    ['by_hand_1', 6],
    ['brand_listed', 2],
    ['title_trimmed', 2],
  ]);
  const [pattern] = await db.query(
    `SELECT proposed::int, accepted::int, rejected::int FROM validahub.correction_patterns
     WHERE tenant_id = $1 AND rule_id = 'by_hand_0' AND corrected_value = '"Acme 0"'`,
    [tenant],
  );
  expect(pattern).toEqual({ proposed: 2, accepted: 1, rejected: 1 });
});

test('B0-05 when a month leaves the log, effectiveness, days and patterns stay', async ({
  db,
  installed,
}) => {
  const { hub, definition, clock } = installed;
  const tenant = await worked(hub);
  await kept(installed, db);
  const figures = async () => ({
    rules: (await ruleEffectiveness(hub, { tenant })).rules,
    days: (await ruleEffectiveness(hub, { tenant, from: new Date('2020-01-01') })).rules,
    patterns: await db.query('SELECT * FROM validahub.correction_patterns ORDER BY 1, 2, 3, 4, 5'),
  });
  const before = await figures();
  expect(before.rules.length).toBeGreaterThan(3);
  const month = new Date(Date.UTC(clock.now.getUTCFullYear(), clock.now.getUTCMonth()));
  const next = new Date(Date.UTC(clock.now.getUTCFullYear(), clock.now.getUTCMonth() + 1));
  const { session, client } = await maintain(db, { now: clock.now });
  const context = { model: definition.model, now: clock.now, session } as TaskContext;
  for (const trait of definition.traits) {
    const face = trait.leaving?.(
      { schema: 'validahub', name: 'correction_logs' },
      { column: 'created_at', from: month, to: next },
    );
    await face?.(context);
  }
  const partition = `validahub.correction_logs_y${month.getUTCFullYear()}m${String(month.getUTCMonth() + 1).padStart(2, '0')}`;
  await client.query(`ALTER TABLE validahub.correction_logs DETACH PARTITION ${partition}`);
  await kept(installed, db);
  expect(await figures()).toEqual(before);
  expect((await ruleEffectiveness(hub, { tenant, fresh: true })).rules).toEqual([]);
});
