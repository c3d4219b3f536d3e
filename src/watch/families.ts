// Every family the engine itself measures. Names are an interface: test/watch/metrics.golden freezes them.
import type { Definition } from '../define/database.ts';
import type { Metric } from '../define/measure.ts';

const gauge = (name: Metric['name'], help: string, labels: readonly string[] = []): Metric => ({
  name,
  help,
  type: 'gauge',
  labels,
});
const counter = (name: Metric['name'], help: string, labels: readonly string[] = []): Metric => ({
  name,
  help,
  type: 'counter',
  labels,
});

// Prometheus puts a label `job` on whatever it scrapes; ours must not fight with it.
const JOB = ['keeper_job'];
const RELATION = ['relation'];

/** The engine's own families. */
export const engineFamilies: readonly Metric[] = [
  gauge('holdfast_build_info', 'Always 1: the release that measures, and the definition it measures by.', [
    'version',
    'definition',
  ]),
  gauge('holdfast_database_up', 'Whether the database let the collection in.'),
  gauge('holdfast_database_info', 'Always 1: the version of the server.', ['server_version']),
  gauge('holdfast_collector_up', 'Whether this part of the collection worked.', ['collector']),
  gauge('holdfast_collector_denied', 'Whether this part was refused for a right the role lacks.', [
    'collector',
  ]),
  gauge('holdfast_collector_duration_seconds', 'How long this part of the collection took.', ['collector']),
  gauge('holdfast_ledger_up', 'Whether the ledger is there and can be read.'),
  gauge('holdfast_plan_applied_timestamp_seconds', 'When the newest plan in force was applied, Unix time.'),
  gauge('holdfast_plan_unfinished', 'Whether an apply or rollback has not finished.'),
  gauge('holdfast_keeper_leader', 'Whether a keeper leads and was heard of lately.'),
  gauge('holdfast_keeper_beat_age_seconds', 'How long ago the leading keeper was last heard of.'),
  counter('holdfast_keeper_takeovers_total', 'How often the lead was taken, by keepers and by commands.'),
  gauge('holdfast_job_scheduled', 'Whether a keeper has seen the job.', JOB),
  gauge(
    'holdfast_job_late_seconds',
    'How long the job has been due without having succeeded; 0 when it is not due.',
    JOB,
  ),
  gauge('holdfast_job_last_success_timestamp_seconds', 'When the job last succeeded, Unix time.', JOB),
  gauge('holdfast_job_last_success_age_seconds', 'How long ago the job last succeeded.', JOB),
  gauge('holdfast_job_last_run_duration_seconds', 'How long the newest finished run of the job took.', JOB),
  gauge('holdfast_job_consecutive_failures', 'Failed runs of the job since it last succeeded.', JOB),
  counter('holdfast_job_runs_total', 'Runs of the job by how they ended: done, failed, cut_off.', [
    ...JOB,
    'outcome',
  ]),
  counter('holdfast_job_failures_total', 'Runs of the job that failed or were cut off.', JOB),
  counter('holdfast_job_rows_total', 'Rows the job worked on.', JOB),
  counter('holdfast_job_bytes_total', 'Bytes the job moved.', JOB),
  gauge(
    'holdfast_proof_verdict',
    'Whether the proof ended with this verdict when it was last run: held, broken, noisy, not_shown.',
    ['proof', 'verdict'],
  ),
  gauge('holdfast_proof_age_seconds', 'How long ago the proof was last run.', ['proof']),
  gauge('holdfast_relation_rows', 'Rows of a table or materialised view, as estimated.', RELATION),
  gauge('holdfast_relation_dead_rows', 'Versions of rows that wait for VACUUM, as estimated.', RELATION),
  gauge(
    'holdfast_relation_heap_bytes',
    'Size of the rows on disk, without what is stored out of line.',
    RELATION,
  ),
  gauge('holdfast_relation_index_bytes', 'Size of the indexes on disk.', RELATION),
  gauge('holdfast_relation_toast_bytes', 'Size of the values that are stored out of line.', RELATION),
  gauge(
    'holdfast_index_scans',
    'Scans of the index, with those in partitions that are there, since statistics began.',
    [...RELATION, 'index'],
  ),
];

/** Every family a collection of this definition may hold: the engine's, then those of its traits, each once. */
export function families(definition: Definition): readonly Metric[] {
  return [...engineFamilies, ...definition.measures.metrics];
}
