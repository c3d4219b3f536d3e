// A TCP relay in front of a server that counts round trips and may cut the line.
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface Relay {
  readonly url: string;
  /** Packets from the client that followed one from the server, or opened a conversation, since the last reset. */
  readonly roundTrips: () => number;
  readonly reset: () => void;
  /** Cuts the client's line, once, right after a packet that holds this text has gone to the server. */
  readonly cutAfter: (text: string) => void;
  readonly close: () => Promise<void>;
}

export async function startRelay(url: string): Promise<Relay> {
  const to = new URL(url);
  let trips = 0;
  let cut: string | undefined;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(to.port), to.hostname);
    let clientSpoke = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket.setNoDelay(true));
      socket.on('error', () => undefined);
    }
    client.on('close', () => upstream.end());
    upstream.on('close', () => client.destroy());
    client.on('data', (chunk: Buffer) => {
      if (!clientSpoke) trips += 1;
      clientSpoke = true;
      upstream.write(chunk);
      if (cut === undefined || !chunk.includes(cut)) return;
      cut = undefined;
      client.destroy();
    });
    upstream.on('data', (chunk: Buffer) => {
      clientSpoke = false;
      client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const through = new URL(url);
  through.port = String((server.address() as AddressInfo).port);
  return {
    url: through.href,
    roundTrips: () => trips,
    reset: () => (trips = 0),
    cutAfter: (text) => (cut = text),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
