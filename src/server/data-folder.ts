// The folder of an embedded server: where it lies, what is remembered in it, and how it is first filled.
//
//   .holdfast/postgres-18/server.json    password and port, readable by us alone
//                        /control.json   how to reach the supervisor while the server runs
//                        /postgres.log   what the server says
//                        /data           PostgreSQL's own folder, belongs to the account the server runs under
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { appendFile, chmod, chown, mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError } from '../error.ts';
import type { Binaries } from './binaries.ts';
import { serverFailure } from './failure.ts';
import { asUser, canEnter } from './user.ts';
import type { ServerUser } from './user.ts';

const run = promisify(execFile);
const INIT_TIMEOUT_MS = 120_000;
const ROOT_ONLY_HOME = '/var/lib/holdfast';
const CONF = 'holdfast.conf';

/** What every embedded server runs with; `settings` of the caller are put on top. */
export const serverSettings: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  // A socket's path may have 107 bytes at most, and a project may lie deeper than that.
  unix_socket_directories: '',
  password_encryption: 'scram-sha-256',
  max_connections: '100',
  shared_buffers: '256MB',
  effective_cache_size: '512MB',
  wal_level: 'replica',
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.track': 'all',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

/** Where a server's files are. */
export interface DataFolder {
  /** The project's folder of this server. */
  readonly folder: string;
  /** PostgreSQL's data folder: `data` in it, or elsewhere where the server's account cannot enter the project. */
  readonly dataDir: string;
  readonly user: ServerUser | undefined;
}

/** What is remembered from one start to the next. */
export interface Remembered {
  readonly formatVersion: 1;
  readonly password: string;
  readonly port: number | undefined;
  /** Set when the data lies outside the folder; the folder it was made for tells a copied project from a moved one. */
  readonly elsewhere: { readonly dataDir: string; readonly madeFor: string } | undefined;
}

/**
 * Makes the folder where it is missing and says where its data are.
 * @throws HoldfastError HF_EMBEDDED_OWNER when the folder belongs to an account whose files we cannot use;
 *   HF_DISK_FULL when there is no room
 */
export async function openFolder(folder: string, user: ServerUser | undefined): Promise<DataFolder> {
  try {
    const made = await mkdir(folder, { recursive: true });
    if (made !== undefined && user !== undefined) await letPass(made, folder);
  } catch (error) {
    throw serverFailure(`folder ${folder}`, (error as Error).message, error);
  }
  const dataDir = await placeOf(folder, user);
  if (!existsSync(dataDir)) return { folder, dataDir, user };
  const { uid, gid } = await stat(dataDir);
  const me = process.getuid?.();
  if (me === undefined || uid === me) return { folder, dataDir, user: undefined };
  if (me !== 0 || uid === 0) throw wrongOwner(dataDir, uid);
  // An ordinary user made it, now root starts it: the server stays that user's.
  return { folder, dataDir, user: user?.uid === uid ? user : { name: `uid ${uid}`, uid, gid } };
}

/**
 * Fills the data folder if it is empty. Made beside and renamed: a run that is killed half-way leaves nothing that
 * looks like a data folder. Call it under the folder's lock.
 * @returns what is remembered of the server; the password is generated at the first start
 * @throws HoldfastError HF_EMBEDDED_STATE when data are there but what was remembered of them is not;
 *   HF_EMBEDDED_MAJOR when another major wrote the data; HF_DISK_FULL; HF_EMBEDDED_START when initdb fails
 */
export async function initialise(at: DataFolder, binaries: Binaries): Promise<Remembered> {
  const known = await recall(at.folder);
  if (existsSync(at.dataDir)) {
    if (known === undefined) throw forgotten(at);
    await checkMajor(at.dataDir, binaries.major);
    return known;
  }
  const remembered: Remembered = {
    formatVersion: 1,
    password: known?.password ?? randomBytes(24).toString('base64url'),
    port: known?.port,
    elsewhere: isInside(at) ? undefined : { dataDir: at.dataDir, madeFor: at.folder },
  };
  await remember(at.folder, remembered);
  await initdb(at, binaries, remembered.password);
  return remembered;
}

/** Writes the settings file that postgresql.conf includes; takes the place of the last one in one step. */
export async function writeSettings(
  at: DataFolder,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  const text = [`# Written at every start. Put your own settings into postgresql.conf.`, ...lines, ''].join(
    '\n',
  );
  await replaceFile(join(at.dataDir, CONF), text, at.user);
}

/** What was remembered of the server in this folder, or undefined. */
export async function recall(folder: string): Promise<Remembered | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, 'server.json'), 'utf8')) as Remembered;
  } catch {
    return undefined;
  }
}

/** Remembers it, readable by us alone. */
export async function remember(folder: string, what: Remembered): Promise<void> {
  // Root's file in another account's project stays that account's.
  const owner = process.getuid?.() === 0 ? await stat(folder) : undefined;
  await replaceFile(join(folder, 'server.json'), `${JSON.stringify(what, undefined, 2)}\n`, owner);
}

/** The project's data lies outside the project. */
export function isInside(at: DataFolder): boolean {
  return at.dataDir === join(at.folder, 'data');
}

// Under a strict umask of root's the server's account could not pass through the folders just made.
async function letPass(first: string, last: string): Promise<void> {
  const below = relative(first, last);
  let path = first;
  for (const name of ['', ...(below === '' ? [] : below.split(sep))]) {
    path = join(path, name);
    await chmod(path, 0o755);
  }
}

async function placeOf(folder: string, user: ServerUser | undefined): Promise<string> {
  const inside = join(folder, 'data');
  if (user === undefined || existsSync(inside) || (await canEnter(folder, user))) return inside;
  const { elsewhere } = (await recall(folder)) ?? {};
  if (elsewhere !== undefined) {
    const moved = !existsSync(elsewhere.madeFor);
    if (elsewhere.madeFor === folder || moved) return elsewhere.dataDir;
  }
  const mark = createHash('sha256').update(folder).digest('hex').slice(0, 10);
  const project = basename(dirname(dirname(folder))).replaceAll(/[^\w.-]/g, '_');
  return join(ROOT_ONLY_HOME, `${project}-${mark}`, basename(folder));
}

async function initdb(at: DataFolder, binaries: Binaries, password: string): Promise<void> {
  const parent = dirname(at.dataDir);
  const made = await mkdir(parent, { recursive: true });
  if (made !== undefined && at.user !== undefined) await letPass(made, parent);
  await sweep(parent);
  const draft = join(parent, `draft-${randomBytes(6).toString('hex')}`);
  const passwordFile = `${draft}.password`;
  try {
    await mkdir(draft, { mode: 0o700 });
    if (at.user !== undefined) await chown(draft, at.user.uid, at.user.gid);
    await replaceFile(passwordFile, `${password}\n`, at.user);
    await runInitdb({ at, binaries, draft, passwordFile });
    await appendFile(join(draft, 'postgresql.conf'), `\ninclude = '${CONF}'\n`);
    await rename(draft, at.dataDir);
  } catch (error) {
    await rm(draft, { recursive: true, force: true, maxRetries: 3 });
    if (error instanceof HoldfastError) throw error;
    throw serverFailure(`folder ${at.dataDir}`, (error as Error).message, error);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

interface InitRun {
  readonly at: DataFolder;
  readonly binaries: Binaries;
  readonly draft: string;
  readonly passwordFile: string;
}

async function runInitdb({ at, binaries, draft, passwordFile }: InitRun): Promise<void> {
  const shared = [
    '-D',
    draft,
    '-U',
    'postgres',
    '--pwfile',
    passwordFile,
    '-A',
    'scram-sha-256',
    '-E',
    'UTF8',
  ];
  let failure: unknown;
  for (const locale of localesOf(binaries.major)) {
    try {
      await run(join(binaries.bin, 'initdb'), [...shared, ...locale, '--no-instructions'], {
        ...asUser(at.user),
        cwd: '/',
        env: serverEnvironment(),
        timeout: INIT_TIMEOUT_MS,
      });
      return;
    } catch (error) {
      failure = error;
      if (!/invalid locale name|locale .* not/i.test((error as { stderr?: string }).stderr ?? '')) break;
    }
  }
  const { stderr, message } = failure as { stderr?: string; message: string };
  throw serverFailure(`folder ${at.dataDir}`, stderr?.trim() || message, failure);
}

// Strings compare by code point everywhere and upper() knows all letters; from 17 on PostgreSQL brings that locale
// itself, before it is the C library's, and a machine without it has plain C.
function localesOf(major: number): readonly (readonly string[])[] {
  if (major >= 17) return [['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C']];
  return [['--locale=C.UTF-8', '--lc-messages=C'], ['--locale=C']];
}

/** The environment of the server's processes: nothing of ours, which may hold secrets and PG… variables. */
export function serverEnvironment(): Record<string, string> {
  const kept = ['PATH', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'SystemRoot'];
  const environment: Record<string, string> = { LC_ALL: 'C', TZ: 'UTC' };
  for (const name of kept) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith('draft-')) continue;
    // Moved first: an initdb that outlived its parent finds its folder gone and gives up.
    const gone = join(parent, `draft-${randomBytes(6).toString('hex')}`);
    await rename(join(parent, name), gone).catch(() => undefined);
    await rm(gone, { recursive: true, force: true, maxRetries: 5 }).catch(() => undefined);
  }
}

// Never written in place: the data folder belongs to the server's account, which could have left a link there.
async function replaceFile(
  path: string,
  text: string,
  owner: Pick<ServerUser, 'uid' | 'gid'> | undefined,
): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(text);
      if (owner !== undefined) await file.chown(owner.uid, owner.gid);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw serverFailure(`file ${path}`, (error as Error).message, error);
  }
}

async function checkMajor(dataDir: string, major: number): Promise<void> {
  const wrote = Number.parseInt(await readFile(join(dataDir, 'PG_VERSION'), 'utf8').catch(() => ''), 10);
  if (wrote === major) return;
  throw new HoldfastError({
    code: 'HF_EMBEDDED_MAJOR',
    subject: `folder ${dataDir}`,
    what: Number.isNaN(wrote)
      ? 'it holds no PostgreSQL data.'
      : `PostgreSQL ${wrote} wrote it, and ${major} cannot read it.`,
    fix: Number.isNaN(wrote) ? 'Name another folder, or empty this one.' : `Start it with major ${wrote}.`,
  });
}

function forgotten(at: DataFolder): HoldfastError {
  return new HoldfastError({
    code: 'HF_EMBEDDED_STATE',
    subject: `folder ${at.folder}`,
    what: 'it holds data, but server.json with the password is missing or cannot be read.',
    fix: 'Put server.json back from a copy; or, to begin anew and lose the data, delete the folder.',
  });
}

function wrongOwner(dataDir: string, uid: number): HoldfastError {
  return new HoldfastError({
    code: 'HF_EMBEDDED_OWNER',
    subject: `folder ${dataDir}`,
    what:
      uid === 0
        ? 'it belongs to root, and PostgreSQL does not run as root.'
        : `it belongs to another account (uid ${uid}).`,
    fix: 'Start as the account that owns it, give it to yours (chown -R), or name another folder.',
  });
}
