// A real PostgreSQL for a project, without anything installed: started in a folder of the project, shared by every
// process that asks for it there, and stopped when the last of them is gone.
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError } from '../error.ts';
import { findBinaries } from './binaries.ts';
import type { Binaries } from './binaries.ts';
import { launch, takeSeat } from './control.ts';
import type { Seat } from './control.ts';
import {
  initialise,
  isInside,
  openFolder,
  recall,
  remember,
  serverSettings,
  writeSettings,
} from './data-folder.ts';
import type { DataFolder, Remembered } from './data-folder.ts';
import { withLock } from './lock.ts';
import { freePort, isFree } from './port.ts';
import { disarm, postmasterOf } from './postmaster.ts';
import { serverUser } from './user.ts';

/** Defaults of {@link EmbeddedOptions}. */
export const embeddedDefaults = { startTimeoutMs: 120_000 } as const;

const LOCK_SLACK_MS = 150_000;
const PORT_ATTEMPTS = 5;
const REMAINS_ATTEMPTS = 50;
const REMAINS_PAUSE_MS = 200;
// PostgreSQL refuses a data folder while a killed server's last backends are still going.
const REMAINS = /pre-existing shared memory block|lock file "postmaster\.pid" already exists/;

/** What an embedded server is asked to be. Where one already runs in the folder, only `keepRunning` counts. */
export interface EmbeddedOptions {
  /** The project; its server lies in `.holdfast/postgres-<major>` there. Default: the current folder. */
  readonly cwd?: string;
  /** The server's folder itself, in place of the one in the project. */
  readonly dir?: string;
  /** Major of PostgreSQL; default: what {@link findBinaries} gives, 18 from npm. */
  readonly major?: number;
  /** A fixed port; default: the one of last time, or a free one. */
  readonly port?: number;
  /** Server settings on top of {@link serverSettings}, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The server outlives its users and runs until {@link stopEmbedded}. */
  readonly keepRunning?: boolean;
  /** A server in a new temporary folder, which is deleted when the server stops. */
  readonly ephemeral?: boolean;
  /** How long the server may take to be ready, recovery included, in milliseconds. */
  readonly startTimeoutMs?: number;
}

/** A running server. */
export interface Embedded {
  /** Connection string of the superuser, with its password: not to be shown. */
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  /** `18.4` */
  readonly version: string;
  /** The server ran already when we came. */
  readonly attached: boolean;
  /** What the user should know, such as where the data lies when that is not in the project. */
  readonly notes: readonly string[];
  /**
   * Leaves the server. It stops, in order, when nobody else uses it; the promise then resolves after it has. A process
   * that ends without calling this, by kill -9 even, has left all the same.
   */
  readonly stop: () => Promise<void>;
}

/**
 * Starts the project's server, or joins it where it runs.
 * @throws HoldfastError HF_NO_POSTGRES (no server programs); HF_DISK_FULL; HF_PORT_IN_USE (a fixed port is taken);
 *   HF_SERVER_MEMORY; HF_SERVER_USER; HF_EMBEDDED_OWNER, HF_EMBEDDED_FOLDER, HF_EMBEDDED_STATE, HF_EMBEDDED_MAJOR
 *   (the folder cannot be used); HF_EMBEDDED_BUSY (another start hangs); HF_EMBEDDED_START (anything else)
 */
export async function embedded(options: EmbeddedOptions = {}): Promise<Embedded> {
  const place = await prepare(options);
  const { seat, attached } = await sit(place).catch((error: unknown) => abandon(place, error));
  const remembered = await recall(place.at.folder);
  if (remembered === undefined) throw lostState(place.at);
  const held = hold(place, seat);
  return {
    url: `postgres://postgres:${remembered.password}@127.0.0.1:${seat.port}/postgres`,
    port: seat.port,
    dataDir: place.at.dataDir,
    version: seat.version,
    attached,
    notes: notesOn(place.at),
    stop: held,
  };
}

/**
 * Stops the server of a project for everyone, also one that was kept running.
 * @returns whether one ran
 * @throws as {@link embedded}
 */
export async function stopEmbedded(
  options: Pick<EmbeddedOptions, 'cwd' | 'dir' | 'major'> = {},
): Promise<boolean> {
  const place = await prepare(options);
  const seat = await sitWhereRunning(place);
  await seat?.stop();
  return seat !== undefined;
}

interface Place {
  readonly at: DataFolder;
  readonly binaries: Binaries;
  readonly options: EmbeddedOptions;
}

async function prepare(options: EmbeddedOptions): Promise<Place> {
  const cwd = resolve(options.cwd ?? process.cwd());
  const user = await serverUser();
  const wanted = { cwd, ...(options.major === undefined ? {} : { major: options.major }) };
  const binaries = await findBinaries({ ...wanted, user });
  const at = await openFolder(await folderOf(options, cwd, binaries.major), user);
  if (at.user?.uid === user?.uid) return { at, binaries, options };
  return { at, binaries: await findBinaries({ ...wanted, major: binaries.major, user: at.user }), options };
}

async function folderOf(options: EmbeddedOptions, cwd: string, major: number): Promise<string> {
  if (options.ephemeral === true) {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-'));
    // Passable for the account the server runs under; what is secret in it has its own mode.
    await chmod(folder, 0o711);
    return folder;
  }
  return options.dir === undefined ? join(cwd, '.holdfast', `postgres-${major}`) : resolve(options.dir);
}

async function abandon(place: Place, error: unknown): Promise<never> {
  if (place.options.ephemeral === true) await rm(place.at.folder, { recursive: true, force: true });
  throw error;
}

async function sit(place: Place): Promise<{ seat: Seat; attached: boolean }> {
  const { folder } = place.at;
  const keepRunning = place.options.keepRunning ?? false;
  const patienceMs = (place.options.startTimeoutMs ?? embeddedDefaults.startTimeoutMs) + LOCK_SLACK_MS;
  for (;;) {
    const found = await takeSeat(folder, { keepRunning, starter: false });
    if (typeof found === 'object') return { seat: found, attached: true };
    if (found === 'stopped') continue;
    const started = await withLock(folder, patienceMs, async () => {
      // Whoever held the lock before us may have started it.
      const again = await takeSeat(folder, { keepRunning, starter: false });
      if (typeof again === 'object') return { seat: again, attached: true };
      return again === 'stopped' ? undefined : await start(place);
    });
    if (started !== undefined) return started;
  }
}

async function sitWhereRunning(place: Place): Promise<Seat | undefined> {
  const { at } = place;
  const found = await takeSeat(at.folder, { keepRunning: false, starter: false });
  if (typeof found === 'object') return found;
  if (found === 'stopped' || (await postmasterOf(at.dataDir)).state !== 'running') return undefined;
  return (await sit(place)).seat;
}

async function start(place: Place): Promise<{ seat: Seat; attached: boolean }> {
  const { at, binaries, options } = place;
  const remembered = await initialise(at, binaries);
  const found = await takeOver(place);
  if (found !== undefined) return { seat: found, attached: true };
  await writeSettings(at, { ...serverSettings, ...options.settings });
  const seat = await startOnSomePort(place, remembered);
  if (remembered.port !== seat.port) await remember(at.folder, { ...remembered, port: seat.port });
  return { seat, attached: false };
}

// A postmaster without a supervisor either lost it and runs on, or is being stopped because its starter was killed.
async function takeOver(place: Place): Promise<Seat | undefined> {
  for (;;) {
    const before = await postmasterOf(place.at.dataDir);
    if (before.state === 'reused') await disarm(place.at.dataDir);
    if (before.state !== 'running') return undefined;
    try {
      return await launchAndSit(place, { port: before.port, adopt: before.pid });
    } catch (error) {
      const after = await postmasterOf(place.at.dataDir);
      if (after.state === 'running' && after.pid === before.pid) throw error;
    }
  }
}

async function startOnSomePort(place: Place, remembered: Remembered): Promise<Seat> {
  const fixed = place.options.port;
  for (let attempt = 1; ; attempt += 1) {
    const last = attempt === 1 ? remembered.port : undefined;
    const port = fixed ?? (last !== undefined && (await isFree(last)) ? last : await freePort());
    try {
      return await launchPatiently(place, port);
    } catch (error) {
      const taken = error instanceof HoldfastError && error.code === 'HF_PORT_IN_USE';
      if (!taken || fixed !== undefined || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

async function launchPatiently(place: Place, port: number): Promise<Seat> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await launchAndSit(place, { port });
    } catch (error) {
      const remains = error instanceof HoldfastError && REMAINS.test(error.what);
      if (!remains || attempt === REMAINS_ATTEMPTS) throw error;
      await pause(REMAINS_PAUSE_MS);
    }
  }
}

async function launchAndSit(place: Place, where: { port: number; adopt?: number }): Promise<Seat> {
  const { at, binaries, options } = place;
  const keepRunning = options.keepRunning ?? false;
  const letGo = await launch({
    bin: binaries.bin,
    version: binaries.version,
    folder: at.folder,
    dataDir: at.dataDir,
    ...where,
    ...(at.user === undefined ? {} : { uid: at.user.uid, gid: at.user.gid }),
    token: randomBytes(24).toString('base64url'),
    keepRunning,
    ephemeral: options.ephemeral ?? false,
    startTimeoutMs: options.startTimeoutMs ?? embeddedDefaults.startTimeoutMs,
  });
  try {
    const seat = await takeSeat(at.folder, { keepRunning, starter: true });
    if (typeof seat === 'object') return seat;
  } finally {
    letGo();
  }
  throw new HoldfastError({
    code: 'HF_EMBEDDED_START',
    subject: `folder ${at.folder}`,
    what: 'the server started, but its supervisor does not answer.',
    fix: 'Start again; if it stays so, something on this machine blocks connections to 127.0.0.1.',
  });
}

// A supervisor that is killed leaves its server without one. Whoever still uses the server gives it a new one, so that
// it is not left behind when they go.
function hold(place: Place, first: Seat): () => Promise<void> {
  let seat: Promise<Seat | undefined> = Promise.resolve(first);
  const watch = (current: Seat): void => {
    current.onLost((stopped) => {
      if (stopped) return;
      seat = sitWhereRunning(place).catch(() => undefined);
      void seat.then((next) => next && watch(next));
    });
  };
  watch(first);
  return async () => (await seat)?.leave();
}

function notesOn(at: DataFolder): string[] {
  const notes =
    at.user === undefined ? [] : [`The server runs as ${at.user.name}, because PostgreSQL refuses root.`];
  if (!isInside(at)) {
    notes.push(`The data lies in ${at.dataDir}: ${at.user?.name ?? 'the server'} cannot enter ${at.folder}.`);
  }
  return notes;
}

function lostState(at: DataFolder): HoldfastError {
  return new HoldfastError({
    code: 'HF_EMBEDDED_STATE',
    subject: `folder ${at.folder}`,
    what: 'a server runs there, but server.json with its password is missing or cannot be read.',
    fix: 'Put server.json back from a copy, or stop the server.',
  });
}
