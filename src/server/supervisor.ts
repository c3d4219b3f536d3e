// A program of its own: keeps one embedded server for as long as anyone uses it. Every process that uses the server
// holds a connection to this one. The kernel closes it however that process ends, kill -9 included; when the last is
// gone the server is shut down in order. It lives in a session of its own, so Ctrl-C in a terminal does not reach it.
//
// One line of JSON on stdin is the order, one on stdout the answer. stdin stays open until the starter has connected:
// it stands for the starter's connection until then.
import { spawn } from 'node:child_process';
import { timingSafeEqual } from 'node:crypto';
import { chown, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { onLines } from './lines.ts';
import { bornAt } from './processes.ts';

const POLL_MS = 20;
// A fast shutdown writes a checkpoint, which may be long on a slow disk; then without one, which recovery mends.
const FAST_SHUTDOWN_MS = 60_000;
const IMMEDIATE_SHUTDOWN_MS = 10_000;
const GREETING_TIMEOUT_MS = 5_000;
const LOG_MAX_BYTES = 16 * 1024 * 1024;

/** What a supervisor is told to do. */
export interface Order {
  readonly bin: string;
  readonly version: string;
  readonly folder: string;
  readonly dataDir: string;
  readonly port: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Whoever knows it may use and stop the server. */
  readonly token: string;
  /** Stay when the last user leaves. */
  readonly keepRunning: boolean;
  /** Delete the folder after the server has stopped. */
  readonly ephemeral: boolean;
  readonly startTimeoutMs: number;
  /** A postmaster that already runs on the folder and lost its supervisor. */
  readonly adopt?: number;
}

/** How to reach the supervisor: control.json. */
export interface Control {
  readonly port: number;
  readonly token: string;
}

/** What a user says: the token first; then that it goes, or that the server is to stop for all. */
export type Said =
  | { readonly token: string; readonly keepRunning: boolean; readonly starter: boolean }
  | { readonly word: 'leave' }
  | { readonly word: 'stop' };

/** What the supervisor says. */
export type Told =
  | { readonly state: 'ready'; readonly folder: string; readonly port: number; readonly version: string }
  | { readonly state: 'stopping' }
  | { readonly state: 'left' }
  | { readonly state: 'stopped' };

class Supervisor {
  readonly order: Order;
  readonly users = new Set<Socket>();
  readonly server: Server;
  keepRunning: boolean;
  starterHere = true;
  /** Resolves when the postmaster is gone; rejects if it never began. */
  ended: Promise<void> = Promise.resolve();
  running = false;
  pid = 0;
  stopping: Promise<void> | undefined;

  constructor(order: Order) {
    this.order = order;
    this.keepRunning = order.keepRunning;
    this.server = createServer((socket) => this.welcome(socket));
  }

  async begin(): Promise<void> {
    if (this.order.adopt === undefined) await this.launch();
    else await this.adopt(this.order.adopt);
    void this.ended.then(() => this.stop());
    await this.publish();
  }

  async launch(): Promise<void> {
    const { order } = this;
    const path = join(order.folder, 'postgres.log');
    const { size } = await stat(path).catch(() => ({ size: 0 }));
    if (size > LOG_MAX_BYTES) await rename(path, `${path}.1`);
    const log = await open(path, 'a', 0o600);
    const from = (await log.stat()).size;
    await giveToOwner(order.folder, path);
    const child = spawn(join(order.bin, 'postgres'), ['-D', order.dataDir, '-p', String(order.port)], {
      stdio: ['ignore', log.fd, log.fd],
      cwd: '/',
      ...(order.uid === undefined ? {} : { uid: order.uid, gid: order.gid }),
    });
    let failure: string | undefined;
    this.running = true;
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => {
        failure = error.message;
        this.running = false;
        resolve();
      });
      child.once('exit', () => {
        this.running = false;
        resolve();
      });
    });
    await log.close();
    this.pid = child.pid ?? 0;
    if (await this.becomesReady()) return;
    await this.end();
    throw new Error(failure ?? ((await readFrom(path, from)) || 'it gave no sign of being ready in time'));
  }

  async adopt(pid: number): Promise<void> {
    const born = await bornAt(pid);
    this.pid = pid;
    this.running = born !== undefined;
    const watch = async (): Promise<void> => {
      while ((await bornAt(pid)) === born) await pause(POLL_MS * 5);
      this.running = false;
    };
    this.ended = this.running ? watch() : Promise.resolve();
    if (!(await this.becomesReady())) throw new Error('the server that runs there is not ready');
  }

  // The eighth line of postmaster.pid is where the postmaster says how far it is; pg_ctl -w reads the same.
  async becomesReady(): Promise<boolean> {
    const deadline = Date.now() + this.order.startTimeoutMs;
    while (this.running && this.starterHere && Date.now() < deadline) {
      const lines = (
        await readFile(join(this.order.dataDir, 'postmaster.pid'), 'utf8').catch(() => '')
      ).split('\n');
      if (Number(lines[0]) === this.pid && lines[7]?.trim() === 'ready') return true;
      await pause(POLL_MS);
    }
    return false;
  }

  async publish(): Promise<void> {
    const { folder, token } = this.order;
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    const { port } = this.server.address() as { port: number };
    const path = join(folder, 'control.json');
    const draft = `${path}.${process.pid}`;
    await writeFile(draft, JSON.stringify({ port, token } satisfies Control), { mode: 0o600 });
    await giveToOwner(folder, draft);
    await rename(draft, path);
  }

  welcome(socket: Socket): void {
    const tooLate = setTimeout(() => socket.destroy(), GREETING_TIMEOUT_MS);
    socket.once('close', () => {
      clearTimeout(tooLate);
      if (this.users.delete(socket)) void this.someoneLeft();
    });
    onLines(socket, (line) => {
      const said = JSON.parse(line) as Said;
      if (this.users.has(socket)) void this.hear(socket, said);
      else if ('token' in said && equal(said.token, this.order.token)) {
        clearTimeout(tooLate);
        this.admit(socket, said);
      } else socket.destroy();
    });
  }

  admit(socket: Socket, said: Extract<Said, { token: string }>): void {
    if (this.stopping !== undefined) {
      tell(socket, { state: 'stopping' });
      return void this.stopping.then(() => socket.end());
    }
    this.users.add(socket);
    if (said.keepRunning) this.keepRunning = true;
    if (said.starter) this.starterHere = false;
    const { folder, port, version } = this.order;
    tell(socket, { state: 'ready', folder, port, version });
  }

  async hear(socket: Socket, said: Said): Promise<void> {
    if (!('word' in said)) return;
    if (said.word === 'leave') {
      this.users.delete(socket);
      if (this.wanted()) return void socket.end(`${JSON.stringify({ state: 'left' } satisfies Told)}\n`);
    }
    await this.stop();
    socket.end(`${JSON.stringify({ state: 'stopped' } satisfies Told)}\n`);
  }

  wanted(): boolean {
    return this.keepRunning || this.starterHere || this.users.size > 0;
  }

  starterLeft(): void {
    this.starterHere = false;
    void this.someoneLeft();
  }

  async someoneLeft(): Promise<void> {
    if (!this.wanted()) await this.stop();
  }

  stop(): Promise<void> {
    this.stopping ??= this.finish();
    return this.stopping;
  }

  async finish(): Promise<void> {
    await this.end();
    const { folder, ephemeral, token } = this.order;
    const path = join(folder, 'control.json');
    const control = await readFile(path, 'utf8').catch(() => '');
    if (control.includes(token)) await rm(path, { force: true });
    if (ephemeral) await rm(folder, { recursive: true, force: true, maxRetries: 5 }).catch(() => undefined);
    this.server.close();
    for (const socket of this.users) socket.end(`${JSON.stringify({ state: 'stopped' } satisfies Told)}\n`);
    process.stdin.destroy();
  }

  async end(): Promise<void> {
    const steps = [
      ['SIGINT', FAST_SHUTDOWN_MS],
      ['SIGQUIT', IMMEDIATE_SHUTDOWN_MS],
      ['SIGKILL', IMMEDIATE_SHUTDOWN_MS],
    ] as const;
    for (const [signal, withinMs] of steps) {
      if (!this.running) return;
      try {
        process.kill(this.pid, signal);
      } catch {
        // It went by itself; `ended` says so in a moment.
      }
      const clock = new AbortController();
      await Promise.race([
        this.ended,
        pause(withinMs, undefined, { signal: clock.signal }).catch(() => undefined),
      ]);
      clock.abort();
    }
  }
}

async function supervise(): Promise<void> {
  process.stdout.on('error', () => undefined);
  let supervisor: Supervisor | undefined;
  let starterHere = true;
  const order = await new Promise<Order | undefined>((resolve) => {
    onLines(process.stdin, (line) => resolve(JSON.parse(line) as Order));
    process.stdin.once('close', () => {
      resolve(undefined);
      starterHere = false;
      supervisor?.starterLeft();
    });
  });
  if (order === undefined) return;
  supervisor = new Supervisor(order);
  if (!starterHere) supervisor.starterLeft();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => void supervisor?.stop());
  }
  try {
    await supervisor.begin();
    process.stdout.write('{"ready":true}\n');
  } catch (error) {
    await supervisor.stop();
    process.stdout.write(`${JSON.stringify({ failed: (error as Error).message })}\n`);
  }
}

function tell(socket: Socket, told: Told): void {
  socket.write(`${JSON.stringify(told)}\n`);
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

// Root's files in another account's project stay that account's.
async function giveToOwner(folder: string, path: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(folder);
  await chown(path, uid, gid);
}

async function readFrom(path: string, position: number): Promise<string> {
  return (await readFile(path)).subarray(position).toString('utf8').trim();
}

await supervise();
