// The first fill of a materialised view: until then every reader of it fails, and a concurrent refresh is refused.
import { label, type RelationName } from '../../define/model.ts';
import type { SettleContext, Settlement } from '../../define/trait.ts';
import { literal, qualified } from '../../sql.ts';
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
