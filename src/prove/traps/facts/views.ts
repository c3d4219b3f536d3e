// What views and materialised views say and read: one question.
import type { Fact } from '../check.ts';
import { inScope, notOfExtension } from './naming.ts';

export interface View {
  readonly oid: number;
  /** The query as PostgreSQL writes it with `search_path = pg_catalog`. */
  readonly definition: string;
  /** Relations it reads, built-in ones among them. */
  readonly reads: readonly number[];
  /** Functions it calls that are not built in. */
  readonly calls: readonly number[];
}

const VIEWS_SQL = `
  SELECT c.oid, pg_catalog.pg_get_viewdef(c.oid) AS definition,
         ARRAY(SELECT DISTINCT d.refobjid FROM pg_catalog.pg_depend d
               WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid
                 AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> c.oid) AS reads,
         ARRAY(SELECT DISTINCT d.refobjid FROM pg_catalog.pg_depend d
               WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid
                 AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass) AS calls
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_rewrite w ON w.ev_class = c.oid AND w.rulename = '_RETURN'
  WHERE c.relkind IN ('v', 'm') AND ${inScope('n')} AND ${notOfExtension('pg_class', 'c.oid')}`;

/** Views and materialised views by oid. */
export const views: Fact<ReadonlyMap<number, View>> = {
  name: 'views',
  read: async ({ query }) => new Map((await query<View>(VIEWS_SQL)).map((view) => [view.oid, view])),
};
