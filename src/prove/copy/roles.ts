// Roles belong to a server, so a copy needs the target's: made anew with their attributes on a server that is the copy's
// own, taken as they are where they exist already.
import type { Client } from 'pg';
import type { CatalogueQuery } from '../../define/trait.ts';
import { majorOf } from '../../server/index.ts';
import { ident, literal } from '../../sql.ts';
import type { Left } from './copy.ts';

/** One role as it is on the target. */
export interface Role {
  readonly name: string;
  readonly super: boolean;
  readonly inherit: boolean;
  readonly createRole: boolean;
  readonly createDatabase: boolean;
  readonly login: boolean;
  readonly replication: boolean;
  readonly bypassesRowSecurity: boolean;
}

/** One membership; `inherit` and `set` are null before PostgreSQL 16, which has them not. */
export interface Membership {
  readonly role: string;
  readonly member: string;
  readonly admin: boolean;
  readonly inherit: boolean | null;
  readonly set: boolean | null;
}

/** The target's roles. */
export interface Roles {
  readonly roles: readonly Role[];
  readonly memberships: readonly Membership[];
}

const ROLES_SQL = `
  SELECT rolname AS name, rolsuper AS super, rolinherit AS inherit, rolcreaterole AS "createRole",
         rolcreatedb AS "createDatabase", rolcanlogin AS login, rolreplication AS replication,
         rolbypassrls AS "bypassesRowSecurity"
  FROM pg_catalog.pg_roles WHERE NOT pg_catalog.starts_with(rolname, 'pg_') ORDER BY oid`;

// What a predefined role is a member of comes with the server.
const MEMBERSHIPS_SQL = `
  SELECT r.rolname AS role, m.rolname AS member, pg_catalog.bool_or(am.admin_option) AS admin,
         pg_catalog.bool_or((pg_catalog.to_jsonb(am) ->> 'inherit_option')::pg_catalog.bool) AS inherit,
         pg_catalog.bool_or((pg_catalog.to_jsonb(am) ->> 'set_option')::pg_catalog.bool) AS set
  FROM pg_catalog.pg_auth_members am JOIN pg_catalog.pg_roles r ON r.oid = am.roleid
  JOIN pg_catalog.pg_roles m ON m.oid = am.member
  WHERE NOT pg_catalog.starts_with(m.rolname, 'pg_') GROUP BY r.rolname, m.rolname
  ORDER BY 1, 2`;

/** Reads the server's roles, predefined ones left out. */
export async function readRoles(query: CatalogueQuery): Promise<Roles> {
  return { roles: await query<Role>(ROLES_SQL), memberships: await query<Membership>(MEMBERSHIPS_SQL) };
}

/**
 * Makes the roles on a server that is the copy's own.
 * @param client a superuser's session there, of a role the target has not
 * @param verifier what each login role's password is checked against
 * @returns what is not as on the target
 */
export async function makeRoles(client: Client, given: Roles, verifier: string): Promise<readonly Left[]> {
  const left: Left[] = [];
  for (const role of given.roles) {
    await client.query(
      `CREATE ROLE ${ident(role.name)} ${attributes(role)}${role.login ? ` PASSWORD ${literal(verifier)}` : ''}`,
    );
  }
  const { rows } = await client.query<{ version: number }>(VERSION_SQL);
  const options = majorOf(rows[0]?.version ?? 0) >= 16;
  for (const membership of given.memberships) {
    const failed = await client.query(grantSql(membership, options)).then(() => undefined, reason);
    if (failed !== undefined)
      left.push({ subject: `${membership.member} in ${membership.role}`, why: failed });
  }
  return left;
}

/**
 * Uses a server that has roles of others: those it lacks are made with the target's attributes, those it has stay as they
 * are.
 * @param ensure makes roles exist while the copy lasts
 * @returns where a role is not as on the target
 */
export async function shareRoles(
  client: Client,
  given: Roles,
  ensure: (names: readonly string[]) => Promise<void>,
): Promise<readonly Left[]> {
  const there = new Set((await rolesThere(client)).keys());
  const missing = given.roles.filter(({ name }) => !there.has(name));
  await ensure(missing.map(({ name }) => name));
  for (const role of missing) await client.query(`ALTER ROLE ${ident(role.name)} ${attributes(role)}`);
  const options = given.memberships.some(({ inherit }) => inherit !== null);
  for (const membership of given.memberships.filter(({ member }) => !there.has(member))) {
    await client.query(grantSql(membership, options)).catch(() => undefined);
  }
  const now = await rolesThere(client);
  return given.roles
    .filter((role) => now.get(role.name) !== attributes(role))
    .map((role) => ({
      subject: `role ${role.name}`,
      why: `it exists on the copy's server as ${now.get(role.name) ?? 'nothing'}; on the target it is ${attributes(role)}`,
    }));
}

async function rolesThere(client: Client): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<Role>(ROLES_SQL);
  return new Map(rows.map((row) => [row.name, attributes(row)]));
}

const VERSION_SQL = `SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS version`;

function attributes(role: Role): string {
  return [
    [role.super, 'SUPERUSER'],
    [role.inherit, 'INHERIT'],
    [role.createRole, 'CREATEROLE'],
    [role.createDatabase, 'CREATEDB'],
    [role.login, 'LOGIN'],
    [role.replication, 'REPLICATION'],
    [role.bypassesRowSecurity, 'BYPASSRLS'],
  ]
    .map(([has, word]) => `${has === true ? '' : 'NO'}${String(word)}`)
    .join(' ');
}

function grantSql(membership: Membership, options: boolean): string {
  const grant = `GRANT ${ident(membership.role)} TO ${ident(membership.member)}`;
  if (!options) return `${grant}${membership.admin ? ' WITH ADMIN OPTION' : ''}`;
  const { admin, inherit, set } = membership;
  return `${grant} WITH ADMIN ${String(admin)}, INHERIT ${String(inherit ?? true)}, SET ${String(set ?? true)}`;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
