// The session a task works in. Every transaction holds the lead; every statement outside one asks for it first.
import type { QueryResult } from 'pg';
import type { CatalogueQuery, MaintenanceSession } from '../define/index.ts';
import { HoldfastError } from '../error.ts';
import { holdLeadSql, leadHeld, leadLost, type Lead } from '../ledger/index.ts';
import { SQLSTATE, isSqlstate } from '../server/index.ts';
import { beginSql, cancelStatement, destroy, type Crew, type Worker } from './connection.ts';

/** A task's session, and what its keeper does to it. */
export interface WorkSession {
  readonly session: MaintenanceSession;
  /** From now on every statement throws this instead of running. */
  readonly refuse: (why: HoldfastError) => void;
  /** Asks the server to give up what runs now. */
  readonly cancel: () => Promise<void>;
  /** Rows that INSERT, UPDATE, DELETE and MERGE touched since this was last asked. */
  readonly changed: () => number;
  /** Gives the connections back. */
  readonly end: () => Promise<void>;
  /** Cuts the connections. */
  readonly destroy: () => void;
}

/** Under which lead a session works. None: it is no keeper's, and nobody's lead is asked for. */
export interface Under {
  readonly lead?: Lead | undefined;
  readonly onLost?: () => void;
}

/** Opens a session on connections of the crew: one, and more while that is busy; they are its own until it ends. */
export function openWorkSession(crew: Crew, under: Under = {}): WorkSession {
  return new Work(crew, under);
}

const CHANGES = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE']);

class Work implements WorkSession {
  readonly #crew: Crew;
  readonly #under: Under;
  readonly #busy = new Set<Worker>();
  readonly #free: Worker[] = [];
  #ended = false;
  #refused: HoldfastError | undefined;
  #changed = 0;

  constructor(crew: Crew, under: Under) {
    this.#crew = crew;
    this.#under = under;
  }

  readonly session: MaintenanceSession = {
    query: (sql, values) => this.#on(async (worker) => this.#alone(worker, sql, values)),
    transaction: (work, options) =>
      this.#on(async (worker) => this.#transaction(worker, work, options?.lockTimeoutMs)),
  };

  refuse(why: HoldfastError): void {
    this.#refused ??= why;
  }

  async cancel(): Promise<void> {
    await Promise.all([...this.#busy].map(cancelStatement));
  }

  changed(): number {
    const rows = this.#changed;
    this.#changed = 0;
    return rows;
  }

  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#free.splice(0).map((worker) => this.#crew.give(worker)));
  }

  destroy(): void {
    for (const { client } of [...this.#busy, ...this.#free]) destroy(client);
  }

  // The connection that came free last is the next one's: one that works alone has the same all the time.
  async #on<T>(work: (worker: Worker) => Promise<T>): Promise<T> {
    this.#check();
    const worker = (await this.#rested()) ?? (await this.#crew.take());
    this.#busy.add(worker);
    try {
      return await work(worker);
    } finally {
      this.#busy.delete(worker);
      if (worker.alive() && !this.#ended) this.#free.push(worker);
      else await this.#crew.give(worker);
    }
  }

  async #rested(): Promise<Worker | undefined> {
    for (let worker = this.#free.pop(); worker !== undefined; worker = this.#free.pop()) {
      if (worker.alive()) return worker;
      await this.#crew.give(worker);
    }
    return undefined;
  }

  #check(): void {
    if (this.#refused !== undefined) throw this.#refused;
  }

  #lost(): HoldfastError {
    this.#under.onLost?.();
    return leadLost();
  }

  // Behind a pooler settings can only travel inside a transaction, and PostgreSQL says itself, before it does anything,
  // when a statement will not run in one.
  async #alone<Row extends object>(
    worker: Worker,
    sql: string,
    values?: readonly unknown[],
  ): Promise<readonly Row[]> {
    if (!worker.direct) {
      try {
        return await this.#transaction(worker, async (query) => query<Row>(sql, values));
      } catch (error) {
        if (!isSqlstate(error, SQLSTATE.activeSqlTransaction, SQLSTATE.invalidTransactionTermination))
          throw error;
      }
    }
    const { lead } = this.#under;
    if (lead !== undefined && !(await leadHeld(worker.client, lead))) throw this.#lost();
    return this.#run<Row>(worker, sql, values);
  }

  async #transaction<T>(
    worker: Worker,
    work: (query: CatalogueQuery) => Promise<T>,
    lockTimeoutMs?: number,
  ): Promise<T> {
    const { client } = worker;
    let open = true;
    const query: CatalogueQuery = async (sql, values) => {
      if (!open) throw ended();
      return this.#run(worker, sql, values);
    };
    try {
      await this.#begin(worker, lockTimeoutMs);
      const value = await work(query);
      open = false;
      this.#check();
      const { command } = await client.query('COMMIT');
      if (command !== 'COMMIT') throw rolledBack();
      return value;
    } catch (error) {
      open = false;
      // On a connection that is gone there is nothing left to roll back.
      if (worker.alive()) await client.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  async #begin(worker: Worker, lockTimeoutMs: number | undefined): Promise<void> {
    const { lead } = this.#under;
    const begin = beginSql(worker, lockTimeoutMs);
    if (lead === undefined) {
      await worker.client.query(begin);
      return;
    }
    const results = await worker.client.query(`${begin}; ${holdLeadSql(lead)}`);
    // Several statements in one message come back as a list, which the driver's types do not tell.
    const held = (results as unknown as readonly QueryResult[]).at(-1);
    if (held?.rows.length !== 1) throw this.#lost();
  }

  async #run<Row extends object>(
    worker: Worker,
    sql: string,
    values?: readonly unknown[],
  ): Promise<readonly Row[]> {
    this.#check();
    const result = await worker.client.query<Row>(sql, values === undefined ? undefined : [...values]);
    if (CHANGES.has(result.command)) this.#changed += result.rowCount ?? 0;
    return result.rows;
  }
}

function ended(): HoldfastError {
  return new HoldfastError({
    code: 'HF_TRANSACTION_ENDED',
    subject: 'this transaction',
    what: 'its function has returned, and the transaction has ended with it.',
    fix: 'Await every statement inside the function.',
  });
}

function rolledBack(): HoldfastError {
  return new HoldfastError({
    code: 'HF_ROLLED_BACK',
    subject: 'this transaction',
    what: 'a statement in it had failed, so PostgreSQL rolled it back instead of committing it.',
    fix: 'Let errors of its statements pass, or put such a statement behind a savepoint.',
  });
}
