// Tells a process that rows of somebody were erased, so that it forgets what it remembers of rows.
import type { Client } from 'pg';
import { ERASED_CHANNEL } from '../define/erasure.ts';
import { HoldfastError } from '../error.ts';
import { close, connect, target } from '../server/index.ts';

/** Why a process is to forget. */
export type ErasedNews =
  | { readonly why: 'erased'; readonly definition: string; readonly subject: string }
  /** The connection was lost, or is there again: what was said meanwhile was not heard. */
  | { readonly why: 'missed' };

/** How {@link onErased} listens. */
export interface ErasedOptions {
  /** What pg_stat_activity shows. */
  readonly applicationName?: string;
  /** How long it waits before it connects again, in milliseconds. */
  readonly retryMs?: number;
  /** How often it looks whether the server still answers, in milliseconds. */
  readonly beatMs?: number;
}

/** Defaults of {@link ErasedOptions}. */
export const erasedDefaults = {
  applicationName: 'holdfast listening',
  retryMs: 1_000,
  beatMs: 15_000,
} as const;

/** An ear that is open until it is closed. */
export interface Listening {
  readonly close: () => Promise<void>;
}

/**
 * Calls `forget` whenever rows of a subject were erased, once they are gone: what is read after that finds none of them.
 * The news has no key, so forget everything that was read from rows, and keep nothing that was being read meanwhile. When
 * the connection is lost `forget` is called, and again when it is back; in between nothing is heard, so what is remembered
 * then may be erased for as long as that lasts.
 * @param url a server, not a pooler in front of it: LISTEN belongs to one session
 * @throws HoldfastError HF_LISTEN_POOLED when the connection goes through a pooler; as `connect` the first time
 * @see https://www.postgresql.org/docs/current/sql-listen.html
 */
export async function onErased(
  url: string,
  forget: (news: ErasedNews) => void,
  options: ErasedOptions = {},
): Promise<Listening> {
  const ear = new Ear({ url, forget, ...erasedDefaults, ...options });
  await ear.open();
  return { close: () => ear.close() };
}

interface EarOptions extends Required<ErasedOptions> {
  readonly url: string;
  readonly forget: (news: ErasedNews) => void;
}

class Ear {
  readonly #options: EarOptions;
  #client: Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: EarOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    const { url, applicationName, beatMs } = this.#options;
    const client = await connect(url, { applicationName });
    client.on('notification', ({ payload }) => this.#options.forget(newsIn(payload)));
    let gone = false;
    client.once('end', () => {
      gone = true;
      this.#lost(client);
    });
    try {
      await refusePooled(client, url);
      await client.query(`LISTEN ${ERASED_CHANNEL}`);
    } catch (error) {
      await close(client);
      throw error;
    }
    if (this.#closed) return close(client);
    this.#client = client;
    if (gone) return this.#lost(client);
    this.#timer = setInterval(beatOf(client, beatMs), beatMs).unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) await close(client);
  }

  #lost(client: Client): void {
    if (this.#closed || this.#client !== client) return;
    this.#client = undefined;
    this.#options.forget({ why: 'missed' });
    this.#again();
  }

  #again(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.open().then(
        () => {
          if (!this.#closed) this.#options.forget({ why: 'missed' });
        },
        () => {
          if (!this.#closed) this.#again();
        },
      );
    }, this.#options.retryMs).unref();
  }
}

/** A connection whose other end is gone without a word shows only when something is sent. */
function beatOf(client: Client, beatMs: number): () => void {
  let unanswered = 0;
  return () => {
    if (unanswered > 0) {
      (client as unknown as { connection: { stream: { destroy: () => void } } }).connection.stream.destroy();
      return;
    }
    unanswered += 1;
    client.query({ text: 'SELECT 1', query_timeout: beatMs } as { text: string }).then(
      () => (unanswered = 0),
      () => undefined,
    );
  };
}

// A pooler answers the login with a key of its own, so the process number it gave is not the server's.
async function refusePooled(client: Client, url: string): Promise<void> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid');
  if (rows[0]?.pid === (client as unknown as { processID: number | null }).processID) return;
  throw new HoldfastError({
    code: 'HF_LISTEN_POOLED',
    subject: `connection to ${target(url).shown}`,
    what: 'it goes through a pooler, and what is said on a channel would not reach it.',
    fix: 'Give the address of the server itself; one connection a process is enough.',
  });
}

function newsIn(payload: string | undefined): ErasedNews {
  try {
    const said = JSON.parse(payload ?? '') as { definition?: unknown; subject?: unknown };
    if (typeof said.definition === 'string' && typeof said.subject === 'string')
      return { why: 'erased', definition: said.definition, subject: said.subject };
  } catch {
    // Anybody may say anything on a channel: whatever it is, forgetting harms nobody.
  }
  return { why: 'missed' };
}
