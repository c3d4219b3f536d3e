// kill -9 at every boundary of a plan, forward and back: the next run finishes, and ledger and server agree.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'pg';
import { describe, expect } from 'vitest';
import { apply } from '../../src/build/apply.ts';
import { catalogueDump } from '../../src/build/catalogue-dump.ts';
import { rollback } from '../../src/build/rollback.ts';
import type { Plan } from '../../src/build/step.ts';
import { runs, stepsOf } from '../../src/ledger/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { base, rows } from '../online/changes.ts';
import { planBetween, stage } from '../online/stage.ts';
import { invalidIndexes } from '../online/try-change.ts';

const AFTER = `
CREATE TABLE shop.extra (id int PRIMARY KEY, place bigint REFERENCES shop.place (id));
CREATE INDEX ON shop.extra (place);
ALTER TABLE shop.busy ADD COLUMN note text DEFAULT 'x', ALTER COLUMN a SET NOT NULL,
  ADD CONSTRAINT a_positive CHECK (a > 0), ADD CONSTRAINT txt_once UNIQUE (txt),
  ADD CONSTRAINT busy_place FOREIGN KEY (place) REFERENCES shop.place (id);
CREATE INDEX busy_a ON shop.busy (a);
CREATE INDEX part_a ON shop.part (a, at);
ALTER TABLE shop.part ALTER COLUMN place SET NOT NULL;
CREATE VIEW shop.seen AS SELECT id FROM shop.busy;
CREATE FUNCTION shop.kept() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER extra_kept BEFORE INSERT ON shop.extra FOR EACH ROW EXECUTE FUNCTION shop.kept();
ALTER TABLE shop.busy ADD CONSTRAINT busy_extra FOREIGN KEY (small) REFERENCES shop.extra (id) NOT VALID;
ALTER TABLE shop.busy SET (fillfactor = 80);
ALTER TYPE shop.mood ADD VALUE 'middle';
`;

const JITI = 'node_modules/jiti/lib/jiti-cli.mjs';

/** Every boundary of a plan: each statement has three. */
const boundaries = (statements: number): readonly number[] =>
  Array.from({ length: statements * 3 }, (_, at) => at + 1);

interface Scene {
  readonly plan: Plan;
  readonly file: string;
  readonly clone: () => Promise<{
    readonly url: string;
    readonly pool: Pool;
    readonly drop: () => Promise<void>;
  }>;
}

async function withScene(db: TestDatabase, work: (scene: Scene) => Promise<void>): Promise<void> {
  const template = await db.another();
  const goal = await db.another();
  await template.query(base);
  await template.query(rows(300));
  await goal.query(base);
  await goal.query(AFTER);
  const plan = await planBetween(template.pool, goal.pool);
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-crash-'));
  const file = join(folder, 'plan.json');
  writeFileSync(file, JSON.stringify(plan));
  let made = 0;
  const clone = async (): ReturnType<Scene['clone']> => {
    const name = `${db.name}_c${(made += 1)}`.slice(-63);
    await db.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, [
      template.name,
    ]);
    await db.query(`CREATE DATABASE "${name}" TEMPLATE "${template.name}"`);
    const url = new URL(db.url);
    url.pathname = `/${name}`;
    const pool = new Pool({ connectionString: url.href, max: 4 });
    pool.on('error', () => undefined);
    const drop = async (): Promise<void> => {
      await pool.end();
      await db.query(`DROP DATABASE "${name}" WITH (FORCE)`);
    };
    return { url: url.href, pool, drop };
  };
  try {
    await work({ plan, file, clone });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs the child until it stops at a boundary, and kills it there. */
async function killedAt(scene: Scene, url: string, at: number): Promise<string> {
  const child = spawn(process.execPath, [JITI, 'test/apply/crash-child.ts', scene.file, url, String(at)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said = await new Promise<string>((resolve) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.endsWith('\n')) resolve(text.trim());
    });
    child.on('exit', () => resolve(text.trim()));
  });
  child.kill('SIGKILL');
  return said;
}

async function ledgerAgrees(pool: Pool, plan: Plan, state: string): Promise<void> {
  const [run] = await runs(pool);
  expect(run?.state).toBe(state);
  const done = await stepsOf(pool, run?.run ?? '0');
  const forward = done.filter(({ direction }) => direction === 'forward');
  if (state === 'applied')
    expect(forward.map(({ number, state }) => [number, state])).toEqual(
      plan.steps.map(({ number }) => [number, 'done']),
    );
  expect(await invalidIndexes(pool)).toEqual([]);
}

describe('cut off', () => {
  // Every boundary in the long run; a sample that meets each kind of statement otherwise.
  const every = Number(process.env['HOLDFAST_CRASH_EVERY'] ?? 9);
  const some = (statements: number, offset: number): readonly number[] =>
    boundaries(statements).filter((at) => at % every === offset % every);

  test('by kill -9 going forward: the next apply finishes', { timeout: 900_000 }, async ({ db }) => {
    await withScene(db, async (scene) => {
      expect(scene.plan.steps.length).toBeGreaterThanOrEqual(30);
      for (const at of some(scene.plan.steps.length, 1).filter((_, n) => every === 1 || n % 5 === 0)) {
        const target = await scene.clone();
        expect(await killedAt(scene, target.url, at)).toBe('stopped');
        const applied = await apply(scene.plan, target.url);
        expect({ at, asPlanned: applied.endsAsPlanned }).toEqual({ at, asPlanned: true });
        await ledgerAgrees(target.pool, scene.plan, 'applied');
        await target.drop();
      }
    });
  });

  test('by a lost process going forward: the next apply finishes', { timeout: 900_000 }, async ({ db }) => {
    await withScene(db, async (scene) => {
      for (const at of some(scene.plan.steps.length, 2)) {
        const target = await scene.clone();
        await expect(apply(scene.plan, target.url, { onBoundary: lostAt(at) })).rejects.toThrow('lost');
        const applied = await apply(scene.plan, target.url);
        expect({ at, asPlanned: applied.endsAsPlanned }).toEqual({ at, asPlanned: true });
        await ledgerAgrees(target.pool, scene.plan, 'applied');
        await target.drop();
      }
    });
  });

  test('going forward: a rollback goes back from there', { timeout: 900_000 }, async ({ db }) => {
    await withScene(db, async (scene) => {
      for (const at of some(scene.plan.steps.length, 3)) {
        const target = await scene.clone();
        const before = await catalogueDump(target.pool);
        await expect(apply(scene.plan, target.url, { onBoundary: lostAt(at) })).rejects.toThrow('lost');
        await rollback(target.url, { to: 'previous' });
        expect(await catalogueDump(target.pool)).toEqual(before);
        await ledgerAgrees(target.pool, scene.plan, 'rolled back');
        await target.drop();
      }
    });
  });

  test('going back: the next rollback finishes', { timeout: 900_000 }, async ({ db }) => {
    await withScene(db, async (scene) => {
      const target = await scene.clone();
      const before = await catalogueDump(target.pool);
      const statements = scene.plan.steps.flatMap(({ back }) => back ?? []).length;
      for (const at of some(statements, 4).filter((_, n) => every === 1 || n % 2 === 0)) {
        await apply(scene.plan, target.url);
        const cut = rollback(target.url, { to: 'previous', onBoundary: lostAt(at) });
        await expect(cut).rejects.toThrow('lost');
        await rollback(target.url, { to: 'previous' });
        expect(await catalogueDump(target.pool)).toEqual(before);
        await ledgerAgrees(target.pool, scene.plan, 'rolled back');
      }
      await target.drop();
    });
  });
});

test('kill -9 in the middle of a concurrent build: the server stops it, the next apply builds it whole', async ({
  db,
}) => {
  const before = 'CREATE TABLE t (id int PRIMARY KEY, a int)';
  const { plan, target } = await stage(db, {
    before,
    rows: 'INSERT INTO t SELECT i, i FROM generate_series(1, 1000) i',
    after: `${before}; CREATE INDEX t_a ON t (a)`,
  });
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-crash-'));
  const file = join(folder, 'plan.json');
  writeFileSync(file, JSON.stringify(plan));
  const writer = await target.pool.connect();
  try {
    await writer.query('BEGIN; UPDATE t SET a = 0 WHERE id = 1');
    const child = spawn(process.execPath, [JITI, 'test/apply/crash-child.ts', file, target.url, '0']);
    const building = (): Promise<unknown[]> =>
      target.query(`SELECT FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'holdfast apply' AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'`);
    await expect.poll(building, { timeout: 30_000 }).toHaveLength(1);
    child.kill('SIGKILL');
    await expect.poll(building, { timeout: 10_000 }).toHaveLength(0);
    expect(await invalidIndexes(target.pool)).toEqual(['t_a']);
    await writer.query('COMMIT');
    expect(await apply(plan, target.url)).toMatchObject({ resumed: true, endsAsPlanned: true });
    expect(await invalidIndexes(target.pool)).toEqual([]);
  } finally {
    writer.release();
    rmSync(folder, { recursive: true });
  }
});

/** Ends a run at its n-th boundary; its sessions are closed, which is all a server sees of a process that is gone. */
function lostAt(boundary: number): () => void {
  let passed = 0;
  return () => {
    passed += 1;
    if (passed === boundary) throw new Error('lost');
  };
}
