// Runs the tasks of a definition's traits against a test database, without a keeper: a session as the keeper's is.
import { Client } from 'pg';
import { onTestFinished } from 'vitest';
import type { Definition } from '../../src/define/index.ts';
import type { Done, TaskContext } from '../../src/define/job.ts';
import type { CatalogueQuery } from '../../src/define/trait.ts';
import type { TestDatabase } from '../cluster/index.ts';

/** What a hand that turns the tasks is given. */
export interface Hand {
  readonly now: Date;
  readonly lockTimeoutMs?: number;
  /** Runs in the session first: `SET ROLE …`. */
  readonly prepare?: string;
}

/** A task's outcome: what it did, or the error it ended with. */
export type Outcome = Readonly<Record<string, Done | Error>>;

/** A session of maintenance on the database; closed when the test ends. `pauses` collects what tasks waited. */
export async function maintain(
  db: TestDatabase,
  hand: Hand,
): Promise<{
  readonly session: TaskContext['session'];
  readonly client: Client;
}> {
  const client = new Client(db.url);
  await client.connect();
  onTestFinished(() => client.end());
  await client.query(`SET TimeZone = 'UTC'; SET lock_timeout = ${hand.lockTimeoutMs ?? 1000}`);
  if (hand.prepare !== undefined) await client.query(hand.prepare);
  const query: CatalogueQuery = async (sql, values) => (await client.query(sql, values && [...values])).rows;
  const transaction: TaskContext['session']['transaction'] = async (work) => {
    await client.query('BEGIN');
    try {
      const given = await work(query);
      await client.query('COMMIT');
      return given;
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    }
  };
  return { client, session: { query, transaction } };
}

const nothing = async (): Promise<void> => undefined;

/** Runs every task of one job once, in order; one that fails keeps no other from running. */
export async function runJob(
  definition: Definition,
  job: string,
  on: {
    readonly session: TaskContext['session'];
    readonly now: Date;
    readonly onPause?: () => Promise<void>;
  },
): Promise<Outcome> {
  const outcome: Record<string, Done | Error> = {};
  const context: TaskContext = {
    model: definition.model,
    now: on.now,
    signal: new AbortController().signal,
    session: on.session,
    pieces: { list: async () => [], put: nothing, remove: nothing },
    pause: on.onPause ?? nothing,
    beforeLeaving: nothing,
    tell: () => undefined,
  };
  const tasks = definition.jobs.find(({ name }) => name === job)?.tasks ?? [];
  for (const task of tasks) {
    outcome[task.subject] = await task.run(context).catch((error: unknown) => error as Error);
  }
  return outcome;
}
