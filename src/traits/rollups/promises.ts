// Which figures equal which: what a rollup holds is what its rows, or all the rows there ever were, add up to.
import type { Promised } from '../../define/promise.ts';
import { label, type Model, type RelationName } from '../../define/model.ts';
import { relationOf } from '../reference.ts';
import { ident, qualified } from '../../sql.ts';
import type { RollupsOptions } from './index.ts';
import type { IncrementalOptions } from './incremental/options.ts';
import { planOf } from './incremental/plan.ts';
import { keptSql, recomputedSql } from './incremental/settle-sql.ts';
import { REFRESH_JOB, ROLLUP_JOB } from './keep.ts';
import { mentions } from './mention.ts';

/** A materialised view equals its query over what is there now, once it was refreshed. */
export function viewPromises(model: Model, of: RelationName, options: RollupsOptions): Promised {
  const view = model.views.find((one) => one.schema === of.schema && one.name === of.name);
  if (view === undefined) return {};
  const columns = view.columns?.map(ident).join(', ') ?? '*';
  const query = view.query.trim().replace(/;$/, '');
  return {
    sums: [
      {
        subject: `materialised view ${label(of)}`,
        job: options.job ?? REFRESH_JOB,
        kept: `SELECT ${columns} FROM ${qualified(of)}`,
        of: 'present',
        reads:
          options.reads?.map(relationOf) ??
          [...model.tables, ...model.views].filter((one) => label(one) !== label(of) && mentions(query, one)),
        recomputed: () => `SELECT ${columns} FROM (${query}) AS computed`,
      },
    ],
  };
}

/** A table of sums equals the sums over every row that was ever there, those that have left included. */
export function countPromises(model: Model, of: RelationName, options: IncrementalOptions): Promised {
  const plan = planOf(model, of, options);
  if (plan === undefined) return {};
  return {
    sums: [
      {
        subject: `table ${label(of)}`,
        job: options.job ?? ROLLUP_JOB,
        kept: keptSql(plan),
        of: 'ever',
        reads: [plan.source],
        recomputed: (source) => recomputedSql(plan, source(plan.source)),
      },
    ],
  };
}
