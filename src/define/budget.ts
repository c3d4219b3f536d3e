// What a database must do in which time and at which size: budgets, and the volumes they are measured at. Values only;
// prove/ loads, measures and judges.
import type { Model, RelationName } from './model.ts';
import type { CatalogueQuery } from './trait.ts';

/** Chance with a seed: at least 0, less than 1. The same seed gives the same rows on every machine. */
export type Chance = () => number;

/** What a column of a generated row may hold. An object or a list becomes JSON, bytes become bytea. */
export type CopyValue =
  | string
  | number
  | bigint
  | boolean
  | Date
  | Uint8Array
  | null
  | readonly unknown[]
  | { readonly [key: string]: unknown };

/** What the beginning of a volume, its end and a figure are given. */
export interface VolumeContext {
  readonly model: Model;
  /** A superuser's session: no policy filters it. While a volume is loaded, no trigger sees what it writes. */
  readonly query: CatalogueQuery;
  /** What `connect` of holdfast/use gives for the application's role. */
  readonly app: unknown;
  readonly chance: Chance;
  /** When the run began, by the injected clock. */
  readonly now: Date;
}

/** Rows of one kind: where they go and what the n-th of them is. */
export interface VolumeRows {
  readonly into: RelationName;
  readonly columns: readonly string[];
  /** The values of row `number` (from 0), one a column. It depends on nothing but its arguments. */
  readonly row: (number: number, chance: Chance, world: unknown) => readonly CopyValue[];
}

/** Data that budgets are measured at: begun once, then grown to each size that is asked for. */
export interface Volume {
  readonly name: string;
  readonly seed: number;
  /** How many days back its rows reach: what promises make over time is made from there on. */
  readonly historyDays: number;
  /** Writes what all rows refer to, and gives what they and the runs need to know of it. */
  readonly begin?: (context: VolumeContext) => Promise<unknown>;
  /** By the name that sizes are asked in: `corrections`. Loaded in this order. */
  readonly rows: Readonly<Record<string, VolumeRows>>;
  /** After each growth: what is summed up of the rows. */
  readonly grown?: (context: VolumeContext, world: unknown) => Promise<void>;
}

/** A percentile that a budget may limit. */
export type Percentile = 'p50' | 'p95' | 'p99';

/** One request of the application. */
export interface Turn {
  /** What the budget's `open` gave; without it, what `connect` of holdfast/use gives. */
  readonly app: unknown;
  /** What the volume's `begin` gave. */
  readonly world: unknown;
  readonly chance: Chance;
  /** From 0, in the order of arrival. */
  readonly number: number;
}

/** What the plans of a request must be like, at whatever size. An index is named as in the catalogue, or by a pattern. */
export type PlanRequirement =
  /** Some scan uses this index, or the index of a partition that belongs to it. */
  | { readonly useIndex: string | RegExp }
  /** Some scan reads this index alone and not the table. */
  | { readonly indexOnly: string | RegExp }
  /** No statement reads more than so many partitions of the table. */
  | { readonly prune: RelationName; readonly to: number }
  /** The table, and each partition of it, is never read from end to end. */
  | { readonly notScan: RelationName }
  /** One request reads at most so many rows, kept or thrown away, of this table or of all. */
  | { readonly readAtMost: number; readonly of?: RelationName };

/** What the document that asked for the database says, as it stands there, and as a number to compare with. */
export interface DocumentTarget {
  /** `< 1 ms` */
  readonly target: string;
  /** What it says was reached: `0.8 ms`. */
  readonly said?: string;
  /** The target in the budget's unit (milliseconds for a time). */
  readonly atMost?: number;
  readonly atLeast?: number;
}

interface BudgetBase {
  readonly name: string;
  readonly data: Volume;
  /** At which size: rows by kind. */
  readonly at: Readonly<Record<string, number>>;
  readonly document?: DocumentTarget;
}

/** A request and the time it may take, under requests that arrive at a fixed rate whether or not earlier ones are done. */
export interface TimeBudget extends BudgetBase {
  readonly kind: 'time';
  /** Makes of the connected application what `run` works with. Called once a connection pool. */
  readonly open?: (app: unknown) => unknown;
  readonly run: (turn: Turn) => Promise<unknown>;
  /** Milliseconds from the moment the request was due. */
  readonly limitsMs: Readonly<Partial<Record<Percentile, number>>>;
  /** Requests at once, and connections, at most. */
  readonly clients: number;
  readonly ratePerSecond: number;
  /** How many requests are measured. */
  readonly samples: number;
  /** Whether the application keeps statements prepared. */
  readonly prepare: boolean;
  /** Which role it works as; absent: the one the session contract names. */
  readonly role?: string;
  readonly must: readonly PlanRequirement[];
}

/** A number that is not a time: bytes of indexes by bytes of data, rows a second. */
export interface FigureBudget extends BudgetBase {
  readonly kind: 'figure';
  /** `rows/s`; empty for a ratio. */
  readonly unit: string;
  readonly measure: (context: VolumeContext & { readonly world: unknown }) => Promise<number>;
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** What a definition must do, at which size. */
export type Budget = TimeBudget | FigureBudget;
