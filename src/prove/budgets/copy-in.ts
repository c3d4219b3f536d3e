// Rows into a table as fast as the server takes them: COPY FROM STDIN in text format, made as it is sent.
// https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
import { Query, type Client } from 'pg';
import { ident, qualified } from '../../sql.ts';
import type { CopyValue, RelationName } from '../../define/index.ts';

const CHUNK_CHARACTERS = 64 * 1024;

/** Where rows go. */
export interface CopyTarget {
  readonly into: RelationName;
  readonly columns: readonly string[];
}

/**
 * Copies rows into a table; all of them or none.
 * @param client a session without pipelining
 * @param rows made one by one, while earlier ones travel
 * @returns how many rows the server took
 * @throws the server's error, or what `rows` throws
 */
export async function copyIn(
  client: Client,
  target: CopyTarget,
  rows: Iterable<readonly CopyValue[]>,
): Promise<number> {
  const columns = target.columns.map((column) => ident(column)).join(', ');
  const sql = `COPY ${qualified(target.into)} (${columns}) FROM STDIN`;
  return new Promise((resolve, reject) => {
    const copying = new Copying(sql, chunks(rows), (error, result) => {
      const cause = copying.failure ?? error;
      if (cause === null) resolve(result?.rowCount ?? 0);
      else reject(cause instanceof Error ? cause : new Error(String(cause)));
    });
    client.query(copying as never);
  });
}

function* chunks(rows: Iterable<readonly CopyValue[]>): Generator<Buffer> {
  let text = '';
  for (const row of rows) {
    text += `${row.map(field).join('\t')}\n`;
    if (text.length < CHUNK_CHARACTERS) continue;
    yield Buffer.from(text);
    text = '';
  }
  if (text !== '') yield Buffer.from(text);
}

const SPECIAL = /[\\\t\n\r]/g;
const ESCAPED: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** One value as COPY reads it: `\N` for null, a backslash before what has a meaning. */
function field(value: CopyValue): string {
  if (value === null) return '\\N';
  if (typeof value === 'string') return escaped(value);
  if (typeof value !== 'object') return String(value);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return `\\\\x${Buffer.from(value).toString('hex')}`;
  return escaped(JSON.stringify(value));
}

function escaped(text: string): string {
  return text.replace(SPECIAL, (character) => ESCAPED[character] ?? character);
}

interface Connection {
  readonly stream: {
    readonly writable: boolean;
    readonly writableNeedDrain: boolean;
    once: (event: 'drain' | 'close', then: () => void) => void;
    off: (event: 'drain' | 'close', then: () => void) => void;
  };
  sendCopyFromChunk: (chunk: Buffer) => void;
  endCopyFrom: () => void;
  sendCopyFail: (reason: string) => void;
}

type Ended = (error: Error | null, result?: { readonly rowCount: number | null }) => void;

// pg's Query as a base class, as every Submittable does; its response handlers are not in @types/pg.
interface QueryBase {
  handleError(error: Error, connection: Connection): void;
}

const Base = Query as unknown as new (config: { text: string; callback: Ended }) => QueryBase;

class Copying extends Base {
  readonly chunks: Iterator<Buffer>;
  /** What making the rows threw. */
  failure: unknown = null;
  #over = false;

  constructor(text: string, rows: Iterator<Buffer>, callback: Ended) {
    super({ text, callback });
    this.chunks = rows;
  }

  handleCopyInResponse(connection: Connection): void {
    void this.#send(connection);
  }

  // The server has ended the copy already: what is still sent it would throw away.
  override handleError(error: Error, connection: Connection): void {
    this.#over = true;
    super.handleError(error, connection);
  }

  async #send(connection: Connection): Promise<void> {
    try {
      for (let next = this.chunks.next(); next.done !== true; next = this.chunks.next()) {
        if (this.#over || !connection.stream.writable) return;
        connection.sendCopyFromChunk(next.value);
        await drained(connection);
      }
      if (!this.#over) connection.endCopyFrom();
    } catch (error) {
      this.failure = error;
      connection.sendCopyFail('the rows could not be made');
    }
  }
}

/** Gives the event loop a turn, and waits where the server is slower than the rows are made. */
async function drained({ stream }: Connection): Promise<void> {
  if (!stream.writableNeedDrain) {
    await new Promise((resolve) => setImmediate(resolve));
    return;
  }
  await new Promise<void>((resolve) => {
    const go = (): void => {
      stream.off('drain', go);
      stream.off('close', go);
      resolve();
    };
    stream.once('drain', go);
    stream.once('close', go);
  });
}
