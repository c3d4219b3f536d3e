// Replays of this folder's subject, and what has to be true of each. HOLDFAST_LAPSE_SEED picks another seed,
// HOLDFAST_LAPSE_ROWS more rows a day.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject } from 'vitest';
import { brokenLines, lapse, timeline, verdict, type Lapse, type Variant } from '../../src/prove/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { subject, traffic } from './subject.ts';
import { wellFormed } from './well-formed.ts';

const SEED = Number(process.env['HOLDFAST_LAPSE_SEED'] ?? 1);
const ROWS = Number(process.env['HOLDFAST_LAPSE_ROWS'] ?? 16);
// Minutes on a busy machine, seconds on an idle one.
const TIMEOUT_MS = 900_000;

/** A test that a variant holds. */
export function holds(variant: Variant): void {
  test(`${variant.name}: ${variant.what}`, { timeout: TIMEOUT_MS }, async ({ db, signal }) => {
    const found = await replay(db, variant, signal);
    const again = `HOLDFAST_LAPSE_SEED=${found.seed} HOLDFAST_LAPSE_ROWS=${ROWS} npx vitest run test/prove -t ${variant.name}`;
    expect(brokenLines(found, again)).toEqual([]);
    expect(found.days).toBe(variant.days);
    expect(found.jobs.filter((job) => job.runs === 0)).toEqual([]);
    for (const one of found.relations) {
      expect(one.online + one.archived + one.deleted).toBe(one.inserted - one.withdrawn);
      expect(one.online).toBeGreaterThan(0);
    }
    const [orders, visits, notices] = found.relations;
    expect(orders!.headroomMs).toBeGreaterThan(31 * 86_400_000);
    expect(orders!.archived).toBeGreaterThan(0);
    expect(visits!.archived).toBeGreaterThan(0);
    expect(notices!.deleted).toBeGreaterThan(0);
    expect(wellFormed(timeline(found.picture))).toEqual([]);
    const weeks = variant.killEveryDays === undefined ? 0 : Math.floor(variant.days / variant.killEveryDays);
    expect(found.kills).toBeGreaterThanOrEqual(weeks);
  });
}

async function replay(db: TestDatabase, variant: Variant, signal: AbortSignal): Promise<Lapse> {
  const files = mkdtempSync(join(tmpdir(), 'lapse-files-'));
  try {
    const roles = { app: db.role('lapse_app'), system: db.role('lapse_sys'), owner: db.role('lapse_own') };
    const found = await lapse(subject({ roles, files }), traffic(), {
      serverUrl: inject('serverUrl'),
      from: new Date(`${variant.from ?? '2026-01-15'}T00:00:00Z`),
      days: variant.days,
      rowsPerDay: ROWS,
      seed: SEED,
      variant,
      signal,
    });
    // The seed belongs into every log, so that what a run found can be seen again.
    process.stdout.write(`${verdict(found)}\n`);
    return found;
  } finally {
    rmSync(files, { recursive: true, force: true });
  }
}
