// What an attack on isolation gives: objects by attacks, what crossed and how to see it again, what is told beside.
import type { Accepted, Boundary } from '../../define/proof.ts';
import type { ProofProgress } from '../evidence.ts';
import type { BoundaryHints } from '../boundary/index.ts';
import type { Left } from '../copy/index.ts';
import type { Population } from '../rows/index.ts';

/** What is attacked, and how. */
export interface IsolationOptions {
  /** The database; it is only read. The attacks run on a copy of its structure with synthetic rows. */
  readonly url: string;
  /** Lines between owners; absent: guessed from the catalogue. */
  readonly boundaries?: readonly Boundary[];
  /** Functions that are meant to change rows of every owner (code `isolation`): told with the reason. */
  readonly accepted?: readonly Accepted[];
  /** What is known for the guess. */
  readonly hints?: BoundaryHints;
  /** A superuser of a server of the same major to make the copy on. */
  readonly scratchUrl?: string;
  readonly now: Date;
  /** The same seed gives the same rows; default 1. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ProofProgress) => void;
}

/**
 * What one attack on one object came to. `held`: it was tried and gave nothing; `told`: it shows something about others
 * that PostgreSQL shows on any database, or may by design; `none`: there is nothing to try.
 */
export type Outcome = 'held' | 'crossed' | 'told' | 'none';

/** One attack on one object, over all roles and states of the session. */
export interface Cell {
  readonly object: string;
  readonly attack: string;
  readonly outcome: Outcome;
  /** How often it was tried. */
  readonly tried: number;
}

/** One way across, with what to type to see it. */
export interface Crossing {
  readonly object: string;
  readonly attack: string;
  readonly role: string;
  /** The session's state: `owner 1's setting`, `no setting`. */
  readonly state: string;
  /** Statements to copy, with the role to log in as. */
  readonly sql: string;
  /** What they returned that is another's. */
  readonly said: string;
}

/** Something that is no way across in this database, and that its keeper should know. */
export interface Told {
  readonly subject: string;
  readonly severity: 'error' | 'warning' | 'info';
  readonly what: string;
  readonly fix: string;
}

/** The outcome of all attacks. A value: JSON as it is. */
export interface Isolation {
  readonly boundaries: readonly Boundary[];
  /** How boundaries and roles were guessed; empty where they were given. */
  readonly said: readonly string[];
  /** Why there is no line that could be attacked, where its lack was seen. */
  readonly undrawn?: string;
  readonly roles: readonly string[];
  /** The matrix's columns. */
  readonly attacks: readonly string[];
  /** The matrix's rows. */
  readonly objects: readonly string[];
  readonly cells: readonly Cell[];
  readonly crossings: readonly Crossing[];
  readonly told: readonly Told[];
  /** Tables no row could be made for: nothing was shown about them. */
  readonly empty: Population['empty'];
  /** What the copy lacks. */
  readonly left: readonly Left[];
  readonly notes: Population['notes'];
  /** Some session reached rows of the owner it worked for; false: that it reached no other's says nothing. */
  readonly saw: boolean;
  /** How many attempts were made. */
  readonly tried: number;
  /** Version of the target, as `server_version_num`. */
  readonly versionNumber: number;
  readonly durationMs: number;
}
