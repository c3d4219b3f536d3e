// Jobs of pg_cron, where it is in this database and the role may read them.
import type { Fact } from '../check.ts';
import { withoutComments } from './sql-text.ts';

export interface CronJob {
  readonly id: string;
  readonly name: string | null;
  readonly schedule: string;
  /** Without comments. */
  readonly command: string;
  readonly user: string;
  readonly database: string;
  readonly active: boolean;
  /** Outcome of its last runs, newest first; empty where none is recorded. */
  readonly runs: readonly { readonly status: string; readonly message: string | null }[];
}

export interface Cron {
  /** Version of the extension in this database; null: it is not here. */
  readonly version: string | null;
  /** What the role may see of its jobs; undefined: nothing, and `why` says so. */
  readonly jobs: readonly CronJob[];
  readonly why?: string;
}

const THERE_SQL = `
  SELECT x.extversion AS version,
         pg_catalog.has_schema_privilege('cron', 'USAGE') AND pg_catalog.has_table_privilege('cron.job', 'SELECT')
           AND pg_catalog.has_table_privilege('cron.job_run_details', 'SELECT') AS readable
  FROM pg_catalog.pg_extension x WHERE x.extname = 'pg_cron'`;

// Jobs of other databases are another look's; runs beyond the last ten say nothing new.
const JOBS_SQL = `
  SELECT j.jobid::pg_catalog.text AS id, j.jobname::pg_catalog.text AS name, j.schedule, j.command, j.username::pg_catalog.text AS "user",
         j.database::pg_catalog.text AS database, j.active,
         coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object('status', d.status, 'message', d.return_message) ORDER BY d.runid DESC)
                   FROM (SELECT r.runid, r.status, r.return_message FROM cron.job_run_details r
                         WHERE r.jobid = j.jobid AND r.status IN ('succeeded', 'failed') ORDER BY r.runid DESC LIMIT 10) d), '[]') AS runs
  FROM cron.job j ORDER BY j.jobid`;

export const cron: Fact<Cron> = {
  name: 'pg_cron',
  read: async ({ query, reader }) => {
    const [there] = await query<{ version: string; readable: boolean }>(THERE_SQL);
    if (there === undefined) return { version: null, jobs: [] };
    if (!there.readable) {
      return {
        version: there.version,
        jobs: [],
        why: `role ${reader.name} may not read cron.job and cron.job_run_details`,
      };
    }
    // cron.job is under row security: whoever is no superuser sees the jobs that are his own.
    if (!reader.super) await query('SET LOCAL row_security = on');
    const rows = await query<CronJob>(JOBS_SQL);
    if (!reader.super) await query('SET LOCAL row_security = off');
    return {
      version: there.version,
      jobs: rows.map((job) => ({ ...job, command: withoutComments(job.command) })),
      ...(reader.super ? {} : { why: `role ${reader.name} sees its own jobs of pg_cron alone` }),
    };
  },
};

/** How a job is called in a finding. */
export function jobSubject({ id, name }: CronJob): string {
  return `job ${name ?? id}`;
}
