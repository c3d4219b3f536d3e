// From a definition and a connection string to sessions.
import type pg from 'pg';
import type { Definition, Tables } from '../define/database.ts';
import { HoldfastError } from '../error.ts';
import { target, withClient } from '../server/index.ts';
import { front } from './drizzle.ts';
import type { DrizzleOptions } from './drizzle.ts';
import { contractOf, openings } from './opening.ts';
import type { SessionContext } from './opening.ts';
import { openConnections } from './pool.ts';
import { Names, carriesPrepared } from './prepared.ts';
import { unsafeRole } from './role.ts';
import { makeSession } from './session.ts';
import type { Session, SessionOptions } from './session.ts';

/** How an application is connected. */
export interface ConnectOptions {
  /** Connections at most. */
  readonly maxConnections?: number;
  /** How long a caller may wait for a connection, in milliseconds. */
  readonly connectTimeoutMs?: number;
  /** What pg_stat_activity shows; an `application_name` in the URL wins. */
  readonly applicationName?: string;
  /**
   * What to do when the role is not held by row security: throw HF_UNSAFE_ROLE, emit a process warning, or nothing
   * (then the role is not looked at).
   */
  readonly unsafeRole?: 'refuse' | 'warn' | 'allow';
  /**
   * Keep statements prepared on the server, which is faster. Behind a pooler that does not carry them (PgBouncer
   * before 1.21, or without max_prepared_statements) they stay unprepared whatever is said here.
   */
  readonly prepare?: boolean;
  /** For every session that does not say otherwise. */
  readonly session?: SessionOptions;
  /** Passed on to Drizzle. */
  readonly drizzle?: DrizzleOptions;
  /** Passed on to pg's Pool: TLS, idle timeouts, lifetimes. */
  readonly pool?: Omit<pg.PoolConfig, 'connectionString' | 'pipeline' | 'max'>;
  /** Told when an idle connection died; the pool has replaced it already. */
  readonly onConnectionError?: (error: Error) => void;
}

/** Defaults of {@link ConnectOptions}. */
export const connectDefaults = {
  maxConnections: 10,
  connectTimeoutMs: 10_000,
  applicationName: 'holdfast',
  unsafeRole: 'refuse',
  prepare: false,
} as const;

/** An application's way to its database. */
export interface Connected<T extends Tables = Tables> {
  /**
   * A session on behalf of whom the context names, such as `session({ tenant: 'acme' })`. Without a context it sees no
   * rows of tenant tables and can write none.
   * @throws HoldfastError HF_TENANT for a key or value the definition does not allow, HF_OPTION for an option; nothing
   *   was sent then
   */
  readonly session: (context?: SessionContext, options?: SessionOptions) => Session<T>;
  /** Waits for what runs, then closes every connection. May be called twice. */
  readonly close: () => Promise<void>;
}

/**
 * Connects an application. The server is asked once, so that a wrong URL, password or role shows here.
 * @param definition what `database()` gave; its traits say which settings a session carries
 * @param url `postgres://role:password@host:port/database` of the application's role
 * @throws HoldfastError HF_URL, HF_CONNECT, HF_LOGIN, HF_NO_DATABASE, HF_TOO_MANY_CONNECTIONS, HF_SESSION when the
 *   traits contradict each other, HF_UNSAFE_ROLE
 */
export async function connect<T extends Tables>(
  definition: Definition<T>,
  url: string,
  options: ConnectOptions = {},
): Promise<Connected<T>> {
  const settled = { ...connectDefaults, ...options };
  const contract = contractOf(definition.traits);
  const at = target(url);
  const config = poolConfig(settled);
  const prepare = await withClient(url, async (client) => {
    if (contract.length > 0) await judgeRole(client, definition, settled.unsafeRole);
    return settled.prepare && carriesPrepared(client);
  });
  const connections = openConnections(at, config, new Names(prepare));
  connections.pool.on('error', settled.onConnectionError ?? (() => undefined));
  const defaults = settled.session ?? {};
  const ground = {
    connections,
    front: front(definition.tables, settled.drizzle ?? {}),
    opening: openings(contract),
  };
  return {
    session: (context = {}, own) =>
      makeSession(ground, context, own === undefined ? defaults : { ...defaults, ...own }),
    close: async () => {
      if (!connections.pool.ending) await connections.pool.end();
    },
  };
}

async function judgeRole(
  client: pg.Client,
  definition: Definition,
  judgement: 'refuse' | 'warn' | 'allow',
): Promise<void> {
  if (judgement === 'allow') return;
  const found = await unsafeRole(
    client,
    definition.model.tables.filter((table) => table.rowSecurity !== 'off'),
  );
  if (found === undefined) return;
  if (judgement === 'refuse') throw found;
  process.emitWarning(found.message, { type: 'HoldfastWarning', code: found.code });
}

type Settled = Omit<ConnectOptions, keyof typeof connectDefaults> &
  Required<Pick<ConnectOptions, keyof typeof connectDefaults>>;

function poolConfig(settled: Settled): pg.PoolConfig {
  const max = settled.maxConnections;
  if (!Number.isInteger(max) || max < 1) {
    throw new HoldfastError({
      code: 'HF_OPTION',
      subject: 'option maxConnections',
      what: `${max} is no number of connections.`,
      fix: 'Give a whole number from 1.',
    });
  }
  return {
    ...settled.pool,
    max,
    connectionTimeoutMillis: settled.connectTimeoutMs,
    application_name: settled.applicationName,
  };
}
