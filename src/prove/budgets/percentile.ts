// Percentiles of all samples, not of classes: exact, and few enough to keep.
import type { Percentile } from '../../define/index.ts';

/** What is said of a list of times, in milliseconds. */
export interface Spread {
  readonly samples: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  readonly mean: number;
}

const SHARE: Readonly<Record<Percentile, number>> = { p50: 0.5, p95: 0.95, p99: 0.99 };

/** The percentiles of some times; NaN where there is none. */
export function spread(times: Iterable<number>): Spread {
  const sorted = Float64Array.from(times).sort();
  return {
    samples: sorted.length,
    p50: at(sorted, SHARE.p50),
    p95: at(sorted, SHARE.p95),
    p99: at(sorted, SHARE.p99),
    max: sorted.at(-1) ?? Number.NaN,
    mean: sorted.length === 0 ? Number.NaN : sorted.reduce((sum, one) => sum + one, 0) / sorted.length,
  };
}

/**
 * The smallest sample that at least this share of all is not above (nearest rank): a time that was really seen.
 * @param sorted ascending
 */
function at(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Bounds of classes in each decade; the sixth part of one is what a chart can show. */
const STEPS = [1, 1.5, 2, 3, 5, 7] as const;

/** Counts times in classes that grow with the time; only those between the first and the last that holds any. */
export function classes(times: Float64Array): readonly { readonly upToMs: number; readonly count: number }[] {
  const bounds: number[] = [];
  for (let decade = -3; decade <= 6; decade += 1) {
    bounds.push(...STEPS.map((step) => Number((step * 10 ** decade).toPrecision(2))));
  }
  const counts = bounds.map(() => 0);
  for (const time of times) {
    const place = bounds.findIndex((bound) => time <= bound);
    const index = place === -1 ? bounds.length - 1 : place;
    counts[index] = (counts[index] ?? 0) + 1;
  }
  const first = counts.findIndex((count) => count > 0);
  const last = counts.findLastIndex((count) => count > 0);
  return bounds
    .map((upToMs, index) => ({ upToMs, count: counts[index] ?? 0 }))
    .slice(Math.max(0, first), last + 1);
}
