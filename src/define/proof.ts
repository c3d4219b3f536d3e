// What a promise asks to be shown on a real server, as values; prove/ attacks, measures and judges. Nothing here runs.
import type { Budget } from './budget.ts';
import type { ErasedPlace, ForgottenSubject } from './erasure.ts';
import type { TaskContext } from './job.ts';
import type { RelationName } from './model.ts';

/** Everything a trait asks to be shown. Pure. */
export interface Proved {
  /** Lines between rows of one owner and another's that no session of these roles may cross. */
  readonly boundaries?: readonly Boundary[];
  /** Findings about the database that are meant to be as they are, each with the reason. */
  readonly accepted?: readonly Accepted[];
  /** What must be done in which time, at which size. */
  readonly budgets?: readonly Budget[];
  /** Kinds of subjects whose rows go when somebody asks for it, and what becomes of each table's. */
  readonly removals?: readonly Removal[];
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
  /**
   * The check's code: `HT101`; `isolation` for a function that may change rows of every owner; `removal` for a
   * column that sounds as if a subject stood in it, and none does.
   */
  readonly code: string;
  /** The finding's subject as it is shown; absent: every one of that code. */
  readonly subject?: string;
  readonly because: string;
}

/** One kind of subject whose rows can be made to go, and how. */
export interface Removal {
  /** What a subject is called, as shown: `person`. */
  readonly name: string;
  /** Whose pieces of the ledger it is carried out with. */
  readonly trait: string;
  /** The table with one row a subject, and the column that identifies it; absent where no table is about it. */
  readonly root?: { readonly of: RelationName; readonly column: string };
  /** What becomes of each table's rows. */
  readonly tables: readonly RemovedRows[];
  /** A subject as whoever asks names it: `person:acme/7`. */
  readonly named: (subject: Omit<ForgottenSubject, 'subject'>) => string;
  /** A relation as the report names it. */
  readonly placeOf: (of: RelationName) => string;
  /** Whether a column's name says that what it holds is about the subject, in whatever table. */
  readonly sounds: (of: RelationName, column: string) => boolean;
  /** What is kept outside the database and asked to forget a subject, by the name the report gives it. */
  readonly caches: readonly string[];
  /** Carries it out, as whoever asks would; called again it goes on, or finds nothing left. The context must lead. */
  readonly carryOut: (context: TaskContext, subject: string) => Promise<RemovalReport>;
  /** Carries out again what was carried out before, on rows that came back. The context must lead. */
  readonly again: (context: TaskContext) => Promise<unknown>;
}

/** What becomes of a subject's rows in one table. */
export interface RemovedRows {
  readonly of: RelationName;
  /** `deleted`: the row goes. `changed`: it stays without what `columns` held. `kept`: it stays as it is. */
  readonly fate: 'deleted' | 'changed' | 'kept';
  /** Columns that carry the subject's key; none: the row is found through another table. */
  readonly by: readonly string[];
  /** The column that the key means something within. */
  readonly within?: string;
  /** The foreign key to a table of the subject, where no column carries the key. */
  readonly through?: {
    readonly of: RelationName;
    readonly columns: readonly { readonly own: string; readonly other: string }[];
  };
  /** Columns of a row that is changed which lose what they held. */
  readonly columns: readonly string[];
  /** Columns with the numbers of large objects, which go with the row. */
  readonly largeObjects: readonly string[];
  /** Its rows are figures over other tables' rows, which move by themselves. */
  readonly derived: boolean;
}

/** What went. */
export interface RemovalReport {
  /** Whether nothing is left to do. */
  readonly finished: boolean;
  readonly counts: readonly ErasedPlace[];
  /** What could not be cleaned up, for a person. */
  readonly left: readonly string[];
}
