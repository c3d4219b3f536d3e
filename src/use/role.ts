// The role an application logs in as decides whether row security holds at all; it is looked at before the first session.
import type pg from 'pg';
import { HoldfastError } from '../error.ts';
import type { RelationName } from '../define/model.ts';

// MEMBER and not USAGE: a role that may SET ROLE to a powerful one is one statement away from it.
const ROLE_SQL = `
SELECT CURRENT_USER AS role,
       (SELECT pg_catalog.min(r.rolname) FROM pg_catalog.pg_roles r
         WHERE r.rolsuper AND pg_catalog.pg_has_role(r.oid, 'MEMBER')) AS superuser,
       (SELECT pg_catalog.min(r.rolname) FROM pg_catalog.pg_roles r
         WHERE r.rolbypassrls AND pg_catalog.pg_has_role(r.oid, 'MEMBER')) AS bypass,
       (SELECT pg_catalog.min(n.nspname || '.' || c.relname)
          FROM pg_catalog.pg_class c
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          JOIN ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))
               AS wanted (schema_name, table_name)
            ON n.nspname = wanted.schema_name AND c.relname = wanted.table_name
         WHERE pg_catalog.pg_has_role(c.relowner, 'MEMBER')) AS owned`;

interface RoleRow {
  readonly role: string;
  readonly superuser: string | null;
  readonly bypass: string | null;
  readonly owned: string | null;
}

/**
 * Looks whether the connected role is subject to row security.
 * @param tables those that isolate tenants
 * @returns an error with code HF_UNSAFE_ROLE when it is, or may become, a superuser, a role with BYPASSRLS or the owner
 *   of one of the tables (an owner can switch row security off); undefined when it is safe
 * @see https://www.postgresql.org/docs/current/ddl-rowsecurity.html
 */
export async function unsafeRole(
  client: pg.ClientBase,
  tables: readonly RelationName[],
): Promise<HoldfastError | undefined> {
  const names = [tables.map((table) => table.schema), tables.map((table) => table.name)];
  const { rows } = await client.query<RoleRow>(ROLE_SQL, names);
  const [row] = rows;
  const why = row && reason(row);
  if (row === undefined || why === undefined) return undefined;
  return new HoldfastError({
    code: 'HF_UNSAFE_ROLE',
    subject: `role ${row.role}`,
    what: `${why}, so row security does not hold it to one tenant.`,
    fix:
      `Connect as a role with neither SUPERUSER nor BYPASSRLS that owns none of the tables and is in no such role, ` +
      `or say unsafeRole: 'allow' where that is meant.`,
  });
}

function reason(row: RoleRow): string | undefined {
  if (row.superuser !== null) return holds(row.role, row.superuser, 'a superuser');
  if (row.bypass !== null) return holds(row.role, row.bypass, 'a role with BYPASSRLS');
  return row.owned === null ? undefined : `it owns table ${row.owned}, or is a member of its owner`;
}

function holds(role: string, found: string, what: string): string {
  return role === found ? `it is ${what}` : `it may become ${found}, ${what}`;
}
