// What remembers rows of a subject that are gone: processes that listen, and caches outside the database.
import { ERASED_CHANNEL, type Forget } from '../../define/erasure.ts';
import type { TaskContext } from '../../define/job.ts';
import { HoldfastError } from '../../error.ts';
import { added, asPiece, type Request, requestOf } from './request.ts';
import { forgotten, idOf, type Run, stopped } from './run.ts';

const TRIES = 3;
const WAIT_MS = 1_000;

/**
 * Makes whoever remembers rows of the subject forget them, once the rows are gone: what is read anew finds none. Processes
 * that listen first, since one of them might put a row back into a cache outside. Each cache's answer is written down
 * before the next is asked; killed in between, the next call asks again those that are not written down.
 * @returns the request with what was forgotten
 * @throws HoldfastError HF_ERASURE_CACHE where a cache failed every time: the request stays open
 */
export async function forgetElsewhere(run: Run): Promise<Request> {
  await tellProcesses(run.context, run.subject.name);
  for (const [name, forget] of run.plan.caches) {
    const request = await requestOf(run.context.pieces, idOf(run));
    if (request === undefined) throw forgotten(run);
    if (request.forgotten.includes(name)) continue;
    const entries = await asked(run, { name, forget });
    run.context.tell(`cache ${name}: ${entries} entries of a ${run.subject.name} forgotten`);
    await writtenDown(run, name, entries);
  }
  const request = await requestOf(run.context.pieces, idOf(run));
  if (request === undefined) throw forgotten(run);
  return request;
}

/** Tells every process that listens that rows of somebody are gone. Nobody is waited for. */
export async function tellProcesses(context: TaskContext, subject: string): Promise<void> {
  const said = JSON.stringify({ definition: context.model.name, subject });
  await context.session.transaction((query) =>
    query('SELECT pg_catalog.pg_notify($1, $2)', [ERASED_CHANNEL, said]),
  );
}

interface Cache {
  readonly name: string;
  readonly forget: Forget;
}

async function asked(run: Run, cache: Cache): Promise<number> {
  const { subject, sought, context } = run;
  const whom = {
    subject: subject.name,
    key: sought.key,
    ...(sought.within !== undefined && { within: sought.within }),
  };
  for (let tries = 1; ; tries += 1) {
    if (stopped(run)) throw failed(run, cache.name, { what: 'the run was stopped before it was asked.' });
    try {
      const { entries } = await answerOf(run, (signal) => cache.forget(whom, signal));
      if (Number.isSafeInteger(entries) && entries >= 0) return entries;
      throw new TypeError('it does not say how many entries it forgot');
    } catch (error) {
      if (tries >= TRIES) throw failed(run, cache.name, { what: `it failed ${TRIES} times.`, cause: error });
    }
    await context.pause(WAIT_MS);
  }
}

/** An answer in time. Whoever waits holds the keeper's lead, and with it every other job. */
async function answerOf<T>(run: Run, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const given = new AbortController();
  const over = (): void => given.abort();
  const { signal } = run.context;
  const timer = setTimeout(over, run.plan.cacheAnswerMs);
  signal.addEventListener('abort', over);
  const nobodyWaits = new Promise<never>((_, reject) => {
    given.signal.addEventListener('abort', () => reject(new Error('it did not answer in time')));
  });
  try {
    return await Promise.race([ask(given.signal), nobodyWaits]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', over);
  }
}

async function writtenDown(run: Run, name: string, entries: number): Promise<void> {
  const { context } = run;
  await context.session.transaction(async (query) => {
    const request = await requestOf(context.pieces, idOf(run), query);
    if (request === undefined) throw forgotten(run);
    const counts = added(request.counts, { place: `cache ${name}`, rows: 0, entries });
    const next = { ...request, counts, forgotten: [...request.forgotten, name] };
    await context.pieces.put(query, asPiece(next), 'erasing');
  });
}

// What the cache said stays with the cause: it may name the subject, and errors are kept.
function failed(
  run: Run,
  name: string,
  why: { readonly what: string; readonly cause?: unknown },
): HoldfastError {
  return new HoldfastError({
    code: 'HF_ERASURE_CACHE',
    subject: `cache ${name}`,
    what: `a ${run.subject.name} is gone from the database and may not be from it: ${why.what}`,
    fix: 'See that it can be reached; the request stays open, and the job or the same command asks it again.',
    ...(why.cause !== undefined && { cause: why.cause }),
  });
}
