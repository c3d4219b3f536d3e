// A context whose statements are counted, and one that ends at a statement, as if its process were gone.
import type { CatalogueQuery, TaskContext } from '../../define/index.ts';

/** Counts statements; `at`: nothing is sent any more from this one on. */
export class Stopping {
  readonly #at: number | undefined;
  #statements = 0;

  constructor(at?: number) {
    this.#at = at;
  }

  get statements(): number {
    return this.#statements;
  }

  /** Whether it has ended something. */
  get stopped(): boolean {
    return this.#at !== undefined && this.#statements >= this.#at;
  }

  /** The context, counted; so are those it gives to others. */
  context(context: TaskContext): TaskContext {
    const { session, throughTraits } = context;
    return {
      ...context,
      session: {
        query: this.#counted(session.query),
        transaction: async (work, options) =>
          session.transaction(async (query) => work(this.#counted(query)), options),
      },
      ...(throughTraits !== undefined && {
        throughTraits: async (ask) =>
          throughTraits((trait) => {
            const run = ask(trait);
            return run === undefined ? undefined : async (own) => run(this.context(own));
          }),
      }),
    };
  }

  #counted(query: CatalogueQuery): CatalogueQuery {
    return async (sql, values) => {
      this.#statements += 1;
      if (this.stopped) throw new Stopped();
      return query(sql, values);
    };
  }
}

/** Thrown where a run was to end. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}
