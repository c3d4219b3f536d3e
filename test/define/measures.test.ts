// What a definition refuses of the metrics and rules of its traits, before any server is asked.
import { describe, expect, test } from 'vitest';
import { database, type Diagnostic, DefinitionError } from '../../src/define/index.ts';
import type { AlertRule, Metric } from '../../src/define/measure.ts';
import type { Trait } from '../../src/define/trait.ts';
import { rule, sized, sizes, watched, watching } from '../watch/stage.ts';

function refused(...traits: readonly Trait[]): readonly Diagnostic[] {
  try {
    database('shop', { traits });
  } catch (error) {
    if (error instanceof DefinitionError) return error.diagnostics;
    throw error;
  }
  return [];
}

const metric = (change: Partial<Metric>): Trait => watching('sizes', { metrics: [{ ...sizes, ...change }] });
const alert = (change: Partial<AlertRule>): Trait => watching('sizes', { alerts: [{ ...rule, ...change }] });

describe('measures of a definition', () => {
  test('values of one trait share their families and rules', () => {
    const { measures } = watched(sized('a'), sized('b'));
    expect(measures.metrics).toEqual([sizes]);
    expect(measures.alerts).toEqual([rule]);
    expect(measures.collectors).toHaveLength(2);
  });

  test('one name in two traits is refused', () => {
    const other = watching('others', { metrics: [sizes], alerts: [rule] });
    expect(refused(sized('a'), other)).toEqual([
      {
        code: 'HF_MEASURE',
        severity: 'error',
        subject: 'metric holdfast_sizes_bytes',
        what: 'traits sizes and others both declare it.',
        fix: 'Give one of them a name with its own first word.',
      },
      {
        code: 'HF_MEASURE',
        severity: 'error',
        subject: 'alert HoldfastSizesGrown',
        what: 'traits sizes and others both declare it.',
        fix: 'Give one of them a name with its own first word.',
      },
    ]);
  });

  test('one name in two meanings is refused', () => {
    expect(refused(sized('a'), metric({ help: 'Another thing.' })).map(({ what }) => what)).toEqual([
      'two values of trait sizes declare it differently.',
    ]);
    expect(refused(sized('a'), alert({ expr: 'vector(1)' })).map(({ what }) => what)).toEqual([
      'two values of trait sizes declare it differently.',
    ]);
  });

  test.each<[string, Partial<Metric>, string[]]>([
    ['capitals', { name: 'holdfast_Sizes' }, ['its name cannot be used.']],
    ['milliseconds', { name: 'holdfast_sizes_ms' }, ['its unit is no base unit.']],
    ['percent', { name: 'holdfast_sizes_percent_full' }, ['its unit is no base unit.']],
    ['a counter without _total', { type: 'counter' }, ['it is a counter without _total.']],
    [
      'a gauge with _total',
      { name: 'holdfast_sizes_total' },
      ['it is a gauge and its last word says otherwise.'],
    ],
    [
      'a gauge with _count',
      { name: 'holdfast_sizes_count' },
      ['it is a gauge and its last word says otherwise.'],
    ],
    ['no help', { help: ' ' }, ['its help is no line of text.']],
    ['help of two lines', { help: 'a\nb' }, ['its help is no line of text.']],
    ['job', { labels: ['job'] }, ['Prometheus has another use for its label job.']],
    ['a label with a dash', { labels: ['a-b'] }, ['Prometheus has another use for its label a-b.']],
    ['tenants', { labels: ['tenant_id'] }, ['its label tenant_id would make a series of each.']],
    ['partitions', { labels: ['partition'] }, ['its label partition would make a series of each.']],
    ['a label twice', { labels: ['a', 'a'] }, ['it has a label twice.']],
    [
      'the engine’s word',
      { name: 'holdfast_job_sizes' },
      ['names that begin with holdfast_job are the engine’s.'],
    ],
  ])('a metric with %s is refused', (_, change, what) => {
    expect(refused(metric(change)).map((one) => one.what)).toEqual(what);
  });

  test.each<[string, Partial<AlertRule>, string]>([
    ['a small name', { name: 'Holdfastsizes' }, 'its name cannot be used.'],
    ['a wait of words', { for: '5 minutes' }, 'it waits for 5 minutes.'],
    ['no firing case', { cases: rule.cases.slice(1) }, 'no case shows that it fires.'],
    ['no quiet case', { cases: rule.cases.slice(0, 1) }, 'no case shows it quiet.'],
    [
      'another template',
      { summary: '{{ $value | humanize }}' },
      'its text has a template that tests cannot read.',
    ],
  ])('an alert with %s is refused', (_, change, what) => {
    expect(refused(alert(change)).map((one) => one.what)).toEqual([what]);
  });
});
