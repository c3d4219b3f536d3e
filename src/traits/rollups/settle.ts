// The first fill of a rollup: until then every reader of a view fails, and a table of sums knows nothing.
import { label, type RelationName } from '../../define/model.ts';
import type { SettleContext, Settlement } from '../../define/trait.ts';
import { literal, qualified } from '../../sql.ts';
import { meaningOf } from './incremental/settle-sql.ts';
import { namesOf, type Plan } from './incremental/plan.ts';
import { refreshName } from './refresh.ts';
import { stateOf } from './state.ts';

const POPULATED_SQL = `
  SELECT c.relispopulated AS populated
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'm'`;

/**
 * A refresh for a view that was never filled; nothing for one that was. The first is a plain one, which locks the view
 * ACCESS EXCLUSIVE; nobody notices: an unfilled view cannot be read.
 * @see https://www.postgresql.org/docs/current/sql-refreshmaterializedview.html
 */
export async function firstFill(context: SettleContext, of: RelationName): Promise<readonly Settlement[]> {
  const [view] = await context.query<{ populated: boolean }>(POPULATED_SQL, [of.schema, of.name]);
  if (view?.populated === true) return [];
  return [
    {
      subject: `materialised view ${label(of)}`,
      statements: [
        {
          sql: `SELECT held AS rows FROM ${qualified(refreshName(of))}()`,
          transactional: true,
          lock: 'ACCESS EXCLUSIVE',
          on: of,
        },
      ],
      back: [
        `REFRESH MATERIALIZED VIEW ${qualified(of)} WITH NO DATA`,
        `DELETE FROM ${qualified(stateOf(of))} WHERE rollup = ${literal(of.name)}`,
      ],
    },
  ];
}

const THERE_SQL = `SELECT pg_catalog.to_regclass($1) IS NOT NULL AS there`;

/**
 * A full count for a table of sums that was never filled, or whose figures are computed otherwise than when it was.
 * Writers go on meanwhile: what they change is noted and added afterwards.
 */
export async function firstCount(context: SettleContext, plan: Plan): Promise<readonly Settlement[]> {
  const state = qualified(stateOf(plan.of));
  const [table] = await context.query<{ there: boolean }>(THERE_SQL, [state]);
  const [row] =
    table?.there === true
      ? await context.query<{ meaning: string | null }>(`SELECT meaning FROM ${state} WHERE rollup = $1`, [
          plan.of.name,
        ])
      : [];
  if (row?.meaning === meaningOf(plan)) return [];
  return [
    {
      subject: `rollup ${label(plan.of)}`,
      statements: [
        {
          sql: `SELECT ${qualified(namesOf(plan.of).rebuild)}() AS rows`,
          transactional: true,
          lock: 'ROW EXCLUSIVE',
          on: plan.of,
        },
      ],
      // Taking back a recount of changed figures leaves the table to the definition before, which counts it again.
      back: [
        `DELETE FROM ${qualified(plan.of)}`,
        `DELETE FROM ${state} WHERE rollup = ${literal(plan.of.name)}`,
      ],
    },
  ];
}
