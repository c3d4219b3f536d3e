#!/usr/bin/env node
// The command line: picks a command, parses its flags, prints errors for people or machines, and alone ends the process.
import { existsSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { HoldfastError } from '../error.ts';
import { release } from '../server/index.ts';
import { type Command, EXIT, type Invocation } from './command.ts';
import { COMMANDS } from './commands/index.ts';
import { columns, paint, processTerminal, say, type Terminal } from './output.ts';

/** What the command line is started with; everything it touches of the process. */
export interface MainOptions {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  readonly now: () => Date;
}

/**
 * Runs the command line once.
 * @returns the exit code, one of {@link EXIT}; never throws, never ends the process
 */
export async function main(options: MainOptions): Promise<number> {
  const { terminal } = options;
  const [name, ...rest] = options.argv;
  if (name === '--version' || name === '-v' || name === 'version') {
    say(terminal, release);
    return EXIT.done;
  }
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    overview(terminal);
    return name === undefined ? EXIT.usage : EXIT.done;
  }
  const command = COMMANDS.find((one) => one.name === name);
  if (command === undefined) return misused(terminal, `there is no command '${name}'`, 'holdfast help');
  return runCommand(command, rest, options);
}

async function runCommand(command: Command, args: readonly string[], options: MainOptions): Promise<number> {
  const { terminal } = options;
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({
      args: [...args],
      options: { ...command.options, help: { type: 'boolean', short: 'h' }, json: { type: 'boolean' } },
      allowPositionals: true,
    });
  } catch (error) {
    return misused(
      terminal,
      error instanceof Error ? error.message : String(error),
      `holdfast ${command.name} --help`,
    );
  }
  if (parsed.values['help'] === true) {
    manual(terminal, command);
    return EXIT.done;
  }
  const invocation = {
    ...options,
    values: parsed.values as Invocation['values'],
    positionals: parsed.positionals,
  };
  try {
    return await command.run(invocation);
  } catch (error) {
    report(terminal, error, parsed.values['json'] === true);
    return options.signal.aborted ? EXIT.interrupted : EXIT.failed;
  }
}

/** Prints an error: for machines as one JSON object on stdout, for people on stderr; a stack only for what we did not foresee. */
function report(terminal: Terminal, error: unknown, json: boolean): void {
  const known = error instanceof HoldfastError || (error instanceof Error && error.name === 'HoldfastError');
  const parts = known
    ? (error as HoldfastError)
    : {
        code: 'HF_UNEXPECTED',
        subject: 'holdfast',
        what: error instanceof Error ? error.message : String(error),
        fix: 'This is not an error Holdfast foresaw; please report it with the command you ran.',
      };
  if (json) {
    const { code, subject, what, fix } = parts;
    say(terminal, JSON.stringify({ error: { code, subject, what, fix } }));
    return;
  }
  terminal.err.write(
    `${paint(terminal, 'red', parts.code)} ${parts.subject}\n  ${parts.what}\n  ${parts.fix}\n`,
  );
  if (!known && error instanceof Error) terminal.err.write(`${error.stack ?? ''}\n`);
}

function misused(terminal: Terminal, what: string, see: string): number {
  terminal.err.write(`holdfast: ${what}; see '${see}'\n`);
  return EXIT.usage;
}

function overview(terminal: Terminal): void {
  say(terminal, 'holdfast COMMAND [DEFINITION] [options]');
  say(terminal);
  const rows = COMMANDS.map((command) => [`  ${command.name}`, command.summary]);
  for (const line of columns(rows)) say(terminal, line);
  say(terminal);
  say(
    terminal,
    'DEFINITION is a TypeScript file whose default export is a database(…); default: holdfast.ts here.',
  );
  say(terminal, "See 'holdfast COMMAND --help' for a command's options.");
}

function manual(terminal: Terminal, command: Command): void {
  say(terminal, `holdfast ${command.name} ${command.usage}`);
  say(terminal);
  say(terminal, command.summary);
  say(terminal);
  const rows = Object.entries({ ...command.help, json: 'print one JSON value for machines instead of text' });
  for (const line of columns(rows.map(([name, help]) => [`  --${name}`, help]))) say(terminal, line);
}

/** Runs as the program: streams and signals of this process, and its exit code. A second signal ends it at once. */
async function program(): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(EXIT.interrupted);
      stop.abort();
    });
  }
  const code = await main({
    argv: process.argv.slice(2),
    cwd: process.cwd(),
    env: process.env,
    terminal: processTerminal(),
    signal: stop.signal,
    now: () => new Date(),
  });
  // Not process.exit() straight away: a pipe may still hold output that was written.
  process.exitCode = code;
}

const started = process.argv[1];
if (
  started !== undefined &&
  existsSync(started) &&
  realpathSync(started) === fileURLToPath(import.meta.url)
) {
  await program();
}
