// Who may do what: roles with what they reach, and the rights of the application's roles on relations.
import type { Fact, TrapContext } from '../check.ts';
import { inScope, notOfExtension } from './naming.ts';

export interface Role {
  readonly name: string;
  readonly super: boolean;
  readonly bypass: boolean;
  readonly login: boolean;
  /** Roles it has the rights of or may become with SET ROLE, itself among them. */
  readonly reaches: readonly string[];
  /** Roles it may become with SET ROLE, itself among them. */
  readonly becomes: readonly string[];
}

// From PostgreSQL 16 on a grant says whether it inherits and whether SET ROLE may use it; before, it does both.
const ROLES_SQL = `
  WITH RECURSIVE grants AS (
    SELECT m.member, m.roleid, coalesce((pg_catalog.to_jsonb(m) ->> 'set_option')::pg_catalog.bool, true) AS sets,
           coalesce((pg_catalog.to_jsonb(m) ->> 'inherit_option')::pg_catalog.bool, true) AS inherits
    FROM pg_catalog.pg_auth_members m),
  reached(member, oid) AS (
    SELECT r.oid, r.oid FROM pg_catalog.pg_roles r
    UNION SELECT u.member, g.roleid FROM reached u JOIN grants g ON g.member = u.oid AND (g.sets OR g.inherits)),
  become(member, oid) AS (
    SELECT r.oid, r.oid FROM pg_catalog.pg_roles r
    UNION SELECT u.member, g.roleid FROM become u JOIN grants g ON g.member = u.oid AND g.sets)
  SELECT r.rolname AS name, r.rolsuper AS super, r.rolbypassrls AS bypass, r.rolcanlogin AS login,
         u.names AS reaches, b.names AS becomes
  FROM pg_catalog.pg_roles r
  JOIN (SELECT member, pg_catalog.array_agg(pg_catalog.pg_get_userbyid(oid)::pg_catalog.text) AS names
        FROM reached GROUP BY member) u ON u.member = r.oid
  JOIN (SELECT member, pg_catalog.array_agg(pg_catalog.pg_get_userbyid(oid)::pg_catalog.text) AS names
        FROM become GROUP BY member) b ON b.member = r.oid
  WHERE r.rolname !~ '^pg_'`;

/** Every role of the server that PostgreSQL did not bring along, by name. */
export const roles: Fact<ReadonlyMap<string, Role>> = {
  name: 'roles',
  read: async ({ query }) => new Map((await query<Role>(ROLES_SQL)).map((role) => [role.name, role])),
};

/** A right on a relation, as GRANT calls it in small letters. */
export type Right = 'select' | 'insert' | 'update' | 'delete' | 'truncate' | 'references' | 'trigger';

const RIGHTS_SQL = `
  SELECT c.oid AS relation, r.name AS role,
         ARRAY(SELECT p.name FROM pg_catalog.unnest('{select,insert,update,delete,truncate,references,trigger}'::pg_catalog.text[]) p(name)
               WHERE pg_catalog.has_table_privilege(r.name, c.oid, p.name)
                  OR (p.name IN ('select', 'insert', 'update') AND pg_catalog.has_any_column_privilege(r.name, c.oid, p.name)))
           AS rights
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN pg_catalog.unnest($1::pg_catalog.text[]) r(name)
  WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND ${inScope('n')} AND ${notOfExtension('pg_class', 'c.oid')}
    AND pg_catalog.has_schema_privilege(r.name, n.oid, 'USAGE')`;

/** What the application's roles may do. */
export interface Rights {
  /** The application's roles that hold any of the rights on a relation whose schema they may use. */
  readonly holders: (relation: number, ...rights: readonly Right[]) => readonly string[];
}

/** Rights of the application's roles that are there: superusers hold all of them and are told by a check of their own. */
export const rights: Fact<Rights> = {
  name: 'rights',
  read: async (context) => {
    const names = await bound(context);
    const rows = await context.query<{ relation: number; role: string; rights: readonly string[] }>(
      RIGHTS_SQL,
      [names],
    );
    const held = new Map<number, Map<string, ReadonlySet<string>>>();
    for (const row of rows) {
      const of = held.get(row.relation) ?? new Map<string, ReadonlySet<string>>();
      held.set(row.relation, of.set(row.role, new Set(row.rights)));
    }
    return {
      holders: (relation, ...wanted) =>
        [...(held.get(relation) ?? [])]
          .filter(([, rights]) => wanted.some((right) => rights.has(right)))
          .map(([role]) => role),
    };
  },
};

async function bound(context: TrapContext): Promise<readonly string[]> {
  const known = await context.facts(roles);
  return context.roles.filter((name) => known.get(name)?.super === false);
}
