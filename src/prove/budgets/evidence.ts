// What was measured, for people, for a page and for machines: next to each figure its budget and what the document said.
import type { Budget } from '../../define/index.ts';
import { overall, type Evidence, type LatencySection, type Section, type TableSection } from '../evidence.ts';
import { firstLimit, type Measured, type MeasuredFigure, type MeasuredTime } from './budgets.ts';
import { RATES_SAID } from './counters.ts';
import { calmLimits } from './calm.ts';

type Result = Measured['results'][number];

/** What was measured as evidence: times and figures, plans, scaling, one distribution a budget and size. */
export function budgetsEvidence(measured: Measured): Evidence {
  const { results, durationMs } = measured;
  const verdict = overall(results.map((one) => ({ verdict: one.verdict }) as Evidence));
  return {
    proof: 'budgets',
    verdict,
    line: lineOf(results),
    figures: figuresOf(results),
    sections: sectionsOf(measured),
    durationMs,
  };
}

/** Plan requirements that were broken, one line each: for a test, which must not depend on a time. */
export function brokenPlans(measured: Measured): readonly string[] {
  return timesIn(measured.results).flatMap(({ budget, planned, why }) => {
    if (planned === null || planned.unseen !== undefined)
      return why.map((reason) => `${budget.name}: ${reason}`);
    return planned.judged
      .filter((one) => !one.held)
      .map((one) => `${budget.name}: ${one.said}; seen: ${one.seen}`);
  });
}

function lineOf(results: readonly Result[]): string {
  const of = (verdict: Result['verdict']): number => results.filter((one) => one.verdict === verdict).length;
  const documents = results.filter((one) => one.document !== null);
  const met = documents.filter((one) => one.document === 'met').length;
  const parts = [
    `${of('held')} of ${results.length} budgets held`,
    ...(of('broken') > 0 ? [`${of('broken')} broken`] : []),
    ...(of('noisy') > 0 ? [`${of('noisy')} not told by a busy machine`] : []),
    ...(of('not shown') > 0 ? [`${of('not shown')} not shown`] : []),
    ...(documents.length > 0 ? [`${met} of ${documents.length} of the document's targets met`] : []),
  ];
  return parts.join(', ');
}

function figuresOf(results: readonly Result[]): Evidence['figures'] {
  const figures: Record<string, number | string> = {};
  for (const one of results) {
    const name = `${one.budget.name}${one.scale === 1 ? '' : ` at ${one.scale} ×`}`;
    if ('value' in one) {
      if (one.value !== null)
        figures[`${name}${one.budget.unit === '' ? '' : ` ${one.budget.unit}`}`] = one.value;
      continue;
    }
    if (one.timed === null) continue;
    for (const percentile of ['p50', 'p95', 'p99', 'max'] as const) {
      figures[`${name} ${percentile}_ms`] = rounded(one.timed.latency[percentile]);
    }
  }
  return figures;
}

function sectionsOf(measured: Measured): readonly Section[] {
  const { results } = measured;
  const scales = [...new Set(results.map((one) => one.scale))];
  const timed = timesIn(results).filter((one) => one.timed !== null);
  return [
    { kind: 'text', title: 'How it was measured', lines: methodOf(measured) },
    ...scales.flatMap((scale) => figuresAt(results, scale)),
    ...scalingTable(results),
    ...whyText(results),
    ...scales.flatMap((scale) => plansAt(results, scale)),
    ...timed.map(distribution),
    ...timesIn(results).flatMap(brokenStatements),
  ];
}

/** What was measured on one size. */
function figuresAt(results: readonly Result[], scale: number): readonly Section[] {
  const here = results.filter((one) => one.scale === scale);
  const timed = timesIn(here).filter((one) => one.timed !== null);
  const figures = here.filter((one): one is MeasuredFigure => 'value' in one);
  return [
    ...(timed.length > 0 ? [timesTable(timed), loadTable(timed)] : []),
    ...(figures.length > 0 ? [figuresTable(figures)] : []),
  ];
}

/** What the server did on one size. */
function plansAt(results: readonly Result[], scale: number): readonly Section[] {
  const times = timesIn(results).filter((one) => one.scale === scale);
  return [...(times.length > 0 ? [plansTable(times)] : []), ...requirementsTable(times)];
}

const at = (rows: readonly { readonly scale: number }[]): string => `at ${rows[0]?.scale ?? 1} ×`;

function timesIn(results: readonly Result[]): readonly MeasuredTime[] {
  return results.filter((one): one is MeasuredTime => !('value' in one));
}

function methodOf({ machine, loads, results }: Measured): readonly string[] {
  const timed = timesIn(results).filter((one) => one.timed !== null);
  const roles = [
    ...new Set(timesIn(results).map(({ role, wayIn }) => (role === null ? wayIn : `${role} (${wayIn})`))),
  ];
  return [
    ...machine,
    ...(roles.length > 0 ? [`role: ${roles.join(', ')}, in sessions as the application opens them`] : []),
    ...new Set(results.map((one) => `at ${one.scale} ×: ${allSizes(one.sizes)}`)),
    ...loads.map((load) => `loaded ${load}, then VACUUM (ANALYZE) and a checkpoint`),
    ...(timed.length === 0
      ? []
      : [
          'load: requests arrive at a fixed rate whether or not earlier ones were answered; each is timed from the moment it was due; percentiles are exact, of all requests',
          `noise: told from SELECT 1 at 200 a second before and after each budget (p95 over ${calmLimits.spread} times p50, p50 shifted by ${calmLimits.shift}, sent over ${calmLimits.latenessMs} ms late), from what other processes use then (over ${calmLimits.others} processors) and from time the host stole (over ${100 * calmLimits.steal} %)`,
          'served: answers a second; sent p95: milliseconds from sent to answered; SELECT 1: milliseconds of a request that asks for nothing, p50',
          RATES_SAID,
        ]),
  ];
}

function timesTable(timed: readonly MeasuredTime[]): TableSection {
  const percentiles = ['p50', 'p95', 'p99', 'max'] as const;
  return {
    kind: 'table',
    title: `Times in milliseconds, ${at(timed)}`,
    columns: [
      { name: 'budget' },
      ...percentiles.map((name) => ({ name })),
      { name: 'may take' },
      { name: 'document' },
      { name: 'it said' },
    ],
    rows: timed.map(({ budget, timed, verdict, document }) => ({
      verdict,
      cells: [
        budget.name,
        ...percentiles.map((one) => told(timed?.latency, one)),
        limitText(budget),
        documentText(budget, document),
        budget.document?.said ?? null,
      ],
    })),
  };
}

/** Under which load, how much of a time was the answer itself, and what a request that asks for nothing took meanwhile. */
function loadTable(timed: readonly MeasuredTime[]): TableSection {
  return {
    kind: 'table',
    title: `Load, and what the server counted, ${at(timed)}`,
    columns: [
      { name: 'budget' },
      { name: 'requests' },
      { name: 'served', unit: '/s' },
      { name: 'sent p95' },
      { name: 'SELECT 1' },
      { name: 'cache', unit: '%' },
      { name: 'index', unit: '%' },
    ],
    rows: timed.map(({ budget, timed }) => ({
      cells: [
        budget.name,
        `${budget.samples.toLocaleString('en')} at ${budget.ratePerSecond}/s, ${budget.clients} clients`,
        timed === null ? null : rounded(timed.answeredPerSecond),
        told(timed?.service, 'p95'),
        timed === null ? null : rounded((timed.nothing[0] + timed.nothing[1]) / 2),
        percent(timed?.rates.cacheHit),
        percent(timed?.rates.indexHit),
      ],
    })),
  };
}

/** Requests that must lie beyond a percentile for it to be told; with fewer it is the luck of one or two. */
const BEYOND = 5;
const SHARE = { p50: 0.5, p95: 0.05, p99: 0.01, max: 1 } as const;

type Latency = NonNullable<MeasuredTime['timed']>['latency'];

function told(latency: Latency | undefined, one: keyof typeof SHARE): number | null {
  if (latency === undefined || latency.samples * SHARE[one] < BEYOND) return null;
  return rounded(latency[one]);
}

function figuresTable(figures: readonly MeasuredFigure[]): TableSection {
  return {
    kind: 'table',
    title: `Figures, ${at(figures)}`,
    columns: [
      { name: 'budget' },
      { name: 'measured' },
      { name: 'unit' },
      { name: 'may be' },
      { name: 'document' },
      { name: 'it said' },
    ],
    rows: figures.map(({ budget, value, verdict, document }) => ({
      verdict,
      cells: [
        budget.name,
        value === null ? null : rounded(value),
        budget.unit,
        limitText(budget),
        documentText(budget, document),
        budget.document?.said ?? null,
      ],
    })),
  };
}

/** Each budget's figure at each size, and how it grew beside its data. */
function scalingTable(results: readonly Result[]): readonly TableSection[] {
  const scales = [...new Set(results.map((one) => one.scale))];
  const [first, last] = [scales[0], scales.at(-1)];
  if (first === undefined || last === undefined || first === last) return [];
  const names = [...new Set(results.map((one) => one.budget.name))];
  return [
    {
      kind: 'table',
      title: `Scaling: p95 (or the figure) side by side; the data grew ${rounded(last / first)} times`,
      columns: [
        { name: 'budget' },
        ...scales.map((scale) => ({ name: `${scale} ×` })),
        { name: 'grew', unit: 'times' },
      ],
      rows: names.map((name) => {
        const values = scales.map((scale) =>
          valueOf(results.find((one) => one.budget.name === name && one.scale === scale)),
        );
        const [low, high] = [values[0], values.at(-1)];
        const grew = low == null || high == null || low === 0 ? null : rounded(high / low);
        return { cells: [name, ...values.map((one) => (one === null ? null : rounded(one))), grew] };
      }),
    },
  ];
}

function valueOf(result: Result | undefined): number | null {
  if (result === undefined) return null;
  return 'value' in result ? result.value : (result.timed?.latency[firstLimit(result.budget)] ?? null);
}

function plansTable(times: readonly MeasuredTime[]): TableSection {
  return {
    kind: 'table',
    title: `What a request reads, ${at(times)}`,
    columns: [{ name: 'budget' }, { name: 'rows it gives or writes' }, { name: 'plans' }],
    rows: times.map(({ budget, planned }) => ({
      cells: [
        budget.name,
        planned === null || planned.unseen !== undefined ? null : planned.rows,
        planned?.unseen ?? planned?.line ?? null,
      ],
    })),
  };
}

function requirementsTable(times: readonly MeasuredTime[]): readonly TableSection[] {
  const rows = times.flatMap(({ budget, planned }) =>
    (planned?.judged ?? []).map((one) => ({
      verdict: one.held ? ('held' as const) : ('broken' as const),
      cells: [budget.name, one.said, one.seen],
    })),
  );
  if (rows.length === 0) return [];
  const columns = [{ name: 'budget' }, { name: 'must' }, { name: 'seen' }];
  return [{ kind: 'table', title: `What each of eight requests must be like, ${at(times)}`, columns, rows }];
}

function whyText(results: readonly Result[]): readonly Section[] {
  const lines = results
    .filter((one) => one.why.length > 0)
    .map(
      (one) =>
        `${one.budget.name} at ${sizeText(one.budget, one.sizes)}: ${one.verdict}: ${one.why.join('; ')}`,
    );
  return lines.length === 0 ? [] : [{ kind: 'text', title: 'What is not held, and why', lines }];
}

function distribution({ budget, timed, sizes }: MeasuredTime): LatencySection {
  if (timed === null) throw new Error('a budget without times has no distribution');
  const percentile = firstLimit(budget);
  const limit = budget.limitsMs[percentile];
  return {
    kind: 'latency',
    title: `${budget.name} at ${sizeText(budget, sizes)}`,
    classes: timed.classes,
    p50Ms: rounded(timed.latency.p50),
    p95Ms: rounded(timed.latency.p95),
    p99Ms: rounded(timed.latency.p99),
    ...(limit !== undefined && { budget: { percentile, ms: limit } }),
  };
}

function brokenStatements({ budget, planned }: MeasuredTime): readonly Section[] {
  return (planned?.judged ?? []).flatMap((one): readonly Section[] =>
    one.sql === undefined
      ? []
      : [
          {
            kind: 'statement',
            title: `${budget.name}: not as it must be: ${one.said}`,
            sql: one.sql,
            said: one.seen,
          },
        ],
  );
}

/** `1,000,000 corrections`: the first kind the budget asks for, as many as there were. */
function sizeText(budget: Budget, sizes: Readonly<Record<string, number>>): string {
  const [kind = ''] = Object.keys(budget.at);
  return `${(sizes[kind] ?? 0).toLocaleString('en')} ${kind}`.trim();
}

function allSizes(sizes: Readonly<Record<string, number>>): string {
  const kinds = Object.entries(sizes).filter(([, rows]) => rows > 0);
  return kinds.map(([kind, rows]) => `${rows.toLocaleString('en')} ${kind}`).join(', ');
}

function limitText(budget: Budget): string | null {
  if (budget.kind === 'figure') return bounds(budget);
  const limits = Object.entries(budget.limitsMs).map(([percentile, ms]) => `${percentile} ${ms} ms`);
  return limits.length === 0 ? null : limits.join(', ');
}

function bounds({ atMost, atLeast }: { readonly atMost?: number; readonly atLeast?: number }): string | null {
  const parts = [
    ...(atLeast === undefined ? [] : [`at least ${atLeast.toLocaleString('en')}`]),
    ...(atMost === undefined ? [] : [`at most ${atMost.toLocaleString('en')}`]),
  ];
  return parts.length === 0 ? null : parts.join(', ');
}

function documentText({ document }: Budget, standing: Result['document']): string | null {
  if (document === undefined) return null;
  return standing === null ? document.target : `${document.target}: ${standing}`;
}

function percent(share: number | null | undefined): number | null {
  return share == null ? null : Math.round(1_000 * share) / 10;
}

/** Three figures that mean something: a time is not known better. */
function rounded(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(3)) : 0;
}
