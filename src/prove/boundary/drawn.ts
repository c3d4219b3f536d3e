// Whether the database itself keeps owners apart at all, and by what: a proof of a line that nobody drew says nothing.
import type { CatalogueQuery } from '../../define/trait.ts';
import { readCatalogue } from './catalogue.ts';
import { comparisons, reached } from './comparisons.ts';

/** `setting`: by a setting of the session; `login`: by the role that logs in; `nothing`: by each statement's WHERE alone. */
export type Drawn = 'setting' | 'login' | 'nothing';

const ROW_SECURITY_SQL = `
  SELECT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relrowsecurity AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND x.objid = c.oid AND x.deptype = 'e')) AS "on"`;

const LOGIN = /\b(?:current_user|session_user|current_role)\b/i;

/** Reads policies, views and the functions they call; a setting wins over the login where both are read. */
export async function drawnBy(query: CatalogueQuery): Promise<Drawn> {
  const catalogue = await readCatalogue(query);
  if (comparisons(catalogue).length > 0) return 'setting';
  const [security] = await query<{ on: boolean }>(ROW_SECURITY_SQL);
  if (security?.on !== true) return 'nothing';
  const policies = reached(catalogue.texts.filter(({ kind }) => kind !== 'view'));
  const read = policies.some(({ sql }) => /current_setting\s*\(/i.test(sql));
  return !read && policies.some(({ sql }) => LOGIN.test(sql)) ? 'login' : 'setting';
}
