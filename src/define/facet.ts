// What Drizzle cannot say, as values beside the tables. A facet is a change of the model that finds its target or says
// that there is none; it reads the user's Drizzle objects only for their names.
import { HoldfastError } from '../error.ts';
import type { Expressions } from './drizzle/expression.ts';
import type { Model, RelationName, Statement, Table, View } from './model.ts';

/** One saying about the database beside Drizzle's: what `on`, `extension`, `statement` and `grant` give. */
export interface Facet {
  /** What it is about, for messages. */
  readonly subject: string;
  /** The model with this saying in it; throws HoldfastError when its target is not there. */
  readonly apply: (model: Model, read: Expressions) => Model;
}

/** One saying about one table or view, given to `on`. A face that is absent means it cannot be said of that kind. */
export interface RelationFacet {
  /** The word it is written with, for messages: `covering orders_by_customer`. */
  readonly subject: string;
  readonly table?: (table: Table, read: Expressions) => Table;
  readonly view?: (view: View, read: Expressions) => View;
  readonly statement?: (relation: RelationName, read: Expressions) => Statement;
}

/** The error of a facet that does not find what it speaks of. */
export function missing(subject: string, what: string, known: readonly string[]): HoldfastError {
  const names = known.length === 0 ? 'There is none to name.' : `Name one of: ${known.join(', ')}.`;
  return new HoldfastError({ code: 'HF_FACET', subject, what, fix: names });
}
