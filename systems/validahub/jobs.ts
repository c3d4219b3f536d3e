// What ValidaHub does over time, besides what its traits keep: the times of their jobs, and two jobs of its own. UTC.
import { job, type Done, type JobFacet, type TaskContext } from 'holdfast/define';
import { expireInBatches } from './operations/suggestions.ts';

/** The names the traits' tasks hang on. */
export const JOB = {
  partitions: 'create-partitions',
  refresh: 'refresh-mv',
  archive: 'archive-and-delete',
  analyze: 'analyze-partitions',
  expire: 'expire-suggestions',
  purge: 'purge-rule-sets',
} as const;

/** Who the audit trail names for what the keeper does. */
export const KEEPER = 'keeper';

/** For how many days a rule set that was deleted can be brought back. */
export const PURGE_DAYS = 90;

/**
 * The scheduled jobs. Partitions are made on the document's 20th, and daily and at every start beside it: one missed run a
 * month would be noticed when inserts stop. `archive-and-delete` runs weekly, so rows leave up to seven days later than
 * the days their table promises. Backups are not among them: they come with a release of their own.
 */
export const JOBS: readonly JobFacet[] = [
  job(JOB.partitions, { schedule: { cron: ['0 23 20 * *', '10 0 * * *'] }, atStart: true, missed: 'once' }),
  job(JOB.refresh, { schedule: { cron: '0 * * * *' } }),
  job(JOB.expire, { schedule: { cron: '0 2 * * *' } }, { run: expire }),
  job(JOB.archive, { schedule: { cron: '0 1 * * 0' }, timeoutMs: 6 * 3_600_000 }),
  job(JOB.analyze, { schedule: { cron: '0 4 * * 0' } }),
  job(JOB.purge, { schedule: { cron: '0 5 1 * *' } }, { run: purge }),
];

async function expire({ session, now, signal }: TaskContext): Promise<Done> {
  const rows = await expireInBatches(session.query, { now, actor: KEEPER, stopped: () => signal.aborted });
  return { rows };
}

// A set with a version stays, deleted but readable: versions are never deleted, and jobs and corrections point at both.
const PURGE_SQL = `
  WITH gone AS (
    DELETE FROM validahub.rule_sets s
    WHERE s.deleted_at < $1::timestamptz - make_interval(days => $2)
      AND NOT EXISTS (SELECT FROM validahub.rule_versions v WHERE v.tenant_id = s.tenant_id AND v.rule_set_id = s.id)
      AND NOT EXISTS (SELECT FROM validahub.correction_logs c WHERE c.tenant_id = s.tenant_id AND c.rule_set_id = s.id)
    RETURNING s.tenant_id, s.id),
  told AS (
    INSERT INTO validahub.audit_log (tenant_id, event_type, actor, entity, entity_id, created_at)
    SELECT tenant_id, 'rule_set.purged', $3, 'rule_set', id::text, $1::timestamptz FROM gone)
  SELECT count(*)::int AS purged FROM gone`;

async function purge({ session, now }: TaskContext): Promise<Done> {
  const [row] = await session.query<{ purged: number }>(PURGE_SQL, [now.toISOString(), PURGE_DAYS, KEEPER]);
  return { rows: row?.purged ?? 0 };
}
