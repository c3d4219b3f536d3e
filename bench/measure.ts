// How the bench measures: contenders take turns in one process, so that whatever the machine does meets them alike.

/** One way of doing the same work; `run` does it once. */
export interface Contender {
  readonly label: string;
  readonly run: (round: number) => Promise<unknown>;
}

/** Times of one contender, in milliseconds. */
export interface Timing {
  readonly label: string;
  readonly median: number;
  readonly p95: number;
  readonly p99: number;
  /** Median over the baseline's median. */
  readonly ratio: number;
}

/** A comparison: the first contender is the baseline. */
export interface Comparison {
  readonly title: string;
  readonly runs: number;
  readonly timings: readonly Timing[];
}

/** A figure that was promised, and what came out. */
export interface Aim {
  readonly text: string;
  readonly limit: number;
  readonly measured: number;
}

/** What a part of the bench gives back. */
export interface Report {
  readonly settings: Readonly<Record<string, string | number>>;
  readonly comparisons: readonly Comparison[];
  readonly aims: readonly Aim[];
}

/** What a part of the bench gets. */
export interface Context {
  /** Superuser's connection string to a server the part may make databases and roles on. */
  readonly serverUrl: string;
  /** Shorter runs, to see that it works. */
  readonly quick: boolean;
}

/** A part of the bench: a module that exports these two. */
export interface Part {
  readonly name: string;
  readonly run: (context: Context) => Promise<Report>;
}

/**
 * Runs the contenders in turn, each round beginning with another of them, after a tenth as many rounds unmeasured.
 * @param runs measured rounds
 */
export async function compare(
  title: string,
  contenders: readonly Contender[],
  runs: number,
): Promise<Comparison> {
  const times = new Map(contenders.map((contender) => [contender, [] as number[]]));
  const warmups = Math.ceil(runs / 10);
  for (let round = 0; round < runs + warmups; round += 1) {
    const first = round % contenders.length;
    for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
      const began = process.hrtime.bigint();
      await contender.run(round);
      const ms = Number(process.hrtime.bigint() - began) / 1e6;
      if (round >= warmups) times.get(contender)?.push(ms);
    }
  }
  const sorted = contenders.map((contender) => [...(times.get(contender) ?? [])].sort((a, b) => a - b));
  const base = quantile(sorted[0] ?? [], 0.5);
  const timings = contenders.map((contender, at) => {
    const median = quantile(sorted[at] ?? [], 0.5);
    return {
      label: contender.label,
      median,
      p95: quantile(sorted[at] ?? [], 0.95),
      p99: quantile(sorted[at] ?? [], 0.99),
      ratio: median / base,
    };
  });
  return { title, runs, timings };
}

/** The ratio of a contender's median to another's in one comparison. */
export function ratio(comparison: Comparison, of: string, to: string): number {
  const median = (label: string): number =>
    comparison.timings.find((timing) => timing.label === label)?.median ?? Number.NaN;
  return median(of) / median(to);
}

/** The value below which that share of the sorted ones lies. */
export function quantile(sorted: readonly number[], at: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? Number.NaN;
}
