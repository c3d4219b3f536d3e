// A plan as a value: frozen JSON that says what each step does, what it locks, what it may lose and how it goes back.
import type { LockMode } from '../define/trait.ts';

/** How much of the table a statement reads or writes while it holds its lock. */
export type Work = 'catalogue' | 'scan' | 'build' | 'rewrite';

/** What a statement takes for good. */
export interface Loss {
  readonly object: string;
  readonly what: string;
  /** Asks whether there is anything to lose: one row `{ lost: boolean }`. Absent: there may always be. */
  readonly probe?: string;
}

/** One statement of a plan. Steps run in order, each in its own transaction unless it cannot run in one. */
export interface Step {
  /** Position in the plan, from 1. */
  readonly number: number;
  readonly sql: string;
  /** The object, as `kind schema.name`. */
  readonly subject: string;
  readonly verb: 'create' | 'alter' | 'drop' | 'settle';
  /** Strongest lock on relations that exist before the plan. */
  readonly lock: LockMode;
  /** The relations it locks, `schema.name`. */
  readonly locks: readonly string[];
  readonly work: Work;
  readonly transactional: boolean;
  /** Steps of one group run in one transaction, so that nobody sees the database between them. Absent: its own. */
  readonly group?: number;
  /**
   * How long the statement may wait for its lock before it lets go and tries again. 0: nobody who reads or writes rows
   * waits behind it, so only the patience of the whole run ends its wait.
   */
  readonly lockTimeoutMs: number;
  /** What is gone for good when it has run; needs the user's word. Names the object. */
  readonly loses: Loss | null;
  /** Statements that undo it, in order; null with a reason where nothing can. */
  readonly back: readonly BackStatement[] | null;
  readonly backReason?: string;
  /**
   * What shows that the step's effect is already there (an index by name that is valid, a constraint that is validated),
   * so that a run cut off between statement and ledger row resumes rightly. A query that gives one row `{ done: boolean }`;
   * absent: the step is transactional and its ledger row commits with it.
   */
  readonly doneWhen?: string;
  /** Statements that clear the remains of a failed attempt (an invalid index) before a retry. */
  readonly cleanUp?: readonly string[];
}

/** One statement of a way back; what is absent is as mild as can be (catalogue work, no lock, nothing lost). */
export interface BackStatement {
  readonly sql: string;
  readonly transactional: boolean;
  /** Absent: the subject of its step. */
  readonly subject?: string;
  readonly lock?: LockMode;
  readonly locks?: readonly string[];
  readonly work?: Work;
  readonly lockTimeoutMs?: number;
  /** What rows made since the step would lose. */
  readonly loses?: Loss | null;
  /** As of {@link Step}. */
  readonly doneWhen?: string;
  readonly cleanUp?: readonly string[];
}

/** A rehearsed plan. JSON-safe. */
export interface Plan {
  readonly formatVersion: 1;
  readonly database: string;
  /** SHA-256 over definition, start and steps: names the plan in the ledger. */
  readonly id: string;
  /** Fingerprint of the target's structure that the plan starts from; apply refuses any other. */
  readonly from: string;
  /** Fingerprint after the plan. */
  readonly to: string;
  readonly serverVersion: number;
  readonly steps: readonly Step[];
  /** Whether the plan goes back, and if not, which steps hold it. */
  readonly reversible: boolean;
  readonly rehearsal: {
    readonly forward: 'equal';
    readonly back: 'equal' | 'not-possible';
    /** Which reader compared the ends. */
    readonly comparedBy: 'pg_dump' | 'catalogue';
    readonly durationMs: number;
  };
  /** Keys of the objects the definition makes: what a later plan may drop again when the definition no longer does. */
  readonly manages?: readonly string[];
  /** Findings that do not stop the plan (what the planner does not model, warnings of traits). */
  readonly notes: readonly string[];
}
