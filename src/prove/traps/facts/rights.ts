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
}

const ROLES_SQL = `
  SELECT r.rolname AS name, r.rolsuper AS super, r.rolbypassrls AS bypass, r.rolcanlogin AS login,
         ARRAY(WITH RECURSIVE up(oid) AS (
                 SELECT r.oid
                 UNION SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN up ON m.member = up.oid)
               SELECT pg_catalog.pg_get_userbyid(up.oid)::pg_catalog.text FROM up) AS reaches
  FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_'`;

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
