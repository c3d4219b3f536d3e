// One look at a database: every collector by itself, read-only and bounded in time, so that none can hide another.
import type { ClientBase } from 'pg';
import type { Definition } from '../define/database.ts';
import type { Sample, Watched } from '../define/measure.ts';
import { HoldfastError } from '../error.ts';
import { ledgerDefaults } from '../ledger/index.ts';
import { blank, close, connect, target } from '../server/index.ts';
import { type Failure, failureOf } from './failure.ts';
import { readPieces } from './ledger.ts';
import { type Part, type PartContext, partsOf } from './parts.ts';
import { type Read, reader } from './reader.ts';
import { checked } from './sample.ts';

/** Defaults of {@link CollectOptions}, in milliseconds. The budget stays under Prometheus' own 10 s for a scrape. */
export const collectDefaults = { statementTimeoutMs: 5_000, lockTimeoutMs: 1_000, budgetMs: 9_000 } as const;

export interface CollectOptions {
  /** The injected clock: ages and lateness are measured from it. */
  readonly now: Date;
  readonly ledgerSchema?: string;
  /** How long one statement may take on the server, waiting for locks included. */
  readonly statementTimeoutMs?: number;
  /** How long all of it may take; what has not been looked at by then counts as down. */
  readonly budgetMs?: number;
  /** Stops the collection: what has not been looked at counts as down. */
  readonly signal?: AbortSignal;
}

/** Why a part of a collection is missing, fit to be shown to whoever may scrape. */
export interface Note extends Failure {
  readonly collector: string;
}

/** What one look found. */
export interface Collection {
  readonly at: Date;
  /** Every sample, the engine's first. */
  readonly samples: readonly Sample[];
  /** What could not be seen, and why. */
  readonly notes: readonly Note[];
  /** The samples of each trait value that watches, with the face they came from. */
  readonly parts: readonly { readonly watched: Watched; readonly samples: readonly Sample[] }[];
}

/**
 * Measures a database once. Reads only: each collector has a READ ONLY transaction of its own with a statement timeout,
 * which also suits a transaction pooler. What is wrong with the database is what it reports, and is never thrown.
 * @param definition what should be there
 * @param from a connection string, or an idle session outside a transaction, which is left as it was
 * @returns samples of every collector that worked, and a note for each that did not
 * @throws HoldfastError HF_URL when the connection string cannot be read
 */
export async function collect(
  definition: Definition,
  from: string | ClientBase,
  options: CollectOptions,
): Promise<Collection> {
  const until = performance.now() + (options.budgetMs ?? collectDefaults.budgetMs);
  const work = async (read: Read): Promise<Outcome[]> => runAll(definition, options, read);
  const outcomes =
    typeof from === 'string'
      ? await overSession(from, { ...options, until }, work)
      : await work(readerOf(from, options, until));
  const hidden = typeof from === 'string' ? [decodeURIComponent(new URL(from).password)] : [];
  return {
    at: options.now,
    samples: [...outcomes.flatMap((one) => one.samples), ...aboutCollectors(outcomes)],
    notes: notesOf(outcomes).map((note) => ({ ...note, what: blank(note.what, hidden) })),
    parts: outcomes.flatMap(({ part, samples }) =>
      part.watched === undefined ? [] : [{ watched: part.watched, samples }],
    ),
  };
}

/** What became of one part. */
interface Outcome {
  readonly part: Part;
  readonly samples: readonly Sample[];
  readonly failure?: Failure;
  readonly seconds: number;
}

// Without a session every part fails for that one reason, and says so like for any other.
async function overSession<T>(
  url: string,
  options: CollectOptions & { readonly until: number },
  work: (read: Read) => Promise<T>,
): Promise<T> {
  target(url);
  const leftMs = Math.max(1, Math.floor(options.until - performance.now()));
  const stopped = stopReason(options.signal);
  const session = await (
    stopped === undefined
      ? connect(url, { applicationName: 'holdfast watch', connectTimeoutMs: leftMs })
      : Promise.reject(stopped)
  ).catch((error: unknown) => ({ error }));
  if ('error' in session) return work(async () => Promise.reject(session.error));
  // A server that stopped answering does not keep its own timeouts: the session is cut off from here.
  const cut = (): void => void close(session);
  const timer = setTimeout(cut, leftMs);
  options.signal?.addEventListener('abort', cut, { once: true });
  try {
    return await work(readerOf(session, options, options.until));
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', cut);
    await close(session);
  }
}

function stopReason(signal: AbortSignal | undefined): HoldfastError | undefined {
  if (signal?.aborted !== true) return undefined;
  return new HoldfastError({
    code: 'HF_WATCH_STOPPED',
    subject: 'this collection',
    what: 'it was stopped before it began.',
    fix: 'Ask again.',
  });
}

function readerOf(client: ClientBase, options: CollectOptions, until: number): Read {
  const statementTimeoutMs = options.statementTimeoutMs ?? collectDefaults.statementTimeoutMs;
  return reader(client, { statementTimeoutMs, lockTimeoutMs: collectDefaults.lockTimeoutMs, until });
}

async function runAll(definition: Definition, options: CollectOptions, read: Read): Promise<Outcome[]> {
  const { now, ledgerSchema: schema = ledgerDefaults.schema } = options;
  const piecesOf = await readPiecesWith(read, { definition: definition.name, schema });
  const taken = new Set<string>();
  const outcomes: Outcome[] = [];
  for (const part of partsOf(definition, { schema, now, piecesOf })) {
    const from = performance.now();
    const seconds = (): number => (performance.now() - from) / 1000;
    try {
      const samples = checked(part.metrics, await read(part.collect), taken);
      outcomes.push({ part, samples, seconds: seconds() });
    } catch (error) {
      outcomes.push({ part, samples: part.whenDown ?? [], failure: failureOf(error), seconds: seconds() });
    }
  }
  return outcomes;
}

// Read before any part, in a transaction of its own: a role that may not read them does not lose what needs none.
async function readPiecesWith(
  read: Read,
  of: { readonly definition: string; readonly schema: string },
): Promise<PartContext['piecesOf']> {
  try {
    const all = await read(async (query) => readPieces(query, of));
    return (trait) => all.filter((piece) => piece.trait === trait);
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

// Values of one trait are one collector: down when one of them is.
function aboutCollectors(outcomes: readonly Outcome[]): Sample[] {
  return [...new Set(outcomes.map((one) => one.part.name))].flatMap((collector): Sample[] => {
    const own = outcomes.filter((one) => one.part.name === collector);
    const labels = { collector };
    const down = own.some((one) => one.failure !== undefined);
    const denied = own.some((one) => one.failure?.denied === true);
    const seconds = own.reduce((sum, one) => sum + one.seconds, 0);
    return [
      { metric: 'holdfast_collector_up', labels, value: down ? 0 : 1 },
      { metric: 'holdfast_collector_denied', labels, value: denied ? 1 : 0 },
      { metric: 'holdfast_collector_duration_seconds', labels, value: seconds },
    ];
  });
}

function notesOf(outcomes: readonly Outcome[]): Note[] {
  const notes = new Map<string, Note>();
  for (const { part, failure } of outcomes) {
    if (failure === undefined) continue;
    notes.set(`${part.name} ${failure.what}`, { collector: part.name, ...failure });
  }
  return [...notes.values()];
}
