// Serves a definition's metrics over HTTP: /metrics for Prometheus, /healthz for whoever restarts keepers.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Definition } from '../define/database.ts';
import { HoldfastError } from '../error.ts';
import { target } from '../server/index.ts';
import { collect, type Collection } from './collect.ts';
import { families } from './families.ts';
import { contentType, text } from './text.ts';

/** Defaults of {@link ServeOptions}: this machine alone, the first port that is free. */
export const serveDefaults = { host: '127.0.0.1', port: 0 } as const;

const MOST_CONNECTIONS = 32;
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 65_000;

export interface ServeOptions {
  /** 0: any free port. */
  readonly port?: number;
  /** What to listen on. The metrics name relations and jobs, and nobody has to log in to read them. */
  readonly host?: string;
  /** Stops the server. */
  readonly signal?: AbortSignal;
  /** The injected clock. */
  readonly clock?: { readonly now: () => Date };
  readonly ledgerSchema?: string;
  /** What /healthz says. Default: whether a keeper leads, by the ledger. */
  readonly healthy?: () => boolean;
}

/** A server that runs. */
export interface Serving {
  readonly host: string;
  readonly port: number;
  /** `http://127.0.0.1:9187/metrics`. */
  readonly url: string;
  /** Settles when it has stopped, after `stop` or the signal. */
  readonly stopped: Promise<void>;
  /** Stops listening, ends the collection at hand and every connection. */
  readonly stop: () => Promise<void>;
}

/**
 * Serves GET and HEAD of /metrics and /healthz until it is stopped. Scrapes that come while a collection runs share it,
 * so that no number of them asks the database more than once at a time.
 * @param url the database, as a role that may read the ledger
 * @throws HoldfastError HF_URL when the connection string cannot be read; HF_WATCH_PORT when it cannot listen there
 */
export async function serve(
  definition: Definition,
  url: string,
  options: ServeOptions = {},
): Promise<Serving> {
  target(url);
  const stopping = new AbortController();
  const looks = sharedLooks(async () =>
    collect(definition, url, {
      now: options.clock?.now() ?? new Date(),
      signal: stopping.signal,
      ...(options.ledgerSchema !== undefined && { ledgerSchema: options.ledgerSchema }),
    }),
  );
  const pages: Pages = {
    '/metrics': async () => metricsPage(definition, await looks.look()),
    '/healthz': async () => healthPage(options.healthy?.() ?? leads(await looks.look())),
  };
  const server = createServer((request, response) => void respond(request, response, pages));
  limit(server);
  const host = options.host ?? serveDefaults.host;
  const port = await listen(server, host, options.port ?? serveDefaults.port);
  const stopped = new Promise<void>((done) => {
    server.once('close', done);
  }).then(looks.settled);
  const stop = async (): Promise<void> => {
    stopping.abort();
    server.close();
    server.closeAllConnections();
    await stopped;
  };
  if (options.signal?.aborted === true) await stop();
  options.signal?.addEventListener('abort', () => void stop(), { once: true });
  const shownHost = host.includes(':') ? `[${host}]` : host;
  return { host, port, url: `http://${shownHost}:${port}/metrics`, stopped, stop };
}

interface SharedLooks {
  readonly look: () => Promise<Collection>;
  /** Waits for the look at hand. */
  readonly settled: () => Promise<void>;
}

function sharedLooks(collectNow: () => Promise<Collection>): SharedLooks {
  let running: Promise<Collection> | undefined;
  const look = async (): Promise<Collection> => {
    running ??= collectNow().finally(() => {
      running = undefined;
    });
    return running;
  };
  return { look, settled: async () => void (await running?.catch(() => undefined)) };
}

interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

type Pages = Readonly<Record<'/metrics' | '/healthz', () => Promise<Page>>>;

async function metricsPage(definition: Definition, collection: Collection): Promise<Page> {
  return { status: 200, type: contentType, body: await text(families(definition), collection) };
}

function healthPage(healthy: boolean): Page {
  return plain(healthy ? 200 : 503, healthy ? 'ok' : 'no keeper leads');
}

function leads({ samples }: Collection): boolean {
  return samples.some((one) => one.metric === 'holdfast_keeper_leader' && one.value === 1);
}

function plain(status: number, body: string): Page {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n` };
}

async function respond(request: IncomingMessage, response: ServerResponse, pages: Pages): Promise<void> {
  const { status, type, body } = await pageFor(request, pages).catch(() =>
    plain(500, 'the metrics could not be written'),
  );
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(status === 405 && { allow: 'GET, HEAD' }),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function pageFor(request: IncomingMessage, pages: Pages): Promise<Page> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return plain(405, 'only GET and HEAD');
  const path = (request.url ?? '').replace(/\?.*$/s, '');
  if (path === '/metrics' || path === '/healthz') return pages[path]();
  return plain(404, 'there are /metrics and /healthz');
}

// Neither a slow client nor a crowd of them may hold the process: connections and every phase of one are bounded.
function limit(server: Server): void {
  // A connection that cannot be accepted (no file handle left) concerns that client alone.
  server.on('error', () => undefined);
  server.maxConnections = MOST_CONNECTIONS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.setTimeout(KEEP_ALIVE_MS, (socket) => void socket.destroy());
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  try {
    await new Promise<void>((done, failed) => {
      server.once('error', failed);
      server.listen({ host, port, exclusive: true }, () => {
        server.off('error', failed);
        done();
      });
    });
  } catch (error) {
    throw new HoldfastError({
      code: 'HF_WATCH_PORT',
      subject: `${host} port ${port}`,
      what: `metrics cannot be served there: ${error instanceof Error ? error.message : String(error)}.`,
      fix: 'Choose another port or host.',
      cause: error,
    });
  }
  return (server.address() as AddressInfo).port;
}
