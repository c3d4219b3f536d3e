// A way to kill a keeper between any two statements, or while one runs: its sessions go through this relay, which cuts
// them all at the n-th statement. The server sees what it sees after kill -9 of a client: a connection that ends.
import { connect, createServer, type Server, type Socket } from 'node:net';
import { HoldfastError } from '../../error.ts';
import { target } from '../../server/index.ts';

/** When to cut: after so many statements, before or after the server was given the last of them. */
export interface Cut {
  readonly statement: number;
  readonly given: boolean;
}

/** A relay in front of a server. */
export interface Relay {
  /** The database as reached through the relay. */
  readonly url: string;
  /** Cuts every session at the given statement from now; resolves once it has, which may be never. */
  readonly arm: (cut: Cut) => Promise<void>;
  /** Takes back an {@link Relay.arm} that has not been reached. */
  readonly disarm: () => void;
  /** How many statements went through. */
  readonly statements: () => number;
  /** Ends every session and the relay itself. */
  readonly close: () => Promise<void>;
}

// Message types of the frontend that make the server do something: a simple query, and Execute of an extended one.
// https://www.postgresql.org/docs/current/protocol-message-formats.html
const QUERY = 0x51;
const EXECUTE = 0x45;

/**
 * Starts a relay on a free port of this machine.
 * @param url the database behind it; without TLS, which hides where a statement begins
 * @throws HoldfastError HF_LAPSE_RELAY when no port can be opened
 */
export async function openRelay(url: string): Promise<Relay> {
  const sockets = new Set<Socket>();
  let armed: { left: number; readonly given: boolean; readonly onCut: () => void } | undefined;
  const cutAll = (onCut: () => void): void => {
    for (const socket of sockets) socket.destroy();
    onCut();
  };
  let count = 0;
  const statement = (message: Buffer, server: Socket): void => {
    if (isStatement(message)) count += 1;
    if (armed === undefined || !isStatement(message)) return void server.write(message);
    armed.left -= 1;
    if (armed.left > 0) return void server.write(message);
    const { given, onCut } = armed;
    armed = undefined;
    if (!given) return cutAll(onCut);
    // With a simple query the server begins at once; an extended one needs the Sync that follows Execute.
    server.write(message[0] === EXECUTE ? Buffer.concat([message, SYNC]) : message, () => cutAll(onCut));
  };
  const listener = createServer((client) => {
    const server = dial(url);
    for (const socket of [client, server]) hold(socket, sockets);
    client.on('close', () => server.destroy());
    server.on('close', () => client.destroy());
    server.pipe(client);
    const split = splitter((message) => statement(message, server));
    // Together, as they came: one by one each would wait for the acknowledgement of the last.
    client.on('data', (chunk) => {
      server.cork();
      split(chunk);
      server.uncork();
    });
  });
  const port = await listen(listener);
  const through = new URL(url);
  through.hostname = '127.0.0.1';
  through.port = String(port);
  through.searchParams.delete('host');
  return {
    url: through.href,
    arm: ({ statement: left, given }) =>
      new Promise((resolve) => {
        armed = { left, given, onCut: resolve };
      }),
    disarm: () => {
      armed = undefined;
    },
    statements: () => count,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };
}

const SYNC = Buffer.from([0x53, 0, 0, 0, 4]);

function isStatement(message: Buffer): boolean {
  return message[0] === QUERY || message[0] === EXECUTE;
}

function hold(socket: Socket, sockets: Set<Socket>): void {
  sockets.add(socket);
  socket.setNoDelay(true);
  socket.on('close', () => sockets.delete(socket));
  // A relay has nobody to report a broken connection to; both ends see it end.
  socket.on('error', () => undefined);
}

function dial(url: string): Socket {
  const { host, port } = target(url);
  return host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
}

async function listen(listener: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(0, '127.0.0.1', resolve);
  });
  const address = listener.address();
  if (typeof address === 'object' && address !== null) return address.port;
  throw new HoldfastError({
    code: 'HF_LAPSE_RELAY',
    subject: 'the relay of a replay',
    what: 'no port of this machine could be opened.',
    fix: 'Free a port on 127.0.0.1 and run it again.',
  });
}

/** Takes a stream of bytes apart into the frontend's messages: the first has no type, the others begin with one byte. */
function splitter(give: (message: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  let started = false;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const head = started ? 1 : 0;
      if (rest.length < head + 4) return;
      const length = head + rest.readInt32BE(head);
      if (rest.length < length) return;
      const message = rest.subarray(0, length);
      // A client may ask for encryption before it starts; the server answers and the client starts anew.
      started ||= length !== 8;
      rest = rest.subarray(length);
      give(message);
    }
  };
}
