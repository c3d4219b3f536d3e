// A session: the tenant's own view of the database, for as long as one likes; it holds no connection of its own.
import type pg from 'pg';
import type { Tables } from '../define/database.ts';
import type { Client, Database, Transaction } from './drizzle.ts';
import { once } from './once.ts';
import type { SessionContext, TransactionOptions, openings } from './opening.ts';
import { retrying } from './retry.ts';
import type { RetryOptions } from './retry.ts';
import { transact } from './transaction.ts';
import type { Place } from './transaction.ts';
import type { Statement } from './wire.ts';

/** How a session's statements run, unless a transaction says otherwise. */
export interface SessionOptions extends TransactionOptions {
  /** Run again what met another transaction; absent: never. */
  readonly retry?: RetryOptions;
}

/** Sends one statement with `$n` parameters. Gives pg's result. */
export type Query = <Row extends pg.QueryResultRow = Record<string, unknown>>(
  text: string,
  values?: readonly unknown[],
) => Promise<pg.QueryResult<Row>>;

/** Statements on behalf of one tenant. It may be kept and shared; each use takes a connection from the pool. */
export interface Session<T extends Tables = Tables> {
  /**
   * One statement of plain SQL, a whole transaction in one network round trip.
   * @throws the server's error, or HoldfastError HF_CONNECTION_LOST, HF_OUTCOME_UNKNOWN, HF_POOL_TIMEOUT
   */
  readonly query: Query;
  /**
   * Drizzle over the definition's tables. Each awaited statement is a transaction of one network round trip;
   * `db.transaction` is {@link transaction}. Drizzle wraps errors of statements: theirs is in `cause`.
   */
  readonly db: Database<T>;
  /**
   * Runs a callback in one transaction: committed when it returns, rolled back when it throws. `tx` is Drizzle's,
   * `query` plain SQL in the same transaction; `tx.transaction` nests by savepoint and keeps the tenant.
   * @throws what the callback threw; the server's error of COMMIT; HoldfastError HF_TRANSACTION_ABORTED,
   *   HF_TRANSACTION_ENDED, HF_CONNECTION_LOST, HF_OUTCOME_UNKNOWN, HF_POOL_TIMEOUT, HF_OPTION
   */
  readonly transaction: <R>(
    body: (tx: Transaction<T>, query: Query) => Promise<R>,
    options?: SessionOptions,
  ) => Promise<R>;
}

/** A {@link Place} that also knows how a session's transactions are opened. */
export interface Ground<T extends Tables> extends Place<T> {
  readonly opening: ReturnType<typeof openings>;
}

/**
 * Makes a session; nothing is sent yet.
 * @throws HoldfastError HF_TENANT for a key or value the definition does not allow, HF_OPTION for an option
 */
export function makeSession<T extends Tables>(
  ground: Ground<T>,
  context: SessionContext,
  options: SessionOptions,
): Session<T> {
  const opening = ground.opening(context, options);
  const { names } = ground.connections;
  const client: Client = {
    query: (config, values = config.values) => {
      const named: Statement = { ...config, values, name: config.name ?? names.of(config.text) };
      const work = (): Promise<pg.QueryResult> => once(ground.connections, opening, named);
      return options.retry === undefined ? work() : retrying(options.retry, work);
    },
  };
  const transaction: Session<T>['transaction'] = (body, over = {}) => {
    const own = { ...options, ...over };
    return retrying(own.retry, async () =>
      transact(ground, ground.opening(context, own), (tx, inside) => body(tx, plain(inside))),
    );
  };
  let db: Database<T> | undefined;
  return {
    query: plain(client),
    get db() {
      db ??= ground.front.database(client, (body, over) => transaction(body, over));
      return db;
    },
    transaction,
  };
}

function plain(client: Client): Query {
  return <Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]) =>
    client.query({ text, values }) as Promise<pg.QueryResult<Row>>;
}
