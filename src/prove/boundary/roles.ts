// Which roles an application works as, from a catalogue alone.
import type { CatalogueQuery } from '../../define/trait.ts';
import { NOT_SYSTEM } from './catalogue.ts';

/** A role that an application works as, and why it is taken for one. */
export interface ApplicationRole {
  readonly name: string;
  readonly login: boolean;
  readonly super: boolean;
  readonly bypassesRowSecurity: boolean;
  /** The login that becomes it by SET ROLE, without having its rights before; absent: it logs in, or nobody does yet. */
  readonly through?: string;
  readonly why: string;
}

interface RoleRow {
  readonly oid: number;
  readonly name: string;
  readonly login: boolean;
  readonly super: boolean;
  readonly bypass: boolean;
  /** Relations it was granted something on that it does not own. */
  readonly granted: number;
  readonly policies: number;
  readonly owned: number;
  /** A member of pg_read_all_data or pg_write_all_data. */
  readonly reads: boolean;
  readonly groups: readonly Membership[];
}

interface Membership {
  readonly oid: number;
  /** The group's rights are the member's without SET ROLE. */
  readonly inherits: boolean;
  /** The member may SET ROLE to the group. */
  readonly sets: boolean;
}

const ROLES_SQL = `
  WITH relations AS (
    SELECT c.oid, c.relowner, c.relacl FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ${NOT_SYSTEM}
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                        AND x.objid = c.oid AND x.deptype = 'e')),
  granted AS (
    SELECT e.grantee, r.oid FROM relations r CROSS JOIN LATERAL pg_catalog.aclexplode(r.relacl) e WHERE e.grantee <> r.relowner
    UNION SELECT e.grantee, r.oid FROM relations r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attacl IS NOT NULL
          CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) e WHERE e.grantee <> r.relowner
    UNION SELECT e.grantee, f.oid FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
          CROSS JOIN LATERAL pg_catalog.aclexplode(f.proacl) e
          WHERE ${NOT_SYSTEM} AND e.grantee NOT IN (0, f.proowner))
  SELECT r.oid::pg_catalog.int8::pg_catalog.float8 AS oid, r.rolname::pg_catalog.text AS name, r.rolcanlogin AS login,
         r.rolsuper AS super, r.rolbypassrls AS bypass,
         (SELECT count(*)::pg_catalog.int4 FROM granted g WHERE g.grantee = r.oid) AS granted,
         (SELECT count(*)::pg_catalog.int4 FROM pg_catalog.pg_policy p WHERE r.oid = ANY (p.polroles)) AS policies,
         (SELECT count(*)::pg_catalog.int4 FROM relations o WHERE o.relowner = r.oid) AS owned,
         pg_catalog.pg_has_role(r.oid, 'pg_read_all_data', 'MEMBER') OR pg_catalog.pg_has_role(r.oid, 'pg_write_all_data', 'MEMBER') AS reads,
         coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object('oid', m.roleid::pg_catalog.int8::pg_catalog.float8,
             'inherits', coalesce((pg_catalog.to_jsonb(m) ->> 'inherit_option')::pg_catalog.bool, r.rolinherit),
             'sets', coalesce((pg_catalog.to_jsonb(m) ->> 'set_option')::pg_catalog.bool, true)))
           FROM pg_catalog.pg_auth_members m WHERE m.member = r.oid), '[]') AS groups
  FROM pg_catalog.pg_roles r WHERE r.rolname NOT LIKE 'pg\\_%' ORDER BY r.rolname`;

const PUBLIC_SQL = `
  SELECT count(*)::pg_catalog.int4 AS granted FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) e
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND e.grantee = 0 AND ${NOT_SYSTEM}
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND x.objid = c.oid AND x.deptype = 'e')`;

const OPERATIONS =
  /(^|_)(admin|adm|dba|backup|dump|restore|migrat\w*|system|maint\w*|repl\w*|monitor\w*|exporter|postgres|root|ops|operator|owner|service_role)(_|$|\d)/i;
const MOST_BY_PUBLIC = 3;

/**
 * The roles an application works as: those that policies name or that hold rights on tables they do not own, the login
 * roles that are their members, and groups that a login becomes by SET ROLE. Left out: superusers and roles past row security that no login reaches or whose name says
 * operations (`_admin`, `_backup`, `migrator`), owners unless nobody else logs in, roles that PostgreSQL made. Reads only.
 * @see https://www.postgresql.org/docs/current/catalog-pg-authid.html
 */
export async function applicationRoles(query: CatalogueQuery): Promise<readonly ApplicationRole[]> {
  const all = await query<RoleRow>(ROLES_SQL);
  const byOid = new Map(all.map((role) => [role.oid, role]));
  const found = new Map<string, ApplicationRole>();
  const take = (role: RoleRow, why: string, through?: string): void => {
    if (found.has(role.name) || operates(role)) return;
    found.set(role.name, {
      ...(through === undefined ? {} : { through }),
      name: role.name,
      login: role.login,
      super: role.super,
      bypassesRowSecurity: role.super || role.bypass,
      why,
    });
  };
  for (const role of all) {
    const own = reason(role);
    if (own !== undefined && role.login) take(role, own);
    const group = groupsOf(role, byOid).find((one) => reason(one) !== undefined && !past(one));
    if (own === undefined && group !== undefined && role.login && role.owned === 0) {
      take(role, `it logs in and is a member of ${group.name}, to which ${reason(group) ?? ''}`);
    }
  }
  const logins = found.size;
  const through = behind(all);
  for (const role of all.filter((one) => one.owned === 0 && !past(one))) {
    const own = reason(role);
    const login = through.get(role.name);
    if (own !== undefined && login !== undefined)
      take(role, `${own}; ${login} logs in and becomes it by SET ROLE`, login);
  }
  for (const role of all) {
    const own = reason(role);
    const member = all.some((one) => found.has(one.name) && groupsOf(one, byOid).includes(role));
    if (role.policies === 0 && logins > 0) continue;
    if (own !== undefined && !role.login && !past(role) && !member && role.owned === 0)
      take(role, `${own}; nobody logs in as it yet`);
  }
  if ([...found.values()].every((role) => !role.login && role.through === undefined))
    await takeOthers(query, { all, found: [...found.keys()], take });
  return [...found.values()].sort((left, right) => left.name.localeCompare(right.name));
}

/**
 * The logins that become a role without login by SET ROLE and do not have its rights before, as PostgREST's authenticator
 * does: by the role's name, the first login by name. Reads only.
 * @see https://www.postgresql.org/docs/current/role-membership.html
 */
export async function loginsBehind(query: CatalogueQuery): Promise<ReadonlyMap<string, string>> {
  return behind(await query<RoleRow>(ROLES_SQL));
}

/** Rows are in the order of the roles' names. */
function behind(all: readonly RoleRow[]): ReadonlyMap<string, string> {
  const byOid = new Map(all.map((role) => [role.oid, role]));
  const found = new Map<string, string>();
  for (const login of all.filter((role) => role.login && !past(role) && role.owned === 0)) {
    const inherited = groupsOf(login, byOid, ({ inherits }) => inherits);
    for (const group of groupsOf(login, byOid, ({ sets }) => sets)) {
      if (!group.login && !inherited.includes(group) && !found.has(group.name))
        found.set(group.name, login.name);
    }
  }
  return found;
}

/** Where no login role was found: owners that log in, and those whom a grant to PUBLIC lets in. */
async function takeOthers(
  query: CatalogueQuery,
  {
    all,
    found,
    take,
  }: { all: readonly RoleRow[]; found: readonly string[]; take: (role: RoleRow, why: string) => void },
): Promise<void> {
  for (const role of all.filter((one) => one.login && !one.super && one.owned > 0)) {
    take(role, `it owns ${role.owned} relations, it logs in, and no other role does`);
  }
  const byOid = new Map(all.map((role) => [role.oid, role]));
  for (const role of all.filter((one) => one.login && !past(one) && !OPERATIONS.test(one.name))) {
    const owner = groupsOf(role, byOid).find((group) => group.owned > 0 && !group.super);
    if (owner !== undefined)
      take(role, `it logs in and is a member of ${owner.name}, which owns ${owner.owned} relations`);
    else if (role.reads) take(role, 'it logs in and is a member of pg_read_all_data');
  }
  const [row] = await query<{ granted: number }>(PUBLIC_SQL);
  if ((row?.granted ?? 0) === 0 || found.length > 0) return;
  const others = all.filter((one) => one.login && !past(one) && one.owned === 0).slice(0, MOST_BY_PUBLIC);
  for (const role of others)
    take(role, `${row?.granted ?? 0} relations are granted to PUBLIC, and it logs in`);
}

function reason(role: RoleRow): string | undefined {
  if (role.policies > 0)
    return `${role.policies} ${role.policies === 1 ? 'policy names' : 'policies name'} it`;
  return role.granted > 0 ? `rights on ${role.granted} objects are granted` : undefined;
}

function past(role: RoleRow): boolean {
  return role.super || role.bypass;
}

/** Past row security by its attributes, and named as one that operates the database. */
function operates(role: RoleRow): boolean {
  return past(role) && (OPERATIONS.test(role.name) || !role.login);
}

/** Groups that a role is in, directly or not, by memberships that are `meant`. */
function groupsOf(
  role: RoleRow,
  byOid: ReadonlyMap<number, RoleRow>,
  meant: (membership: Membership) => boolean = () => true,
): readonly RoleRow[] {
  const found = new Set<RoleRow>();
  const visit = (one: RoleRow): void => {
    for (const { oid } of one.groups.filter(meant)) {
      const group = byOid.get(oid);
      if (group === undefined || found.has(group)) continue;
      found.add(group);
      visit(group);
    }
  };
  visit(role);
  return [...found];
}
