// When partitions are not as promised: the rules, each with a case that fires and one that stays quiet.
import type { AlertRule, RuleCase } from '../../define/measure.ts';

const RELATION = { relation: 'shop.orders' };
const series = (metric: string, values: string): Readonly<Record<string, string>> => ({
  [`${metric}{relation="shop.orders"}`]: values,
});

function onZero(metric: string): readonly RuleCase[] {
  return [
    { series: series(metric, '0x60 1+0x60'), atMinute: 60, fires: [] },
    { series: series(metric, '0x60 1+0x60'), atMinute: 120, fires: [RELATION] },
  ];
}

const MONTH = '2678400+0x180';
const HORIZON = 'holdfast_partition_horizon_seconds';
const FLOOR = 'holdfast_partition_horizon_floor_seconds';

/** The rules of every partitioned table; what differs between tables is a metric. */
export const alerts: readonly AlertRule[] = [
  {
    name: 'HoldfastPartitionHorizon',
    expr: `${HORIZON} < ${FLOOR}`,
    for: '1h',
    severity: 'ticket',
    summary: '{{ $labels.relation }} runs out of partitions',
    description:
      'No new partition of {{ $labels.relation }} was made for a while: rows will be refused when the last one ends. Run holdfast status, then holdfast run on the job that makes them, and read its error.',
    cases: [
      { series: { ...series(HORIZON, '2851200-60x180'), ...series(FLOOR, MONTH) }, atMinute: 180, fires: [] },
      {
        series: { ...series(HORIZON, '2678400-60x180'), ...series(FLOOR, MONTH) },
        atMinute: 120,
        fires: [RELATION],
      },
    ],
  },
  {
    name: 'HoldfastPartitionMissing',
    expr: `${HORIZON} <= 0`,
    for: '1m',
    severity: 'page',
    summary: '{{ $labels.relation }} refuses rows: no partition takes them',
    description:
      'Every insert of a row of now into {{ $labels.relation }} fails. Run holdfast run on the job that makes its partitions.',
    cases: [
      { series: series(HORIZON, '86400+0x10'), atMinute: 10, fires: [] },
      { series: series(HORIZON, '60 0 0 0 0'), atMinute: 4, fires: [RELATION] },
    ],
  },
  {
    name: 'HoldfastPartitionGap',
    expr: 'holdfast_partition_gaps > 0',
    for: '30m',
    severity: 'ticket',
    summary: '{{ $labels.relation }} has a range ahead that no partition takes',
    description:
      'A partition between others was detached or dropped by hand. The job that makes partitions closes gaps from the running period on: read its last error.',
    cases: onZero('holdfast_partition_gaps'),
  },
  {
    name: 'HoldfastPartitionDefaultRows',
    expr: 'holdfast_partition_default_rows > 0',
    for: '30m',
    severity: 'ticket',
    summary: 'the DEFAULT partition of {{ $labels.relation }} holds rows',
    description:
      'The partition those rows belong to can not be attached any more. Detach the DEFAULT partition, let the job make what is missing, then insert its rows into {{ $labels.relation }}.',
    cases: onZero('holdfast_partition_default_rows'),
  },
];
