// Where a copy is made: a server of its own where that can be had, else one that is given, else the target's.
import type { Client } from 'pg';
import { withScratch, type ScratchServer } from '../../build/index.ts';
import { HoldfastError } from '../../error.ts';
import {
  close,
  connect,
  embedded,
  listBinaries,
  majorOf,
  makePassword,
  type Password,
  withClient,
  withDatabase,
} from '../../server/index.ts';
import { ident, literal } from '../../sql.ts';
import type { CopyOptions, Left } from './copy.ts';
import { withOptions } from './session.ts';
import type { Database } from './target.ts';

/** An empty database for the copy, and the server it is on. */
export interface Place {
  /** A superuser's connection string to the empty database. */
  readonly url: string;
  readonly database: string;
  /** Set on a server that is the copy's own: what every login role's password is. */
  readonly password?: Password;
  /** It is the target's own server. */
  readonly own: boolean;
  /** Set on a server that has roles of others: makes missing ones exist while the copy lasts. */
  readonly ensureRoles?: (names: readonly string[]) => Promise<void>;
  readonly left: readonly Left[];
}

// Nothing on it outlives the proof.
const SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '60',
  autovacuum: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
};
const SAME_SERVER_SQL = `SELECT pg_catalog.concat(pg_catalog.pg_postmaster_start_time(), pg_catalog.inet_server_port()) AS mark`;

/**
 * Gives an empty database for the time of `work`; it is gone afterwards, whatever happens.
 * @throws HoldfastError HF_NO_COPY when no server can be had for it
 */
export async function withPlace<T>(
  options: CopyOptions,
  target: { readonly versionNumber: number; readonly database: Database },
  work: (place: Place) => Promise<T>,
): Promise<T> {
  const { signal, url } = options;
  if (options.scratchUrl !== undefined) {
    const given = {
      url,
      scratchUrl: withOptions(options.scratchUrl),
      ...(signal === undefined ? {} : { signal }),
    };
    const own = await sameServer(url, options.scratchUrl);
    return withScratch(given, (server) => onShared(server, own, work));
  }
  const major = majorOf(target.versionNumber);
  const { found } = await listBinaries();
  if (found.some((binaries) => binaries.major === major)) return onEmbedded({ major, target, signal }, work);
  if (!target.database.super) throw noCopy(major);
  const given = { url: withOptions(url), ...(signal === undefined ? {} : { signal }) };
  return withScratch(given, (server) => onShared(server, server.own, work));
}

async function onShared<T>(
  server: ScratchServer,
  own: boolean,
  work: (place: Place) => Promise<T>,
): Promise<T> {
  const { url, name } = await server.make();
  return work({ url, database: name, own, ensureRoles: server.ensureRoles, left: [] });
}

function noCopy(major: number): HoldfastError {
  return new HoldfastError({
    code: 'HF_NO_COPY',
    subject: `PostgreSQL ${major}`,
    what: 'its programs are not installed here, and the role may not make a copy on the target’s own server.',
    fix: `Install PostgreSQL ${major} here, or name a superuser of a server of that major for scratch copies.`,
  });
}

async function sameServer(one: string, other: string): Promise<boolean> {
  const marks = await Promise.all(
    [one, other].map((url) =>
      withClient(
        url,
        async (client) => (await client.query<{ mark: string }>(SAME_SERVER_SQL)).rows[0]?.mark,
      ),
    ),
  );
  return marks[0] === marks[1];
}

async function onEmbedded<T>(
  on: { major: number; target: { database: Database }; signal: AbortSignal | undefined },
  work: (place: Place) => Promise<T>,
): Promise<T> {
  const server = await embedded({ ephemeral: true, major: on.major, settings: SETTINGS });
  const stop = (): void => void server.stop();
  on.signal?.addEventListener('abort', stop);
  try {
    const password = makePassword();
    const admin = await takeOver(server.url, password);
    const made = await makeDatabase(admin, on.target.database);
    return await work({
      url: withDatabase(admin, made.name),
      database: made.name,
      password,
      own: false,
      left: made.left,
    });
  } finally {
    on.signal?.removeEventListener('abort', stop);
    await server.stop();
  }
}

/**
 * Gives the server's first role a name that no target has, so that a target's `postgres` is made with that role's own
 * attributes: on a managed server it is no superuser.
 * @see https://www.postgresql.org/docs/current/sql-alterrole.html the first role cannot lose SUPERUSER; a session's own
 *   role cannot be renamed
 */
async function takeOver(url: string, { password, verifier }: Password): Promise<string> {
  const name = `hf_copy_${password.slice(0, 8)}`;
  const second = `${name}_2`;
  const as = (role: string): string => {
    const changed = new URL(url);
    changed.username = role;
    changed.password = password;
    changed.pathname = '/template1';
    return changed.href;
  };
  await withClient(url, (client) =>
    client.query(`CREATE ROLE ${ident(second)} SUPERUSER LOGIN PASSWORD ${literal(verifier)}`),
  );
  await withClient(as(second), async (client) => {
    const { rows } = await client.query<{ name: string }>(
      'SELECT rolname AS name FROM pg_catalog.pg_roles WHERE oid = 10',
    );
    await client.query(`ALTER ROLE ${ident(rows[0]?.name ?? '')} RENAME TO ${ident(name)}`);
    await client.query(`ALTER ROLE ${ident(name)} PASSWORD ${literal(verifier)}`);
  });
  await withClient(as(name), (client) => client.query(`DROP ROLE ${ident(second)}`));
  return as(name);
}

/** The copy has the target's name, so that what speaks of the database by name means the copy. */
async function makeDatabase(
  admin: string,
  like: Database,
): Promise<{ readonly name: string; readonly left: readonly Left[] }> {
  const name = ['template0', 'template1'].includes(like.name) ? 'hf_copy' : like.name;
  const client: Client = await connect(admin);
  try {
    await client.query(`DROP DATABASE IF EXISTS ${ident(name)}`);
    const start = `CREATE DATABASE ${ident(name)} TEMPLATE template0 ENCODING ${literal(like.encoding)}`;
    try {
      await client.query(`${start} ${like.locale}`);
      return { name, left: [] };
    } catch (error) {
      await client.query(`${start} LC_COLLATE 'C' LC_CTYPE 'C'`);
      const why = `the copy's is C: ${error instanceof Error ? error.message : String(error)}`;
      return { name, left: [{ subject: `locale of database ${like.name}`, why }] };
    }
  } finally {
    await close(client);
  }
}
