// The function that refreshes one materialised view: beside its readers, with a floor under its rows.
import { label, type RelationName } from '../../define/model.ts';
import { ident, literal, qualified } from '../../sql.ts';
import { objectName } from '../name.ts';
import { columnOf } from '../reference.ts';
import { type Routine, RAISED } from './function.ts';
import type { RollupsOptions } from './index.ts';
import { stateOf } from './state.ts';

/** The function's name, in the view's schema. */
export function refreshName(of: RelationName): RelationName {
  return { schema: of.schema, name: objectName(`${of.name}_refresh`) };
}

/**
 * `view_refresh(at)`: the plain refresh that fills, else the concurrent one that readers do not notice. It counts before
 * and after in the transaction of the refresh, so that a view that suddenly shrank keeps what it had; one that only grows
 * towards its floor is let be. REFRESH computes
 * with the rights of the view's owner, so it first makes sure that row security does not filter that role.
 * @see https://www.postgresql.org/docs/current/sql-refreshmaterializedview.html
 */
export function refreshFunction(of: RelationName, options: RollupsOptions): Routine {
  const view = qualified(of);
  const nulls = options.key.map((column) => `${ident(columnOf(column))} IS NULL`).join(' OR ');
  const { least, ratio } = floorOf(options);
  const named = literal(label(of)).trim();
  const body = `#variable_conflict use_column
DECLARE
  filled boolean;
  unfiltered boolean;
  had bigint := 0;
  needs bigint := ${least};
BEGIN
  SELECT c.relispopulated, r.rolbypassrls OR r.rolsuper INTO filled, unfiltered
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
  WHERE n.nspname = ${literal(of.schema)} AND c.relname = ${literal(of.name)} AND c.relkind = 'm';
  IF unfiltered IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = '${RAISED.owner}',
      MESSAGE = 'materialised view ' || ${named} || ' belongs to a role that row security filters; it was not refreshed',
      HINT = ${literal(`Give it back to ${options.refreshedBy}: run holdfast apply.`)};
  END IF;
  IF filled THEN
    SELECT count(*) INTO had FROM ${view};
    REFRESH MATERIALIZED VIEW CONCURRENTLY ${view};
  ELSE
    REFRESH MATERIALIZED VIEW ${view};
  END IF;
  SELECT count(*), count(*) FILTER (WHERE ${nulls}) INTO held, without_key FROM ${view};
  needs := greatest(needs, ceil(had * ${ratio}::numeric)::bigint);
  IF held < had AND held < needs THEN
    RAISE EXCEPTION USING ERRCODE = '${RAISED.floor}',
      MESSAGE = format('refreshing materialised view %s would leave %s rows where it has %s and needs %s; it keeps what it had', ${named}, held, had, needs),
      HINT = 'Find out where the rows went. If that is right, refresh it once by hand: the next refresh compares with that.';
  END IF;
  INSERT INTO ${qualified(stateOf(of))} AS state (rollup, refreshed_at, rows)
  VALUES (${literal(of.name)}, at, held)
  ON CONFLICT (rollup) DO UPDATE SET refreshed_at = excluded.refreshed_at, rows = excluded.rows;
END`;
  return {
    of: refreshName(of),
    takes: 'timestamptz',
    head: '(at timestamptz DEFAULT clock_timestamp(), OUT held bigint, OUT without_key bigint)',
    body,
    owner: options.refreshedBy,
  };
}

/** What a refresh must leave: so many rows, and that share of those there were. From some to none is always too few. */
function floorOf(options: RollupsOptions): { readonly least: number; readonly ratio: string } {
  if (options.floor === false) return { least: 0, ratio: '0' };
  const { rows = 0, ratio = SOME } = options.floor ?? {};
  return { least: rows, ratio: ratio === 0 ? '0' : Math.max(ratio, SOME).toFixed(DIGITS) };
}

/** A share so small that it only tells some rows from none. */
const SOME = 1e-12;
const DIGITS = 12;
