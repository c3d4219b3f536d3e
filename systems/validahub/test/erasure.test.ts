// A tenant and a person of ValidaHub are erased, on rows that its own operations wrote: decided, published, archived.
import { Readable } from 'node:stream';
import { describe, expect } from 'vitest';
import { runJob, systemClock, withTask } from 'holdfast/keep';
import { erasersOf, type Eraser } from 'holdfast/traits';
import type { TaskContext } from 'holdfast/define';
import { JOB } from '../jobs.ts';
import {
  acceptSuggestion,
  applyRules,
  createTenant,
  decideCorrections,
  mineSuggestions,
  type Hub,
} from '../operations/index.ts';
import type { TestDatabase } from '../../../test/cluster/index.ts';
import { published, test, type Installed } from './installed.ts';

const DAY_MS = 86_400_000;
const BASIS = 'LGPD art. 18 VI';
// A person acts under a pseudonym; this one is found nowhere else.
const ANA = 'p_ana_4711';

/** A tenant that worked: rules published, a file checked, corrections decided, suggestions accepted. */
async function worked(db: TestDatabase, hub: Hub, person: string) {
  const { tenant, setId } = await published(hub);
  const source = Readable.from([Buffer.from(`sku,title,brand\n${'1,,acme\n'.repeat(6)}`)]);
  const { jobId } = await applyRules(hub, { tenant, source, rules: { setId }, by: person });
  const ids = await db.query<{ id: string }>('SELECT id FROM validahub.correction_logs WHERE job_id = $1', [
    jobId,
  ]);
  await decideCorrections(hub, { tenant, ids: ids.map((row) => row.id), decision: 'accept', by: person });
  const { suggestions } = await mineSuggestions(hub, { tenant, by: person });
  await acceptSuggestion(hub, { tenant, id: suggestions[0]?.id ?? '', by: person });
  await db.query(
    `INSERT INTO validahub.erasure_requests (tenant_id, subject_type, subject, legal_basis, requested_by)
     VALUES ($1, 'person', $2, 'user_request', $2)`,
    [tenant, person],
  );
  return { tenant, setId, jobId };
}

/** Relations of the database that hold a text, with how many rows. */
async function holding(db: TestDatabase, needle: string): Promise<Readonly<Record<string, number>>> {
  const tables = await db.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'm') AND n.nspname IN ('validahub', 'archive', 'holdfast') ORDER BY 1`,
  );
  const found: Record<string, number> = {};
  for (const { name } of tables) {
    const [row] = await db.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM ${name} t WHERE strpos(t::text, $1) > 0`,
      [needle],
    );
    if ((row?.n ?? 0) > 0) found[name] = row?.n ?? 0;
  }
  const stats = await db.query<{ name: string }>(
    `SELECT format('statistics of %s.%s', tablename, attname) AS name FROM pg_stats
     WHERE strpos(concat(most_common_vals::text, histogram_bounds::text, most_common_elems::text), $1) > 0`,
    [needle],
  );
  for (const { name } of stats) found[name] = 1;
  return found;
}

/** A sum over all rows of one tenant. */
async function sumOf(db: TestDatabase, tenant: string): Promise<string> {
  const tables = await db.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'm') AND n.nspname IN ('validahub', 'archive') ORDER BY 1`,
  );
  const sums: string[] = [];
  for (const { name } of tables) {
    const [row] = await db.query<{ sum: string }>(
      `SELECT count(*) || ' ' || coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint::numeric), 0) AS sum
       FROM ${name} t WHERE strpos(t::text, $1) > 0`,
      [tenant],
    );
    sums.push(`${name} ${row?.sum}`);
  }
  return sums.join('\n');
}

function eraserOf({ definition }: Installed): Eraser {
  const [eraser] = erasersOf(definition);
  if (eraser === undefined) throw new Error('ValidaHub erases nobody.');
  return eraser;
}

async function inErasure<T>(
  db: TestDatabase,
  { definition }: Installed,
  work: (context: TaskContext) => Promise<T>,
): Promise<T> {
  return withTask(definition, db.url, { trait: 'erasure', leading: true }, work);
}

describe('erasure', () => {
  test('a person is taken out of every column that says who did something', async ({ db, installed }) => {
    const { hub } = installed;
    const mine = await worked(db, hub, ANA);
    const others = await worked(db, hub, ANA);
    await runJob(installed.definition, db.url, JOB.refresh);
    await db.query('ANALYZE');
    const before = await holding(db, ANA);
    for (const table of ['rule_sets', 'rule_versions', 'jobs', 'suggestions', 'erasure_requests'])
      expect(before).toHaveProperty([`validahub.${table}`]);
    const untouched = await sumOf(db, others.tenant);
    const counted = async () =>
      db.query(
        `SELECT status, accepted, count(*)::int AS n FROM validahub.correction_logs WHERE tenant_id = $1 GROUP BY 1, 2 ORDER BY 1, 2`,
        [mine.tenant],
      );
    const corrections = await counted();
    const eraser = eraserOf(installed);
    const request = await inErasure(db, installed, (context) =>
      eraser.erase(context, { subject: `person:${mine.tenant}/${ANA}`, basis: BASIS }),
    );
    expect(request).toMatchObject({ state: 'erased', left: [] });
    const own = await db.query<{ table: string }>(
      `SELECT DISTINCT 'audit_log' AS table FROM validahub.audit_log WHERE tenant_id = $1 AND actor = $2`,
      [mine.tenant, ANA],
    );
    // The trail keeps its actor, and of the other tenant nothing has changed: the same pseudonym there is somebody else's.
    expect(own).toEqual([{ table: 'audit_log' }]);
    expect(await sumOf(db, others.tenant)).toBe(untouched);
    const left = await db.query(
      `SELECT 'rule_sets' AS t FROM validahub.rule_sets t WHERE tenant_id = $1 AND strpos(t::text, $2) > 0
       UNION ALL SELECT 'rule_versions' FROM validahub.rule_versions t WHERE tenant_id = $1 AND strpos(t::text, $2) > 0
       UNION ALL SELECT 'jobs' FROM validahub.jobs t WHERE tenant_id = $1 AND strpos(t::text, $2) > 0
       UNION ALL SELECT 'correction_logs' FROM validahub.correction_logs t WHERE tenant_id = $1 AND strpos(t::text, $2) > 0
       UNION ALL SELECT 'suggestions' FROM validahub.suggestions t WHERE tenant_id = $1 AND strpos(t::text, $2) > 0
       UNION ALL SELECT 'erasure_requests' FROM validahub.erasure_requests t WHERE tenant_id = $1 AND strpos(t::text, $2) > 0`,
      [mine.tenant, ANA],
    );
    expect(left).toEqual([]);
    expect(await counted()).toEqual(corrections);
    await expect(
      applyRules(hub, {
        tenant: mine.tenant,
        source: Readable.from([Buffer.from('sku,title,brand\n1,Item,Acme\n')]),
        rules: { setId: mine.setId },
        by: ANA,
      }),
    ).rejects.toThrow();
    // Whoever else works for the tenant goes on.
    await applyRules(hub, {
      tenant: mine.tenant,
      source: Readable.from([Buffer.from('sku,title,brand\n1,Item,Acme\n')]),
      rules: { setId: mine.setId },
      by: 'p_2',
    });
  });

  test('a tenant is gone from every table, view, archive and statistic', async ({ db, installed }) => {
    const { hub, definition } = installed;
    const mine = await worked(db, hub, 'p_1');
    const others = await worked(db, hub, 'p_1');
    const run = async (job: string, days: number): Promise<void> => {
      const clock = { ...systemClock, now: () => new Date(Date.now() + days * DAY_MS) };
      expect(await runJob(definition, db.url, job, { clock })).toMatchObject({ state: 'done' });
    };
    await run(JOB.refresh, 0);
    // Corrections and suggestions go to the archive.
    await run(JOB.archive, 200);
    await db.query('ANALYZE');
    const before = await holding(db, mine.tenant);
    for (const place of [
      'archive.suggestions',
      'validahub.audit_log_',
      'validahub.rule_versions',
      'validahub.correction_patterns',
      'validahub.rule_effectiveness_daily',
      'validahub.mv_rule_effectiveness',
      'archive.',
      'statistics of',
    ])
      expect(
        Object.keys(before).some((name) => name.startsWith(place)),
        place,
      ).toBe(true);
    const untouched = await sumOf(db, others.tenant);
    const eraser = eraserOf(installed);
    const subject = `tenant:${mine.tenant}`;
    const preview = await inErasure(db, installed, (context) => eraser.preview(context, subject));
    const request = await inErasure(db, installed, (context) =>
      eraser.erase(context, { subject, basis: BASIS }),
    );
    expect(await holding(db, mine.tenant)).toEqual({});
    expect(await sumOf(db, others.tenant)).toBe(untouched);
    const rows = (list: typeof preview.places): string[] =>
      list
        .filter((one) => one.rows > 0)
        .map((one) => `${one.place} ${one.rows}`)
        .sort();
    expect(rows(request.counts)).toEqual(rows(preview.places));
    await expect(createTenant(hub, { id: mine.tenant, name: 'Again', by: 'p_1' })).rejects.toThrow();
    // What the tenant's rows were summed up in is brought up to date for the others as before.
    await run(JOB.refresh, 201);
    expect(await holding(db, mine.tenant)).toEqual({});
  });
});
