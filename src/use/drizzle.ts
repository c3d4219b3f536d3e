// Drizzle over a client of ours: the same tables, the same types, another way to the server.
import { drizzle } from 'drizzle-orm/node-postgres';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { DrizzleConfig } from 'drizzle-orm';
import type pg from 'pg';
import type { Tables } from '../define/database.ts';
import type { TransactionOptions } from './opening.ts';
import type { Statement } from './wire.ts';

/** What Drizzle asks of a driver. */
export interface Client {
  query: (config: Statement, values?: readonly unknown[]) => Promise<pg.QueryResult>;
}

type Mutable<T extends Tables> = { -readonly [K in keyof T]: T[K] };

/** A Drizzle database over the definition's tables. */
export type Database<T extends Tables> = NodePgDatabase<Mutable<T>>;

/** The transaction Drizzle hands to a callback, over the definition's tables. */
export type Transaction<T extends Tables> = Parameters<Parameters<Database<T>['transaction']>[0]>[0];

/** Options passed on to Drizzle. Not its cache: that is keyed by SQL and parameters, and would mix tenants. */
export type DrizzleOptions = Pick<DrizzleConfig, 'logger' | 'casing'>;

/** Runs a callback in a transaction; what a database made by {@link Front} calls for `db.transaction`. */
export type Transact<T extends Tables> = <R>(
  body: (tx: Transaction<T>) => Promise<R>,
  options?: TransactionOptions,
) => Promise<R>;

/** Drizzle, bound to one client at a time. */
export interface Front<T extends Tables> {
  /** A database that sends each statement to the client, and transactions to `transact`. */
  readonly database: (client: Client, transact: Transact<T>) => Database<T>;
  /** Calls `body` with a transaction; the client also sees Drizzle's own begin and commit or rollback. */
  readonly transaction: <R>(client: Client, body: (tx: Transaction<T>) => Promise<R>) => Promise<R>;
}

// The parts of Drizzle's objects that its declarations keep to themselves, alike in 0.45 and 1.0: a session holds its
// client in a field and gives it every statement; a database is made of dialect, session and what relations it knows.
interface DrizzleSession {
  readonly schema?: unknown;
  readonly relations?: unknown;
  transaction: (body: (tx: never) => Promise<unknown>, options?: TransactionOptions) => Promise<unknown>;
}

interface DrizzleDatabase {
  readonly dialect: unknown;
  readonly session: DrizzleSession;
  readonly constructor: new (dialect: unknown, session: unknown, schema: unknown) => unknown;
}

/**
 * Reads the tables once, so that a transaction does not.
 * @param tables the definition's schema module
 */
export function front<T extends Tables>(tables: T, options: DrizzleOptions): Front<T> {
  const whole = drizzle({ client: NOBODY, schema: { ...tables }, ...options }) as unknown as DrizzleDatabase;
  const bound = (client: Client, more: object = {}): DrizzleSession =>
    Object.assign(Object.create(whole.session) as DrizzleSession, { client, ...more });
  return {
    database: (client, transaction) => {
      const session = bound(client, { transaction });
      const schema = whole.session.schema ?? whole.session.relations;
      return new whole.constructor(whole.dialect, session, schema) as Database<T>;
    },
    transaction: (client, body) => bound(client).transaction(body) as Promise<never>,
  };
}

// Stands where Drizzle wants a connection at once; no statement ever reaches it.
const NOBODY = {
  query: () => Promise.reject(new Error('no session')),
} as unknown as pg.ClientBase as pg.Client;
