// How the jobs of a definition stand, by the ledger.
import type { Definition } from '../define/database.ts';
import type { Job } from '../define/job.ts';
import type { Metric, Sample } from '../define/measure.ts';
import type { CatalogueQuery } from '../define/trait.ts';
import { ident } from '../sql.ts';
import { lateMs } from './late.ts';
import { engineFamilies } from './families.ts';
import { hasTable } from './ledger.ts';
import type { Part, PartContext } from './parts.ts';

/** A job as the ledger has it; times are Unix seconds of the keeper's clock. */
interface Row {
  readonly name: string;
  /** The newest time it was due and succeeded for; at first, when it was first seen. */
  readonly servedDueAt: number;
  readonly lastSuccessAt: number | null;
  readonly failures: number;
  readonly done: number;
  readonly failed: number;
  readonly cutOff: number;
  readonly rows: number;
  readonly bytes: number;
  readonly lastSeconds: number | null;
}

const jobsSql = (schema: string): string => `SELECT j.name,
  extract(epoch FROM j.served_due_at)::float8 AS "servedDueAt",
  extract(epoch FROM j.last_success_at)::float8 AS "lastSuccessAt", j.failures,
  j.runs_done::float8 AS done, j.runs_failed::float8 AS failed, j.runs_cut_off::float8 AS "cutOff",
  j.rows::float8 AS rows, j.bytes::float8 AS bytes, r.duration_ms::float8 / 1000 AS "lastSeconds"
  FROM ${ident(schema)}.job j
  LEFT JOIN LATERAL (SELECT duration_ms FROM ${ident(schema)}.job_run r
    WHERE r.definition = j.definition AND r.job = j.name AND r.duration_ms IS NOT NULL
    ORDER BY r.run DESC LIMIT 1) r ON true
  WHERE j.definition = $1`;

/** The part about the jobs of the definition; jobs of earlier definitions that the ledger still knows are passed over. */
export function jobsPart(definition: Definition, { schema, now }: PartContext): Part {
  return {
    name: 'jobs',
    metrics: engineFamilies,
    collect: async (query) => {
      const rows = new Map((await rowsOf(query, definition.name, schema)).map((row) => [row.name, row]));
      return definition.jobs.flatMap((job) => samplesOf(job, rows.get(job.name), now));
    },
  };
}

async function rowsOf(query: CatalogueQuery, definition: string, schema: string): Promise<readonly Row[]> {
  return (await hasTable(query, { schema, name: 'job' })) ? query<Row>(jobsSql(schema), [definition]) : [];
}

function samplesOf({ name, settings }: Job, row: Row | undefined, now: Date): Sample[] {
  const labels = { keeper_job: name };
  const one = (metric: Metric['name'], value: number): Sample => ({ metric, labels, value });
  const outcome = (of: string, value: number): Sample => ({
    metric: 'holdfast_job_runs_total',
    labels: { ...labels, outcome: of },
    value,
  });
  if (row === undefined) return [one('holdfast_job_scheduled', 0)];
  const at = now.getTime() / 1000;
  const success =
    row.lastSuccessAt === null
      ? []
      : [
          one('holdfast_job_last_success_timestamp_seconds', row.lastSuccessAt),
          one('holdfast_job_last_success_age_seconds', Math.max(0, at - row.lastSuccessAt)),
        ];
  return [
    one('holdfast_job_scheduled', 1),
    one('holdfast_job_late_seconds', lateMs(settings.schedule, new Date(row.servedDueAt * 1000), now) / 1000),
    ...success,
    ...(row.lastSeconds === null ? [] : [one('holdfast_job_last_run_duration_seconds', row.lastSeconds)]),
    one('holdfast_job_consecutive_failures', row.failures),
    outcome('done', row.done),
    outcome('failed', row.failed),
    outcome('cut_off', row.cutOff),
    one('holdfast_job_failures_total', row.failed + row.cutOff),
    one('holdfast_job_rows_total', row.rows),
    one('holdfast_job_bytes_total', row.bytes),
  ];
}
