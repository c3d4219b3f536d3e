// A tenant's transaction around a callback: opened with the settings, committed or rolled back, never left behind.
import type pg from 'pg';
import { HoldfastError } from '../error.ts';
import type { Tables } from '../define/database.ts';
import type { Client, Front, Transaction } from './drizzle.ts';
import { aboutConnection, connectionLost, outcomeUnknown } from './failure.ts';
import type { Opening } from './messages.ts';
import { giveBack, mend, take } from './pool.ts';
import type { Connections } from './pool.ts';
import { RoundTrip } from './wire.ts';
import type { Statement } from './wire.ts';

/** What a transaction runs: the user's callback, over Drizzle and over plain SQL. */
export type Body<T extends Tables, R> = (tx: Transaction<T>, client: Client) => Promise<R>;

/** Where transactions run and how they look to the callback. */
export interface Place<T extends Tables> {
  readonly connections: Connections;
  readonly front: Front<T>;
}

/**
 * Runs a callback in one transaction. The opening travels with the callback's first statement, so a transaction of
 * one statement takes two round trips.
 * @throws what the callback threw, after a rollback; the server's error when COMMIT failed; HoldfastError
 *   HF_TRANSACTION_ABORTED when the callback swallowed the error of a statement, HF_TRANSACTION_ENDED when it ended
 *   the transaction itself, HF_CONNECTION_LOST, HF_OUTCOME_UNKNOWN, and those of {@link take}
 */
export async function transact<T extends Tables, R>(
  place: Place<T>,
  opening: Opening,
  body: Body<T, R>,
): Promise<R> {
  const client = await take(place.connections);
  const opened = open(client, opening);
  // Awaited below; until then its failure must not count as unhandled.
  opened.catch(() => undefined);
  const gate = new Gate(client, place.connections);
  let value: R;
  try {
    value = await place.front.transaction(gate, (tx) => gate.during(() => body(tx, gate)));
    await opened;
  } catch (error) {
    throw await undone(place.connections, { client, opened, gate, error });
  }
  await commit(place.connections, client);
  return value;
}

function open(client: pg.PoolClient, opening: Opening): Promise<void> {
  return new Promise((resolve, reject) => {
    new RoundTrip(opening).send(client, (error) => (error === null ? resolve() : reject(error)));
  });
}

/**
 * The callback's way to the connection, shut when the callback ends: a `tx` that was kept would otherwise speak on a
 * connection that by then works for another tenant.
 */
class Gate implements Client {
  /** The last error a statement met; tells a lost connection from an error of the application. */
  failure: unknown;
  private isOpen = false;
  private readonly client: pg.PoolClient;
  private readonly connections: Connections;

  constructor(client: pg.PoolClient, connections: Connections) {
    this.client = client;
    this.connections = connections;
  }

  async during<R>(body: () => Promise<R>): Promise<R> {
    this.isOpen = true;
    try {
      return await body();
    } finally {
      this.isOpen = false;
    }
  }

  async query(config: Statement, values?: readonly unknown[]): Promise<pg.QueryResult> {
    if (!this.isOpen) return outside(config.text);
    try {
      const name = config.name ?? this.connections.names.of(config.text);
      return await this.client.query(
        { ...config, name } as pg.QueryConfig,
        (values ?? config.values) as unknown[],
      );
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }
}

// Drizzle frames a callback in begin and commit or rollback of its own; those are sent here, with the settings.
const FRAME = /^(?:begin|commit|rollback)\b(?! to)/;

function outside(text: string): pg.QueryResult {
  if (FRAME.test(text)) return { command: '', rowCount: null, oid: 0, fields: [], rows: [] };
  throw new HoldfastError({
    code: 'HF_TRANSACTION_ENDED',
    subject: 'a statement outside its transaction',
    what: 'the callback of the transaction had ended before this statement was sent; it was not sent.',
    fix: 'Await every statement inside the callback and do not keep tx after it.',
  });
}

async function undone(
  of: Connections,
  at: { client: pg.PoolClient; opened: Promise<unknown>; gate: Gate; error: unknown },
): Promise<unknown> {
  // When the opening failed, the callback met only its echo: "current transaction is aborted".
  const cause = await at.opened.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  const alive = await mend(at.client, 'ROLLBACK');
  const error = cause === undefined ? at.error : cause.error;
  if (alive) return error;
  return cause !== undefined || stemsFrom(error, at.gate.failure) ? connectionLost(of.target, error) : error;
}

function stemsFrom(error: unknown, failure: unknown): boolean {
  if (failure === undefined) return false;
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1) {
    if (at === failure) return true;
  }
  return false;
}

async function commit(of: Connections, client: pg.PoolClient): Promise<void> {
  if (client.getTransactionStatus() === 'I') {
    giveBack(client);
    throw ended();
  }
  let command: string;
  try {
    ({ command } = await client.query('COMMIT'));
  } catch (error) {
    const alive = await mend(client, '');
    throw alive && !aboutConnection(error) ? error : outcomeUnknown(of.target, error);
  }
  giveBack(client);
  if (command === 'ROLLBACK') throw aborted();
}

function aborted(): HoldfastError {
  return new HoldfastError({
    code: 'HF_TRANSACTION_ABORTED',
    subject: 'the transaction',
    what: 'a statement in it had failed and the callback went on as if it had not; nothing was saved.',
    fix: 'Let the error out of the callback, or put the statement that may fail into tx.transaction().',
  });
}

function ended(): HoldfastError {
  return new HoldfastError({
    code: 'HF_TRANSACTION_ENDED',
    subject: 'the transaction',
    what: 'the callback sent COMMIT or ROLLBACK itself; what followed it ran without a tenant.',
    fix: 'Return from the callback to commit, throw to roll back.',
  });
}
