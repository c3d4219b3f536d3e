// The only way a collector reaches the server: read-only, bounded in time, and the same question asked once.
import type { ClientBase } from 'pg';
import type { CatalogueQuery } from '../define/trait.ts';
import { HoldfastError } from '../error.ts';

/** How long a reader may take, in milliseconds; `until` on the monotonic clock (`performance.now()`). */
export interface Limits {
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  readonly until: number;
}

/** Runs `work` in a READ ONLY transaction of its own, which is rolled back. */
export type Read = <T>(work: (query: CatalogueQuery) => Promise<T>) => Promise<T>;

/**
 * Makes the reader of one collection. A transaction for each collector: what fails in one aborts no other, no lock is
 * kept from one to the next, and settings made with SET LOCAL suit a transaction pooler. A question (SELECT)
 * that was asked before with the same text and values gives the same answer without asking again.
 * @param client an idle session outside a transaction
 * @throws HoldfastError HF_WATCH_SLOW from the returned function when no time is left
 */
export function reader(client: ClientBase, limits: Limits): Read {
  const asked = new Map<string, Promise<readonly object[]>>();
  return async (work) => {
    await client.query(beginSql(limits));
    try {
      return await work(queryIn(client, asked));
    } finally {
      // A session that is gone has rolled back already.
      await client.query('ROLLBACK').catch(() => undefined);
    }
  };
}

const QUESTION = /^\s*(SELECT|WITH)\b/i;

// What is no question (SET LOCAL row_security = off) may change the answers after it: they are no others' answers.
function queryIn(client: ClientBase, asked: Map<string, Promise<readonly object[]>>): CatalogueQuery {
  const said: string[] = [];
  return async <Row extends object>(sql: string, values: readonly unknown[] = []) => {
    const ask = async (): Promise<readonly object[]> =>
      (await client.query(sql, [...values])).rows as object[];
    if (!QUESTION.test(sql)) {
      said.push(sql);
      return (await ask()) as readonly Row[];
    }
    const key = JSON.stringify([said, sql, values]);
    const answer = asked.get(key) ?? ask();
    asked.set(key, answer);
    return (await answer) as readonly Row[];
  };
}

// UTC, so that dates in text mean the same everywhere; pg_catalog alone, so that no user's function is called by name.
function beginSql({ statementTimeoutMs, lockTimeoutMs, until }: Limits): string {
  const left = Math.floor(until - performance.now());
  if (left < 1) {
    throw new HoldfastError({
      code: 'HF_WATCH_SLOW',
      subject: 'this collection',
      what: 'no time was left for this part.',
      fix: 'See which collectors are slow (holdfast_collector_duration_seconds), or allow more time.',
    });
  }
  return `BEGIN READ ONLY; SET LOCAL statement_timeout = ${Math.min(statementTimeoutMs, left)};
    SET LOCAL lock_timeout = ${Math.min(lockTimeoutMs, left)}; SET LOCAL TimeZone = 'UTC';
    SET LOCAL search_path = pg_catalog`;
}
