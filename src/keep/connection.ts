// The keeper's connections: one for the lead and the ledger, and a few that jobs work on. All of them may go through a
// transaction pooler: what a session is set to then travels with each transaction.
import { createConnection } from 'node:net';
import type { Client } from 'pg';
import { close, connect, majorOf, serverVersion } from '../server/index.ts';
import { literal } from '../sql.ts';

/** A setting of PostgreSQL and its value. */
export type Setting = readonly [name: string, value: string];

/** One connection that does a keeper's work. */
export interface Worker {
  readonly client: Client;
  /** False behind a pooler: a session then belongs to nobody for longer than a transaction. */
  readonly direct: boolean;
  readonly pid: number;
  readonly settings: readonly Setting[];
  /** Whether the connection still stands. */
  readonly alive: () => boolean;
}

/** What a worker's sessions are like. */
export interface WorkerOptions {
  readonly applicationName: string;
  readonly lockTimeoutMs: number;
  /** After this long without a word inside a transaction the server ends it, in milliseconds: a hung keeper holds no lock for ever. */
  readonly idleMs: number;
}

const PID_SQL = 'SELECT pg_catalog.pg_backend_pid() AS pid';
const SET_SQL = `SELECT pg_catalog.set_config(s.name, s.value, false)
  FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS s (name, value)`;

/**
 * Opens a connection for work. A pooler is known by the number it gives out for the session, which is not the backend's.
 * @throws HoldfastError as `connect` does
 */
export async function openWorker(url: string, options: WorkerOptions): Promise<Worker> {
  const client = await connect(url, { applicationName: options.applicationName });
  try {
    const settings = settingsOf(options, majorOf(await serverVersion(client)));
    const { rows } = await client.query<{ pid: number }>(PID_SQL);
    const pid = rows[0]?.pid ?? 0;
    let alive = true;
    client.on('end', () => (alive = false));
    client.on('error', () => (alive = false));
    const worker = {
      client,
      direct: keysOf(client).processID === pid,
      pid,
      settings,
      alive: () => alive,
    };
    await setUp(worker);
    return worker;
  } catch (error) {
    await close(client);
    throw error;
  }
}

/**
 * Makes a session as a new one, whatever the last job set in it; does nothing behind a pooler, where it would reach
 * somebody else's.
 */
export async function renovate(worker: Worker): Promise<void> {
  if (!worker.direct) return;
  await worker.client.query('DISCARD ALL');
  await setUp(worker);
}

async function setUp({ client, direct, settings }: Worker): Promise<void> {
  if (direct)
    await client.query(SET_SQL, [settings.map(([name]) => name), settings.map(([, value]) => value)]);
}

// Text and days mean the same on every server; nothing but a lock wait ends a statement; and a policy that would hide
// rows from a maintenance role is an error instead of a silently smaller result.
function settingsOf(options: WorkerOptions, major: number): readonly Setting[] {
  return [
    ['application_name', options.applicationName],
    ['TimeZone', 'UTC'],
    ['DateStyle', 'ISO'],
    ['statement_timeout', '0'],
    ['lock_timeout', String(options.lockTimeoutMs)],
    ['idle_in_transaction_session_timeout', String(options.idleMs)],
    ['client_connection_check_interval', '1s'],
    ['row_security', 'off'],
    ['default_transaction_isolation', 'read committed'],
    ['default_transaction_read_only', 'off'],
    ...(major >= 17 ? [['transaction_timeout', '0'] as const] : []),
  ];
}

/** How a transaction of a keeper begins: with all its settings, which end with it. */
export function beginSql(worker: Worker, lockTimeoutMs?: number): string {
  const local = worker.settings.filter(([name]) => !name.startsWith('default_transaction'));
  const given: readonly Setting[] =
    lockTimeoutMs === undefined ? [] : [['lock_timeout', String(lockTimeoutMs)]];
  return [
    'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE',
    ...[...local, ...given].map(([name, value]) => `SET LOCAL ${name} = ${literal(value)}`),
  ].join('; ');
}

const CANCEL_CODE = 80_877_102;
const CANCEL_MS = 2_000;

/**
 * Asks the server to give up the statement a connection runs, as libpq does: by the keys of that connection, which a
 * pooler passes on to the backend behind it. Never throws; a statement that ended meanwhile is left alone.
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
export async function cancelStatement({ client }: Worker): Promise<void> {
  const { processID, secretKey } = keysOf(client);
  const request = Buffer.alloc(16);
  [16, CANCEL_CODE, processID, secretKey].forEach((value, at) => request.writeInt32BE(value | 0, at * 4));
  const where = client.host.startsWith('/')
    ? { path: `${client.host}/.s.PGSQL.${client.port}` }
    : { host: client.host, port: client.port };
  await new Promise<void>((done) => {
    // The server closes it when the request has gone on its way; a pooler needs it open until then.
    const socket = createConnection(where, () => socket.write(request));
    socket.setTimeout(CANCEL_MS, () => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('close', () => done());
  });
}

/** Cuts a connection without a goodbye; the server rolls back what it held. */
export function destroy(client: Client): void {
  (client as unknown as { connection: { stream: { destroy: () => void } } }).connection.stream.destroy();
}

// The driver keeps what BackendKeyData said, though its types do not tell.
function keysOf(client: Client): { readonly processID: number; readonly secretKey: number } {
  return client as unknown as { processID: number; secretKey: number };
}

/** The one connection for the lead and the ledger: opened when it is needed, opened anew when it was lost. */
export interface Control {
  readonly client: () => Promise<Client>;
  readonly close: () => Promise<void>;
  /** As a kill leaves it. */
  readonly destroy: () => void;
}

/** Opens the {@link Control} connection lazily. */
export function openControl(url: string, options: WorkerOptions): Control {
  let opening: Promise<Worker> | undefined;
  let destroyed = false;
  const current = async (): Promise<Worker> => {
    const known = await opening?.catch(() => undefined);
    if (known?.alive() === true) return known;
    opening = openWorker(url, options);
    return opening;
  };
  return {
    client: async () => {
      if (destroyed) throw new Error('Connection terminated');
      return (await current()).client;
    },
    close: async () => {
      destroyed = true;
      const worker = await opening?.catch(() => undefined);
      if (worker !== undefined) await close(worker.client);
    },
    destroy: () => {
      destroyed = true;
      void opening?.then(
        ({ client }) => destroy(client),
        () => undefined,
      );
    },
  };
}

/** The connections that work under one lead. */
export interface Crew {
  readonly take: () => Promise<Worker>;
  /** Gives a connection back as a new one; one that is broken is let go. */
  readonly give: (worker: Worker) => Promise<void>;
  readonly close: () => Promise<void>;
  readonly destroy: () => void;
}

/** A {@link Crew} without members; each joins when it is needed. */
export function openCrew(url: string, options: WorkerOptions): Crew {
  const idle: Worker[] = [];
  const all = new Set<Worker>();
  let over = false;
  const drop = async (worker: Worker): Promise<void> => {
    all.delete(worker);
    await close(worker.client);
  };
  return {
    take: async () => {
      for (let worker = idle.pop(); worker !== undefined; worker = idle.pop()) {
        if (worker.alive()) return worker;
        all.delete(worker);
      }
      const worker = await openWorker(url, options);
      all.add(worker);
      if (over) await drop(worker);
      return worker;
    },
    give: async (worker) => {
      try {
        if (worker.alive() && !over) await renovate(worker);
      } catch {
        await drop(worker);
        return;
      }
      if (worker.alive() && !over) idle.push(worker);
      else await drop(worker);
    },
    close: async () => {
      over = true;
      await Promise.all([...all].map(drop));
    },
    destroy: () => {
      over = true;
      for (const worker of all) destroy(worker.client);
      all.clear();
    },
  };
}
