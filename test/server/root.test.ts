// What only root meets: the server must run as somebody else, who may not enter the project.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { embedded } from '../../src/server/index.ts';
import { serverUser } from '../../src/server/user.ts';
import { anotherProcess, postmasterPid } from './another-process.ts';
import { run, quick } from './place.ts';

// An account that every Linux has and nobody uses.
const ORDINARY = { uid: 1, gid: 1 };
const NAMELESS = { uid: 54_321, gid: 54_321 };

const owner = (pid: number): number => statSync(`/proc/${pid}`).uid;

describe.runIf(process.getuid?.() === 0)('as root', () => {
  let root = '';
  const elsewhere: string[] = [];

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'root-'));
  });

  afterAll(() => {
    rmSync(root, { recursive: true, force: true });
    for (const folder of elsewhere) rmSync(folder, { recursive: true, force: true });
  });

  test('the server runs under another account, which owns the data and nothing else', async () => {
    const user = await serverUser();
    const dir = join(root, 'open', 'server');
    chmodSync(root, 0o711);
    const server = await embedded({ dir, ...quick });
    expect(owner(postmasterPid(server.dataDir) ?? 0)).toBe(user?.uid);
    expect([statSync(server.dataDir).uid, statSync(join(dir, 'server.json')).uid]).toEqual([user?.uid, 0]);
    expect(server.notes).toEqual([`The server runs as ${user?.name}, because PostgreSQL refuses root.`]);
    await server.stop();
  });

  test('a project that account cannot enter has its data outside, and says where', async () => {
    chmodSync(root, 0o711);
    const cwd = join(root, 'closed project');
    mkdirSync(cwd, { mode: 0o700 });
    const server = await embedded({ cwd, ...quick });
    elsewhere.push(dirname(server.dataDir));
    const folder = join(cwd, '.holdfast', basename(server.dataDir));
    expect(server.dataDir).toMatch(/^\/var\/lib\/holdfast\/closed_project-[0-9a-f]{10}\/postgres-\d+$/);
    expect(server.notes[1]).toBe(
      `The data lies in ${server.dataDir}: ${(await serverUser())?.name} cannot enter ${folder}.`,
    );
    expect(readFileSync(join(folder, 'server.json'), 'utf8')).toContain(server.dataDir);
    await run(server.url, 'CREATE TABLE kept AS SELECT 1 AS one');
    await server.stop();

    const moved = join(root, 'moved project');
    renameSync(cwd, moved);
    const after = await embedded({ cwd: moved, ...quick });
    expect([after.dataDir, await run(after.url, 'SELECT one FROM kept')]).toEqual([
      server.dataDir,
      [{ one: 1 }],
    ]);
    await after.stop();
  });

  test('a copy of a closed project gets data of its own', async () => {
    const [cwd, copy] = [join(root, 'first'), join(root, 'second')];
    mkdirSync(cwd, { mode: 0o700 });
    const first = await embedded({ cwd, ...quick });
    elsewhere.push(dirname(first.dataDir));
    execFileSync('cp', ['-a', cwd, copy]);
    const second = await embedded({ cwd: copy, ...quick });
    elsewhere.push(dirname(second.dataDir));
    expect(second.attached).toBe(false);
    expect(second.dataDir).not.toBe(first.dataDir);
    await Promise.all([first.stop(), second.stop()]);
  });

  test('data of an ordinary user stay that user’s when root starts them', async () => {
    chmodSync(root, 0o711);
    const cwd = join(root, 'users');
    mkdirSync(cwd);
    execFileSync('chown', [`${ORDINARY.uid}:${ORDINARY.gid}`, cwd]);
    const theirs = anotherProcess({ cwd, ...quick }, { ...ORDINARY, env: { HOME: cwd } });
    const said = await theirs.said;
    expect(said.code).toBeUndefined();
    expect(owner(postmasterPid(said.dataDir) ?? 0)).toBe(ORDINARY.uid);
    const joined = await embedded({ cwd, ...quick });
    expect([joined.attached, joined.url]).toEqual([true, said.url]);
    await theirs.end('SIGKILL');
    await joined.stop();

    const ours = await embedded({ cwd, ...quick });
    expect(owner(postmasterPid(ours.dataDir) ?? 0)).toBe(ORDINARY.uid);
    expect(ours.url).toBe(said.url);
    await ours.stop();

    const again = anotherProcess({ cwd, ...quick }, { ...ORDINARY, env: { HOME: cwd } });
    expect((await again.said).url).toBe(said.url);
    await again.end('SIGKILL');
    await expect
      .poll(() => existsSync(join(said.dataDir, 'postmaster.pid')), { timeout: 30_000 })
      .toBe(false);
  });

  test('data that root’s server made are not an ordinary user’s', async () => {
    chmodSync(root, 0o711);
    const dir = join(root, 'roots');
    await (await embedded({ dir, ...quick })).stop();
    const theirs = anotherProcess({ dir, ...quick }, ORDINARY);
    expect((await theirs.said).code).toBe('HF_EMBEDDED_OWNER');
    await theirs.end('SIGTERM');
  });

  test('an account without a name is named as the reason', async () => {
    chmodSync(root, 0o711);
    const cwd = join(root, 'nameless');
    mkdirSync(cwd);
    execFileSync('chown', [`${NAMELESS.uid}:${NAMELESS.gid}`, cwd]);
    const theirs = anotherProcess({ cwd, ...quick }, { ...NAMELESS, env: { HOME: cwd } });
    expect((await theirs.said).code).toBe('HF_SERVER_USER');
    await theirs.end('SIGTERM');
  });
});
