// What a rollup asks to be known by whoever attacks the database: the one function that works on every tenant's rows.
import { label, type RelationName } from '../../define/model.ts';
import type { Proved } from '../../define/proof.ts';
import type { IncrementalOptions } from './incremental/options.ts';
import { namesOf } from './incremental/plan.ts';

/** A role in `callers` brings sums of all tenants up to date: each changes by its own tenant's rows alone. Pure. */
export function countsProved(of: RelationName, options: IncrementalOptions): Proved {
  if ((options.callers ?? []).length === 0) return {};
  return {
    accepted: [
      {
        code: 'isolation',
        subject: `${label(namesOf(of).settle)}(timestamp with time zone)`,
        because: `it brings ${label(of)} up to date for everybody: each row changes by its own tenant's rows alone, and nothing is told of them`,
      },
    ],
  };
}
