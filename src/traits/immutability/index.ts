// Promise: what was written stays as it was written, but for the columns and steps that are named.
import type { Trait } from '../../define/trait.ts';
import { type ColumnReference, relationOf, type TableReference } from '../reference.ts';
import { freeze } from './build.ts';
import { findings } from './check.ts';

/**
 * Which value may follow which in one column. A list: every later value may follow an earlier one.
 * An object: exactly the named successors: `{ pending: ['approved', 'rejected'], approved: ['applied'] }`.
 */
export type Steps = readonly string[] | Readonly<Record<string, readonly string[]>>;

/** Rows are inserted and never changed or deleted; at most one column takes steps, with the columns that record them. */
export interface AppendOnly {
  readonly kind: 'append-only';
  readonly decision?: {
    /** The column that takes the steps. */
    readonly column: ColumnReference;
    readonly steps: Steps;
    /** Columns that may change in the update that takes a step, and in no other. */
    readonly with?: readonly ColumnReference[];
  };
}

/** Rows are free until a condition holds; from then on only the named columns move, and only in the named order. */
export interface Frozen {
  readonly kind: 'frozen';
  /** A row is frozen while the column has one of these values, as stored before the update. */
  readonly when: { readonly column: ColumnReference; readonly is: readonly string[] };
  /** Columns that may still change on a frozen row. */
  readonly mayChange?: readonly ColumnReference[];
  /** Columns of a frozen row that may change by steps alone. */
  readonly order?: Readonly<Record<string, Steps>>;
  /** `never`: no row is ever deleted. `while-not-frozen` (default): a frozen one is not. */
  readonly delete?: 'never' | 'while-not-frozen';
}

export type ImmutabilityOptions = AppendOnly | Frozen;

/**
 * Makes rows immutable for every role, superusers in replica mode included: row triggers that always fire, a TRUNCATE
 * trigger on the table and each partition, and no grant of what would be refused.
 * Refusals carry SQLSTATE ZH001 (append-only), ZH002 (frozen), ZH003 (step out of order), ZH004 (TRUNCATE).
 * @example immutability(auditLog, { kind: 'append-only' })
 */
export function immutability(table: TableReference, options: ImmutabilityOptions): Trait {
  const of = relationOf(table);
  return {
    name: 'immutability',
    after: ['versioning', 'partitions'],
    check: (model) => findings(model, { of, options }),
    build: (model) => freeze(model, { of, options }),
  };
}
