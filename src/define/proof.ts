// What a promise asks to be shown on a real server, as values; prove/ attacks, measures and judges. Nothing here runs.
import type { Budget } from './budget.ts';
import type { RelationName } from './model.ts';

/** Everything a trait asks to be shown. Pure. */
export interface Proved {
  /** Lines between rows of one owner and another's that no session of these roles may cross. */
  readonly boundaries?: readonly Boundary[];
  /** Findings about the database that are meant to be as they are, each with the reason. */
  readonly accepted?: readonly Accepted[];
  /** What must be done in which time, at which size. */
  readonly budgets?: readonly Budget[];
}

/** One line between owners of rows: whose a row is, and who must not cross. */
export interface Boundary {
  /** What the owners are called, as shown: `tenant`. */
  readonly name: string;
  /** The setting that says for whom a session works: `app.current_tenant_id`. */
  readonly setting: string;
  /** The setting's text is JSON, and these keys lead to the value in it, the outermost first: `['tenant_id']`. */
  readonly within?: readonly string[];
  /** Tables whose rows are somebody's, with the column whose value the setting is compared with. */
  readonly tables: readonly { readonly of: RelationName; readonly column: string }[];
  /** Relations whose rows are everybody's, with the reason. */
  readonly shared: readonly { readonly of: RelationName; readonly because: string }[];
  /** Roles that an application works as and that must not cross. */
  readonly roles: readonly string[];
  /** Unique keys that may span owners, each with the reason. */
  readonly spanning: readonly {
    readonly of: RelationName;
    readonly columns: readonly string[];
    readonly because: string;
  }[];
  /** More settings that an owner's session carries, each with a column that holds its value in the owner's own rows. */
  readonly carries?: readonly {
    readonly setting: string;
    readonly within?: readonly string[];
    readonly of: RelationName;
    readonly column: string;
  }[];
  /**
   * What all of these owners have in common where a name has more than one part: of owners that are a region and a number,
   * the region, when `setting` is the number's. Each part with the setting that says it and a column of `tables` that
   * holds it. Such a boundary is attacked in a run of its own, between owners that differ in `setting` alone.
   */
  readonly common?: readonly {
    readonly setting: string;
    readonly within?: readonly string[];
    readonly of: RelationName;
    readonly column: string;
  }[];
}

/** A finding that is meant: it is shown as information, with the reason. */
export interface Accepted {
  /** The check's code: `HT101`; `isolation` for a function that may change rows of every owner. */
  readonly code: string;
  /** The finding's subject as it is shown; absent: every one of that code. */
  readonly subject?: string;
  readonly because: string;
}
