// Rule sets and versions: what is refused, what becomes current, what a publication in another process leaves behind.
import { describe, expect } from 'vitest';
import {
  addVersion,
  createRuleSet,
  createTenant,
  deprecateVersion,
  openHub,
  publishVersion,
  rollbackTo,
  ruleLookup,
  validateVersion,
  type Hub,
} from '../operations/index.ts';
import { connect } from 'holdfast/use';
import type { Rule } from '../rules/rule.ts';
import { freshTenant, published, SAMPLE_RULES, test } from './installed.ts';

const by = 'p_1';
const extra: Rule = { id: 'brand_required', type: 'required', field: 'brand', message: 'A brand is needed.' };

/** Adds and validates a version; gives its id. */
async function drafted(
  hub: Hub,
  of: { tenant: string; setId: string; version: string; rules?: readonly Rule[] },
): Promise<string> {
  const set = await setVersion(hub, of);
  const { id } = await addVersion(hub, { ...of, rules: of.rules ?? SAMPLE_RULES, expectedVersion: set, by });
  await validateVersion(hub, { tenant: of.tenant, versionId: id, by });
  return id;
}

async function setVersion(hub: Hub, of: { tenant: string; setId: string }): Promise<number> {
  const { rows } = await hub.sessions
    .session({ tenant: of.tenant })
    .query<{ version: number }>('SELECT version FROM validahub.rule_sets WHERE id = $1', [of.setId]);
  return rows[0]?.version ?? 0;
}

async function currents(hub: Hub, tenant: string): Promise<string[]> {
  const { rows } = await hub.sessions
    .session({ tenant })
    .query<{ version: string }>('SELECT version FROM validahub.rule_versions WHERE is_current');
  return rows.map((row) => row.version);
}

describe('tenants and rule sets', () => {
  test('a bad tenant id is refused before anything is opened', async ({ installed: { hub } }) => {
    for (const id of ['acme', 't_', 't_ACME', "t_a'; DROP TABLE x", `t_${'a'.repeat(48)}`, '']) {
      await expect(createTenant(hub, { id, name: 'Shop', by })).rejects.toMatchObject({
        code: 'HF_VALIDAHUB_INPUT',
      });
    }
  });

  test('a tenant is made once', async ({ installed: { hub } }) => {
    const id = freshTenant();
    await createTenant(hub, { id, name: 'Shop', by });
    await expect(createTenant(hub, { id, name: 'Shop', by })).rejects.toThrow(
      `tenant ${id}: it exists already. Use it as it is, or choose another id. [HF_VALIDAHUB_TENANT_EXISTS]`,
    );
  });

  test('a second active set of a name in a channel is refused, another channel is not', async ({
    installed: { hub },
  }) => {
    const { tenant } = await published(hub);
    const set = { tenant, channel: 'custom', name: 'Basics', by } as const;
    await expect(createRuleSet(hub, set)).rejects.toMatchObject({ code: 'HF_VALIDAHUB_SET_EXISTS' });
    await createRuleSet(hub, { ...set, channel: 'shopee' });
    await expect(createRuleSet(hub, { ...set, tenant: freshTenant() })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_NOT_FOUND',
    });
  });

  test('each operation leaves an event with its actor', async ({ installed: { hub } }) => {
    const { tenant } = await published(hub);
    const { rows } = await hub.sessions
      .session({ tenant })
      .query<{ event_type: string; actor: string }>(
        'SELECT event_type, actor FROM validahub.audit_log ORDER BY seq',
      );
    expect(rows.map((row) => row.event_type)).toEqual([
      'tenant.created',
      'rule_set.created',
      'rule_version.added',
      'rule_version.validated',
      'rule_version.published',
    ]);
    expect(new Set(rows.map((row) => row.actor))).toEqual(new Set([by]));
  });
});

describe('addVersion', () => {
  test('1.10.0 is higher than 1.9.0; what is not higher, exists or is stale is refused', async ({
    installed: { hub },
  }) => {
    const { tenant, setId } = await published(hub);
    const add = async (version: string, expectedVersion?: number) =>
      addVersion(hub, {
        tenant,
        setId,
        version,
        rules: SAMPLE_RULES,
        expectedVersion: expectedVersion ?? (await setVersion(hub, { tenant, setId })),
        by,
      });
    await add('1.9.0');
    await add('1.10.0-rc.1');
    await add('1.10.0');
    await expect(add('1.10.0')).rejects.toMatchObject({ code: 'HF_VALIDAHUB_VERSION_EXISTS' });
    await expect(add('1.10.0-rc.2')).rejects.toMatchObject({ code: 'HF_VALIDAHUB_VERSION_NOT_HIGHER' });
    await expect(add('1.9.5')).rejects.toThrow('the rule set already has 1.10.0, which is higher.');
    await expect(add('2.0.0', 1)).rejects.toMatchObject({ code: 'HF_VALIDAHUB_STALE' });
    await expect(add('v2')).rejects.toMatchObject({ code: 'HF_VALIDAHUB_INPUT' });
    await expect(add('2.0.0+build')).rejects.toMatchObject({ code: 'HF_VALIDAHUB_INPUT' });
  });

  test('no rules and a repeated id are refused', async ({ installed: { hub } }) => {
    const { tenant, setId } = await published(hub);
    const input = { tenant, setId, version: '2.0.0', expectedVersion: 1, by };
    await expect(addVersion(hub, { ...input, rules: [] })).rejects.toThrow('rules: there are none.');
    await expect(addVersion(hub, { ...input, rules: [extra, extra] })).rejects.toThrow(
      'the id "brand_required" stands twice.',
    );
  });

  test('of two authors with the same reading one wins', async ({ installed: { hub } }) => {
    const { tenant, setId } = await published(hub);
    const expectedVersion = await setVersion(hub, { tenant, setId });
    const tries = await Promise.allSettled(
      ['1.1.0', '1.2.0', '1.3.0'].map((version) =>
        addVersion(hub, { tenant, setId, version, rules: SAMPLE_RULES, expectedVersion, by }),
      ),
    );
    expect(tries.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
    for (const one of tries) {
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'HF_VALIDAHUB_STALE' });
    }
  });
});

describe('validateVersion', () => {
  test('rules that do not compile stay a draft with their errors', async ({ installed: { hub } }) => {
    const { tenant, setId } = await published(hub);
    const bad = { ...extra, id: 'x', type: 'pattern', params: { pattern: '(' } } as unknown as Rule;
    const { id } = await addVersion(hub, {
      tenant,
      setId,
      version: '1.1.0',
      rules: [bad],
      expectedVersion: await setVersion(hub, { tenant, setId }),
      by,
    });
    const validation = await validateVersion(hub, { tenant, versionId: id, by });
    expect(validation.status).toBe('draft');
    expect(validation.checksum).toBeNull();
    expect(validation.errors.length).toBeGreaterThan(0);
    await expect(publishVersion(hub, { tenant, versionId: id, by })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_VERSION_STATUS',
    });
  });
});

describe('publishVersion', () => {
  test('a patch becomes current, a minor one goes to the shadow, a major one waits to be asked', async ({
    installed: { hub },
  }) => {
    const of = await published(hub);
    const patch = await drafted(hub, { ...of, version: '1.0.1' });
    expect(await publishVersion(hub, { ...of, versionId: patch, by })).toMatchObject({
      compatibility: 'patch',
      current: true,
      shadowUntil: null,
    });
    const minor = await drafted(hub, { ...of, version: '1.1.0', rules: [...SAMPLE_RULES, extra] });
    const shadowed = await publishVersion(hub, { ...of, versionId: minor, by });
    expect(shadowed).toMatchObject({ compatibility: 'minor', current: false });
    expect(shadowed.shadowUntil).toBeInstanceOf(Date);
    expect(await currents(hub, of.tenant)).toEqual(['1.0.1']);
    const major = await drafted(hub, { ...of, version: '2.0.0', rules: [extra] });
    expect(await publishVersion(hub, { ...of, versionId: major, by })).toMatchObject({
      compatibility: 'major',
      current: false,
      shadowUntil: null,
    });
    const asked = await drafted(hub, { ...of, version: '3.0.0', rules: [extra] });
    expect(await publishVersion(hub, { ...of, versionId: asked, by, makeCurrent: true })).toMatchObject({
      compatibility: 'patch',
      current: true,
    });
    expect(await currents(hub, of.tenant)).toEqual(['3.0.0']);
  });

  test('a number that says too little is refused', async ({ installed: { hub } }) => {
    const of = await published(hub);
    const id = await drafted(hub, { ...of, version: '1.1.0', rules: [extra] });
    await expect(publishVersion(hub, { ...of, versionId: id, by })).rejects.toThrow(
      /against 1\.0\.0 it is a major change \(brand_listed removed, .*\), but its number says minor\./,
    );
  });

  test('rules that were changed after validation are refused', async ({ db, installed: { hub } }) => {
    const of = await published(hub);
    const id = await drafted(hub, { ...of, version: '1.0.1' });
    await db.query(
      `UPDATE validahub.rule_versions SET rules = jsonb_set(rules, '{0,message}', '"Other."') WHERE id = $1`,
      [id],
    );
    await expect(publishVersion(hub, { ...of, versionId: id, by })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_CHECKSUM',
    });
  });

  test('ten publications at once leave one version current, the highest that was published', async ({
    installed: { hub },
  }) => {
    const of = await published(hub);
    const versions = Array.from({ length: 10 }, (_, index) => `1.0.${index + 1}`);
    const ids: string[] = [];
    for (const version of versions) ids.push(await drafted(hub, { ...of, version }));
    const tries = await Promise.allSettled(
      ids.map((versionId) => publishVersion(hub, { ...of, versionId, by })),
    );
    const done = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value.version] : []));
    expect(done.length).toBeGreaterThanOrEqual(1);
    expect(await currents(hub, of.tenant)).toEqual(['1.0.10']);
    for (const one of tries) {
      if (one.status === 'rejected') {
        expect(one.reason).toMatchObject({ code: 'HF_VALIDAHUB_VERSION_NOT_HIGHER' });
      }
    }
  });

  test('one version published ten times at once is published once', async ({ installed: { hub } }) => {
    const of = await published(hub);
    const versionId = await drafted(hub, { ...of, version: '1.0.1' });
    const tries = await Promise.allSettled(
      Array.from({ length: 10 }, () => publishVersion(hub, { ...of, versionId, by })),
    );
    expect(tries.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
    expect(await currents(hub, of.tenant)).toEqual(['1.0.1']);
  });

  test("another tenant's version is not there", async ({ installed: { hub } }) => {
    const mine = await published(hub);
    const other = await published(hub);
    await expect(
      publishVersion(hub, { tenant: other.tenant, versionId: mine.versionId, by }),
    ).rejects.toMatchObject({ code: 'HF_VALIDAHUB_NOT_FOUND' });
  });
});

describe('deprecateVersion and rollbackTo', () => {
  test('the current version is not withdrawn; a withdrawn one is not gone back to', async ({
    installed: { hub },
  }) => {
    const of = await published(hub);
    const reason = 'too strict';
    await expect(deprecateVersion(hub, { ...of, by, reason })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_VERSION_CURRENT',
    });
    const versionId = await drafted(hub, { ...of, version: '1.0.1' });
    await publishVersion(hub, { ...of, versionId, by });
    const back = { ...of, by, reason };
    await expect(rollbackTo(hub, { ...back, version: '1.0.1' })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_VERSION_CURRENT',
    });
    await expect(rollbackTo(hub, { ...back, version: '1.0.0', reason: ' ' })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_INPUT',
    });
    expect(await rollbackTo(hub, { ...back, version: '1.0.0' })).toEqual({ from: '1.0.1', to: '1.0.0' });
    expect(await currents(hub, of.tenant)).toEqual(['1.0.0']);
    await deprecateVersion(hub, { ...of, versionId, by, reason });
    await expect(rollbackTo(hub, { ...back, version: '1.0.1' })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_VERSION_STATUS',
    });
    await expect(rollbackTo(hub, { ...back, version: '9.9.9' })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_NOT_FOUND',
    });
  });
});

const PLANS_SQL = `
  SELECT custom_plans::int AS custom, generic_plans::int AS generic
  FROM pg_catalog.pg_prepared_statements WHERE statement LIKE $1`;

describe('ruleLookup', () => {
  test('answers from memory until the rules change here, or the pointer ages', async ({
    installed: { connected, clock },
  }) => {
    const here = openHub(connected, { now: () => clock.now });
    const elsewhere = openHub(connected, { now: () => clock.now });
    const of = await published(here);
    const lookUp = (hub: Hub) => ruleLookup(hub, { tenant: of.tenant, channel: 'custom' });
    const first = await lookUp(here);
    expect(first).toMatchObject({ version: '1.0.0', versionId: of.versionId });
    expect((await lookUp(here)).plan).toBe(first.plan);
    await lookUp(elsewhere);
    const versionId = await drafted(here, { ...of, version: '1.0.1' });
    await publishVersion(here, { ...of, versionId, by });
    expect((await lookUp(here)).version).toBe('1.0.1');
    expect((await lookUp(elsewhere)).version).toBe('1.0.0');
    clock.now = new Date(clock.now.getTime() + 10 * 60_000);
    expect((await lookUp(elsewhere)).version).toBe('1.0.1');
    await rollbackTo(here, { ...of, version: '1.0.0', by, reason: 'wrong' });
    expect((await lookUp(here)).version).toBe('1.0.0');
  });

  test('a process that remembers nothing has its question planned once', async ({
    installed: { definition, appUrl, hub },
  }) => {
    const { tenant } = await published(hub);
    const app = await connect(definition, appUrl, { maxConnections: 1, prepare: true });
    for (let number = 0; number < 12; number += 1) {
      await ruleLookup(openHub(app), { tenant, channel: 'custom' });
    }
    const { rows } = await app.session({ tenant }).query(PLANS_SQL, ['%rule_versions%']);
    // The first five calls are planned for their values; then PostgreSQL compares.
    expect(rows).toEqual([{ custom: 5, generic: 7 }]);
    await app.close();
  });

  test("one tenant's rules are never another's", async ({ installed: { hub } }) => {
    const mine = await published(hub);
    const other = await published(hub, [extra]);
    expect((await ruleLookup(hub, { tenant: mine.tenant, channel: 'custom' })).versionId).toBe(
      mine.versionId,
    );
    expect((await ruleLookup(hub, { tenant: other.tenant, channel: 'custom' })).versionId).toBe(
      other.versionId,
    );
    await expect(ruleLookup(hub, { tenant: freshTenant(), channel: 'custom' })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_NO_CURRENT',
    });
  });
});
