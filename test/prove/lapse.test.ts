// Three years, and everything that can go wrong meanwhile, on the subject of this folder. HOLDFAST_LAPSE_SEED picks
// another seed, HOLDFAST_LAPSE_ROWS more rows a day.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, inject } from 'vitest';
import {
  brokenLines,
  lapse,
  timeline,
  variants,
  verdict,
  type Lapse,
  type Variant,
} from '../../src/prove/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { subject, traffic } from './subject.ts';
import { wellFormed } from './well-formed.ts';

const SEED = Number(process.env['HOLDFAST_LAPSE_SEED'] ?? 1);
const ROWS = Number(process.env['HOLDFAST_LAPSE_ROWS'] ?? 16);

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

describe('every promise about time holds', () => {
  for (const variant of variants) {
    test(`${variant.name}: ${variant.what}`, { timeout: 900_000 }, async ({ db, signal }) => {
      const found = await replay(db, variant, signal);
      expect(
        brokenLines(found, `HOLDFAST_LAPSE_SEED=${found.seed} npx vitest run test/prove/lapse.test.ts`),
      ).toEqual([]);
      expect(found.days).toBe(variant.days);
      const [orders, visits, notices] = found.relations;
      for (const one of [orders!, visits!, notices!]) {
        expect(one.online + one.archived + one.deleted).toBe(one.inserted - one.withdrawn);
        expect(one.online).toBeGreaterThan(0);
      }
      expect(orders!.headroomMs).toBeGreaterThan(31 * 86_400_000);
      expect(orders!.archived).toBeGreaterThan(0);
      expect(visits!.archived).toBeGreaterThan(0);
      expect(notices!.deleted).toBeGreaterThan(0);
      expect(wellFormed(timeline(found.picture))).toEqual([]);
      if (variant.killEveryDays !== undefined)
        expect(found.kills).toBeGreaterThanOrEqual(Math.floor(variant.days / variant.killEveryDays));
    });
  }
});
