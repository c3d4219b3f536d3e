// A PgBouncer of the test's own, in transaction mode, in front of the test server.
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

export interface Bouncer {
  /** `1.18.0`. */
  readonly version: string;
  /** The connection string through the pooler. */
  readonly url: string;
  readonly close: () => Promise<void>;
}

/** The version of the machine's PgBouncer, or undefined where there is none. */
export function installedVersion(): string | undefined {
  const { stdout } = spawnSync('pgbouncer', ['--version'], { encoding: 'utf8' });
  return /PgBouncer (\S+)/.exec(stdout ?? '')?.[1];
}

/**
 * Starts PgBouncer with two server connections, so that clients really share them.
 * @param of where the server is: the role's own connection string
 * @param settings more lines of `[pgbouncer]`
 */
export async function startBouncer(of: string, settings: readonly string[] = []): Promise<Bouncer> {
  const to = new URL(of);
  const home = mkdtempSync(join(tmpdir(), 'holdfast-bouncer-'));
  const port = await freePort();
  const password = decodeURIComponent(to.password).replaceAll('"', '""');
  const ini = [
    '[databases]',
    `* = host=${to.hostname} port=${to.port}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = scram-sha-256',
    `auth_file = ${join(home, 'users')}`,
    'pool_mode = transaction',
    'default_pool_size = 2',
    'server_round_robin = 1',
    ...settings,
  ];
  writeFileSync(join(home, 'users'), `"${to.username}" "${password}"\n`);
  writeFileSync(join(home, 'pgbouncer.ini'), `${ini.join('\n')}\n`);
  const as = underOtherUser(home);
  const process = spawn('pgbouncer', [join(home, 'pgbouncer.ini')], {
    ...as,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await listening(process, port);
  const url = new URL(of);
  url.port = String(port);
  return {
    version: installedVersion() ?? '',
    url: url.href,
    close: async () => {
      const gone = new Promise((resolve) => process.once('exit', resolve));
      process.kill('SIGTERM');
      await gone;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

// PgBouncer will not run as root.
function underOtherUser(home: string): { uid?: number; gid?: number } {
  if (globalThis.process.getuid?.() !== 0) return {};
  const id = Number(spawnSync('id', ['-u', 'nobody'], { encoding: 'utf8' }).stdout);
  for (const path of [home, join(home, 'users'), join(home, 'pgbouncer.ini')]) {
    chownSync(path, id, id);
    chmodSync(path, 0o700);
  }
  return { uid: id, gid: id };
}

async function listening(process: ChildProcess, port: number): Promise<void> {
  let said = '';
  process.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  for (let tries = 0; tries < 200; tries += 1) {
    if (process.exitCode !== null) break;
    if (await answers(port)) return;
    await wait(25);
  }
  throw new Error(`PgBouncer did not start: ${said}`);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
