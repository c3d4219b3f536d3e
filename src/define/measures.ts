// Joins what traits measure into the families, rules and collectors of a definition, and says what is wrong with them.
import type { AlertRule, Metric, Watched } from './measure.ts';
import type { Model } from './model.ts';
import type { Diagnostic, Trait } from './trait.ts';

/** What a definition measures: every family and every rule once, one collector a trait value. */
export interface Measures {
  readonly metrics: readonly Metric[];
  readonly alerts: readonly AlertRule[];
  readonly collectors: readonly { readonly trait: string; readonly watched: Watched }[];
}

/** First words of names after `holdfast_` that are the engine's own; a trait uses others. */
export const engineWords = [
  'build',
  'collector',
  'database',
  'index',
  'job',
  'keeper',
  'ledger',
  'plan',
  'proof',
  'relation',
] as const;

/**
 * The measures of a definition and what is wrong with them. Values of one trait share their families and rules; a name
 * that two traits use, or one trait in two meanings, is a mistake. Pure.
 */
export function collectMeasures(
  model: Model,
  traits: readonly Trait[],
): Measures & { readonly diagnostics: readonly Diagnostic[] } {
  const collectors = traits.flatMap((trait) => {
    const watched = trait.watch?.(model);
    return watched === undefined ? [] : [{ trait: trait.name, watched }];
  });
  const metrics = unique(
    collectors.flatMap(({ trait, watched }) => watched.metrics.map((value) => ({ trait, value }))),
    'metric',
  );
  const alerts = unique(
    collectors.flatMap(({ trait, watched }) => watched.alerts.map((value) => ({ trait, value }))),
    'alert',
  );
  return {
    metrics: metrics.values,
    alerts: alerts.values,
    collectors,
    diagnostics: [
      ...metrics.diagnostics,
      ...metrics.values.flatMap((metric) => [...aboutMetric(metric), ...engineName(metric)]),
      ...alerts.diagnostics,
      ...alerts.values.flatMap(aboutAlert),
    ],
  };
}

interface Declared<T> {
  readonly trait: string;
  readonly value: T;
}

function unique<T extends { readonly name: string }>(
  declared: readonly Declared<T>[],
  what: 'metric' | 'alert',
): { readonly values: readonly T[]; readonly diagnostics: readonly Diagnostic[] } {
  const firsts = new Map<string, Declared<T>>();
  const diagnostics = new Map<string, Diagnostic>();
  for (const one of declared) {
    const { name } = one.value;
    const first = firsts.get(name) ?? one;
    firsts.set(name, first);
    const clash = clashOf(first, one);
    if (clash !== undefined) diagnostics.set(name, mistake(`${what} ${name}`, ...clash));
  }
  return { values: [...firsts.values()].map((one) => one.value), diagnostics: [...diagnostics.values()] };
}

function clashOf<T>(first: Declared<T>, other: Declared<T>): [string, string] | undefined {
  if (other.trait !== first.trait) {
    return [
      `traits ${first.trait} and ${other.trait} both declare it.`,
      'Give one of them a name with its own first word.',
    ];
  }
  if (JSON.stringify(other.value) === JSON.stringify(first.value)) return undefined;
  return [
    `two values of trait ${first.trait} declare it differently.`,
    'Declare it alike for all; measure what differs (a limit) as a metric of its own.',
  ];
}

function engineName({ name }: Metric): Diagnostic[] {
  const word = name.split('_')[1] ?? '';
  if (!(engineWords as readonly string[]).includes(word)) return [];
  return [
    mistake(
      `metric ${name}`,
      `names that begin with holdfast_${word} are the engine’s.`,
      'Name it otherwise.',
    ),
  ];
}

const NAME = /^holdfast(_[a-z][a-z0-9]*)+$/;
const LABEL = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;
const OTHER_UNITS =
  /_(ms|milliseconds|micros|microseconds|minutes|hours|days|weeks|months|kb|mb|gb|kilobytes|megabytes|percent|pct)(_|$)/;
const FOREIGN_SUFFIX = /_(total|count|sum|bucket|info)$/;
const PROMETHEUS_LABELS = ['job', 'instance', 'alertname', 'severity', 'le', 'quantile'];
const TOO_MANY_LABELS = /tenant|customer|account|user|seller|partition/;

/** What is wrong with one family, the engine's own included: its name, unit, suffix, labels and help. */
export function aboutMetric(metric: Metric): Diagnostic[] {
  const { name, type, labels, help } = metric;
  const found: Diagnostic[] = [];
  const add = (what: string, fix: string): void => {
    found.push(mistake(`metric ${name}`, what, fix));
  };
  if (!NAME.test(name)) add('its name cannot be used.', 'Use small letters, digits and underscores.');
  if (OTHER_UNITS.test(name)) add('its unit is no base unit.', 'Measure in seconds, bytes or a ratio.');
  if (type === 'counter' && !name.endsWith('_total')) add('it is a counter without _total.', 'Add _total.');
  if (type === 'gauge' && FOREIGN_SUFFIX.test(name) && !(name.endsWith('_info') && labels.length > 0))
    add(
      'it is a gauge and its last word says otherwise.',
      'Leave _total, _count, _sum and _bucket to their types.',
    );
  if (help.trim() === '' || help.includes('\n'))
    add('its help is no line of text.', 'Say what it is in one line.');
  const bad = labels.filter((label) => !LABEL.test(label) || PROMETHEUS_LABELS.includes(label));
  if (bad.length > 0) add(`Prometheus has another use for its label ${bad.join(', ')}.`, 'Rename it.');
  const many = labels.filter((label) => TOO_MANY_LABELS.test(label));
  if (many.length > 0)
    add(`its label ${many.join(', ')} would make a series of each.`, 'Add up to the relation.');
  if (new Set(labels).size < labels.length) add('it has a label twice.', 'Name each once.');
  return found;
}

const ALERT = /^Holdfast[A-Z][A-Za-z0-9]*$/;
const DURATION = /^[1-9][0-9]*[smhd]$/;

/** What is wrong with one rule, the engine's own included: its name, wait, text and cases. */
export function aboutAlert(rule: AlertRule): Diagnostic[] {
  const found: Diagnostic[] = [];
  const add = (what: string, fix: string): void => {
    found.push(mistake(`alert ${rule.name}`, what, fix));
  };
  if (!ALERT.test(rule.name)) add('its name cannot be used.', 'Write it as HoldfastSomethingLate.');
  if (!DURATION.test(rule.for)) add(`it waits for ${rule.for}.`, 'Write a whole number with s, m, h or d.');
  if (!rule.cases.some((one) => one.fires.length > 0)) add('no case shows that it fires.', 'Add one.');
  if (!rule.cases.some((one) => one.fires.length === 0)) add('no case shows it quiet.', 'Add one.');
  const plain = `${rule.summary} ${rule.description}`.replaceAll(/\{\{ \$labels\.[a-z0-9_]+ \}\}/g, '');
  if (/\{\{|\}\}/.test(plain))
    add('its text has a template that tests cannot read.', 'Use {{ $labels.name }} alone.');
  return found;
}

function mistake(subject: string, what: string, fix: string): Diagnostic {
  return { code: 'HF_MEASURE', severity: 'error', subject, what, fix };
}
