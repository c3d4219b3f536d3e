// The shape every command has: what it is called with, what it says of itself, what it gives back.
import type { ParseArgsConfig } from 'node:util';
import type { Terminal } from './output.ts';

/** Exit codes, documented in docs/reference/cli.md; nothing else is ever returned. */
export const EXIT = {
  /** Done, or nothing to do. */
  done: 0,
  /** Refused or failed; what was begun can be resumed or rolled back. */
  failed: 1,
  /** The command line itself is wrong; nothing was read or changed. */
  usage: 2,
  /** Only `status`, `plan --check` and `prove`: something is not as defined or promised, or is late. */
  differs: 3,
  /** Stopped by Ctrl-C or a signal. */
  interrupted: 130,
} as const;

/** What a command is run with. */
export interface Invocation {
  readonly values: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  readonly positionals: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly terminal: Terminal;
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  /** The injected clock. */
  readonly now: () => Date;
}

/** One command of the command line; `run` gives the exit code and throws HoldfastError for anything refused. */
export interface Command {
  readonly name: string;
  /** One line for the overview. */
  readonly summary: string;
  /** The arguments after the name, as in help: `[DEFINITION]`. */
  readonly usage: string;
  readonly options: NonNullable<ParseArgsConfig['options']>;
  /** Help text of each option, in the order shown. */
  readonly help: Readonly<Record<string, string>>;
  readonly run: (invocation: Invocation) => Promise<number>;
}

/** The text value of an option, or undefined. */
export function text(invocation: Invocation, name: string): string | undefined {
  const value = invocation.values[name];
  return typeof value === 'string' ? value : undefined;
}

/** Whether a flag was given. */
export function flag(invocation: Invocation, name: string): boolean {
  return invocation.values[name] === true;
}

/** The values of an option that may be given several times. */
export function list(invocation: Invocation, name: string): readonly string[] {
  const value = invocation.values[name];
  return Array.isArray(value) ? (value as readonly string[]) : [];
}
