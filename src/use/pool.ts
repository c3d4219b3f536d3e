// The connections an application shares: taken, given back clean or not at all, and told apart when they die.
import { Pool } from 'pg';
import type pg from 'pg';
import { HoldfastError } from '../error.ts';
import { connectError } from '../server/index.ts';
import type { Target } from '../server/index.ts';
import type { Names } from './prepared.ts';

/** A pool, whom it reaches, and the names of the statements prepared on its connections. */
export interface Connections {
  readonly pool: pg.Pool;
  readonly target: Target;
  readonly names: Names;
}

/**
 * Takes a connection, waiting for one if all are busy.
 * @throws HoldfastError HF_CLOSED after `close()`, HF_POOL_TIMEOUT when none came free in time, and the codes of
 *   {@link connectError} when a new one could not be opened
 */
export function take(from: Connections): Promise<pg.PoolClient> {
  return new Promise((resolve, reject) => {
    if (from.pool.ending) {
      reject(closed(from.target));
      return;
    }
    // pg's callback form: its promise form spends two more turns of the queue on each connection.
    from.pool.connect((error, client) => {
      if (client !== undefined) resolve(client);
      else reject(busy(error) ? poolTimeout(from, error) : connectError(from.target, error));
    });
  });
}

/**
 * Gives a connection back; one that is not idle outside a transaction is closed instead, so that whoever is next
 * never meets what was left. A tenant set with SET LOCAL has ended with its transaction.
 */
export function giveBack(client: pg.PoolClient): void {
  client.release(client.getTransactionStatus() !== 'I');
}

/**
 * Ends whatever transaction a failed statement left and gives the connection back, or closes it if it is dead.
 * @param command `ROLLBACK`, or an empty text where no transaction can be open: the answer alone tells the state
 * @returns whether the connection still lives
 */
export async function mend(client: pg.PoolClient, command: 'ROLLBACK' | ''): Promise<boolean> {
  try {
    await client.query(command);
    giveBack(client);
    return true;
  } catch {
    client.release(true);
    return false;
  }
}

/** Opens a pool in pg's pipeline mode; nothing is connected yet. */
export function openConnections(target: Target, config: pg.PoolConfig, names: Names): Connections {
  const pool = new Pool({ ...config, connectionString: target.url, pipeline: true });
  // A connection that dies while it is taken emits 'error' too; without a listener that would end the process. The
  // statement that was running rejects by itself.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return { pool, target, names };
}

// pg-pool gives this situation no code, only a text.
function busy(error: unknown): boolean {
  return error instanceof Error && error.message === 'timeout exceeded when trying to connect';
}

function poolTimeout(from: Connections, cause: unknown): HoldfastError {
  return new HoldfastError({
    code: 'HF_POOL_TIMEOUT',
    subject: `database ${from.target.shown}`,
    what: `all ${from.pool.totalCount} connections stayed busy for as long as a caller may wait.`,
    fix: 'Shorten transactions, or raise maxConnections.',
    cause,
  });
}

function closed(target: Target): HoldfastError {
  return new HoldfastError({
    code: 'HF_CLOSED',
    subject: `database ${target.shown}`,
    what: 'its connections were closed.',
    fix: 'Do not use a session after close().',
  });
}
