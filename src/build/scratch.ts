// Databases to try things in: empty, on the target's server when its role may make them, gone when the work ends, also
// after an error, and swept by the next plan when the process was killed. The target itself is only read.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client, Pool } from 'pg';
import { HoldfastError } from '../error.ts';
import {
  close,
  connect,
  embedded,
  listBinaries,
  majorOf,
  openPool,
  serverVersion,
  target,
  withDatabase,
} from '../server/index.ts';
import { ident, literal } from '../sql.ts';
import { dropRehearsalRoles, ensureRehearsalRoles } from './scratch-roles.ts';

/** Sessions a scratch database is used through; the loader and the readers each need one. */
const SESSIONS = 4;
/** How long a session may take to leave before it is ended. */
const LEAVING_MS = 500;
const PREFIX = 'hf_scratch_';
const DATABASE_COMMENT =
  'Made by holdfast to try a plan. Dropped when the plan ends; safe to drop when no session is in it.';

/** Where scratch databases are made. */
export interface ScratchOptions {
  /** The target: its server is used when the role has CREATEDB, and its locale always. */
  readonly url: string;
  /** Another server of the same major to make them on. */
  readonly scratchUrl?: string;
  /**
   * Starts a server of the given major, or gives undefined; asked only without CREATEDB and without `scratchUrl`.
   * Default: an embedded server in the temporary folder, from what is installed here.
   */
  readonly fallback?: (
    major: number,
  ) => Promise<{ readonly url: string; readonly stop: () => Promise<void> } | undefined>;
  /** Aborting drops every scratch database at once; what runs in them fails. */
  readonly signal?: AbortSignal;
}

/** One empty database. */
export interface Scratch {
  readonly name: string;
  readonly url: string;
  readonly pool: Pool;
}

/** A server to make scratch databases on, for the time of {@link withScratch}. */
export interface ScratchServer {
  /** Makes one more empty database with the target's encoding and locale. */
  readonly make: () => Promise<Scratch>;
  /**
   * Makes roles exist while the work lasts; those that are missing are made without login and dropped afterwards.
   * @throws HoldfastError HF_NO_ROLE_RIGHT when one is missing and the role may not create it
   */
  readonly ensureRoles: (names: readonly string[]) => Promise<void>;
  /** Whether it is the target's own server, where the target's roles and settings are. */
  readonly own: boolean;
  readonly versionNumber: number;
}

/**
 * Gives scratch databases for the time of `work` and drops them whatever happens.
 * @returns what `work` returns
 * @throws HoldfastError HF_NO_SCRATCH when no server lets them be made; HF_SCRATCH_VERSION when the other server is of
 *   another major; HF_INTERRUPTED when the signal aborted; what `work` throws
 */
export async function withScratch<T>(
  options: ScratchOptions,
  work: (server: ScratchServer) => Promise<T>,
): Promise<T> {
  const place = await findPlace(options);
  const bench = new Bench(place);
  const stop = (): void => void bench.dropDatabases('at once');
  options.signal?.addEventListener('abort', stop);
  try {
    await bench.sweep();
    const result = await work(bench);
    refuseAborted(options.signal);
    return result;
  } catch (error) {
    refuseAborted(options.signal, error);
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', stop);
    await bench.end();
  }
}

/** Throws HF_INTERRUPTED when the signal has aborted. */
export function refuseAborted(signal: AbortSignal | undefined, cause?: unknown): void {
  if (signal?.aborted === true) throw interrupted(cause);
}

function interrupted(cause?: unknown): HoldfastError {
  return new HoldfastError({
    code: 'HF_INTERRUPTED',
    subject: 'the plan',
    what: 'it was stopped before it was finished; the database was not changed.',
    fix: 'Run it again.',
    cause,
  });
}

const DATABASE_SQL = `
  SELECT pg_catalog.pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate, d.datctype AS ctype,
         d.datlocprovider AS provider, pg_catalog.to_jsonb(d) AS row,
         r.rolcreatedb OR r.rolsuper AS may_create, current_user::pg_catalog.text AS "user"
  FROM pg_catalog.pg_database d, pg_catalog.pg_roles r
  WHERE d.datname = pg_catalog.current_database() AND r.rolname = current_user`;

interface DatabaseRow {
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  readonly provider: 'c' | 'i' | 'b';
  readonly row: Readonly<Record<string, string | null>>;
  readonly may_create: boolean;
  readonly user: string;
}

interface Place {
  readonly url: string;
  readonly client: Client;
  readonly own: boolean;
  readonly versionNumber: number;
  readonly like: DatabaseRow;
  readonly stop?: () => Promise<void>;
}

async function findPlace(options: ScratchOptions): Promise<Place> {
  const client = await connect(options.url);
  try {
    const versionNumber = await serverVersion(client);
    const like = await databaseRow(client);
    if (options.scratchUrl === undefined && like.may_create) {
      return { url: options.url, client, own: true, versionNumber, like };
    }
    const other = await otherServer(options, majorOf(versionNumber), like.user);
    await close(client);
    return await placeOn(other, { versionNumber, like });
  } catch (error) {
    await close(client);
    throw error;
  }
}

interface OtherServer {
  readonly url: string;
  readonly stop?: () => Promise<void>;
}

async function otherServer(options: ScratchOptions, major: number, user: string): Promise<OtherServer> {
  if (options.scratchUrl !== undefined) return { url: options.scratchUrl };
  const started = await (options.fallback ?? embeddedServer)(major);
  if (started !== undefined) return started;
  throw new HoldfastError({
    code: 'HF_NO_SCRATCH',
    subject: `role ${user}`,
    what: `it may not make databases, and no PostgreSQL ${major} is installed here to rehearse the plan on.`,
    fix: `Run ALTER ROLE ${ident(user)} CREATEDB as a superuser, or name a PostgreSQL ${major} server for scratch databases.`,
  });
}

async function embeddedServer(major: number): Promise<OtherServer | undefined> {
  const { found } = await listBinaries();
  if (!found.some((binaries) => binaries.major === major)) return undefined;
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-rehearsal-'));
  const remove = (): Promise<void> => rm(dir, { recursive: true, force: true });
  try {
    const { url, stop } = await embedded({ major, dir: join(dir, 'postgres') });
    return { url, stop: () => stop().finally(remove) };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function placeOn(
  other: OtherServer,
  like: { readonly versionNumber: number; readonly like: DatabaseRow },
): Promise<Place> {
  const client = await connect(other.url);
  const versionNumber = await serverVersion(client);
  if (majorOf(versionNumber) !== majorOf(like.versionNumber)) {
    await close(client);
    await other.stop?.();
    throw new HoldfastError({
      code: 'HF_SCRATCH_VERSION',
      subject: `the scratch server ${target(other.url).shown}`,
      what: `it is PostgreSQL ${majorOf(versionNumber)}; the target is ${majorOf(like.versionNumber)}.`,
      fix: `Name a PostgreSQL ${majorOf(like.versionNumber)} server for scratch databases.`,
    });
  }
  return { ...other, client, own: false, versionNumber, like: like.like };
}

async function databaseRow(client: Client): Promise<DatabaseRow> {
  const { rows } = await client.query<DatabaseRow>(DATABASE_SQL);
  return rows[0] as DatabaseRow;
}

const BACKEND_SQL = `
  SELECT pid, (extract(epoch FROM backend_start) * 1000)::pg_catalog.int8::pg_catalog.text AS started
  FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()`;

// The name carries the session that made it (its pid and when it began), so that a sweep knows whether that one lives.
const LEFTOVERS_SQL = `
  SELECT d.datname AS name
  FROM pg_catalog.pg_database d
  WHERE d.datname LIKE 'hf\\_scratch\\_%'
    AND pg_catalog.pg_has_role(d.datdba, 'USAGE')
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_stat_activity a
      WHERE a.pid::pg_catalog.text = pg_catalog.split_part(d.datname, '_', 3)
        AND (extract(epoch FROM a.backend_start) * 1000)::pg_catalog.int8::pg_catalog.text
            = pg_catalog.split_part(d.datname, '_', 4))`;

/** The scratch databases and roles of one run. */
class Bench implements ScratchServer {
  readonly own: boolean;
  readonly versionNumber: number;
  readonly #place: Place;
  readonly #made: Scratch[] = [];
  /** Roles were made or found for this run: whoever leaves last drops them. */
  #pinned = false;
  #label: string | undefined;
  #dropping: Promise<void> | undefined;

  constructor(place: Place) {
    this.#place = place;
    this.own = place.own;
    this.versionNumber = place.versionNumber;
  }

  make = async (): Promise<Scratch> => {
    const name = `${PREFIX}${await this.#session()}_${randomBytes(4).toString('hex')}`;
    // What is made once all are being dropped would be dropped by nobody.
    if (this.#dropping !== undefined) throw interrupted();
    const url = withDatabase(this.#place.url, name);
    const scratch = {
      name,
      url,
      pool: openPool(url, { max: SESSIONS, applicationName: 'holdfast rehearsal' }),
    };
    this.#made.push(scratch);
    await this.#place.client.query(createDatabaseSql(name, this.#place.like));
    await this.#place.client.query(`COMMENT ON DATABASE ${ident(name)} IS ${literal(DATABASE_COMMENT)}`);
    return scratch;
  };

  ensureRoles = async (names: readonly string[]): Promise<void> => {
    const pin = this.#made[0]?.name ?? (await this.make()).name;
    if (names.length > 0) this.#pinned = true;
    await ensureRehearsalRoles(this.#place.client, names, pin);
  };

  async sweep(): Promise<void> {
    const { client } = this.#place;
    const { rows } = await client.query<{ name: string }>(LEFTOVERS_SQL);
    // Without FORCE: a database somebody entered in the meantime is in use and stays.
    for (const { name } of rows)
      await client.query(`DROP DATABASE IF EXISTS ${ident(name)}`).catch(() => undefined);
    await dropRehearsalRoles(client);
  }

  /** `at once`: whatever runs in them. Otherwise sessions leave first: PostgreSQL looks only every 100 ms whether they are gone. */
  dropDatabases(how: 'at once' | 'left'): Promise<void> {
    this.#dropping ??= this.#drop(how);
    return this.#dropping;
  }

  async end(): Promise<void> {
    await this.dropDatabases('left');
    if (this.#pinned) await dropRehearsalRoles(this.#place.client).catch(() => undefined);
    await close(this.#place.client);
    await this.#place.stop?.();
  }

  async #drop(how: 'at once' | 'left'): Promise<void> {
    if (how === 'left') await within(LEAVING_MS, Promise.all(this.#made.map(({ pool }) => left(pool))));
    for (const { name, pool } of this.#made) {
      await this.#place.client
        .query(`DROP DATABASE IF EXISTS ${ident(name)} WITH (FORCE)`)
        .catch(() => undefined);
      await ended(pool);
    }
  }

  async #session(): Promise<string> {
    if (this.#label === undefined) {
      const { rows } = await this.#place.client.query<{ pid: number; started: string }>(BACKEND_SQL);
      this.#label = `${rows[0]?.pid ?? 0}_${rows[0]?.started ?? '0'}`;
    }
    return this.#label;
  }
}

/** A pool is ended once; a session that somebody still holds ends when it is given back. */
async function ended(pool: Pool): Promise<void> {
  if (!pool.ending) await pool.end().catch(() => undefined);
}

/** Ends a pool and waits until the server has closed every session: pg-pool's own `end` says so before they are. */
async function left(pool: Pool): Promise<void> {
  let open = pool.totalCount;
  const closed = new Promise<void>((resolve) => {
    if (open === 0) resolve();
    pool.on('remove', () => {
      open -= 1;
      if (open === 0) resolve();
    });
  });
  await ended(pool);
  await closed;
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, over]).finally(() => clearTimeout(timer));
}

/** CREATE DATABASE with the encoding and locale of another; the locale's column was renamed in PostgreSQL 17. */
function createDatabaseSql(name: string, like: DatabaseRow): string {
  const parts = [
    `CREATE DATABASE ${ident(name)} TEMPLATE template0 ENCODING ${literal(like.encoding)}`,
    `LC_COLLATE ${literal(like.collate)} LC_CTYPE ${literal(like.ctype)}`,
  ];
  const locale = like.row['datlocale'] ?? like.row['daticulocale'];
  if (like.provider === 'i') parts.push(`LOCALE_PROVIDER icu ICU_LOCALE ${literal(locale ?? '')}`);
  if (like.provider === 'i' && like.row['daticurules'] != null) {
    parts.push(`ICU_RULES ${literal(like.row['daticurules'])}`);
  }
  if (like.provider === 'b') parts.push(`LOCALE_PROVIDER builtin BUILTIN_LOCALE ${literal(locale ?? '')}`);
  return parts.join(' ');
}
