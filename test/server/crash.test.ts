// What is left of an embedded server when something is killed, interrupted or full, and what the next start makes of it.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { embedded } from '../../src/server/index.ts';
import { serverUser } from '../../src/server/user.ts';
import {
  anotherProcess,
  postmasterPid,
  processesWith,
  runs,
  supervisorOf,
  untilGone,
} from './another-process.ts';
import { failure, kept, makePlace, run, quick } from './place.ts';
import type { Place } from './place.ts';

const isRoot = process.getuid?.() === 0;
let place: Place;

beforeAll(async () => {
  place = await makePlace('crash-');
});

afterAll(() => place.remove());

const lastLogLine = (dir: string): string =>
  readFileSync(join(dir, 'postgres.log'), 'utf8').trim().split('\n').at(-1) ?? '';

const leave = (dir: string, pid: number): void => {
  const lines = [
    pid,
    join(dir, 'data'),
    1_700_000_000,
    5432,
    '',
    '127.0.0.1',
    '  5432001         0',
    'ready   ',
  ];
  writeFileSync(join(dir, 'data', 'postmaster.pid'), `${lines.join('\n')}\n`);
};

const onSmallDisk = async (size: string, fn: (dir: string) => Promise<void>): Promise<void> => {
  const disk = join(place.root, `disk-${size}`);
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0755`, 'tmpfs', disk]);
  try {
    await fn(join(disk, 'server'));
  } finally {
    execFileSync('umount', [disk]);
  }
};

const diskFull = (dir: string): string =>
  `folder ${dir}: the disk is full. Free some room (a new server needs 60 MB), then start again; ` +
  'nothing that was committed is lost. [HF_DISK_FULL]';

describe('our process ends', () => {
  test.for(['SIGKILL', 'SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s: the server is shut down in order',
    async (signal) => {
      const dir = place.seeded(`ended-by-${signal}`);
      const other = anotherProcess({ dir, ...quick });
      const { url, dataDir } = await other.said;
      await run(url, `INSERT INTO kept VALUES ('after')`);
      const pid = postmasterPid(dataDir) ?? 0;
      const supervisor = supervisorOf(pid);
      await other.end(signal);
      await untilGone(pid);
      await untilGone(supervisor);
      expect(lastLogLine(dir)).toContain('database system is shut down');
      expect(readdirSync(dir).sort()).toEqual(['data', 'postgres.log', 'server.json']);
      const again = await embedded({ dir, ...quick });
      expect(await kept(again.url)).toEqual(['after', 'seed']);
      await again.stop();
    },
  );

  test('the whole group of a terminal is interrupted: the server still shuts down in order', async () => {
    const dir = place.seeded('ctrl-c');
    const other = anotherProcess({ dir, ...quick }, { detached: true });
    const { dataDir } = await other.said;
    const pid = postmasterPid(dataDir) ?? 0;
    process.kill(-(other.child.pid ?? 0), 'SIGINT');
    await untilGone(pid);
    expect(lastLogLine(dir)).toContain('database system is shut down');
  });

  test('killed while another still uses the server: it stays for the other', async () => {
    const dir = place.seeded('one-of-two');
    const other = anotherProcess({ dir, ...quick });
    await other.said;
    const mine = await embedded({ dir, ...quick });
    expect(mine.attached).toBe(true);
    await other.end('SIGKILL');
    expect(await kept(mine.url)).toEqual(['seed']);
    await mine.stop();
  });

  test('killed during the start: nothing stays behind', async () => {
    const dir = place.seeded('killed-early');
    const other = anotherProcess({ dir, ...quick });
    await expect.poll(() => postmasterPid(join(dir, 'data')), { timeout: 30_000, interval: 2 }).toBeDefined();
    const pid = postmasterPid(join(dir, 'data')) ?? 0;
    await other.end('SIGKILL');
    await untilGone(pid);
    const again = await embedded({ dir, ...quick });
    expect(await kept(again.url)).toEqual(['seed']);
    await again.stop();
  });
});

describe('the server or its supervisor is killed', () => {
  test('the postmaster: the next start recovers what was committed', async () => {
    const dir = place.seeded('postmaster-killed');
    const server = await embedded({ dir, ...quick });
    await run(server.url, `INSERT INTO kept VALUES ('committed')`);
    const pid = postmasterPid(server.dataDir) ?? 0;
    process.kill(pid, 'SIGKILL');
    await untilGone(pid);
    const again = await embedded({ dir, ...quick });
    expect(again.attached).toBe(false);
    expect(await kept(again.url)).toEqual(['committed', 'seed']);
    await server.stop();
    expect(await kept(again.url)).toEqual(['committed', 'seed']);
    await again.stop();
  });

  test('the supervisor: whoever uses the server gives it a new one, which still stops it', async () => {
    const dir = place.seeded('supervisor-killed');
    const other = anotherProcess({ dir, ...quick });
    const { dataDir, url } = await other.said;
    const pid = postmasterPid(dataDir) ?? 0;
    const control = join(dir, 'control.json');
    const before = readFileSync(control, 'utf8');
    process.kill(supervisorOf(pid), 'SIGKILL');
    await expect.poll(() => readFileSync(control, 'utf8'), { timeout: 30_000 }).not.toBe(before);
    expect(await kept(url)).toEqual(['seed']);
    await other.end('SIGKILL');
    await untilGone(pid);
    expect(lastLogLine(dir)).toContain('database system is shut down');
  });

  test('the supervisor and all users at once: the next start takes the server over and stops it', async () => {
    const dir = place.seeded('both-killed');
    const other = anotherProcess({ dir, ...quick });
    const { dataDir, url } = await other.said;
    const pid = postmasterPid(dataDir) ?? 0;
    const supervisor = supervisorOf(pid);
    await Promise.all([other.end('SIGKILL'), Promise.resolve(process.kill(supervisor, 'SIGKILL'))]);
    await untilGone(supervisor);
    const again = await embedded({ dir, ...quick });
    expect([again.url, await kept(again.url)]).toEqual([runs(pid) ? url : again.url, ['seed']]);
    await again.stop();
    await untilGone(pid);
    expect(postmasterPid(dataDir)).toBeUndefined();
  });

  test('everything: the next start begins from the log', async () => {
    const dir = place.seeded('all-killed');
    const other = anotherProcess({ dir, ...quick });
    const { dataDir, url } = await other.said;
    await run(url, `INSERT INTO kept VALUES ('committed')`);
    const pid = postmasterPid(dataDir) ?? 0;
    for (const victim of [supervisorOf(pid), pid]) process.kill(victim, 'SIGKILL');
    await other.end('SIGKILL');
    expect(postmasterPid(dataDir)).toBe(pid);
    const again = await embedded({ dir, ...quick });
    expect([again.attached, await kept(again.url)]).toEqual([false, ['committed', 'seed']]);
    await again.stop();
  });
});

describe('a stale postmaster.pid', () => {
  test('whose process is gone', async () => {
    const dir = place.seeded('stale');
    const dead = spawn('true');
    await new Promise((resolve) => void dead.once('exit', resolve));
    leave(dir, dead.pid ?? 0);
    const server = await embedded({ dir, ...quick });
    expect([server.attached, await kept(server.url)]).toEqual([false, ['seed']]);
    await server.stop();
  });

  test('whose number a foreign process of the same account has now', async () => {
    const dir = place.seeded('reused');
    const user = await serverUser();
    const foreign = spawn('sleep', ['60'], user === undefined ? {} : { uid: user.uid, gid: user.gid });
    leave(dir, foreign.pid ?? 0);
    const server = await embedded({ dir, ...quick });
    expect([server.attached, await kept(server.url)]).toEqual([false, ['seed']]);
    await server.stop();
    expect(runs(foreign.pid ?? 0)).toBe(true);
    foreign.kill();
  });

  test('of another server of the same machine is not mistaken for ours', async () => {
    const neighbour = await embedded({ dir: place.seeded('neighbour'), ...quick });
    const dir = place.seeded('beside');
    leave(dir, postmasterPid(neighbour.dataDir) ?? 0);
    const server = await embedded({ dir, ...quick });
    expect([server.attached, server.port === neighbour.port]).toEqual([false, false]);
    await server.stop();
    expect(await kept(neighbour.url)).toEqual(['seed']);
    await neighbour.stop();
  });

  test('a lock left by a killed process, and by one whose number is reused', async () => {
    const dir = place.seeded('locked');
    for (const born of ['long ago', '']) {
      writeFileSync(join(dir, 'lock'), JSON.stringify({ pid: process.pid, born, nonce: 'other' }));
      const server = await embedded({ dir, ...quick });
      await server.stop();
      expect(readdirSync(dir).sort()).toEqual(['data', 'postgres.log', 'server.json']);
    }
  });
});

describe('a first start is interrupted', () => {
  test('initdb is killed half-way with its starter: the next start begins clean', async () => {
    const dir = join(place.root, 'half');
    const other = anotherProcess({ dir, ...quick });
    const drafts = (): string[] =>
      (existsSync(dir) ? readdirSync(dir) : []).filter((name) => name.startsWith('draft-'));
    const half = (): boolean => drafts().some((name) => isDirectory(join(dir, name, 'base')));
    await expect.poll(half, { timeout: 30_000, interval: 2 }).toBe(true);
    await other.end('SIGKILL');
    for (const pid of processesWith(dir)) process.kill(pid, 'SIGKILL');
    expect(existsSync(join(dir, 'data'))).toBe(false);
    expect(drafts()).not.toEqual([]);
    const server = await embedded({ dir, ...quick });
    expect(server.attached).toBe(false);
    expect(drafts()).toEqual([]);
    expect(await run(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await server.stop();
  });

  test('initdb outlives its starter: the next start does not mind', async () => {
    const dir = join(place.root, 'outlived');
    const other = anotherProcess({ dir, ...quick });
    await expect
      .poll(() => existsSync(dir) && readdirSync(dir).some((name) => name.startsWith('draft-')), {
        timeout: 30_000,
        interval: 2,
      })
      .toBe(true);
    await other.end('SIGKILL');
    const server = await embedded({ dir, ...quick });
    expect(await run(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await server.stop();
  });
});

describe.runIf(isRoot)('a full disk', () => {
  test('a first start says so and leaves nothing half made', async () => {
    await onSmallDisk('20m', async (dir) => {
      expect((await failure(embedded({ dir, ...quick }))).message).toBe(diskFull(join(dir, 'data')));
      expect(readdirSync(dir)).toEqual(['server.json']);
    });
  });

  test('a later start says so, and starts when there is room again', async () => {
    await onSmallDisk('100m', async (dir) => {
      const server = await embedded({ dir, ...quick });
      await run(server.url, `CREATE TABLE kept AS SELECT 'committed' AS word`);
      const pid = postmasterPid(server.dataDir) ?? 0;
      process.kill(pid, 'SIGKILL');
      await untilGone(pid);
      const ballast = join(dir, 'ballast');
      execFileSync('sh', ['-c', 'cat /dev/zero > "$1" 2>/dev/null || true', 'sh', ballast]);
      expect((await failure(embedded({ dir, ...quick }))).code).toBe('HF_DISK_FULL');
      execFileSync('rm', [ballast]);
      const again = await embedded({ dir, ...quick });
      expect(await kept(again.url)).toEqual(['committed']);
      await again.stop();
    });
  });
});

// Where the kernel promises memory it does not have, the server would be given this much and be killed for using it.
const promisesEverything =
  !existsSync('/proc/sys/vm/overcommit_memory') ||
  readFileSync('/proc/sys/vm/overcommit_memory', 'utf8').trim() === '1';

test.skipIf(promisesEverything)('shared memory that the machine does not give is named', async () => {
  const dir = place.seeded('memory');
  const error = await failure(embedded({ dir, major: quick.major, settings: { shared_buffers: '4TB' } }));
  expect(error.message).toBe(
    `folder ${dir}: this machine does not give the server the shared memory it asks for (shared_buffers). Free memory ` +
      'or raise the limit of the container, or give a smaller shared_buffers in settings. [HF_SERVER_MEMORY]',
  );
});

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
