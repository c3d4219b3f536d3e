// Which figures equal which: what a rollup holds is what its rows, or all the rows there ever were, add up to.
import type { Promised } from '../../define/promise.ts';
import { label, type Model, type RelationName } from '../../define/model.ts';
import { relationOf } from '../reference.ts';
import { ident, qualified } from '../../sql.ts';
import type { RollupsOptions } from './index.ts';
import type { IncrementalOptions } from './incremental/options.ts';
import { joinedOf, planOf } from './incremental/plan.ts';
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
  const joined = joinedOf(model, options);
  return {
    sums: [
      {
        subject: `table ${label(of)}`,
        job: options.job ?? ROLLUP_JOB,
        kept: keptSql(plan),
        of: 'ever',
        reads: [plan.source, ...joined],
        recomputed: (source) => {
          const join =
            options.join && joined.reduce((text, one) => readFrom(text, one, source(one)), options.join);
          const over = { ...plan, options: { ...options, ...(join !== undefined && { join }) } };
          return recomputedSql(over, source(plan.source));
        },
      },
    ],
  };
}

/** The text with another relation in the place of one: its name with its schema, quoted or not. What it joins may have left too. */
function readFrom(text: string, of: RelationName, relation: string): string {
  const named = new RegExp(
    String.raw`(?<![\p{L}\p{N}_$".])${word(of.schema)}\.${word(of.name)}(?![\p{L}\p{N}_$"])`,
    'giu',
  );
  return text.replaceAll(named, () => relation);
}

/** A name as it may stand in SQL, for a regular expression. */
function word(name: string): string {
  const escaped = name.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return String.raw`(?:"${escaped}"|${escaped})`;
}
