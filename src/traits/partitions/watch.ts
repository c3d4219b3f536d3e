// How far ahead rows find a partition, what is missing in between, and how big it all is; rolled up to the table.
import { label, type RelationName } from '../../define/model.ts';
import type { CardLine, Metric, Sample, WatchContext, Watched } from '../../define/measure.ts';
import { alerts } from './alerts.ts';
import { gaps, holes, leastRoomMs } from './period.ts';
import { type Existing, readPartitions } from './reading.ts';
import { aheadOf, type Asked } from './settle.ts';

const gauge = (name: Metric['name'], help: string): Metric => ({
  name,
  help,
  type: 'gauge',
  labels: ['relation'],
});

const metrics: readonly Metric[] = [
  gauge('holdfast_partitions', 'Partitions attached to the table.'),
  gauge(
    'holdfast_partition_horizon_seconds',
    'How long from now every row will find a partition; 0 when a row of now would be refused.',
  ),
  gauge(
    'holdfast_partition_horizon_floor_seconds',
    'The horizon that is never gone below while the keeper does its work.',
  ),
  gauge(
    'holdfast_partition_gaps',
    'Ranges from now to the newest partition that no partition covers: rows in them are refused.',
  ),
  gauge(
    'holdfast_partition_past_gaps',
    'Ranges between the oldest partition and now that no partition covers.',
  ),
  gauge('holdfast_partition_oldest_age_seconds', 'How long ago the range of the oldest partition began.'),
  gauge('holdfast_partition_rows', 'Rows of all partitions, as the server estimates them.'),
  gauge(
    'holdfast_partition_default_rows',
    'Rows in the DEFAULT partition, as the server estimates them; at least 1 while its file is not empty.',
  ),
  gauge(
    'holdfast_partition_heap_bytes',
    'Size of the rows of all partitions on disk, without what is stored out of line.',
  ),
  gauge('holdfast_partition_index_bytes', 'Size of the indexes of all partitions on disk.'),
  gauge(
    'holdfast_partition_toast_bytes',
    'Size of the values of all partitions that are stored out of line.',
  ),
];

/** What is measured of one table, when it is wrong, and how it is told to people. */
export function watched(asked: Asked): Watched {
  return {
    metrics,
    alerts,
    collect: (context) => collect(context, asked),
    card: (samples, now) => card(asked.of, { samples, now }),
  };
}

// A row that was never counted is -1; what was inserted since then is in the other statistics. Sizes do not follow DDL
// that is under way, and wait for nobody but it.
const SIZES_SQL = `
  SELECT coalesce(sum(s.rows), 0)::pg_catalog.float8 AS rows,
    coalesce(sum(CASE WHEN s.is_default THEN greatest(s.rows, least(s.table_size - s.toast_size, 1)) END), 0)::pg_catalog.float8 AS default_rows,
    coalesce(sum(s.table_size - s.toast_size), 0)::pg_catalog.float8 AS heap,
    coalesce(sum(s.index_size), 0)::pg_catalog.float8 AS index,
    coalesce(sum(s.toast_size), 0)::pg_catalog.float8 AS toast
  FROM pg_catalog.pg_namespace n
  JOIN pg_catalog.pg_class p ON p.relnamespace = n.oid AND p.relkind = 'p'
  LEFT JOIN LATERAL (
    SELECT CASE WHEN c.reltuples >= 0 THEN c.reltuples ELSE pg_catalog.pg_stat_get_live_tuples(c.oid) END AS rows,
      pg_catalog.pg_table_size(c.oid) AS table_size, pg_catalog.pg_indexes_size(c.oid) AS index_size,
      CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE pg_catalog.pg_total_relation_size(c.reltoastrelid) END AS toast_size,
      coalesce(pg_catalog.pg_get_expr(c.relpartbound, 0) = 'DEFAULT', false) AS is_default
    FROM pg_catalog.pg_partition_tree(p.oid) t
    JOIN pg_catalog.pg_class c ON c.oid = t.relid AND c.relkind = 'r'
    OFFSET 0) s ON true
  WHERE n.nspname = $1 AND p.relname = $2
  GROUP BY p.oid`;

interface Sizes {
  readonly rows: number;
  readonly default_rows: number;
  readonly heap: number;
  readonly index: number;
  readonly toast: number;
}

async function collect(
  { query, now, model }: WatchContext,
  { of, options }: Asked,
): Promise<readonly Sample[]> {
  const [sizes] = await query<Sizes>(SIZES_SQL, [of.schema, of.name]);
  if (sizes === undefined) return [];
  // The same question for every table, which a collection asks the server once. Sizes wait for locks, this does not.
  const partitioned = model.tables.filter((table) => table.partitionBy !== undefined);
  const partitions = (await readPartitions(query, partitioned)).get(label(of)) ?? [];
  const serving = partitions.filter(({ isDefault, leaving }) => !isDefault && leaving !== true);
  const values: Readonly<Record<Metric['name'], number>> = {
    holdfast_partitions: partitions.length,
    ...reach(serving, now.getTime()),
    holdfast_partition_horizon_floor_seconds: leastRoomMs(options.every, aheadOf(options)) / 1000,
    holdfast_partition_rows: sizes.rows,
    holdfast_partition_default_rows: sizes.default_rows,
    holdfast_partition_heap_bytes: sizes.heap,
    holdfast_partition_index_bytes: sizes.index,
    holdfast_partition_toast_bytes: sizes.toast,
  };
  const labels = { relation: label(of) };
  return Object.entries(values).map(([metric, value]) => ({
    metric: metric as Metric['name'],
    labels,
    value,
  }));
}

// What an open end counts for: a hundred years, since a sample must be a finite number.
const FOR_EVER_S = 36_525 * 86_400;

/** From now on, and what lies behind; all in seconds or counted. */
function reach(serving: readonly Existing[], nowMs: number): Readonly<Record<string, number>> {
  const newestMs = Math.max(nowMs, ...serving.map(({ toMs }) => toMs));
  const begins = serving.map(({ fromMs }) => fromMs).filter((fromMs) => Number.isFinite(fromMs));
  const ahead = gaps([{ fromMs: nowMs, toMs: newestMs }], serving);
  const untilMs = ahead[0]?.fromMs ?? newestMs;
  return {
    holdfast_partition_horizon_seconds: Math.min(FOR_EVER_S, (untilMs - nowMs) / 1000),
    holdfast_partition_gaps: ahead.length,
    holdfast_partition_past_gaps: holes(serving).filter(({ fromMs }) => fromMs < nowMs).length,
    ...(begins.length > 0 && {
      holdfast_partition_oldest_age_seconds: (nowMs - Math.min(...begins)) / 1000,
    }),
  };
}

function card(
  of: RelationName,
  { samples, now }: { readonly samples: readonly Sample[]; readonly now: Date },
): readonly CardLine[] {
  const read = (metric: Metric['name']): number => samples.find((one) => one.metric === metric)?.value ?? 0;
  const line = { topic: 'partitions', subject: label(of) };
  if (samples.length === 0)
    return [{ ...line, text: 'there is no partitioned table of that name', late: true }];
  const horizon = read('holdfast_partition_horizon_seconds');
  const gapCount = read('holdfast_partition_gaps');
  const astray = read('holdfast_partition_default_rows');
  const bytes = (['heap', 'index', 'toast'] as const)
    .map((part) => read(`holdfast_partition_${part}_bytes`))
    .reduce((sum, size) => sum + size, 0);
  const text = [
    reachText(horizon, now),
    `${read('holdfast_partitions')} partitions, ${(bytes / 1e6).toFixed(1)} MB`,
    ...(gapCount === 0 ? [] : [`${gapCount} gaps ahead`]),
    ...(astray === 0 ? [] : ['rows in the DEFAULT partition']),
  ];
  const late = horizon < read('holdfast_partition_horizon_floor_seconds') || gapCount > 0 || astray > 0;
  return [{ ...line, text: text.join('; '), late: late || horizon === 0 }];
}

function reachText(horizonSeconds: number, now: Date): string {
  if (horizonSeconds === 0) return 'rows of now are refused: no partition takes them';
  if (horizonSeconds >= FOR_EVER_S) return 'ahead for ever';
  const until = new Date(now.getTime() + horizonSeconds * 1000).toISOString().slice(0, 10);
  return `ahead until ${until} (${Math.floor(horizonSeconds / 86_400)} days)`;
}
