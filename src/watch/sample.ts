// Samples a collector may hand on: of families it declared, with their labels, no series twice. A gauge may be infinite:
// the age of what never was.
import type { Metric, Sample } from '../define/measure.ts';
import { HoldfastError } from '../error.ts';

/**
 * Lets the samples of one collector through, or refuses them all.
 * @param taken keys of series that were handed on before; those of `samples` are added
 * @throws HoldfastError HF_WATCH_SAMPLE when one is of another family, has other labels, is NaN, is negative or
 *   infinite in a counter, or stands there twice
 */
export function checked(
  metrics: readonly Metric[],
  samples: readonly Sample[],
  taken: Set<string>,
): readonly Sample[] {
  const byName = new Map(metrics.map((metric) => [metric.name, metric]));
  const own = new Set<string>();
  for (const sample of samples) {
    const wrong = mistakeIn(byName.get(sample.metric), sample);
    if (wrong !== undefined) throw refusal(sample, wrong);
    const key = keyOf(sample);
    if (own.has(key) || taken.has(key)) throw refusal(sample, 'it was measured already');
    own.add(key);
  }
  for (const key of own) taken.add(key);
  return samples;
}

function mistakeIn(metric: Metric | undefined, { labels, value }: Sample): string | undefined {
  if (metric === undefined) return 'its collector does not declare that metric';
  const given = Object.keys(labels).sort().join(', ');
  const wanted = [...metric.labels].sort().join(', ');
  if (given !== wanted) return `its labels are (${given}) and should be (${wanted})`;
  if (Number.isNaN(value)) return 'its value is no number';
  const counts = value >= 0 && Number.isFinite(value);
  return metric.type === 'counter' && !counts ? `a counter is never ${String(value)}` : undefined;
}

// As prom-client tells series apart, so that two it would take for one are refused here and not added up there.
function keyOf({ metric, labels }: Sample): string {
  const names = Object.keys(labels).sort();
  return `${metric} ${names.map((name) => `${name}:${labels[name] ?? ''},`).join('')}`;
}

function refusal({ metric, labels }: Sample, why: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_WATCH_SAMPLE',
    subject: `metric ${metric}${JSON.stringify(labels)}`,
    what: `${why}.`,
    fix: 'Mend the collector: one sample a series, of a declared metric, with its labels.',
  });
}
