// What Drizzle cannot say, as values beside the tables. A facet is a change of the model that finds its target or says
// that there is none; it reads the user's Drizzle objects only for their names.
import type { Model } from './model.ts';

/** One saying about the database beside Drizzle's. Made by {@link on} and its neighbours in `facets.ts`. */
export interface Facet {
  /** What it is about, for messages. */
  readonly subject: string;
  /** The model with this saying in it; throws HoldfastError when its target is not there. */
  readonly apply: (model: Model) => Model;
}
