// A user's project in a temporary folder, and the built command line run in it as a user would.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  /** Without the lines of progress, which a slow machine shows and a fast one does not. */
  readonly err: string;
}

export interface Project {
  readonly dir: string;
  /** Writes holdfast.ts with the given table bodies: `notes: '{ id: integer().primaryKey() }'`. */
  readonly define: (tables: Readonly<Record<string, string>>) => void;
  /** Runs `holdfast …args` against `url`; never throws for a non-zero exit. */
  readonly run: (url: string, ...args: string[]) => Promise<Ran>;
  /** The same, while it still runs: for tests that end it. */
  readonly start: (url: string, ...args: string[]) => Running;
  readonly remove: () => void;
}

export interface Running {
  readonly child: ChildProcess;
  /** Settles when the process has ended; `code` is null when a signal ended it. */
  readonly ended: Promise<Ran>;
}

/** Makes a project whose node_modules point at this package and its Drizzle. */
export function project(): Project {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast cli '));
  mkdirSync(join(dir, 'node_modules'));
  symlinkSync(ROOT, join(dir, 'node_modules/holdfast'));
  symlinkSync(join(ROOT, 'node_modules/drizzle-orm'), join(dir, 'node_modules/drizzle-orm'));
  return {
    dir,
    define: (tables) => writeFileSync(join(dir, 'holdfast.ts'), source(tables)),
    run: (url, ...args) => start(dir, url, args).ended,
    start: (url, ...args) => start(dir, url, args),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

function source(tables: Readonly<Record<string, string>>): string {
  const entries = Object.entries(tables);
  return [
    "import { index, integer, pgTable, text } from 'drizzle-orm/pg-core';",
    "import { database } from 'holdfast';",
    ...entries.map(([name, body]) => `const ${name} = pgTable('${name}', ${body});`),
    `export default database('cli', { tables: { ${entries.map(([name]) => name).join(', ')} } });`,
  ].join('\n');
}

function start(cwd: string, url: string, args: readonly string[]): Running {
  const child = spawn(process.execPath, [join(ROOT, 'dist/cli/main.js'), ...args], {
    cwd,
    env: { ...process.env, DATABASE_URL: url, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<Ran>((done, failed) => {
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.on('error', failed);
    child.on('close', (code) => done({ code, out, err: withoutProgress(err) }));
  });
  return { child, ended };
}

function withoutProgress(err: string): string {
  return err
    .split('\n')
    .filter((line) => !line.startsWith('… '))
    .join('\n');
}
