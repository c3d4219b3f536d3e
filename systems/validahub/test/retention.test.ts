// The retention table of ValidaHub, on one installation whose clock moves: what is online, what is archived, what is gone.
import { expect } from 'vitest';
import { Readable } from 'node:stream';
import { runJob, systemClock } from 'holdfast/keep';
import { JOB } from '../jobs.ts';
import { applyRules, decideCorrections, mineSuggestions, ruleEffectiveness } from '../operations/index.ts';
import type { TestDatabase } from '../../../test/cluster/index.ts';
import { published, test } from './installed.ts';

const by = 'p_1';
const DAY_MS = 86_400_000;

const COUNTS_SQL = `SELECT
  (SELECT count(*) FROM validahub.correction_logs WHERE tenant_id = $1)::int AS corrections,
  (SELECT count(*) FROM archive.correction_logs WHERE tenant_id = $1)::int AS corrections_archived,
  (SELECT count(*) FROM validahub.suggestions WHERE tenant_id = $1)::int AS suggestions,
  (SELECT count(*) FROM archive.suggestions WHERE tenant_id = $1)::int AS suggestions_archived,
  (SELECT count(*) FROM validahub.job_violations WHERE tenant_id = $1)::int AS violations,
  (SELECT count(*) FROM validahub.jobs WHERE tenant_id = $1)::int AS jobs,
  (SELECT count(*) > 0 FROM validahub.audit_log WHERE tenant_id = $1) AS audit,
  (SELECT count(*) > 0 FROM archive.audit_log WHERE tenant_id = $1) AS audit_archived,
  (SELECT count(*) FROM validahub.rule_versions WHERE tenant_id = $1)::int AS versions`;

const counts = async (db: TestDatabase, tenant: string) => (await db.query(COUNTS_SQL, [tenant]))[0];

const WHOLE = {
  corrections: 6,
  corrections_archived: 0,
  suggestions: 1,
  suggestions_archived: 0,
  violations: 6,
  jobs: 1,
  audit: true,
  audit_archived: false,
  versions: 1,
};

test('rows leave when the document says, and what was summed up of them stays', async ({ db, installed }) => {
  const { hub, definition, connected } = installed;
  const { tenant, setId } = await published(hub);
  const source = Readable.from([Buffer.from(`sku,title,brand\n${'1,,acme\n'.repeat(6)}`)]);
  const { jobId } = await applyRules(hub, { tenant, source, rules: { setId }, by });
  const ids = await db.query<{ id: string }>('SELECT id FROM validahub.correction_logs WHERE job_id = $1', [
    jobId,
  ]);
  await decideCorrections(hub, { tenant, ids: ids.map((row) => row.id), decision: 'accept', by });
  await mineSuggestions(hub, { tenant, by });
  expect(await counts(db, tenant)).toEqual(WHOLE);

  const start = Date.now();
  const keep = async (days: number) => {
    const clock = { ...systemClock, now: () => new Date(start + days * DAY_MS) };
    expect(await runJob(definition, db.url, JOB.archive, { clock })).toMatchObject({ state: 'done' });
    return counts(db, tenant);
  };
  expect(await keep(89)).toEqual(WHOLE);
  // A month later at most: corrections and violations leave by whole months.
  const quarter = { ...WHOLE, corrections: 0, corrections_archived: 6, violations: 0 };
  expect(await keep(122)).toEqual(quarter);
  const session = connected.session({ tenant });
  const read = async (whose: typeof session) =>
    (await whose.query('SELECT id FROM archive.correction_logs')).rows.length;
  expect([await read(session), await read(connected.session({ tenant: 't_another' }))]).toEqual([6, 0]);
  expect(await keep(179)).toEqual(quarter);
  const half = { ...quarter, suggestions: 0, suggestions_archived: 1 };
  expect(await keep(181)).toEqual(half);
  expect(await keep(364)).toEqual(half);
  const year = { ...half, jobs: 0 };
  expect(await keep(367)).toEqual(year);
  expect(await keep(544)).toEqual(year);
  const later = { ...year, suggestions_archived: 0 };
  expect(await keep(580)).toEqual(later);
  expect(await keep(790)).toEqual({ ...later, audit: false, audit_archived: true });
  const last = { ...later, corrections_archived: 0, audit: false, audit_archived: true };
  expect(await keep(860)).toEqual(last);
  expect(await keep(4_000)).toEqual(last);

  const figures = { tenant, ruleId: 'brand_listed' };
  const { rules } = await ruleEffectiveness(hub, { ...figures, channel: 'custom' });
  expect(rules).toMatchObject([{ applications: 6, acceptances: 6 }]);
  expect((await ruleEffectiveness(hub, { ...figures, fresh: true })).rules).toEqual([]);
});
