// The definition through the front door: planned, rehearsed, applied, and then nothing left to do.
import { expect } from 'vitest';
import { apply, plan } from 'holdfast/build';
import { test } from '../../../test/cluster/index.ts';
import { defineValidahub } from '../define.ts';

test('ValidaHub is planned and applied once, and two months later makes two more and cools the oldest', async ({
  db,
}) => {
  const definition = defineValidahub({
    app: db.role('vp_app'),
    analytics: db.role('vp_analytics'),
    admin: db.role('vp_admin'),
    system: db.role('vp_system'),
    owner: db.role('vp_owner'),
  });
  const now = new Date('2026-11-21T12:00:00Z');
  const first = await plan(definition, db.url, { now });
  expect(await apply(first, db.url)).toMatchObject({ steps: first.steps.length, endsAsPlanned: true });
  expect((await plan(definition, db.url, { now })).steps).toEqual([]);
  const later = await plan(definition, db.url, { now: new Date('2027-01-21T12:00:00Z') });
  const subjects = [...new Set(later.steps.map((step) => step.subject))];
  const made = subjects.filter((subject) => subject.startsWith('partition ')).sort();
  expect(made).toEqual(
    ['audit_log', 'correction_logs', 'job_violations'].flatMap((table) => [
      `partition validahub.${table}_y2027m03 of validahub.${table}`,
      `partition validahub.${table}_y2027m04 of validahub.${table}`,
    ]),
  );
  const dropped = later.steps.filter((step) => step.sql.startsWith('DROP INDEX CONCURRENTLY'));
  expect(new Set(dropped.map((step) => step.locks[0]))).toEqual(
    new Set(['validahub.correction_logs_y2026m11']),
  );
  expect(dropped).toHaveLength(18);
  await apply(later, db.url);
  const [hot] = await db.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM pg_indexes WHERE schemaname = 'validahub' AND tablename = 'correction_logs_y2026m11'`,
  );
  expect(hot).toEqual({ n: 4 });
});
