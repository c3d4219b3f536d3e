// A user's side of the supervisor: start one, take a place at one, leave it.
import { spawn } from 'node:child_process';
import { readFile, realpath } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { connect as dial } from 'node:net';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serverEnvironment } from './data-folder.ts';
import { serverFailure } from './failure.ts';
import { onLines } from './lines.ts';
import type { Control, Order, Said, Told } from './supervisor.ts';

const DIAL_TIMEOUT_MS = 5_000;
// Longer than the supervisor gives the server to shut down.
const STOP_TIMEOUT_MS = 90_000;
const LAUNCH_SLACK_MS = 30_000;

/** A place among the users of a running server. Lost with the process, whatever ends it. */
export interface Seat {
  readonly port: number;
  readonly version: string;
  /** Gives the place up. When it was the last, resolves after the server has stopped. */
  readonly leave: () => Promise<void>;
  /** Stops the server for everyone; resolves after it has stopped. */
  readonly stop: () => Promise<void>;
  /** Calls back when the place is lost without either; `stopped` tells whether the server was shut down. */
  readonly onLost: (fn: (stopped: boolean) => void) => void;
}

/**
 * Takes a place at the server of a folder.
 * @param as `keepRunning`: the server stays when the last user leaves; `starter`: we launched its supervisor
 * @returns the place; `none` when no supervisor runs there; `stopped` when one was just shutting down, and now has
 */
export async function takeSeat(
  folder: string,
  as: { readonly keepRunning: boolean; readonly starter: boolean },
): Promise<Seat | 'none' | 'stopped'> {
  const control = await readControl(folder);
  const socket = control === undefined ? undefined : await reach(control.port);
  if (control === undefined || socket === undefined) return 'none';
  const lines = new Lines(socket);
  say(socket, { token: control.token, ...as });
  const told = await lines.next(DIAL_TIMEOUT_MS);
  if (told?.state === 'ready' && (await sameFolder(told.folder, folder))) return seat(lines, told);
  if (told?.state === 'stopping') await lines.next(STOP_TIMEOUT_MS);
  socket.destroy();
  return told?.state === 'stopping' ? 'stopped' : 'none';
}

/**
 * Starts a supervisor and waits until its server is ready.
 * @returns what lets it go: call it once a place is taken, or the server stops again
 * @throws HoldfastError as {@link serverFailure} reads what the server said
 */
export async function launch(order: Order): Promise<() => void> {
  const { program, args } = supervisorProgram();
  const child = spawn(program, args, {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    cwd: '/',
    env: serverEnvironment(),
  });
  child.stdin.on('error', () => undefined);
  child.stdin.write(`${JSON.stringify(order)}\n`);
  const answer = await new Promise<string>((resolve) => {
    const tooLate = setTimeout(() => resolve('{}'), order.startTimeoutMs + LAUNCH_SLACK_MS);
    const done = (text: string): void => {
      clearTimeout(tooLate);
      resolve(text);
    };
    onLines(child.stdout, done);
    child.stdout.once('close', () => done('{}'));
    child.once('error', (error) => done(JSON.stringify({ failed: error.message })));
  });
  const { ready, failed } = JSON.parse(answer) as { ready?: true; failed?: string };
  child.unref();
  child.stdout.destroy();
  const letGo = (): void => void child.stdin.destroy();
  if (ready === true) return letGo;
  letGo();
  throw serverFailure(`folder ${order.folder}`, failed ?? 'its supervisor ended without a word');
}

// Run from the sources, the supervisor is TypeScript, which Node 20 cannot run by itself.
function supervisorProgram(): { program: string; args: string[] } {
  const here = fileURLToPath(import.meta.url);
  if (!here.endsWith('.ts'))
    return { program: process.execPath, args: [join(dirname(here), 'supervisor.js')] };
  const jiti = join(dirname(createRequire(import.meta.url).resolve('jiti')), 'jiti-cli.mjs');
  return { program: process.execPath, args: [jiti, join(dirname(here), 'supervisor.ts')] };
}

function seat(lines: Lines, told: Extract<Told, { state: 'ready' }>): Seat {
  const { socket } = lines;
  let leaving: Promise<void> | undefined;
  // A place does not keep the process alive: a program that is done ends, and the supervisor sees it go.
  socket.unref();
  const part = async (word: 'leave' | 'stop'): Promise<void> => {
    socket.ref();
    say(socket, { word });
    await lines.next(STOP_TIMEOUT_MS);
    socket.destroy();
  };
  return {
    port: told.port,
    version: told.version,
    leave: () => (leaving ??= part('leave')),
    stop: () => (leaving ??= part('stop')),
    onLost: (fn) => {
      lines.onEnd((last) => {
        if (leaving === undefined) fn(last?.state === 'stopped');
      });
    },
  };
}

/** What the supervisor says, line by line. */
class Lines {
  readonly socket: Socket;
  readonly #unread: Told[] = [];
  #last: Told | undefined;
  #ended = false;
  #wake: () => void = () => undefined;
  #onEnd: (last: Told | undefined) => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    onLines(socket, (line) => {
      this.#last = JSON.parse(line) as Told;
      this.#unread.push(this.#last);
      this.#wake();
    });
    socket.once('close', () => {
      this.#ended = true;
      this.#wake();
      this.#onEnd(this.#last);
    });
  }

  onEnd(fn: (last: Told | undefined) => void): void {
    this.#onEnd = fn;
  }

  /** The next line, or undefined when the connection ended or nothing came in time. */
  async next(withinMs: number): Promise<Told | undefined> {
    if (this.#unread.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        const tooLate = setTimeout(resolve, withinMs);
        this.#wake = () => {
          clearTimeout(tooLate);
          resolve();
        };
      });
    }
    return this.#unread.shift();
  }
}

async function readControl(folder: string): Promise<Control | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, 'control.json'), 'utf8')) as Control;
  } catch {
    return undefined;
  }
}

function reach(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = dial({ port, host: '127.0.0.1', timeout: DIAL_TIMEOUT_MS });
    const fail = (): void => {
      socket.destroy();
      resolve(undefined);
    };
    socket.once('timeout', fail).on('error', fail);
    socket.once('connect', () => {
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}

// The folder may have been copied with its control.json while the server of the original runs.
async function sameFolder(theirs: string, ours: string): Promise<boolean> {
  const [left, right] = await Promise.all([theirs, ours].map((path) => realpath(path).catch(() => path)));
  return left === right;
}

function say(socket: Socket, said: Said): void {
  socket.write(`${JSON.stringify(said)}\n`);
}
