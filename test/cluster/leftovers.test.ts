// A test that forgets something must fail its run; each case is a run of its own on a server of its own.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const config = fileURLToPath(new URL('./leaving/vitest.config.ts', import.meta.url));
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');

const runThatLeaves = (leave: string): Promise<{ code: number; said: string }> =>
  new Promise((resolve) => {
    const env = { ...process.env, LEAVE: leave, NO_COLOR: '1' };
    execFile(process.execPath, [vitest, 'run', '--config', config], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), said: stdout + stderr });
    });
  });

test('a tidy run passes, and its temporary folder is gone', async () => {
  const { code, said } = await runThatLeaves('nothing');
  expect([code, said]).toEqual([0, expect.stringContaining('1 passed')]);
  expect(said).not.toContain('left behind');
});

test('a run that leaves a role, a database and a folder behind fails and names them', async () => {
  const { code, said } = await runThatLeaves('role database folder');
  const run = /hf_test_\d+_\w{6}_/.exec(said)?.[0] ?? 'none';
  expect(said).toMatch(
    new RegExp(
      `The tests left behind: database ${run}\\w+_database, role ${run}\\w+_role, ` +
        'holdfast-run-\\w+-\\w+/forgotten-\\w+ in the temporary folder$',
      'm',
    ),
  );
  expect(code).toBe(1);
  expect(existsSync(join(tmpdir(), /holdfast-run-[\w-]+/.exec(said)?.[0] ?? '.'))).toBe(false);
});

test('a file that leaves a session behind fails and names it', async () => {
  const { code, said } = await runThatLeaves('session');
  expect(said).toMatch(
    /This file left behind in database hf_test_\w+: session forgotten of postgres, last statement: $/m,
  );
  expect(code).toBe(1);
});
