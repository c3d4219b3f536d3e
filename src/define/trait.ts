// The contract every trait keeps and the only thing the engines know of traits.
import type { ErasurePart } from './erasure.ts';
import type { Done, Kept, LeavingRange, TaskContext } from './job.ts';
import type { Watched } from './measure.ts';
import type { Model, RelationName } from './model.ts';
import type { Promised } from './promise.ts';
import type { Proved } from './proof.ts';

/** Something wrong in a definition, as a value: the caller collects them all before it refuses. */
export interface Diagnostic {
  readonly code: `HF_${string}`;
  readonly severity: 'error' | 'warning' | 'info';
  readonly subject: string;
  /** What is wrong and what it would do. */
  readonly what: string;
  /** What to write instead. */
  readonly fix: string;
}

/** Runs one read-only catalogue query with parameters and gives its rows. */
export type CatalogueQuery = <Row extends object>(
  sql: string,
  values?: readonly unknown[],
) => Promise<readonly Row[]>;

/** What a trait sees when it is asked which run-time objects are missing. */
export interface SettleContext {
  readonly model: Model;
  readonly query: CatalogueQuery;
  /** The injected clock. */
  readonly now: Date;
}

/**
 * Run-time state a trait wants to exist after the structure is in place: partitions ahead, a first fill of a view.
 * The engine turns each into steps of the plan (rehearsed, locked, logged like any other) and never knows what it is for.
 */
export interface Settlement {
  readonly subject: string;
  /**
   * Statements in order. One that runs alone says how a run that was cut off tells whether it is done.
   * `lock` is the strongest lock on a relation that others use; `on` names that relation.
   */
  readonly statements: readonly (SettlementStatement & {
    readonly lock: LockMode;
    readonly on?: RelationName;
  })[];
  /**
   * How to take it back, in order; null with a reason where that would lose what a user may have stored.
   * Plain text runs in a transaction; what cannot (CREATE INDEX CONCURRENTLY) says so.
   */
  readonly back: readonly (string | SettlementStatement)[] | null;
  readonly backReason?: string;
}

/** One statement: in a transaction with its ledger row, or alone where PostgreSQL demands that. */
export type SettlementStatement =
  | { readonly sql: string; readonly transactional: true }
  | {
      readonly sql: string;
      readonly transactional: false;
      /** A query of one row `{ done: boolean }`: whether the statement's effect is there. */
      readonly doneWhen: string;
      /** Statements that clear what a failed attempt left (an invalid index), each outside a transaction. */
      readonly cleanUp?: readonly string[];
    };

/** PostgreSQL's table lock modes that DDL takes on relations others use; `NONE` for new objects. */
export type LockMode =
  | 'NONE'
  | 'ACCESS SHARE'
  | 'ROW SHARE'
  | 'ROW EXCLUSIVE'
  | 'SHARE UPDATE EXCLUSIVE'
  | 'SHARE'
  | 'SHARE ROW EXCLUSIVE'
  | 'EXCLUSIVE'
  | 'ACCESS EXCLUSIVE';

/** A promise about the database: one value with its faces build, keep, watch and prove. */
export interface Trait {
  /** The trait's name: its folder. Several values of one trait may stand in a definition. */
  readonly name: string;
  /** Mistakes seen in the definition alone, before any server is asked. */
  readonly check?: (model: Model) => readonly Diagnostic[];
  /** The model with what this promise adds. Pure: model in, model out; order among traits must not matter, see `after`. */
  readonly build?: (model: Model) => Model;
  /** Names of traits whose build must have run before this one's. */
  readonly after?: readonly string[];
  /** Which run-time objects should exist now; reads the catalogue, changes nothing. */
  readonly settle?: (context: SettleContext) => Promise<readonly Settlement[]>;
  /** What must happen over time, given the whole model. Pure. */
  readonly keep?: (model: Model) => Kept;
  /** Called before rows of a relation leave for good, once per range; closes what this promise sums up of them. Idempotent. */
  readonly leaving?: (
    of: RelationName,
    range: LeavingRange,
  ) => ((context: TaskContext) => Promise<void>) | undefined;
  /** Its part when a subject's rows are erased: what it keeps of them elsewhere than in their table. Pure. */
  readonly erasing?: (model: Model) => ErasurePart;
  /**
   * Called after rows came back that had been away: a database restored from a backup, a part out of the archive.
   * Brings what came to what was promised meanwhile. Idempotent.
   */
  readonly restored?: (model: Model) => (context: TaskContext) => Promise<Done>;
  /** What is measured and when it is wrong, given the whole model. Pure; its `collect` reads the server. */
  readonly watch?: (model: Model) => Watched;
  /** What is promised about time, given the whole model: what a replay of years holds against a server. Pure. */
  readonly promises?: (model: Model) => Promised;
  /** What is to be shown on a real server, given the whole model. Pure: prove/ attacks, measures and judges. */
  readonly proves?: (model: Model) => Proved;
  /**
   * The same promise with all it keeps outside the database in a folder, and nothing told to anybody outside: what a
   * proof works with, so that no file of the real archive is touched. `told` hears what would have been.
   */
  readonly indoors?: (folder: string, told: (what: ToldOutside) => Promise<void>) => Trait;
  /** What an application session needs: the settings that carry the tenant, in order, with how a value is validated. */
  readonly session?: SessionContract;
}

/** What a promise would have told somebody outside. */
export interface ToldOutside {
  readonly to: string;
  readonly about: Readonly<Record<string, string>>;
}

/** How `use/` opens a tenant's transaction; supplied by the trait that isolates tenants. */
export interface SessionContract {
  /** Keys of `session({ … })` to the setting each is sent as, with the pattern its value must match whole. */
  readonly settings: Readonly<Record<string, { readonly setting: string; readonly pattern: RegExp }>>;
  /** The role the application logs in as (or switches to), for messages. */
  readonly role?: string;
}
