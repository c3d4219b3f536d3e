// What is measured of erasures: how many are open, how old the oldest is, how long until the law wants it done.
import type { AlertRule, CardLine, Metric, Sample, Watched, WatchContext } from '../../define/measure.ts';
import type { Model } from '../../define/model.ts';
import type { ErasureOptions } from './options.ts';
import { planOf } from './plan.ts';
import { requestsOf } from './request.ts';

const OPEN = 'holdfast_erasure_open';
const OLDEST = 'holdfast_erasure_oldest_seconds';
const LEFT = 'holdfast_erasure_term_left_seconds';
const DONE = 'holdfast_erasure_erased';

const labels = ['subject'];
const metrics: readonly Metric[] = [
  { name: OPEN, help: 'Erasures that were asked for and are not finished.', type: 'gauge', labels },
  { name: OLDEST, help: 'Age of the oldest open erasure; 0 where none is.', type: 'gauge', labels },
  {
    name: LEFT,
    help: 'Time until the first open erasure must be finished, negative when it is late; absent where none is open.',
    type: 'gauge',
    labels,
  },
  { name: DONE, help: 'Subjects that were erased.', type: 'gauge', labels },
];

const DAY_S = 86_400;
const EARLY_S = 3 * DAY_S;

const alerts: readonly AlertRule[] = [
  {
    name: 'HoldfastErasureDue',
    expr: `${LEFT} < ${EARLY_S}`,
    for: '1h',
    severity: 'page',
    summary: 'An erasure of a {{ $labels.subject }} is not finished and its term ends within three days.',
    description:
      'holdfast erase says what is in its way: a hold that refuses it, a transaction that does not end, an archive that cannot be reached.',
    cases: [
      {
        series: { [`${LEFT}{subject="person"}`]: `${EARLY_S - 1}+0x120` },
        atMinute: 61,
        fires: [{ subject: 'person' }],
      },
      { series: { [`${LEFT}{subject="person"}`]: `${EARLY_S}+0x120` }, atMinute: 61, fires: [] },
    ],
  },
];

/** The watch face of an erasure. */
export function watched(model: Model, options: ErasureOptions): Watched {
  const { subjects } = planOf(model, options);
  const names = subjects.map((one) => one.name);
  return {
    metrics,
    alerts,
    collect: async (context) => names.flatMap((name) => collect(context, name)),
    card: (samples) => names.flatMap((name) => card(samples, name)),
  };
}

function collect({ pieces, now }: WatchContext, subject: string): readonly Sample[] {
  const own = requestsOf(pieces).filter((one) => one.subject === subject);
  const open = own.filter((one) => one.state === 'erasing');
  const ages = open.map((one) => seconds(one.requestedAt, now));
  const left = open.map((one) => seconds(now, one.dueAt));
  const sample = (metric: Metric['name'], value: number): Sample => ({ metric, labels: { subject }, value });
  return [
    sample(OPEN, open.length),
    sample(OLDEST, Math.max(0, ...ages)),
    ...(left.length === 0 ? [] : [sample(LEFT, Math.min(...left))]),
    sample(DONE, own.length - open.length),
  ];
}

function seconds(from: Date, to: Date): number {
  return (to.getTime() - from.getTime()) / 1000;
}

function card(samples: readonly Sample[], subject: string): readonly CardLine[] {
  const valueOf = (metric: Metric['name']): number | undefined =>
    samples.find((one) => one.metric === metric && one.labels['subject'] === subject)?.value;
  const open = valueOf(OPEN);
  if (open === undefined) return [];
  const left = valueOf(LEFT);
  const done = `${valueOf(DONE) ?? 0} erased`;
  if (open === 0 || left === undefined)
    return [{ topic: 'erasure', subject, text: `none open, ${done}`, late: false }];
  const days = Math.floor(Math.abs(left) / DAY_S);
  const when = left < 0 ? `late by ${days} days` : `due in ${days} days`;
  return [{ topic: 'erasure', subject, text: `${open} open, the first ${when}; ${done}`, late: left < 0 }];
}
