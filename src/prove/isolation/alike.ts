// Roles that no attempt can tell apart: one of them stands for all.
import type { CatalogueQuery } from '../../define/trait.ts';
import { NOT_SYSTEM } from '../boundary/catalogue.ts';
import { loginsBehind } from '../boundary/index.ts';

/** A role that is attacked, and those that it stands for. */
export interface Stand {
  readonly role: string;
  readonly others: readonly string[];
}

// Text of the database that asks who the session is: then a name makes a difference.
const ASKS_WHO = String.raw`\m(current_user|session_user|current_role|user|pg_has_role|row_security_active)\M|\mhas_\w+_privilege\M|\mpg_(roles|user|group|authid|auth_members|stat_activity)\M|\m(enabled|applicable)_roles\M|'(role|session_authorization|is_superuser)'`;

const ASKS_SQL = `
  SELECT EXISTS (
    SELECT FROM pg_catalog.pg_policy p
    WHERE pg_catalog.concat_ws(' ', pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)) ~* $1
    UNION ALL SELECT FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
    WHERE ${NOT_SYSTEM} AND coalesce(pg_catalog.pg_get_function_sqlbody(f.oid), f.prosrc) ~* $1
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                        AND x.objid = f.oid AND x.deptype = 'e')
    UNION ALL SELECT FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_class c ON c.oid = w.ev_class
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE ${NOT_SYSTEM} AND pg_catalog.pg_get_ruledef(w.oid) ~* $1
    UNION ALL SELECT FROM pg_catalog.pg_attrdef d WHERE pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~* $1
    UNION ALL SELECT FROM pg_catalog.pg_constraint k WHERE k.contype = 'c' AND pg_catalog.pg_get_constraintdef(k.oid) ~* $1
    UNION ALL SELECT FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal AND pg_catalog.pg_get_triggerdef(t.oid) ~* $1
  ) AS asks`;

// Everything that PostgreSQL decides by: attributes, groups and how they are held, grants, policies, what is owned, settings,
// a schema of the role's own name, which an unset search_path begins with.
const STANDING_SQL = `
  WITH rights AS (
    SELECT e.grantee, pg_catalog.format('class %s %s %s', c.oid, e.privilege_type, e.is_grantable) AS what
    FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) e
    UNION ALL SELECT e.grantee, pg_catalog.format('column %s.%s %s %s', a.attrelid, a.attnum, e.privilege_type, e.is_grantable)
    FROM pg_catalog.pg_attribute a CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) e WHERE a.attacl IS NOT NULL
    UNION ALL SELECT e.grantee, pg_catalog.format('function %s %s', f.oid, e.is_grantable)
    FROM pg_catalog.pg_proc f CROSS JOIN LATERAL pg_catalog.aclexplode(f.proacl) e
    UNION ALL SELECT e.grantee, pg_catalog.format('schema %s %s %s', n.oid, e.privilege_type, e.is_grantable)
    FROM pg_catalog.pg_namespace n CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) e
    UNION ALL SELECT e.grantee, pg_catalog.format('database %s %s', e.privilege_type, e.is_grantable)
    FROM pg_catalog.pg_database d CROSS JOIN LATERAL pg_catalog.aclexplode(d.datacl) e
    WHERE d.datname = pg_catalog.current_database()
    UNION ALL SELECT e.grantee, pg_catalog.format('next %s %s %s %s', d.defaclrole, d.defaclnamespace, d.defaclobjtype, e.privilege_type)
    FROM pg_catalog.pg_default_acl d CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) e
    UNION ALL SELECT e.grantee, pg_catalog.format('type %s', t.oid)
    FROM pg_catalog.pg_type t CROSS JOIN LATERAL pg_catalog.aclexplode(t.typacl) e
    UNION ALL SELECT e.grantee, pg_catalog.format('language %s', l.oid)
    FROM pg_catalog.pg_language l CROSS JOIN LATERAL pg_catalog.aclexplode(l.lanacl) e
    UNION ALL SELECT e.grantee, pg_catalog.format('server %s', s.oid)
    FROM pg_catalog.pg_foreign_server s CROSS JOIN LATERAL pg_catalog.aclexplode(s.srvacl) e
    UNION ALL SELECT e.grantee, pg_catalog.format('large object %s %s', o.oid, e.privilege_type)
    FROM pg_catalog.pg_largeobject_metadata o CROSS JOIN LATERAL pg_catalog.aclexplode(o.lomacl) e
    UNION ALL SELECT e.grantee, pg_catalog.format('parameter %s %s', p.parname, e.privilege_type)
    FROM pg_catalog.pg_parameter_acl p CROSS JOIN LATERAL pg_catalog.aclexplode(p.paracl) e
    UNION ALL SELECT u, pg_catalog.format('policy %s', p.oid) FROM pg_catalog.pg_policy p CROSS JOIN LATERAL pg_catalog.unnest(p.polroles) u
    UNION ALL SELECT x.refobjid, pg_catalog.format('owns %s %s', x.classid, x.objid) FROM pg_catalog.pg_shdepend x
    WHERE x.deptype = 'o' AND x.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
      AND x.dbid IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))
    UNION ALL SELECT n.oid, 'first in its path' FROM pg_catalog.pg_roles n JOIN pg_catalog.pg_namespace s ON s.nspname = n.rolname
    UNION ALL SELECT m.umuser, pg_catalog.format('maps %s', m.umserver) FROM pg_catalog.pg_user_mapping m
    UNION ALL SELECT m.member, pg_catalog.format('member %s %s', m.roleid,
        (pg_catalog.to_jsonb(m) - 'oid' - 'member' - 'grantor')::pg_catalog.text) FROM pg_catalog.pg_auth_members m
    UNION ALL SELECT s.setrole, pg_catalog.format('setting %s %s', s.setdatabase, s.setconfig) FROM pg_catalog.pg_db_role_setting s
    WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())))
  SELECT r.rolname::pg_catalog.text AS role,
    pg_catalog.md5(pg_catalog.format('%s %s %s %s %s %s %s', r.rolsuper, r.rolbypassrls, r.rolinherit, r.rolcreaterole, r.rolcreatedb,
      r.rolreplication, r.rolcanlogin) || coalesce((SELECT pg_catalog.string_agg(w.what, ';' ORDER BY w.what)
        FROM (SELECT DISTINCT what FROM rights WHERE grantee = r.oid) w), '')) AS standing
  FROM pg_catalog.pg_roles r WHERE r.rolname = ANY ($1)`;

/**
 * Puts roles together that hold the same: attributes, memberships, rights, policies, settings, and the same login behind
 * them. Where code of the database asks who the session is, each role stands for itself. Reads only.
 * @param roles in order; the first of those alike stands for the others
 * @see https://www.postgresql.org/docs/current/ddl-priv.html
 */
export async function standingAlike(
  query: CatalogueQuery,
  roles: readonly string[],
): Promise<readonly Stand[]> {
  const alone = roles.map((role): Stand => ({ role, others: [] }));
  if (roles.length < 2) return alone;
  const [row] = await query<{ asks: boolean }>(ASKS_SQL, [ASKS_WHO]);
  if (row?.asks !== false) return alone;
  const behind = await loginsBehind(query);
  const rows = await query<{ role: string; standing: string }>(STANDING_SQL, [roles]);
  const standings = new Map(
    rows.map(({ role, standing }) => [role, `${standing} ${behind.get(role) ?? ''}`]),
  );
  const groups = new Map<string, string[]>();
  for (const role of roles) {
    const standing = standings.get(role) ?? role;
    groups.set(standing, [...(groups.get(standing) ?? []), role]);
  }
  return [...groups.values()].flatMap(([role, ...others]) => (role === undefined ? [] : [{ role, others }]));
}
