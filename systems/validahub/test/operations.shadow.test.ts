// A version in its shadow looks on while another one is in force, until somebody ends it.
import { describe, expect } from 'vitest';
import { Readable } from 'node:stream';
import {
  addVersion,
  applyRules,
  endShadow,
  publishVersion,
  ruleLookup,
  validateVersion,
  type Hub,
} from '../operations/index.ts';
import type { Rule } from '../rules/rule.ts';
import { published, SAMPLE_RULES, test } from './installed.ts';

const by = 'p_1';
const DAY_MS = 86_400_000;

const UPPER: Rule = {
  id: 'sku_upper',
  type: 'pattern',
  field: 'sku',
  message: 'In capitals.',
  action: 'transform',
  params: { pattern: '[a-z]', deny: true },
  fix: [{ step: 'upper' }],
};
const NO_BOXES: Rule = {
  id: 'no_boxes',
  type: 'pattern',
  field: 'title',
  message: 'Not a box.',
  params: { pattern: 'Box', deny: true },
};

/** A set whose 1.0.0 is current and whose 1.1.0 is in its shadow. */
async function shadowed(hub: Hub) {
  const { tenant, setId } = await published(hub);
  const { rows } = await hub.sessions
    .session({ tenant })
    .query<{ version: number }>('SELECT version FROM validahub.rule_sets');
  const rules = [...SAMPLE_RULES, UPPER, NO_BOXES];
  const draft = { tenant, setId, version: '1.1.0', rules, expectedVersion: rows[0]?.version ?? 0, by };
  const { id: versionId } = await addVersion(hub, draft);
  await validateVersion(hub, { tenant, versionId, by });
  const publication = await publishVersion(hub, { tenant, versionId, by });
  expect(publication).toMatchObject({ current: false, compatibility: 'minor' });
  expect(publication.shadowUntil).not.toBeNull();
  return { tenant, setId, versionId };
}

const FILE = 'sku,title,brand\na1,Item,Acme\nB2,Box,Acme\nC3,Item,Acme\nd4,Box,Acme\n';
const run = (hub: Hub, of: { tenant: string; setId: string }, text = FILE) =>
  applyRules(hub, { ...of, source: Readable.from([Buffer.from(text)]), rules: { setId: of.setId }, by });

async function metrics(hub: Hub, of: { tenant: string; versionId: string }) {
  const { rows } = await hub.sessions
    .session({ tenant: of.tenant })
    .query<{ metrics: Record<string, unknown> }>(
      'SELECT shadow_metrics AS metrics FROM validahub.rule_versions WHERE id = $1',
      [of.versionId],
    );
  return rows[0]?.metrics ?? {};
}

describe('a shadow', () => {
  test('logs what would differ and applies nothing of it', async ({ db, installed: { hub } }) => {
    const of = await shadowed(hub);
    const result = await run(hub, of);
    expect(result).toMatchObject({ version: '1.0.0', report: { corrected: 0, violations: 0, rowsOk: 4 } });
    const [logged] = await db.query<{ n: number }>(
      `SELECT (SELECT count(*) FROM validahub.correction_logs WHERE tenant_id = $1)::int
         + (SELECT count(*) FROM validahub.job_violations WHERE tenant_id = $1)::int AS n`,
      [of.tenant],
    );
    expect(logged?.n).toBe(0);
    expect(await metrics(hub, of)).toMatchObject({
      jobs: 1,
      rows: 4,
      rowsThatDiffer: 3,
      rowsWithErrors: { current: 0, shadow: 2 },
      rules: {
        sku_upper: { current: null, shadow: { broke: 2, corrected: 2, pending: 0 } },
        no_boxes: { current: null, shadow: { broke: 2, corrected: 0, pending: 0 } },
        title_required: { current: { broke: 0 }, shadow: { broke: 0 } },
      },
      examples: [
        { recordNumber: 1, field: 'sku', current: 'a1', shadow: 'A1' },
        { recordNumber: 4, field: 'sku', current: 'd4', shadow: 'D4' },
      ],
    });
  });

  test('adds up over jobs at once and batches, to the last row', async ({ installed: { hub } }) => {
    const of = await shadowed(hub);
    const long = `sku,title,brand\n${'a1,Item,Acme\n'.repeat(2_500)}`;
    await Promise.all([run(hub, of), run(hub, of, long), run(hub, of, `${FILE}E5,Item,Acme\n`)]);
    expect(await metrics(hub, of)).toMatchObject({ jobs: 3, rows: 2_509, rowsThatDiffer: 2_506 });
    expect((await metrics(hub, of))['examples']).toHaveLength(20);
  });

  test('is not cast by a version that is run by its own name, nor after its period', async ({
    installed,
  }) => {
    const { hub, clock } = installed;
    const of = await shadowed(hub);
    const source = Readable.from([Buffer.from(FILE)]);
    await applyRules(hub, { ...of, source, rules: { versionId: of.versionId }, by });
    expect(await metrics(hub, of)).toEqual({});
    const start = clock.now;
    try {
      clock.now = new Date(start.getTime() + 8 * DAY_MS);
      await run(hub, of);
      expect(await metrics(hub, of)).toEqual({});
    } finally {
      clock.now = start;
    }
  });
});

describe('endShadow', () => {
  test('activates after the period, or before it with force and a reason', async ({ installed }) => {
    const { hub, clock } = installed;
    const of = await shadowed(hub);
    const { tenant, setId, versionId } = of;
    const end = { tenant, versionId, by } as const;
    const until = new Date(clock.now.getTime() + 7 * DAY_MS).toISOString().slice(0, 10);
    await expect(endShadow(hub, { ...end, action: 'activate' })).rejects.toThrow(
      `rule version 1.1.0: its shadow runs until ${until}. Wait until then, or pass force with a reason. [HF_VALIDAHUB_SHADOW_RUNNING]`,
    );
    await expect(endShadow(hub, { ...end, action: 'activate', force: true })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_INPUT',
      subject: 'reason',
    });
    expect((await ruleLookup(hub, { tenant, channel: 'custom' })).version).toBe('1.0.0');
    await run(hub, of);
    const forced = await endShadow(hub, { ...end, action: 'activate', force: true, reason: 'urgent' });
    expect(forced).toMatchObject({
      version: '1.1.0',
      current: true,
      metrics: { jobs: 1, rowsThatDiffer: 3 },
    });
    expect((await ruleLookup(hub, { tenant, channel: 'custom' })).version).toBe('1.1.0');
    expect((await run(hub, { tenant, setId })).report).toMatchObject({ corrected: 2, violations: 2 });
    await expect(endShadow(hub, { ...end, action: 'activate' })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_VERSION_STATUS',
    });

    const later = await shadowed(hub);
    const start = clock.now;
    try {
      clock.now = new Date(start.getTime() + 7 * DAY_MS);
      await endShadow(hub, { tenant: later.tenant, versionId: later.versionId, by, action: 'activate' });
    } finally {
      clock.now = start;
    }
    const { rows } = await hub.sessions
      .session({ tenant: later.tenant })
      .query(`SELECT version FROM validahub.rule_versions WHERE is_current`);
    expect(rows).toEqual([{ version: '1.1.0' }]);
  });

  test('withdraws for good, with a reason, and says so', async ({ installed: { hub } }) => {
    const { tenant, versionId } = await shadowed(hub);
    const end = { tenant, versionId, by, action: 'withdraw' } as const;
    await expect(endShadow(hub, end)).rejects.toMatchObject({ subject: 'reason' });
    expect(await endShadow(hub, { ...end, reason: 'breaks titles' })).toMatchObject({ current: false });
    const { rows } = await hub.sessions.session({ tenant }).query(
      `SELECT status, deprecation_reason AS reason, is_current AS current,
         (SELECT details ->> 'action' FROM validahub.audit_log WHERE event_type = 'rule_version.shadow_ended') AS told
       FROM validahub.rule_versions WHERE version = '1.1.0'`,
    );
    expect(rows).toEqual([
      { status: 'deprecated', reason: 'breaks titles', current: false, told: 'withdraw' },
    ]);
    await expect(endShadow(hub, { ...end, reason: 'again' })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_VERSION_STATUS',
    });
  });

  test('of many at once one ends it', async ({ installed: { hub } }) => {
    const { tenant, versionId } = await shadowed(hub);
    const tries = await Promise.allSettled(
      Array.from({ length: 6 }, (_, index) =>
        endShadow(hub, {
          tenant,
          versionId,
          by,
          action: index % 2 === 0 ? 'activate' : 'withdraw',
          force: true,
          reason: 'now',
        }),
      ),
    );
    expect(tries.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
    for (const one of tries)
      if (one.status === 'rejected')
        expect(one.reason).toMatchObject({ code: 'HF_VALIDAHUB_VERSION_STATUS' });
  });
});
