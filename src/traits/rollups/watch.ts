// What is measured of rollups: how old they are against what was promised, how much waits, how much they hold.
import type { AlertRule, CardLine, Metric, RuleCase, Sample, Watched } from '../../define/measure.ts';
import { label, type RelationName } from '../../define/model.ts';
import { qualified } from '../../sql.ts';
import { budgetSeconds } from './budget.ts';
import type { RollupsOptions } from './index.ts';
import type { IncrementalOptions } from './incremental/options.ts';
import { namesOf } from './incremental/plan.ts';
import { stateOf } from './state.ts';

/** A view may be twice as old as its hour; a table of sums is brought up to date every minute. */
const VIEW_BUDGET = '2 hours';
const COUNTS_BUDGET = '1 hour';

const LABELS = ['relation'];
const gauge = (name: Metric['name'], help: string): Metric => ({ name, help, type: 'gauge', labels: LABELS });
const AGE = 'holdfast_rollup_age_seconds';
const BUDGET = 'holdfast_rollup_budget_seconds';

const METRICS: readonly Metric[] = [
  gauge(
    AGE,
    'How long ago the rollup was brought up to date; +Inf for one that never was, none for a view as it was made.',
  ),
  gauge(BUDGET, 'How old the rollup may be.'),
  gauge(
    'holdfast_rollup_rows',
    'Rows of the rollup: of a view at its last refresh, of a table as estimated.',
  ),
  gauge('holdfast_rollup_pending_rows', 'Noted changes the rollup does not have yet, as estimated.'),
  {
    name: 'holdfast_rollup_late_total',
    help: 'Changes that came for a time whose rows had left: added to the sums, not to what is counted anew.',
    type: 'counter',
    labels: LABELS,
  },
];

const ALERTS: readonly AlertRule[] = [
  {
    name: 'HoldfastRollupOld',
    expr: `${AGE} > ${BUDGET}`,
    for: '5m',
    severity: 'ticket',
    summary: 'Rollup {{ $labels.relation }} is older than promised.',
    description:
      'Look at the job that brings it up to date: holdfast status names its last error. A view that would have shrunk below its floor keeps what it had.',
    cases: [
      { ...ages('0+60x400', '7200+0x400'), atMinute: 130, fires: [{ relation: 'shop.totals' }] },
      { ...ages('0+60x60 0+60x60 0+60x60', '7200+0x400'), atMinute: 130, fires: [] },
      { ...ages('+Inf+0x20', '7200+0x20'), atMinute: 10, fires: [{ relation: 'shop.totals' }] },
    ],
  },
];

function ages(age: string, budget: string): Pick<RuleCase, 'series'> {
  const relation = '{relation="shop.totals"}';
  return { series: { [`${AGE}${relation}`]: age, [`${BUDGET}${relation}`]: budget } };
}

/** What is measured of one materialised view. */
export function watchView(of: RelationName, options: RollupsOptions): Watched {
  return watched(of, { budget: options.budget ?? VIEW_BUDGET });
}

/** What is measured of one table of sums. */
export function watchCounts(of: RelationName, options: IncrementalOptions): Watched {
  return watched(of, { budget: options.budget ?? COUNTS_BUDGET, queue: namesOf(of).queue });
}

interface Known {
  readonly refreshed_at: Date | null;
  readonly rows: string | null;
  readonly late: string;
}

/** An exact count would cost what the table holds, and under row security see none of it; the server keeps its own. */
const ESTIMATE_SQL = `
  SELECT s.n_live_tup::pg_catalog.float8 AS rows FROM pg_catalog.pg_stat_all_tables s
  WHERE s.relid = pg_catalog.to_regclass($1)`;

/** A view that was filled when it was made, and has not been refreshed since: nobody noted when, so it has no age yet. */
const FILLED_SQL = `
  SELECT c.relispopulated AS filled FROM pg_catalog.pg_class c
  WHERE c.oid = pg_catalog.to_regclass($1) AND c.relkind = 'm'`;

function watched(of: RelationName, by: { readonly budget: string; readonly queue?: RelationName }): Watched {
  const { queue } = by;
  const relation = label(of);
  return {
    metrics: METRICS,
    alerts: ALERTS,
    collect: async ({ query, now }) => {
      const estimate = async (one: RelationName): Promise<number> => {
        const [row] = await query<{ rows: number }>(ESTIMATE_SQL, [qualified(one)]);
        return row?.rows ?? 0;
      };
      const [state] = await query<Known>(
        `SELECT refreshed_at, rows, late FROM ${qualified(stateOf(of))} WHERE rollup = $1`,
        [of.name],
      );
      const at = state?.refreshed_at ?? null;
      const [made] = at === null ? await query<{ filled: boolean }>(FILLED_SQL, [qualified(of)]) : [];
      const age = at === null ? Infinity : Math.max(0, (now.getTime() - at.getTime()) / 1000);
      return [
        ...(made?.filled === true ? [] : [sample(relation, AGE, age)]),
        sample(relation, BUDGET, budgetSeconds(by.budget) ?? 0),
        sample(
          relation,
          'holdfast_rollup_rows',
          queue === undefined ? Number(state?.rows ?? 0) : await estimate(of),
        ),
        ...(queue === undefined
          ? []
          : [
              sample(relation, 'holdfast_rollup_pending_rows', await estimate(queue)),
              sample(relation, 'holdfast_rollup_late_total', Number(state?.late ?? 0)),
            ]),
      ];
    },
    card: (samples) => [card(relation, samples)],
  };
}

// oxlint-disable-next-line max-params -- the three parts of a sample
function sample(relation: string, metric: Metric['name'], value: number): Sample {
  return { metric, labels: { relation }, value };
}

function card(relation: string, samples: readonly Sample[]): CardLine {
  const value = (metric: Metric['name']): number | undefined =>
    samples.find((one) => one.metric === metric && one.labels['relation'] === relation)?.value;
  const age = value(AGE);
  const budget = value(BUDGET) ?? 0;
  const pending = value('holdfast_rollup_pending_rows') ?? 0;
  const waiting = pending === 0 ? '' : `, about ${pending} changes waiting`;
  return {
    topic: 'rollup',
    subject: relation,
    text: `${spokenAge(age, budget)}${waiting}`,
    // Where the age is not known yet, the job that is to refresh it is the one that may be late.
    late: age !== undefined && age > budget,
  };
}

function spokenAge(age: number | undefined, budget: number): string {
  if (age === undefined) return `filled when it was made, promised ${spoken(budget)}`;
  return age === Infinity ? 'never filled' : `${spoken(age)} old, promised ${spoken(budget)}`;
}

function spoken(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
