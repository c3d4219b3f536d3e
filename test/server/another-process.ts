// Another process that uses an embedded server: what a test needs to kill one and see what is left.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { EmbeddedOptions } from '../../src/server/index.ts';

/** What the other process says of the server it has, or the code of the error it got. */
export interface Said {
  readonly url: string;
  readonly port: number;
  readonly attached: boolean;
  readonly dataDir: string;
  readonly code?: string;
}

/** A process that has, or tries to have, an embedded server. */
export interface AnotherProcess {
  readonly child: ChildProcess;
  readonly said: Promise<Said>;
  /** Sends a signal and waits until the process is gone. */
  readonly end: (signal: NodeJS.Signals) => Promise<void>;
}

const JITI = join(dirname(createRequire(import.meta.url).resolve('jiti')), 'jiti-cli.mjs');
const PROGRAM = fileURLToPath(new URL('./using-embedded.ts', import.meta.url));

/** Starts a process that calls `embedded(options)` and lives until it is killed. */
export function anotherProcess(
  options: EmbeddedOptions,
  as: { uid?: number; gid?: number; detached?: boolean; env?: Record<string, string> } = {},
): AnotherProcess {
  const child = spawn(process.execPath, [JITI, PROGRAM, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    ...as,
    env: { ...process.env, ...as.env },
  });
  const gone = new Promise<void>((resolve) => void child.once('exit', () => resolve()));
  const said = new Promise<Said>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line) as Said));
    void gone.then(() => reject(new Error('the other process ended without a word')));
  });
  said.catch(() => undefined);
  return {
    child,
    said,
    end: async (signal) => {
      child.kill(signal);
      await gone;
    },
  };
}

/** Process number in postmaster.pid, or undefined when there is no such file. */
export function postmasterPid(dataDir: string): number | undefined {
  const path = join(dataDir, 'postmaster.pid');
  return existsSync(path) ? Number.parseInt(readFileSync(path, 'utf8'), 10) : undefined;
}

/** Whether a process runs; one that is dead and not yet buried does not. */
export function runs(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX] /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Numbers of the processes whose command line holds this text. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => commandLine(Number(name)).includes(text))
    .map(Number);
}

/** The whole command line of a process, words separated by spaces. */
export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

/** Waits until a process is gone, thirty seconds at most. */
export async function untilGone(pid: number): Promise<void> {
  await expect.poll(() => runs(pid), { timeout: 30_000, interval: 20 }).toBe(false);
}

/** The supervisor that started this postmaster. */
export function supervisorOf(postmaster: number): number {
  const status = readFileSync(`/proc/${postmaster}/status`, 'utf8');
  return Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]);
}
