// The jobs of a ValidaHub: when they run, and what its own ones do, run by the keeper itself.
import { describe, expect } from 'vitest';
import { runJob, systemClock } from 'holdfast/keep';
import { JOB, JOBS } from '../jobs.ts';
import { checkPartitionHealth, createRuleSet, maintainPartitions } from '../operations/index.ts';
import { published, test } from './installed.ts';

const by = 'p_1';
const DAY_MS = 86_400_000;

const scheduleOf = (name: string) => JOBS.find((one) => one.name === name)?.settings.schedule;
const daysAgo = (days: number): string => new Date(Date.now() - days * DAY_MS).toISOString();

test('run when the document says, in UTC', ({ installed: { definition } }) => {
  expect(Object.values(JOB).map((name) => [name, scheduleOf(name)])).toEqual([
    ['create-partitions', { cron: ['0 23 20 * *', '10 0 * * *'] }],
    ['refresh-mv', { cron: '0 * * * *' }],
    ['archive-and-delete', { cron: '0 1 * * 0' }],
    ['analyze-partitions', { cron: '0 4 * * 0' }],
    ['expire-suggestions', { cron: '0 2 * * *' }],
    ['purge-rule-sets', { cron: '0 5 1 * *' }],
  ]);
  expect(definition.jobs.find((one) => one.name === JOB.partitions)?.settings.atStart).toBe(true);
  const empty = definition.jobs.filter((one) => one.tasks.length === 0);
  expect(empty).toEqual([]);
});

describe('create-partitions', () => {
  test('is missed in the report, and mends it', async ({ db, installed: { definition } }) => {
    const now = new Date();
    const before = await checkPartitionHealth(definition, db.pool, now);
    expect(before.warnings).toEqual(['job create-partitions: last success never.']);
    expect(before.tables.map((one) => one.table)).toEqual([
      'validahub.correction_logs',
      'validahub.job_violations',
      'validahub.audit_log',
    ]);
    const report = await maintainPartitions(definition, { url: db.url });
    expect(report).toMatchObject({ job: JOB.partitions, state: 'done' });
    const after = await checkPartitionHealth(definition, db.pool, new Date());
    expect(after.warnings).toEqual([]);

    const later = new Date(now.getTime() + 40 * DAY_MS);
    const late = await checkPartitionHealth(definition, db.pool, later);
    expect(late.warnings).toHaveLength(4);
    expect(late.warnings[0]).toMatch(
      /^table validahub\.correction_logs: rows find a partition up to \d{4}-\d\d-01, and should up to \d{4}-\d\d-01\.$/,
    );
    expect(late.warnings[3]).toBe(
      `job create-partitions: last success ${after.maintainedAt?.toISOString().slice(0, 10)}.`,
    );
    await maintainPartitions(definition, { url: db.url, now: later });
    expect((await checkPartitionHealth(definition, db.pool, later)).warnings).toEqual([]);
  });
});

describe('expire-suggestions', () => {
  test('ends what is over, of every tenant, and tells each', async ({ db, installed }) => {
    const { hub, definition } = installed;
    const tenants = [(await published(hub)).tenant, (await published(hub)).tenant];
    for (const tenant of tenants) {
      await db.query(
        `INSERT INTO validahub.suggestions (tenant_id, suggestion_type, title, source, model_name, model_version,
           evidence_hash, confidence_score, expires_at, status, accepted_at)
         SELECT $1, 'value', 'x', 'user_feedback', 'm', '1', encode(sha256(n::text::bytea), 'hex'), 0.5,
           now() + make_interval(days => n - 2), CASE n WHEN 1 THEN 'accepted' ELSE 'generated' END, now()
         FROM generate_series(0, 3) n`,
        [tenant],
      );
    }
    expect(await runJob(definition, db.url, JOB.expire)).toMatchObject({ state: 'done', rows: 4 });
    expect(await runJob(definition, db.url, JOB.expire)).toMatchObject({ state: 'done', rows: 0 });
    for (const tenant of tenants) {
      const [row] = await db.query(
        `SELECT string_agg(status, ' ' ORDER BY expires_at) AS states,
           (SELECT count(*)::int FROM validahub.audit_log
            WHERE tenant_id = $1 AND event_type = 'suggestions.expired' AND actor = 'keeper') AS told
         FROM validahub.suggestions WHERE tenant_id = $1`,
        [tenant],
      );
      expect(row).toEqual({ states: 'expired accepted expired generated', told: 1 });
    }
  });
});

describe('purge-rule-sets', () => {
  test('removes sets deleted 90 days ago, and keeps those that have a version', async ({ db, installed }) => {
    const { hub, definition } = installed;
    const { tenant, setId } = await published(hub);
    const of = { tenant, channel: 'shopee', by } as const;
    const old = await createRuleSet(hub, { ...of, name: 'Old' });
    const young = await createRuleSet(hub, { ...of, name: 'Young' });
    for (const [id, days] of [
      [old.id, 91],
      [young.id, 89],
      [setId, 400],
    ] as const)
      await db.query(
        'UPDATE validahub.rule_sets SET deleted_at = $2, is_active = false WHERE tenant_id = $3 AND id = $1',
        [id, daysAgo(days), tenant],
      );
    expect(await runJob(definition, db.url, JOB.purge)).toMatchObject({ state: 'done', rows: 1 });
    const left = await db.query<{ id: string }>(
      'SELECT id FROM validahub.rule_sets WHERE tenant_id = $1 ORDER BY deleted_at',
      [tenant],
    );
    expect(left.map((row) => row.id)).toEqual([setId, young.id]);
    const told = await db.query(
      `SELECT entity_id FROM validahub.audit_log WHERE tenant_id = $1 AND event_type = 'rule_set.purged'`,
      [tenant],
    );
    expect(told).toEqual([{ entity_id: old.id }]);
  });
});

test('the others run through on an installation as it is made', async ({ db, installed: { definition } }) => {
  const clock = { ...systemClock, now: () => new Date() };
  for (const name of [JOB.refresh, JOB.archive, JOB.analyze]) {
    expect(await runJob(definition, db.url, name, { clock })).toMatchObject({ job: name, state: 'done' });
  }
});
