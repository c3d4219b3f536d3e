// What must happen over time: jobs, when they are due, and the tasks that traits hang on them. Values only; keep/ runs them.
import type { Model, RelationName } from './model.ts';
import type { CatalogueQuery, Trait } from './trait.ts';

/** When a job is due: cron expressions in a time zone (default UTC), or every so many milliseconds. */
export type Schedule =
  | { readonly cron: string | readonly string[]; readonly zone?: string }
  | { readonly everyMs: number };

/** How a job is run; {@link jobDefaults} says what stands where nothing is given. */
export interface JobSettings {
  /** When it is due. Several cron expressions: due when any of them is. */
  readonly schedule: Schedule;
  /** Also due whenever a keeper takes the lead. */
  readonly atStart?: boolean;
  /** What becomes of runs that nobody was there for: one run for all of them, or none. */
  readonly missed?: 'once' | 'skip';
  /** Names of jobs that run first when they are due too. They never overlap with this one; their failure does not stop it. */
  readonly after?: readonly string[];
  /** The run is stopped after this long, in milliseconds. */
  readonly timeoutMs?: number;
  /** Attempts in all, and the pause before the second; each further pause is twice as long. */
  readonly retry?: { readonly attempts: number; readonly pauseMs: number };
  /** How many runs the ledger remembers. */
  readonly keepRuns?: number;
}

/** What a job does where its settings do not say. */
export const jobDefaults = {
  atStart: false,
  missed: 'once',
  after: [] as readonly string[],
  timeoutMs: 3_600_000,
  retry: { attempts: 3, pauseMs: 30_000 },
  keepRuns: 200,
} as const;

/**
 * One unit of work of a job. Tasks of one job run one after the other, but for those that may run beside their
 * neighbours; one that fails never stops the next.
 */
export interface Task {
  /** The job it belongs to. */
  readonly job: string;
  /** The trait it comes from, or `job` for the user's own. */
  readonly trait: string;
  /** What it works on, as shown: `table shop.orders`. Unique within the job. */
  readonly subject: string;
  /** Idempotent, and safe to kill at any statement: a second run goes on where the first was cut off. */
  readonly run: (context: TaskContext) => Promise<Done>;
  /** It may run side by side with neighbours in its job that say so too: many short tasks that wait for nothing of each other. */
  readonly beside?: boolean;
  /**
   * The same as SQL alone, one top-level statement each, where that is possible: for pg_cron. Reads no injected clock.
   */
  readonly sql?: (model: Model) => readonly string[];
}

/** Rows that leave: those whose `column` lies from `from` (included; null: from the oldest) to `to` (excluded). */
export interface LeavingRange {
  readonly column: string;
  readonly from: Date | null;
  readonly to: Date;
}

/**
 * A setting that whoever puts rows back into their table turns `on` for the transaction (`set_config`, local): they have
 * been there before, and what was summed up and closed of them is not summed up again.
 */
export const PUT_BACK_SETTING = 'holdfast.put_back';

/** What a task did. */
export interface Done {
  /** Absent: the rows that its INSERT, UPDATE, DELETE and MERGE touched. */
  readonly rows?: number;
  readonly bytes?: number;
  /** One line for the log; absent when there was nothing to do. */
  readonly what?: string;
}

/** What a task is given. */
export interface TaskContext {
  readonly model: Model;
  /** The injected clock when the run began: a task speaks of one instant. */
  readonly now: Date;
  /** Aborted when the keeper stops, the run's time is over or the lease is lost: finish or back out the batch at hand. */
  readonly signal: AbortSignal;
  readonly session: MaintenanceSession;
  /** The ledger's state machines of this trait. */
  readonly pieces: PieceBook;
  /** Waits on the injected clock, less when the signal aborts. */
  readonly pause: (ms: number) => Promise<void>;
  /**
   * To be called before rows leave a table for good: every trait that sums them up closes what it has of them.
   * Idempotent. `range`: the half-open range of the time column that goes.
   */
  readonly beforeLeaving: (of: RelationName, range: LeavingRange) => Promise<void>;
  /** Asks every trait of the definition and runs what it gives, each with the context of its own: its own pieces. */
  readonly throughTraits?: <T>(
    ask: (trait: Trait) => ((context: TaskContext) => Promise<T>) | undefined,
  ) => Promise<readonly T[]>;
  /** Takes texts out of the ledger (errors, what tasks said) that hold one of these. @returns how many it took */
  readonly forget?: (values: readonly string[]) => Promise<number>;
  /** Tables of the ledger in which texts and pieces stand. */
  readonly books?: readonly RelationName[];
  /** Says how far it is, for whoever watches. */
  readonly tell: (text: string) => void;
}

/**
 * The session of the maintenance role: UTC, no statement timeout, `lock_timeout` as the keeper is configured.
 * Both ways of using it refuse to go on once another keeper leads (HF_LEASE_LOST).
 */
export interface MaintenanceSession {
  /** One top-level statement outside a transaction: reads, and what PostgreSQL refuses inside one (VACUUM, DETACH … CONCURRENTLY). */
  readonly query: CatalogueQuery;
  /**
   * Statements in one transaction, which holds the lease's row: who was passed over commits nothing.
   * `lockTimeoutMs` 0 waits for ever.
   */
  readonly transaction: <T>(
    work: (query: CatalogueQuery) => Promise<T>,
    options?: { readonly lockTimeoutMs?: number },
  ) => Promise<T>;
}

/** One thing whose way through several states the ledger remembers: a partition on its way to the archive. */
export interface Piece {
  /** What it is part of: `table shop.orders`. */
  readonly subject: string;
  /** Its name within the subject: the lower bound of a partition, the id of a hold. */
  readonly piece: string;
  readonly state: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** The pieces of one trait in one database. */
export interface PieceBook {
  /**
   * All pieces, or those of one subject, by subject and piece. `query`: read in the caller's transaction, so that what
   * is decided on them holds until it commits.
   */
  readonly list: (subject?: string, query?: CatalogueQuery) => Promise<readonly Piece[]>;
  /**
   * Writes a piece, in the caller's transaction: state and effect commit together.
   * `from`: the state it must be in (null: it must not exist), else HF_PIECE_MOVED.
   */
  readonly put: (query: CatalogueQuery, piece: Piece, from?: string | null) => Promise<void>;
  /** Forgets a piece, in the caller's transaction. */
  readonly remove: (query: CatalogueQuery, piece: Pick<Piece, 'subject' | 'piece'>) => Promise<void>;
}

/** What a trait keeps: its default jobs, and the tasks it hangs on them. */
export interface Kept {
  /** Used unless the definition says otherwise for the same name. */
  readonly jobs: Readonly<Record<string, JobSettings>>;
  readonly tasks: readonly Task[];
}

/** A job of a definition, whole: its settings and every task that hangs on it. */
export interface Job {
  readonly name: string;
  readonly settings: JobSettings;
  readonly tasks: readonly Task[];
}

/** What a user says of a job: its settings and, where it is the user's own, what it does. */
export interface JobFacet {
  readonly name: string;
  readonly settings: JobSettings;
  readonly task?: Task;
}

/** What a job of the user's own does: SQL statements, each at top level, or a function. */
export type JobWork =
  | { readonly sql: string | readonly string[] }
  | { readonly run: (context: TaskContext) => Promise<Done> };

/**
 * Declares a job in a definition: one of the user's own, or the settings of a job that traits fill.
 * @param name small letters, digits and hyphens, at most 60 characters; shown everywhere under `definition/name`
 * @param settings when and how it runs
 * @param work what it does; leave it out for a job that traits hang their tasks on
 * @example job('expire-suggestions', { schedule: { cron: '0 2 * * *' } }, { sql: `DELETE FROM shop.offers WHERE …` })
 */
export function job(name: string, settings: JobSettings, work?: JobWork): JobFacet {
  if (work === undefined) return { name, settings };
  const subject = `job ${name}`;
  const own = { job: name, trait: 'job', subject };
  if ('run' in work) return { name, settings, task: { ...own, run: work.run } };
  const statements = [work.sql].flat();
  return {
    name,
    settings,
    task: { ...own, run: async (context) => each(context, statements), sql: () => statements },
  };
}

// The keeper counts the rows that such statements touch.
async function each(context: TaskContext, statements: readonly string[]): Promise<Done> {
  for (const statement of statements) {
    if (context.signal.aborted) break;
    await context.session.query(statement);
  }
  return {};
}
