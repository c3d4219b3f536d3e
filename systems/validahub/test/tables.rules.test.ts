// What the tables themselves refuse, whoever asks.
import { describe, expect } from 'vitest';
import { ident } from '../../../src/sql.ts';
import { addVersion, applyRules, logCorrections, type Hub } from '../operations/index.ts';
import { Readable } from 'node:stream';
import { freshTenant, published, SAMPLE_RULES, test } from './installed.ts';

const by = 'p_1';

async function corrected(hub: Hub) {
  const of = await published(hub);
  const source = Readable.from([Buffer.from('sku,title,brand\n1,Item,Acme\n2,,Acme\n')]);
  const { jobId } = await applyRules(hub, { tenant: of.tenant, source, rules: { setId: of.setId }, by });
  const { ids } = await logCorrections(hub, {
    tenant: of.tenant,
    jobId,
    corrections: [
      { recordNumber: 1, field: 'title', ruleId: 'by_hand', originalValue: 'a', correctedValue: 'b' },
    ],
    by,
  });
  return { ...of, jobId, correctionId: ids[0] ?? '' };
}

describe('a published version', () => {
  const changes: readonly (readonly [what: string, set: string, code: string])[] = [
    ['its rules', `rules = '[{}]', rule_count = 1`, 'ZH002'],
    ['its checksum', `checksum = repeat('0', 64)`, 'ZH002'],
    ['its tenant', `tenant_id = 't_other'`, 'ZH002'],
    ['its status back to draft', `status = 'draft'`, 'ZH003'],
    ['its status over a step', `status = 'archived', archived_at = now()`, 'ZH003'],
  ];
  for (const [what, set, code] of changes) {
    test(`does not let anybody change ${what}`, async ({ db, installed: { hub } }) => {
      const { versionId } = await published(hub);
      const update = db.query(`UPDATE validahub.rule_versions SET ${set} WHERE id = $1`, [versionId]);
      await expect(update).rejects.toMatchObject({ code });
    });
  }

  test('is not deleted, and neither is a draft', async ({ db, installed: { hub } }) => {
    const { versionId, tenant, setId } = await published(hub);
    const draft = await addVersion(hub, {
      tenant,
      setId,
      version: '2.0.0',
      rules: SAMPLE_RULES,
      expectedVersion: 3,
      by,
    });
    for (const id of [versionId, draft.id]) {
      await expect(db.query('DELETE FROM validahub.rule_versions WHERE id = $1', [id])).rejects.toThrow(
        'DELETE on validahub.rule_versions refused',
      );
    }
  });

  test('is not truncated away, nor by a superuser in replica mode changed', async ({
    db,
    installed: { hub },
  }) => {
    const { versionId } = await published(hub);
    await expect(db.query('TRUNCATE validahub.rule_versions CASCADE')).rejects.toMatchObject({
      code: 'ZH004',
    });
    const client = await db.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query("SET LOCAL session_replication_role = 'replica'");
      await expect(
        client.query(`UPDATE validahub.rule_versions SET changelog = 'x' WHERE id = $1`, [versionId]),
      ).rejects.toMatchObject({ code: 'ZH002' });
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  });

  test('two current ones of a set are refused by the index', async ({ db, installed: { hub } }) => {
    const { tenant } = await published(hub);
    await expect(
      db.query(
        `INSERT INTO validahub.rule_versions (tenant_id, rule_set_id, major, minor, patch, version, status, is_current,
           activated_at, published_at, published_by, compiled, checksum, rules, rule_count, created_by)
         SELECT tenant_id, rule_set_id, 9, 0, 0, '9.0.0', status, true, activated_at, published_at, published_by, compiled,
           checksum, rules, rule_count, created_by FROM validahub.rule_versions WHERE tenant_id = $1`,
        [tenant],
      ),
    ).rejects.toMatchObject({ code: '23505', constraint: 'idx_rule_versions_tenant_set_current' });
  });
});

describe('logs', () => {
  test('a correction keeps its values and takes its steps forward only', async ({
    db,
    installed: { hub },
  }) => {
    const { correctionId } = await corrected(hub);
    const update = (set: string) =>
      db.query(`UPDATE validahub.correction_logs SET ${set} WHERE id = $1`, [correctionId]);
    await expect(update(`corrected_value = '"c"'`)).rejects.toMatchObject({ code: 'ZH002' });
    await expect(
      update(`status = 'applied', accepted = true, decided_at = now(), applied_at = now()`),
    ).rejects.toMatchObject({ code: 'ZH003' });
    await update(`status = 'rejected', accepted = false, decided_at = now(), rejected_by = 'p_2'`);
    await expect(update(`status = 'pending', accepted = null, decided_at = null`)).rejects.toMatchObject({
      code: 'ZH003',
    });
    await expect(
      db.query('DELETE FROM validahub.correction_logs WHERE id = $1', [correctionId]),
    ).rejects.toThrow('DELETE on validahub.correction_logs');
  });

  test('accepted always follows the status: a null is not let through', async ({
    db,
    installed: { hub },
  }) => {
    const { correctionId } = await corrected(hub);
    await expect(
      db.query(
        `UPDATE validahub.correction_logs SET status = 'approved', accepted = null, decided_at = now() WHERE id = $1`,
        [correctionId],
      ),
    ).rejects.toMatchObject({ constraint: 'correction_logs_accepted_follows_status' });
  });

  for (const table of ['audit_log', 'job_violations']) {
    test(`${table} only grows, on its partitions too`, async ({ db, installed: { hub } }) => {
      const { tenant } = await corrected(hub);
      await expect(
        db.query(`DELETE FROM validahub.${table} WHERE tenant_id = $1`, [tenant]),
      ).rejects.toMatchObject({
        code: 'ZH001',
      });
      const [partition] = await db.query<{ name: string }>(
        `SELECT DISTINCT tableoid::regclass::text AS name FROM validahub.${table} WHERE tenant_id = $1`,
        [tenant],
      );
      await expect(db.query(`TRUNCATE ${partition?.name}`)).rejects.toMatchObject({ code: 'ZH004' });
      await expect(
        db.query(`UPDATE ${partition?.name} SET created_at = created_at WHERE tenant_id = $1`, [tenant]),
      ).rejects.toMatchObject({ code: 'ZH001' });
    });
  }
});

describe('checks', () => {
  test('a version is its numbers joined', async ({ db, installed: { hub } }) => {
    const { tenant, setId } = await published(hub);
    const insert = (version: string, prerelease: string | null) =>
      db.query(
        `INSERT INTO validahub.rule_versions (tenant_id, rule_set_id, major, minor, patch, prerelease, version, rules,
           rule_count, created_by) VALUES ($1, $2, 2, 0, 0, $3, $4, '[{}]', 1, 'p')`,
        [tenant, setId, prerelease, version],
      );
    await expect(insert('2.0.1', null)).rejects.toMatchObject({ constraint: 'rule_versions_version_joined' });
    await expect(insert('2.0.0-rc 1', 'rc 1')).rejects.toMatchObject({
      constraint: 'rule_versions_prerelease_form',
    });
    await insert('2.0.0-rc.1', 'rc.1');
  });

  test('rules are a list of as many as are counted', async ({ db, installed: { hub } }) => {
    const { tenant, setId } = await published(hub);
    for (const rules of ['{}', '[]', '[{}, {}]', '"x"']) {
      await expect(
        db.query(
          `INSERT INTO validahub.rule_versions (tenant_id, rule_set_id, major, minor, patch, version, rules, rule_count,
             created_by) VALUES ($1, $2, 3, 0, 0, '3.0.0', $3, 1, 'p')`,
          [tenant, setId, rules],
        ),
      ).rejects.toMatchObject({ constraint: 'rule_versions_rules_listed' });
    }
  });

  test('a set with versions is not deleted', async ({ db, installed: { hub } }) => {
    const { setId } = await published(hub);
    await expect(db.query('DELETE FROM validahub.rule_sets WHERE id = $1', [setId])).rejects.toMatchObject({
      code: expect.stringMatching(/^(23503|23001)$/),
      constraint: 'rule_versions_rule_set_fkey',
    });
  });

  test('the daily figures follow from the counts', async ({ db, installed: { hub } }) => {
    const { tenant, versionId } = await published(hub);
    const [row] = await db.query(
      `INSERT INTO validahub.rule_effectiveness_daily (tenant_id, rule_id, rule_version_id, channel, metric_date,
         applications, successful, rejected, automatic, confidence_sum, confidence_count)
       VALUES ($1, 'r', $2, 'custom', '2026-11-01', 10, 6, 2, 5, 4, 8)
       RETURNING success_rate, rejection_rate, automation_rate, quality_score, overall_score`,
      [tenant, versionId],
    );
    expect(row).toEqual({
      success_rate: '0.60000',
      rejection_rate: '0.20000',
      automation_rate: '0.50000',
      quality_score: '0.56000',
      overall_score: '0.57000',
    });
  });

  test('of the set, the UPDATE that names a stale revision is refused', async ({
    db,
    installed: { hub },
  }) => {
    const { setId } = await published(hub);
    await expect(
      db.query('UPDATE validahub.rule_sets SET description = $2, version = 1 WHERE id = $1', [setId, 'x']),
    ).rejects.toMatchObject({ code: 'ZH005' });
  });
});

describe('roles', () => {
  test('own nothing they log in as, and have no more than they need', async ({
    db,
    installed: { roles },
  }) => {
    const rows = await db.query<{ table: string; rights: string }>(
      `SELECT c.relname AS table, string_agg(a.privilege_type, ' ' ORDER BY a.privilege_type) AS rights
       FROM pg_class c, aclexplode(c.relacl) a
       WHERE c.relnamespace = 'validahub'::regnamespace AND a.grantee = $1::regrole AND c.relkind IN ('r', 'p', 'm', 'v')
       GROUP BY 1 ORDER BY 1`,
      [ident(roles.app)],
    );
    expect(Object.fromEntries(rows.map((row) => [row.table, row.rights]))).toEqual({
      audit_log: 'INSERT SELECT',
      correction_logs: 'INSERT SELECT',
      correction_patterns: 'SELECT',
      erasure_requests: 'INSERT SELECT',
      job_violations: 'INSERT SELECT',
      jobs: 'INSERT SELECT UPDATE',
      rollup_age: 'SELECT',
      rule_effectiveness_daily: 'SELECT',
      rule_effectiveness_daily_v: 'SELECT',
      rule_effectiveness_v: 'SELECT',
      rule_sets: 'INSERT SELECT UPDATE',
      rule_versions: 'INSERT SELECT UPDATE',
      suggestions: 'INSERT SELECT UPDATE',
      tenants: 'INSERT SELECT',
    });
    const columns = await db.query<{ name: string }>(
      `SELECT a.attname AS name FROM pg_attribute a, aclexplode(a.attacl) x
       WHERE a.attrelid = 'validahub.correction_logs'::regclass AND x.grantee = $1::regrole
         AND x.privilege_type = 'UPDATE' ORDER BY 1`,
      [ident(roles.app)],
    );
    expect(columns.map((row) => row.name)).toEqual([
      'accepted',
      'actual_impact',
      'applied_at',
      'approved_by',
      'decided_at',
      'rejected_by',
      'rejection_reason',
      'reverted_at',
      'status',
    ]);
    const owners = await db.query(
      `SELECT DISTINCT r.rolname AS owner, r.rolcanlogin AS login FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
       WHERE c.relnamespace = 'validahub'::regnamespace ORDER BY 1`,
    );
    expect(owners).toEqual(
      [
        { owner: roles.owner, login: false },
        { owner: roles.system, login: false },
      ].sort((left, right) => (left.owner < right.owner ? -1 : 1)),
    );
  });

  test('analytics reads guarded views and nothing else', async ({ db, installed: { roles } }) => {
    const rows = await db.query<{ table: string }>(
      `SELECT c.relname AS table FROM pg_class c, aclexplode(c.relacl) a
       WHERE c.relnamespace = 'validahub'::regnamespace AND a.grantee = $1::regrole ORDER BY 1`,
      [ident(roles.analytics)],
    );
    expect(rows.map((row) => row.table)).toEqual([
      'rollup_age',
      'rule_effectiveness_daily_v',
      'rule_effectiveness_v',
    ]);
  });

  test('a tenant id of the wrong form never reaches the server', async ({ installed: { connected } }) => {
    expect(() => connected.session({ tenant: `${freshTenant()}'; RESET ROLE; --` })).toThrow('HF_TENANT');
  });
});
