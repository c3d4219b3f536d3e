// A process of its own remembers the rules of a tenant for ten minutes. Once the tenant is erased it gives none out.
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { withTask } from 'holdfast/keep';
import { erasersOf } from 'holdfast/traits';
import { published, test } from './installed.ts';

const JITI = join(dirname(createRequire(import.meta.url).resolve('jiti')), 'jiti-cli.mjs');
const SRC = resolve(import.meta.dirname, '../../../src');
const ALIAS = Object.fromEntries(
  ['use', 'define', 'traits', 'keep', 'build', 'prove', 'server', 'watch']
    .map((folder): [string, string] => [`holdfast/${folder}`, join(SRC, folder, 'index.ts')])
    .concat([['holdfast', join(SRC, 'index.ts')]]),
);

/** Asks the other process, line by line. */
function asking(child: ChildProcess): (line?: string) => Promise<string> {
  const lines = createInterface({ input: child.stdout ?? process.stdin })[Symbol.asyncIterator]();
  return async (line) => {
    if (line !== undefined) child.stdin?.write(`${line}\n`);
    return String((await lines.next()).value);
  };
}

test('what another process remembers of an erased tenant is not given out any more', async ({
  db,
  installed,
}) => {
  const { definition, hub, roles, appUrl } = installed;
  const [mine, other] = [await published(hub), await published(hub)];
  const program = fileURLToPath(new URL('./remembering.ts', import.meta.url));
  const child = spawn(process.execPath, [JITI, program, appUrl, JSON.stringify(roles)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, JITI_ALIAS: JSON.stringify(ALIAS) },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ask = asking(child);
  expect(await ask()).toBe('ready');
  expect(await ask(mine.tenant)).toBe('1.0.0');
  // It reads nothing while it remembers: what was withdrawn past it is still given out.
  await db.query(
    `UPDATE validahub.rule_sets SET is_active = false, updated_at = now() WHERE tenant_id = '${mine.tenant}'`,
  );
  expect(await ask(mine.tenant)).toBe('1.0.0');
  const [eraser] = erasersOf(definition);
  await withTask(definition, db.url, { trait: 'erasure', leading: true }, async (context) =>
    eraser?.erase(context, { subject: `tenant:${mine.tenant}`, basis: 'LGPD art. 18 VI' }),
  );
  await expect.poll(() => ask(mine.tenant), { timeout: 5_000, interval: 20 }).toBe('HF_VALIDAHUB_NO_CURRENT');
  expect(await ask(other.tenant)).toBe('1.0.0');
}, 60_000);
