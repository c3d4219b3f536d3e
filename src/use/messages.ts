// Frontend messages of PostgreSQL's protocol, as many as a tenant transaction needs, encoded into one buffer: a single
// write costs the client less than one for each message.
// https://www.postgresql.org/docs/current/protocol-message-formats.html

/** Statements that open a transaction, encoded; `count` is how many of them the server will answer. */
export interface Opening {
  readonly bytes: Buffer;
  readonly count: number;
}

/** A statement as it goes over the wire: values are text, binary, or NULL. */
export interface Encodable {
  /** Name of a prepared statement; '' for none. */
  readonly name: string;
  readonly text: string;
  readonly values: readonly (string | Buffer | null)[];
  /** Whether the server must parse the text, or knows the name already. */
  readonly parse: boolean;
}

/** The protocol counts parameters in 16 bits. */
export const MAX_VALUES = 65_535;

/** Encodes statements without parameters: Parse, Bind and Execute of each, unnamed. */
export function encodeOpening(statements: readonly string[]): Opening {
  return { bytes: Buffer.concat(statements.map(encodePlain)), count: statements.length };
}

/** Encodes an opening and nothing after it but Sync. */
export function encodeAlone(opening: Opening): Buffer {
  return Buffer.concat([opening.bytes, SYNC]);
}

/**
 * Encodes a whole transaction: the opening, the statement (Parse unless known, Bind, Describe, Execute), COMMIT, Sync.
 * @param of at most {@link MAX_VALUES} values
 */
export function encodeWhole(opening: Opening, of: Encodable): Buffer {
  const nameSize = Buffer.byteLength(of.name) + 1;
  const textSize = Buffer.byteLength(of.text) + 1;
  const parseSize = of.parse ? 4 + nameSize + textSize + 2 : -1;
  const sizes = of.values.map((value) => (value === null ? -1 : Buffer.byteLength(value)));
  const binary = of.values.some((value) => typeof value === 'object' && value !== null);
  const bindSize = 4 + 1 + nameSize + 2 + (binary ? 2 * sizes.length : 0) + 2 + sizes.reduce(addValue, 0) + 2;
  const bytes = Buffer.allocUnsafe(
    opening.bytes.length + 1 + parseSize + 1 + bindSize + DESCRIBE_TO_SYNC.length,
  );
  let at = opening.bytes.copy(bytes, 0);
  if (of.parse) {
    at = head(bytes, at, { type: 'P', size: parseSize });
    at = cstring(bytes, at, of.name);
    at = cstring(bytes, at, of.text);
    at = bytes.writeInt16BE(0, at);
  }
  at = head(bytes, at, { type: 'B', size: bindSize });
  at = bytes.writeUInt8(0, at);
  at = cstring(bytes, at, of.name);
  at = formats(bytes, at, binary ? of.values : []);
  at = bytes.writeUInt16BE(sizes.length, at);
  for (const [index, value] of of.values.entries()) at = put(bytes, at, { value, size: sizes[index] ?? -1 });
  at = bytes.writeInt16BE(0, at);
  DESCRIBE_TO_SYNC.copy(bytes, at);
  return bytes;
}

function addValue(sum: number, size: number): number {
  return sum + 4 + Math.max(size, 0);
}

function head(bytes: Buffer, at: number, of: { type: string; size: number }): number {
  bytes.writeUInt8(of.type.charCodeAt(0), at);
  return bytes.writeInt32BE(of.size, at + 1);
}

function cstring(bytes: Buffer, at: number, text: string): number {
  const end = at + bytes.write(text, at);
  return bytes.writeUInt8(0, end);
}

// No format codes at all mean that every parameter is text.
function formats(bytes: Buffer, at: number, values: Encodable['values']): number {
  let end = bytes.writeUInt16BE(values.length, at);
  for (const value of values)
    end = bytes.writeInt16BE(typeof value === 'object' && value !== null ? 1 : 0, end);
  return end;
}

function put(bytes: Buffer, at: number, of: { value: string | Buffer | null; size: number }): number {
  const begin = bytes.writeInt32BE(of.size, at);
  if (of.value === null) return begin;
  if (typeof of.value === 'string') bytes.write(of.value, begin);
  else of.value.copy(bytes, begin);
  return begin + of.size;
}

function encodePlain(sql: string): Buffer {
  return Buffer.concat([message('P', Buffer.from(`\0${sql}\0\0\0`)), BIND_NOTHING, EXECUTE]);
}

function message(type: string, body: Buffer): Buffer {
  const bytes = Buffer.alloc(5 + body.length);
  body.copy(bytes, head(bytes, 0, { type, size: body.length + 4 }));
  return bytes;
}

// Unnamed portal and statement, no parameters, results as text.
const BIND_NOTHING = message('B', Buffer.alloc(8));
// Unnamed portal.
const DESCRIBE = message('D', Buffer.from('P\0'));
// Unnamed portal, all rows.
const EXECUTE = message('E', Buffer.alloc(5));
const SYNC = message('S', Buffer.alloc(0));
const DESCRIBE_TO_SYNC = Buffer.concat([DESCRIBE, EXECUTE, encodePlain('COMMIT'), SYNC]);
