// Three years of the tests' shop at a hundred times their rows, and every variant: how long a replay takes, by what it
// checks. There is nothing to compare with; the figures say what a replay of one's own size will cost.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brokenLines, lapse, variants, type Lapse } from '../src/prove/index.ts';
import { subject, traffic } from '../test/prove/subject.ts';
import type { Aim, Comparison, Context, Report } from './measure.ts';

export const name = 'lapse';

const ROLES = { app: 'hf_bench_lapse_app', system: 'hf_bench_lapse_system', owner: 'hf_bench_lapse_owner' };
const SEED = Number(process.env['HOLDFAST_LAPSE_SEED'] ?? 20260115);

/** Runs the part. */
export async function run({ serverUrl, quick }: Context): Promise<Report> {
  const rowsPerDay = quick ? 100 : 1_500;
  const comparisons: Comparison[] = [];
  let broken = 0;
  for (const variant of variants) {
    const files = mkdtempSync(join(tmpdir(), 'hf-bench-lapse-'));
    try {
      const found = await lapse(subject({ roles: ROLES, files }), traffic(), {
        serverUrl,
        from: new Date(`${variant.from ?? '2026-01-15'}T00:00:00Z`),
        days: quick ? Math.min(variant.days, 120) : variant.days,
        rowsPerDay,
        seed: SEED,
        variant,
      });
      broken += found.failures.length;
      const again = `HOLDFAST_LAPSE_SEED=${SEED} npm run bench -- --only lapse`;
      for (const line of brokenLines(found, again)) process.stderr.write(`${variant.name}: ${line}\n`);
      comparisons.push(timed(found));
    } finally {
      rmSync(files, { recursive: true, force: true });
    }
  }
  const aims: Aim[] = [{ text: 'promises broken in any variant', limit: 0, measured: broken }];
  return {
    settings: { 'rows a day': rowsPerDay, seed: SEED, checked: 'every day; whole rows every seventh' },
    comparisons,
    aims,
  };
}

function timed(found: Lapse): Comparison {
  const rows = found.relations.reduce((sum, one) => sum + one.inserted, 0);
  const ms = found.tookMs / found.days;
  const label = `a day (${found.days} days, ${rows} rows, ${found.ticks} ticks, ${found.checks} checks, ${found.kills} kills)`;
  return {
    title: `replay, ${found.variant}: ${(found.tookMs / 1000).toFixed(1)} s`,
    runs: 1,
    timings: [{ label, median: ms, p95: ms, p99: ms, ratio: 1 }],
  };
}
