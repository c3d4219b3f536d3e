// Several statements and one answer: the frontend messages of a whole tenant transaction, written behind one another
// with a single Sync, so that the server replies once. pg's own pipeline mode writes a Sync after each statement, and
// the server flushes at each; leaving those out saves two of three packets on the way back.
// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
import { createRequire } from 'node:module';
import { Query } from 'pg';
import type pg from 'pg';

/** One statement as pg takes it: text, parameters, and how its rows are read. */
export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[] | undefined;
  /** Name of a server-side prepared statement. */
  readonly name?: string | undefined;
  readonly rowMode?: 'array' | undefined;
  readonly types?: pg.CustomTypesConfig | undefined;
}

/** Statements that open a transaction, encoded; `count` is how many of them the server will answer. */
export interface Opening {
  readonly bytes: Buffer;
  readonly count: number;
}

// pg's Query as a base class. Its response handlers are not in @types/pg, but every Submittable (pg-cursor,
// pg-query-stream) stands on them; pipeline mode accepts only what is an instance of Query.
interface Connection {
  readonly stream: {
    cork: () => void;
    uncork: () => void;
    write: (bytes: Buffer) => boolean;
    writable: boolean;
  };
  readonly parsedStatements: Record<string, string>;
  parse: (message: { text: string; name: string }) => void;
  bind: (message: { statement: string; values: readonly unknown[] }) => void;
  describe: (message: { type: 'P'; name: string }) => void;
  execute: (message: object) => void;
  close: (message: { type: 'S'; name: string }) => void;
  sync: () => void;
}

type TripCallback = (error: Error | null, result: pg.QueryResult) => void;

interface QueryBase {
  callback: TripCallback | undefined;
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

  /** Sends the trip on a connection and waits for the statement's result. Rejects with the server's own error. */
  on(client: pg.PoolClient): Promise<pg.QueryResult> {
    return new Promise((resolve, reject) => {
      this.callback = (error, result) => (error === null ? resolve(result) : reject(error));
      client.query(this as unknown as pg.Submittable);
    });
  }

  /** Where the server was when the trip ended: opening the transaction, in the statement, or at COMMIT and after. */
  get stage(): 'opening' | 'statement' | 'commit' {
    if (this.completed < this.opening.count) return 'opening';
    return this.completed === this.opening.count ? 'statement' : 'commit';
  }

  /** Writes every message; called by pg. Gives an error instead when a value cannot be sent: then nothing was. */
  submit(connection: Connection): Error | null {
    const { name = '', text } = this.statement ?? {};
    // The register is pg's own, so that a name prepared here is known to its queries and the other way round.
    const known = connection.parsedStatements[name];
    if (known !== undefined && known !== text) return new Error(`${name} names another prepared statement`);
    let values: readonly unknown[];
    try {
      values = (this.statement?.values ?? []).map(prepareValue);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
    connection.stream.cork();
    try {
      if (connection.stream.writable) connection.stream.write(this.opening.bytes);
      if (this.statement !== undefined) this.write(connection, this.statement, values);
      connection.sync();
    } finally {
      connection.stream.uncork();
    }
    return null;
  }

  private write(connection: Connection, statement: Statement, values: readonly unknown[]): void {
    const name = statement.name ?? '';
    if (name === '' || connection.parsedStatements[name] === undefined) {
      connection.parse({ text: statement.text, name });
      this.parsed = name !== '';
    }
    connection.bind({ statement: name, values });
    connection.describe({ type: 'P', name: '' });
    connection.execute({});
    if (connection.stream.writable) connection.stream.write(COMMIT);
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

/** Encodes statements without parameters, one Parse, Bind and Execute each, for {@link RoundTrip}. */
export function encode(statements: readonly string[]): Opening {
  return { bytes: Buffer.concat(statements.map(encodeOne)), count: statements.length };
}

function connectionOf(client: pg.PoolClient): Connection {
  return (client as unknown as { connection: Connection }).connection;
}

// Message formats: https://www.postgresql.org/docs/current/protocol-message-formats.html
function encodeOne(sql: string): Buffer {
  const parse = message('P', Buffer.from(`\0${sql}\0\0\0`));
  return Buffer.concat([parse, EMPTY_BIND, EXECUTE_ALL]);
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

// Unnamed portal and statement, no parameters, results as text.
const EMPTY_BIND = message('B', Buffer.alloc(8));
// Unnamed portal, all rows.
const EXECUTE_ALL = message('E', Buffer.alloc(5));
const COMMIT = encodeOne('COMMIT');
