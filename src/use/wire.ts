// Several statements and one answer: the frontend messages of a whole tenant transaction, written behind one another
// with a single Sync, so that the server replies once. pg's own pipeline mode writes a Sync after each statement, and
// the server flushes at each; leaving those out saves two of three packets on the way back.
// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
import { createRequire } from 'node:module';
import { Query } from 'pg';
import type pg from 'pg';
import { MAX_VALUES, encodeAlone, encodeWhole } from './messages.ts';
import type { Encodable, Opening } from './messages.ts';

/** One statement as pg takes it: text, parameters, and how its rows are read. */
export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[] | undefined;
  /** Name of a server-side prepared statement. */
  readonly name?: string | undefined;
  readonly rowMode?: 'array' | undefined;
  readonly types?: pg.CustomTypesConfig | undefined;
}

/** How a round trip ended: with a result, or with the server's own error. */
type Ended = (error: Error | null, result: pg.QueryResult) => void;

// pg's Query as a base class. Its response handlers are not in @types/pg, but every Submittable (pg-cursor,
// pg-query-stream) stands on them; pipeline mode accepts only what is an instance of Query.
interface Connection {
  readonly stream: { write: (bytes: Buffer) => boolean; readonly writable: boolean };
  readonly parsedStatements: Record<string, string>;
  close: (message: { type: 'S'; name: string }) => void;
}

interface QueryBase {
  callback: Ended | undefined;
  handleCommandComplete(message: object, connection: object): void;
  handleEmptyQuery(connection: object): void;
}

const Base = Query as unknown as new (config: {
  text: string;
  rowMode?: 'array' | undefined;
  types?: pg.CustomTypesConfig | undefined;
}) => QueryBase;

const { prepareValue } = createRequire(import.meta.url)('pg/lib/utils') as {
  prepareValue: (value: unknown) => string | Buffer | null;
};

/**
 * A submittable for `client.query`: opening, then one statement and COMMIT if there is one, then Sync.
 * When a statement fails the server skips the rest, COMMIT included, and the transaction stays open and failed:
 * {@link stage} tells the caller whether a ROLLBACK is due.
 */
export class RoundTrip extends Base {
  readonly opening: Opening;
  readonly statement: Statement | undefined;
  /** Statements the server has completed so far. */
  completed = 0;
  /** Whether this trip was the first on its connection to send the statement's name. */
  parsed = false;

  constructor(opening: Opening, statement?: Statement) {
    super({ text: statement?.text ?? '', rowMode: statement?.rowMode, types: statement?.types });
    this.opening = opening;
    this.statement = statement;
  }

  /** Where the server was when the trip ended: opening the transaction, in the statement, or at COMMIT and after. */
  get stage(): 'opening' | 'statement' | 'commit' {
    if (this.completed < this.opening.count) return 'opening';
    return this.completed === this.opening.count ? 'statement' : 'commit';
  }

  /** Sends the trip on a connection and calls back once, when it has ended. */
  send(client: pg.PoolClient, ended: Ended): void {
    this.callback = ended;
    client.query(this as unknown as pg.Submittable);
  }

  /** Writes every message; called by pg. Gives an error instead when a value cannot be sent: then nothing was. */
  submit(connection: Connection): Error | null {
    try {
      const bytes =
        this.statement === undefined
          ? encodeAlone(this.opening)
          : encodeWhole(this.opening, this.encodable(connection, this.statement));
      if (connection.stream.writable) connection.stream.write(bytes);
      return null;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  private encodable(connection: Connection, { name = '', text, values = [] }: Statement): Encodable {
    // The register is pg's own, so that a name prepared here is known to its queries and the other way round.
    const known = name === '' ? undefined : connection.parsedStatements[name];
    if (known !== undefined && known !== text) throw new Error(`${name} names another prepared statement`);
    if (values.length > MAX_VALUES)
      throw new Error(`${values.length} values; PostgreSQL takes ${MAX_VALUES}`);
    this.parsed = name !== '' && known === undefined;
    return { name, text, values: values.map(prepareValue), parse: known === undefined };
  }

  /** Called by pg at each CommandComplete; only the statement's own belongs in the result. */
  override handleCommandComplete(message: object, connection: object): void {
    if (this.statement !== undefined && this.stage === 'statement') {
      super.handleCommandComplete(message, connection);
    }
    this.completed += 1;
  }

  /** Called by pg when the statement's text is empty. */
  override handleEmptyQuery(): void {
    this.completed += 1;
  }
}

/** Tells pg that a connection has prepared a trip's statement under its name, once it ran without an error. */
export function remember(client: pg.PoolClient, trip: RoundTrip): void {
  const { name, text } = trip.statement ?? {};
  if (trip.parsed && name !== undefined && text !== undefined)
    connectionOf(client).parsedStatements[name] = text;
}

/**
 * Makes a connection forget a trip's prepared name, on both sides: whether its Parse succeeded cannot be known after an
 * error. Close is answered with the next statement; closing a name that is not there is no error.
 */
export function forget(client: pg.PoolClient, trip: RoundTrip): void {
  const name = trip.statement?.name;
  if (name === undefined) return;
  const connection = connectionOf(client);
  delete connection.parsedStatements[name];
  connection.close({ type: 'S', name });
}

function connectionOf(client: pg.PoolClient): Connection {
  return (client as unknown as { connection: Connection }).connection;
}
