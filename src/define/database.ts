// The definition: the user's tables, free SQL beside them, and the promises about both.
import type { Model } from './model.ts';
import type { Trait } from './trait.ts';

/** A schema module: the exports of the file that declares the tables. */
export type Tables = Readonly<Record<string, unknown>>;

/** What a user hands to {@link database}. `T` carries the types of the tables to whoever opens a session. */
export interface DatabaseOptions<T extends Tables = Tables> {
  /** A Drizzle pg-core schema: the module itself (`import * as tables from './tables.ts'`) or an object of its exports. */
  readonly tables?: T;
  /** Plain SQL files: globs relative to the file that calls `database`, see `baseUrl`. */
  readonly sql?: string | readonly string[];
  /** Where relative globs start: `import.meta.url` of the definition's file. Default: the folder of the loaded file. */
  readonly baseUrl?: string;
  readonly traits?: readonly Trait[];
}

/** A database as its owner wants it: checked, with every trait built in. A value; nothing has been read or run yet. */
export interface Definition<T extends Tables = Tables> {
  readonly name: string;
  readonly tables: T;
  readonly sql: readonly string[];
  readonly baseUrl?: string;
  readonly traits: readonly Trait[];
  /** Drizzle tables and facets as facts, before any trait. */
  readonly plain: Model;
  /** The same after every trait's `build`. */
  readonly model: Model;
}
