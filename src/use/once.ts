// One statement as a whole tenant transaction, in one network round trip.
import type pg from 'pg';
import { SQLSTATE, isSqlstate } from '../server/index.ts';
import { aboutConnection, connectionLost, endedByServer, outcomeUnknown } from './failure.ts';
import type { Opening } from './messages.ts';
import { giveBack, mend, take } from './pool.ts';
import type { Connections } from './pool.ts';
import { RoundTrip, forget, remember } from './wire.ts';
import type { Statement } from './wire.ts';

/**
 * Sends opening, statement and COMMIT together and gives the statement's result.
 * A prepared statement the server no longer knows, or whose result has changed shape, is sent once more without a
 * name: the failed transaction has left nothing.
 * @throws the server's own error when the statement or its COMMIT failed (everything is rolled back);
 *   HoldfastError HF_CONNECTION_LOST, HF_OUTCOME_UNKNOWN, and those of {@link take}
 */
export function once(of: Connections, opening: Opening, statement: Statement): Promise<pg.QueryResult> {
  if (statement.name === undefined) return attempt(of, opening, statement);
  return attempt(of, opening, statement).catch((error: unknown) => {
    if (!staleName(of, error)) throw error;
    return attempt(of, opening, { ...statement, name: undefined });
  });
}

async function attempt(of: Connections, opening: Opening, statement: Statement): Promise<pg.QueryResult> {
  const client = await take(of);
  const trip = new RoundTrip(opening, statement);
  return new Promise((resolve, reject) => {
    trip.send(client, (error, result) => {
      if (error === null) {
        remember(client, trip);
        giveBack(client);
        resolve(result);
      } else {
        void mendAfter(client, trip).then((alive) => reject(alive ? error : explain(of, trip, error)));
      }
    });
  });
}

function mendAfter(client: pg.PoolClient, trip: RoundTrip): Promise<boolean> {
  // A failed COMMIT has ended the transaction, and a failed BEGIN has not made one; ROLLBACK would only draw a warning.
  const open = trip.completed > 0 && trip.stage !== 'commit';
  if (trip.stage === 'commit') remember(client, trip);
  else forget(client, trip);
  return mend(client, open ? 'ROLLBACK' : '');
}

function explain(of: Connections, trip: RoundTrip, error: unknown): unknown {
  if (trip.stage !== 'commit' && endedByServer(error)) return connectionLost(of.target, error);
  if (trip.stage === 'commit' || aboutConnection(error)) return outcomeUnknown(of.target, error);
  return error;
}

function staleName(of: Connections, error: unknown): boolean {
  // A pooler in transaction mode that does not carry prepared statements answers with one of these two.
  if (isSqlstate(error, SQLSTATE.invalidStatementName, SQLSTATE.duplicatePreparedStatement)) {
    of.names.enabled = false;
    return true;
  }
  // "cached plan must not change result type": the table was altered since the statement was prepared.
  return isSqlstate(error, SQLSTATE.featureNotSupported);
}
