// What a proof hands on: a verdict, figures, and sections that a terminal, a page and a machine show alike.

/** What was seen. `noisy`: measured, but the machine was too busy to say; `not shown`: it could not be tried, and why is said. */
export type Verdict = 'held' | 'broken' | 'noisy' | 'not shown';

/** The outcome of one proof. A value: JSON as it is. */
export interface Evidence {
  /** The proof's name as the command line takes it: `isolation`. */
  readonly proof: string;
  readonly verdict: Verdict;
  /** What was seen, in one line: `2,310 attacks by 2 roles on 41 objects: none crossed`. */
  readonly line: string;
  /** Figures by name, units at the end of the name. */
  readonly figures: Readonly<Record<string, number | string>>;
  readonly sections: readonly Section[];
  readonly durationMs: number;
}

/** One part of what is shown, in the order to show it. */
export type Section = TextSection | TableSection | MatrixSection | LatencySection | StatementSection;

/** Plain lines. */
export interface TextSection {
  readonly kind: 'text';
  readonly title?: string;
  readonly lines: readonly string[];
}

/** A table. A number is shown right-aligned with its unit in the heading; null is a cell without a value. */
export interface TableSection {
  readonly kind: 'table';
  readonly title: string;
  readonly columns: readonly { readonly name: string; readonly unit?: string }[];
  readonly rows: readonly {
    readonly cells: readonly (string | number | null)[];
    /** Marks the row; absent: neither good nor bad. */
    readonly verdict?: Verdict;
    /** What it is about, and the kind of thing it says: rows of one kind may be shown as one, with the others' names. */
    readonly alike?: { readonly kind: string; readonly name: string };
  }[];
}

/** Objects by attacks. */
export interface MatrixSection {
  readonly kind: 'matrix';
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly {
    readonly name: string;
    /** One a column. `none`: the attack does not apply to this object. */
    readonly cells: readonly ('held' | 'crossed' | 'told' | 'none')[];
  }[];
}

/** How long something took, as a distribution, next to what it may take. */
export interface LatencySection {
  readonly kind: 'latency';
  readonly title: string;
  /** Upper bounds of the classes, ascending, in milliseconds, and how many fell in each. */
  readonly classes: readonly { readonly upToMs: number; readonly count: number }[];
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** The budget, in milliseconds, and which percentile it is for. */
  readonly budget?: { readonly percentile: 'p50' | 'p95' | 'p99'; readonly ms: number };
}

/** SQL to copy, with what it shows. */
export interface StatementSection {
  readonly kind: 'statement';
  readonly title: string;
  readonly sql: string;
  readonly said?: string;
}

/** How far a proof is. */
export interface ProofProgress {
  readonly proof: string;
  /** What it is doing right now, in a person's words. */
  readonly doing: string;
  readonly done: number;
  /** How many there are, where that is known. */
  readonly of?: number;
}

/** The verdict over several proofs: the worst of theirs, `broken` before all; `not shown` where there is none. */
export function overall(found: readonly Evidence[]): Verdict {
  const order: readonly Verdict[] = ['broken', 'not shown', 'noisy', 'held'];
  return order.find((verdict) => found.some((one) => one.verdict === verdict)) ?? 'not shown';
}
