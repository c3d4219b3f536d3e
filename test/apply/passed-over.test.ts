// A run whose process is stopped (SIGSTOP) until another took over, and then wakes: it must write nothing more.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { apply } from '../../src/build/apply.ts';
import { catalogueDump } from '../../src/build/catalogue-dump.ts';
import { rollback } from '../../src/build/rollback.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { stage } from '../online/stage.ts';

const JITI = 'node_modules/jiti/lib/jiti-cli.mjs';
const BEFORE = 'CREATE TABLE t (id int PRIMARY KEY, a int)';
const AFTER = `${BEFORE}; ALTER TABLE t ADD COLUMN b int; CREATE INDEX t_a ON t (a)`;
const LEASE = { leaseExpiresMs: 200 };

interface Paused {
  readonly target: TestDatabase;
  /** Lets the process go on; gives what it says in the end. */
  readonly wake: () => Promise<string>;
}

/** What a run may not touch once it was passed over: the structure, and every row of the ledger. */
async function everything(db: TestDatabase): Promise<unknown> {
  const tables = ['run', 'step', 'lease'].map((table) =>
    db.query(`SELECT * FROM holdfast.${table} ORDER BY 1, 2`),
  );
  return [await catalogueDump(db.pool), await Promise.all(tables)];
}

async function line(child: ChildProcess): Promise<string> {
  const [chunk] = (await once(child.stdout ?? child, 'data')) as [Buffer];
  return chunk.toString().trim();
}

async function stopped(db: TestDatabase, at: number, work: (paused: Paused) => Promise<void>): Promise<void> {
  const { plan, target } = await stage(db, {
    before: BEFORE,
    after: AFTER,
    rows: 'INSERT INTO t VALUES (1, 1)',
  });
  expect(plan.steps.map(({ transactional }) => transactional)).toEqual([true, false]);
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-paused-'));
  const file = join(folder, 'plan.json');
  writeFileSync(file, JSON.stringify(plan));
  const child = spawn(process.execPath, [JITI, 'test/apply/pause-child.ts', file, target.url, String(at)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    expect(await line(child)).toBe('paused');
    child.kill('SIGSTOP');
    expect(await apply(plan, target.url, LEASE)).toMatchObject({ resumed: true, endsAsPlanned: true });
    const wake = async (): Promise<string> => {
      const said = line(child);
      child.stdin.write('on\n');
      child.kill('SIGCONT');
      return said;
    };
    await work({ target, wake });
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
}

// Before, between and after each of the two statements: one in a transaction, one that cannot run in one.
describe.each([1, 2, 3, 4, 5, 6])('stopped at boundary %i', (at) => {
  test('it finds the lease lost when the plan was finished meanwhile', async ({ db }) => {
    await stopped(db, at, async ({ target, wake }) => {
      const left = await everything(target);
      expect(await wake()).toBe('HF_LEASE_LOST');
      expect(await everything(target)).toEqual(left);
    });
  });
});

test('it does not redo what was finished and rolled back meanwhile', async ({ db }) => {
  await stopped(db, 3, async ({ target, wake }) => {
    await rollback(target.url, { to: 'previous' });
    const left = await everything(target);
    expect(await wake()).toBe('HF_LEASE_LOST');
    expect(await everything(target)).toEqual(left);
  });
});
