// How every other folder reaches a server: one way to read a connection string, to open a client and to ask for the
// version. A connection string never leaves this file in an error without its password blanked.
import { Client, Pool } from 'pg';
import type { ClientBase, ClientConfig } from 'pg';
import { HoldfastError } from '../error.ts';
import { SQLSTATE, isSqlstate } from './sqlstate.ts';

/** Majors of PostgreSQL that are tested; a server outside is refused. */
export const supportedMajors = { lowest: 15, highest: 18 } as const;

/** Defaults of {@link ConnectOptions}. */
export const connectDefaults = { applicationName: 'holdfast', connectTimeoutMs: 10_000 } as const;

const END_TIMEOUT_MS = 5_000;
const SCHEMES = ['postgres:', 'postgresql:'];
// What may be shown of a query string: it says where a server is, never who may enter.
const SHOWN_PARAMETERS = ['host', 'port', 'sslmode', 'dbname', 'user'];

export interface ConnectOptions {
  /** What pg_stat_activity shows for the session; an `application_name` in the URL wins. */
  readonly applicationName?: string;
  /** How long the server may take to answer, in milliseconds. */
  readonly connectTimeoutMs?: number;
}

/** A server and database as a connection string names them. */
export interface Target {
  /** The whole connection string, password included. Never shown. */
  readonly url: string;
  /** The same without password, fit to be shown. */
  readonly shown: string;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

/**
 * Opens one session.
 * @param url `postgres://user:password@host:port/database`
 * @returns a connected client; the caller ends it with {@link close} (or uses {@link withClient})
 * @throws HoldfastError HF_URL when the URL cannot be read; HF_CONNECT when no server answers in time;
 *   HF_LOGIN when it refuses the role or password; HF_NO_DATABASE when the database is not there;
 *   HF_TOO_MANY_CONNECTIONS when it is full
 */
export async function connect(url: string, options: ConnectOptions = {}): Promise<Client> {
  const to = target(url);
  const client = new Client(clientConfig(url, options));
  // A session cut off by the server emits 'error'; without a listener that ends the process. The statement in flight
  // and every later one reject on their own.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await close(client);
    throw connectError(to, error);
  }
}

/**
 * Opens one session for the time of `fn` and ends it whatever happens.
 * @returns what `fn` returns
 * @throws what {@link connect} and `fn` throw
 */
export async function withClient<T>(
  url: string,
  fn: (client: Client) => Promise<T>,
  options: ConnectOptions = {},
): Promise<T> {
  const client = await connect(url, options);
  try {
    return await fn(client);
  } finally {
    await close(client);
  }
}

/**
 * A pool of sessions to one database. Connects on first use; errors of idle sessions are swallowed because the pool
 * already replaces such a session; one that is lost while it is lent out rejects its next statement.
 * @param options as {@link ConnectOptions}, and `max`: sessions at most (default 10)
 * @throws HoldfastError HF_URL when the URL cannot be read
 */
export function openPool(url: string, options: ConnectOptions & { readonly max?: number } = {}): Pool {
  target(url);
  const pool = new Pool({ ...clientConfig(url, options), max: options.max ?? 10 });
  pool.on('error', () => undefined);
  // The pool listens to idle sessions alone; one that is lent out and lost between two statements would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** Ends a session; one that does not answer is cut off after five seconds. Never throws. */
export async function close(client: Client): Promise<void> {
  const cut = setTimeout(() => {
    (client as unknown as { connection: { stream: { destroy: () => void } } }).connection.stream.destroy();
  }, END_TIMEOUT_MS);
  try {
    await client.end();
  } catch {
    // The session is gone already, which is what was asked for.
  } finally {
    clearTimeout(cut);
  }
}

const VERSION_SQL = `SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS version`;

/**
 * The server's version as a number: 180004 is 18.4.
 * @throws HoldfastError HF_SERVER_VERSION when its major is not one of 15 to 18
 * @see https://www.postgresql.org/docs/current/runtime-config-preset.html#GUC-SERVER-VERSION-NUM
 */
export async function serverVersion(client: Pick<ClientBase, 'query'>): Promise<number> {
  const { rows } = await client.query<{ version: number }>(VERSION_SQL);
  return supported(rows[0]?.version ?? 0);
}

/**
 * Lets the version of a supported server through.
 * @param versionNumber `server_version_num`
 * @throws HoldfastError HF_SERVER_VERSION when its major is not one of 15 to 18
 */
export function supported(versionNumber: number): number {
  const major = majorOf(versionNumber);
  if (major >= supportedMajors.lowest && major <= supportedMajors.highest) return versionNumber;
  throw new HoldfastError({
    code: 'HF_SERVER_VERSION',
    subject: `PostgreSQL ${major}`,
    what: `only ${supportedMajors.lowest} to ${supportedMajors.highest} are supported.`,
    fix: `Use a server of major ${supportedMajors.lowest} to ${supportedMajors.highest}.`,
  });
}

/** The major of a version number: 180004 gives 18. */
export function majorOf(versionNumber: number): number {
  return Math.trunc(versionNumber / 10_000);
}

/**
 * The connection string the environment gives.
 * @returns `DATABASE_URL`, or undefined when it is unset or empty
 * @throws HoldfastError HF_URL when it is set to something that is no PostgreSQL URL
 */
export function urlFromEnvironment(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  const url = environment['DATABASE_URL']?.trim();
  return url === undefined || url === '' ? undefined : target(url).url;
}

/**
 * Reads a connection string.
 * @throws HoldfastError HF_URL when it is no `postgres://` URL, or its password holds a character that must be
 *   percent-encoded; the message never repeats it
 */
export function target(url: string): Target {
  const parsed = readUrl(url);
  if (parsed === undefined) {
    throw new HoldfastError({
      code: 'HF_URL',
      subject: 'the connection string',
      what: 'it cannot be read as postgres://user:password@host:port/database.',
      fix: 'Write it in that form, with @ : / ? # and % in user and password percent-encoded.',
    });
  }
  return {
    url,
    shown: show(parsed),
    host: parsed.searchParams.get('host') ?? (decode(parsed.hostname) || 'localhost'),
    port: Number(parsed.port || parsed.searchParams.get('port') || 5432),
    database: decode(parsed.pathname.slice(1)) || decode(parsed.username) || 'postgres',
    user: decode(parsed.username) || (parsed.searchParams.get('user') ?? ''),
  };
}

/**
 * The same connection string for another database of the server.
 * @throws HoldfastError HF_URL as {@link target}
 */
export function withDatabase(url: string, database: string): string {
  target(url);
  const changed = new URL(url);
  changed.pathname = `/${encodeURIComponent(database)}`;
  return changed.href;
}

/**
 * A connection string fit to be shown: password gone, only parameters that say where the server is.
 * @returns `(unreadable connection string)` when it cannot be taken apart safely; never throws
 */
export function redact(url: string): string {
  const parsed = readUrl(url);
  return parsed === undefined ? '(unreadable connection string)' : show(parsed);
}

/**
 * Blanks secrets in a text that may quote them: each given string, as it is and percent-encoded.
 * @param secrets strings of at least one character, such as passwords
 */
export function blank(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) {
    if (secret === '') continue;
    clean = clean.replaceAll(secret, '***').replaceAll(encodeURIComponent(secret), '***');
  }
  return clean;
}

function readUrl(url: string): URL | undefined {
  let parsed: URL;
  try {
    parsed = new URL(url);
    decodeURIComponent(parsed.username + parsed.password + parsed.pathname);
  } catch {
    return undefined;
  }
  if (!SCHEMES.includes(parsed.protocol)) return undefined;
  // An unencoded / ? or # in a password ends the authority early and leaves the rest of it in path, query or hash.
  const tail = url.slice(url.indexOf('//') + 2).search(/[/?#]/);
  const rest = tail < 0 ? '' : url.slice(url.indexOf('//') + 2 + tail);
  return rest.includes('@') ? undefined : parsed;
}

function show(parsed: URL): string {
  const shown = new URL(parsed.href);
  if (shown.password !== '') shown.password = '***';
  const kept = [...parsed.searchParams].filter(([name]) => SHOWN_PARAMETERS.includes(name));
  shown.search = new URLSearchParams(kept).toString();
  shown.hash = '';
  return shown.href;
}

function decode(part: string): string {
  return decodeURIComponent(part);
}

function clientConfig(url: string, options: ConnectOptions): ClientConfig {
  return {
    connectionString: url,
    application_name: options.applicationName ?? connectDefaults.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs ?? connectDefaults.connectTimeoutMs,
  };
}

/**
 * Says why no session could be opened.
 * @param cause what the driver threw
 * @returns an error with code HF_LOGIN, HF_NO_DATABASE, HF_TOO_MANY_CONNECTIONS or HF_CONNECT; never a password in it
 */
export function connectError(to: Target, cause: unknown): HoldfastError {
  const subject = `database ${to.shown}`;
  if (isSqlstate(cause, SQLSTATE.invalidPassword, SQLSTATE.invalidAuthorization)) {
    return new HoldfastError({
      code: 'HF_LOGIN',
      subject,
      what: `the server does not let role ${JSON.stringify(to.user)} in.`,
      fix: 'Check role and password, and pg_hba.conf on the server.',
      cause,
    });
  }
  if (isSqlstate(cause, SQLSTATE.invalidCatalogName)) {
    return new HoldfastError({
      code: 'HF_NO_DATABASE',
      subject,
      what: 'the server has no database of that name.',
      fix: `Create it (CREATE DATABASE) or name another.`,
      cause,
    });
  }
  if (isSqlstate(cause, SQLSTATE.tooManyConnections)) {
    return new HoldfastError({
      code: 'HF_TOO_MANY_CONNECTIONS',
      subject,
      what: 'the server has no session left.',
      fix: 'Close sessions, or raise max_connections.',
      cause,
    });
  }
  const reason = cause instanceof Error ? reasonOf(cause) : 'unknown reason';
  return new HoldfastError({
    code: 'HF_CONNECT',
    subject,
    what: `no session could be opened: ${reason}.`,
    fix: 'Check that the server runs there and that host and port are right.',
    cause,
  });
}

// Node joins the attempts on several addresses in an AggregateError whose own message is empty.
function reasonOf(error: Error): string {
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const message = first instanceof Error ? first.message : error.message;
  return (message || (error as { code?: string }).code || error.name).replace(/\.$/, '');
}
