// The narrow border to the planner: nothing beyond this file and the adapter behind it knows whose planner it is.

/** Identity of an object as the planner gives it: `kind` and the names that kind is addressed by. */
export interface ObjectId {
  readonly kind: string;
  readonly name?: string;
  readonly schema?: string;
  /** The relation a column, constraint, trigger, policy or default belongs to. */
  readonly table?: string;
  readonly args?: readonly string[];
  /** The object a comment or a grant is about. */
  readonly target?: ObjectId;
  readonly grantee?: string;
  /** The column a grant is about, where it is not about the whole relation. */
  readonly column?: string;
  readonly role?: string;
  /** What default privileges are for: `r` tables, `S` sequences, `f` functions, `T` types, `n` schemas. */
  readonly objtype?: string;
}

/** One DDL statement as planned, before it is made safe for a busy table. */
export interface PlannedAction {
  readonly sql: string;
  readonly verb: 'create' | 'alter' | 'drop';
  readonly produces: readonly ObjectId[];
  readonly consumes: readonly ObjectId[];
  readonly destroys: readonly ObjectId[];
  readonly transactionality: 'transactional' | 'nonTransactional' | 'commitBoundaryAfter';
  readonly lockClass: 'none' | 'share' | 'shareRowExclusive' | 'shareUpdateExclusive' | 'accessExclusive';
  readonly newSegmentBefore: boolean;
  readonly dataLoss: 'none' | 'destructive';
  readonly rewriteRisk: boolean;
}

/** A fact's payload by identity, on one side of the comparison: `payload(id)` or undefined where it does not exist. */
export interface FactView {
  readonly payload: (id: ObjectId) => Readonly<Record<string, unknown>> | undefined;
  readonly fingerprint: string;
}

/** What the planner found: the way there and the way back, with both ends to look things up in. */
export interface Planned {
  readonly forward: readonly PlannedAction[];
  readonly backward: readonly PlannedAction[];
  readonly found: FactView;
  readonly goal: FactView;
  /** Findings in the user's words: kinds that are not modelled, differences that are not managed. */
  readonly notes: readonly string[];
}

/** What the target's tables hold right now; decides which steps must go the online way. */
export interface TargetShape {
  readonly serverVersion: number;
  /** By `schema.name`. A table that is absent does not exist yet. */
  readonly tables: ReadonlyMap<string, TargetTable>;
}

export interface TargetTable {
  readonly schema: string;
  readonly name: string;
  readonly hasRows: boolean;
  readonly bytes: number;
  /** For a partitioned parent: every leaf and inner partition below it, inner before leaf. */
  readonly partitions: readonly {
    readonly schema: string;
    readonly name: string;
    readonly partitioned: boolean;
  }[];
  readonly partitioned: boolean;
}
