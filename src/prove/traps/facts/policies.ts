// Row security policies with the relations and functions their expressions read: one question.
import type { Fact } from '../check.ts';
import { grouped } from './grouped.ts';

export interface Policy {
  readonly name: string;
  readonly relation: number;
  /** `*`: ALL. */
  readonly command: 'r' | 'a' | 'w' | 'd' | '*';
  readonly permissive: boolean;
  /** Role names; `public` for everybody. */
  readonly roles: readonly string[];
  /** Text as PostgreSQL writes it with `search_path = pg_catalog`: other schemas are spelled out. */
  readonly using: string | null;
  readonly check: string | null;
  /** Relations its sub-selects read, the table of the policy itself only where a sub-select names it. */
  readonly reads: readonly number[];
  /** Columns its sub-selects read, as `relation.number`; its own table's among them. */
  readonly columns: readonly string[];
  /** Functions it calls that are not built in. */
  readonly calls: readonly number[];
}

// A policy always depends on its own table (deptype a); a sub-select on it is told by the text of the tree instead.
const POLICIES_SQL = `
  SELECT p.polname AS name, p.polrelid AS relation, p.polcmd AS command, p.polpermissive AS permissive,
         ARRAY(SELECT CASE r.role WHEN 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(r.role)::pg_catalog.text END
               FROM pg_catalog.unnest(p.polroles) r(role)) AS roles,
         pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS using,
         pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) AS check,
         ARRAY(SELECT DISTINCT d.refobjid FROM pg_catalog.pg_depend d
               WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objid = p.oid
                 AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                 AND (d.refobjid <> p.polrelid
                      OR coalesce(p.polqual::pg_catalog.text, '') ~ (':relid ' || p.polrelid || ' ')
                      OR coalesce(p.polwithcheck::pg_catalog.text, '') ~ (':relid ' || p.polrelid || ' ')))
           AS reads,
         ARRAY(SELECT DISTINCT d.refobjid || '.' || d.refobjsubid FROM pg_catalog.pg_depend d
               WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objid = p.oid
                 AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0) AS columns,
         ARRAY(SELECT DISTINCT d.refobjid FROM pg_catalog.pg_depend d
               WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objid = p.oid
                 AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass) AS calls
  FROM pg_catalog.pg_policy p
  ORDER BY p.polrelid, p.polname`;

/** Every policy, and those of one table. */
export interface Policies {
  readonly all: readonly Policy[];
  readonly of: (relation: number) => readonly Policy[];
}

export const policies: Fact<Policies> = {
  name: 'policies',
  read: async ({ query }) => {
    const all = await query<Policy>(POLICIES_SQL);
    const byRelation = grouped(all, (policy) => policy.relation);
    return { all, of: (relation) => byRelation.get(relation) ?? [] };
  },
};
