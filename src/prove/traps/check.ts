// What a check is: one value that reads a catalogue and says what will happen. It never writes and never runs a user's
// function: it is handed a question-asker inside a READ ONLY transaction.
import type { Boundary } from '../../define/proof.ts';
import type { CatalogueQuery } from '../../define/trait.ts';

/** error: isolation is broken, data is lost, or a statement is certain to fail; warning: with growth or in a situation; info: worth knowing. */
export type Severity = 'error' | 'warning' | 'info';

/** One check of a database. */
export interface TrapCheck {
  /** Stable, never reused for another meaning: HT1xx isolation, HT2xx views, HT3xx functions, roles and settings, HT4xx jobs and monitoring, HT5xx partitions, HT6xx keys, HT7xx indexes, HT8xx types, HT9xx other. */
  readonly code: `HT${number}`;
  /** The trap in a few words with hyphens: `matview-without-key`. */
  readonly name: string;
  /** The trap in one line, as a heading. */
  readonly title: string;
  /** Of a finding that does not say otherwise. */
  readonly severity: Severity;
  /** Which recorded traps it shows: `BX-06`. */
  readonly traps: readonly string[];
  /**
   * Looks. Several checks share what they read through {@link TrapContext.facts}. A PostgreSQL error it throws (a missing
   * right, the statement timeout) becomes an entry of `unseen`.
   */
  readonly find: (context: TrapContext) => Promise<readonly Draft[]>;
  /** Its page in docs/reference/traps: Markdown, a paragraph or a few each. */
  readonly page: {
    /** What stands in the database, and why people write it. */
    readonly what: string;
    /** What happens on a real server, with PostgreSQL's own words. */
    readonly effect: string;
    /** How to mend it. */
    readonly mend: string;
  };
}

/** What a check says of one object. The code and what the check gives for all its findings are added to it. */
export interface Draft {
  /** The object: `table shop.orders`, `function shop.total(integer)`; see facts/naming.ts. */
  readonly subject: string;
  /** What stands there. One sentence. Never a secret's value. */
  readonly what: string;
  /** What will happen: PostgreSQL's error or the effect. One sentence or two. */
  readonly effect: string;
  /** Statements that mend it, each run alone and in order by the object's owner or a superuser; empty: only a person can say how. */
  readonly mend: readonly string[];
  /** The object made anew with a change to its text; its statement is put before those of `mend`. */
  readonly rewrite?: Rewrite;
  /** What to think about before or after the statements; what to do where there are none. */
  readonly advice: string;
  /** Where it differs from the check's. */
  readonly severity?: Severity;
}

/** A change to the text of an object that can only be made anew: changes of several checks are put together. */
export interface Rewrite {
  /** `CREATE OR REPLACE …` as it stands. */
  readonly text: string;
  /** The statement with the fault mended; it may be handed one that other checks have changed already. */
  readonly change: (text: string) => string;
}

/** Something read once and shared: a few large questions for all checks together. A value; see {@link TrapContext.facts}. */
export interface Fact<T> {
  readonly name: string;
  readonly read: (context: TrapContext) => Promise<T>;
}

/** What a check is handed. */
export interface TrapContext {
  /** `server_version_num`: 180004 is 18.4. */
  readonly versionNumber: number;
  /** The injected clock. */
  readonly now: Date;
  /** Lines between owners of rows: given, or guessed from the catalogue. */
  readonly boundaries: readonly Boundary[];
  /** Roles an application works as; none of them is a superuser by being here. */
  readonly roles: readonly string[];
  /** The role that looks. */
  readonly reader: { readonly name: string; readonly super: boolean };
  /** Asks one question; `row_security` is off, so that a filtered answer is an error and no smaller answer. */
  readonly query: CatalogueQuery;
  /** The answer of a fact, read when it is first asked for. */
  readonly facts: <T>(fact: Fact<T>) => Promise<T>;
  /** Says that a part could not be looked at, and why. The check goes on with the rest. */
  readonly unseen: (why: string) => void;
}
