// Roles belong to the cluster, not to a database: a rehearsal on the target's server needs the definition's roles to
// exist for a moment. Missing ones are made without login, marked by a comment, and dropped when nobody needs them.
import type { Client, Pool } from 'pg';
import type { Role } from '../define/model.ts';
import { HoldfastError } from '../error.ts';
import { SQLSTATE, isSqlstate } from '../server/index.ts';
import { ident, literal } from '../sql.ts';

/** The comment that marks a role made for a rehearsal. A plan reads such a role as missing. */
export const REHEARSAL_MARK = 'Made by holdfast to rehearse a plan; dropped when the plan ends.';

/** Another plan may drop a role between our look and our pin; each round starts from what is there. */
const ROUNDS = 20;

/**
 * Makes roles exist and keeps them there: each is pinned by a grant on the scratch database, which no other plan's
 * clean-up can get past and which goes with that database.
 * @param client a session on the scratch server
 * @param names roles needed, without duplicates
 * @param pin name of a scratch database of this run
 * @throws HoldfastError HF_NO_ROLE_RIGHT when one is missing and may not be created
 */
export async function ensureRehearsalRoles(
  client: Client,
  names: readonly string[],
  pin: string,
): Promise<void> {
  for (const name of new Set(names)) {
    for (let round = 1; !(await ensured(client, name, pin)); round += 1) {
      if (round === ROUNDS) throw notMade(name, undefined);
    }
  }
}

const MARKED_SQL = `
  SELECT r.rolname AS name FROM pg_catalog.pg_roles r
  WHERE pg_catalog.shobj_description(r.oid, 'pg_authid') = $1`;

/** Drops every rehearsal role that nothing depends on any more; others are left to the plan that still needs them. */
export async function dropRehearsalRoles(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(MARKED_SQL, [REHEARSAL_MARK]);
  for (const { name } of rows)
    await client.query(`DROP ROLE IF EXISTS ${ident(name)}`).catch(() => undefined);
}

/**
 * Gives rehearsal roles what decides over rows: BYPASSRLS and memberships. Never LOGIN: nobody shall come in as one.
 * @returns names of those that the session may not give it to
 */
export async function dressRehearsalRoles(pool: Pool, roles: readonly Role[]): Promise<readonly string[]> {
  const { rows } = await pool.query<{ name: string }>(MARKED_SQL, [REHEARSAL_MARK]);
  const marked = new Set(rows.map(({ name }) => name));
  const undressed: string[] = [];
  for (const role of roles) {
    if (!marked.has(role.name)) continue;
    const name = ident(role.name);
    const statements = [
      ...(role.bypassRls ? [`ALTER ROLE ${name} BYPASSRLS`] : []),
      ...role.memberOf.map((group) => `GRANT ${ident(group)} TO ${name}`),
    ];
    const given = await Promise.allSettled(statements.map((sql) => pool.query(sql)));
    if (given.some(({ status }) => status === 'rejected')) undressed.push(role.name);
  }
  return undressed;
}

const ROLE_SQL = `
  SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1) AS there,
         (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS super`;

async function ensured(client: Client, name: string, pin: string): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean; super: boolean }>(ROLE_SQL, [name]);
  const [session] = rows;
  if (session?.there !== true && !(await create(client, name, session?.super === true))) return false;
  try {
    await client.query(`GRANT CONNECT ON DATABASE ${ident(pin)} TO ${ident(name)}`);
    return true;
  } catch (error) {
    if (isSqlstate(error, SQLSTATE.undefinedObject, SQLSTATE.deadlockDetected)) return false;
    throw error;
  }
}

/** Makes one role; false when another plan made it first. The session can give it objects only as a member of it. */
async function create(client: Client, name: string, superuser: boolean): Promise<boolean> {
  try {
    await client.query('BEGIN');
    await client.query(`CREATE ROLE ${ident(name)} NOLOGIN`);
    await client.query(`COMMENT ON ROLE ${ident(name)} IS ${literal(REHEARSAL_MARK)}`);
    if (!superuser) await client.query(`GRANT ${ident(name)} TO CURRENT_USER`);
    await client.query('COMMIT');
    return true;
  } catch (error) {
    await client.query('ROLLBACK');
    if (isSqlstate(error, SQLSTATE.duplicateObject, SQLSTATE.uniqueViolation, SQLSTATE.deadlockDetected))
      return false;
    throw notMade(name, error);
  }
}

function notMade(name: string, cause: unknown): HoldfastError {
  const reason = cause instanceof Error ? `: ${cause.message}` : '';
  return new HoldfastError({
    code: 'HF_NO_ROLE_RIGHT',
    subject: `role ${name}`,
    what: `it does not exist and could not be made for the rehearsal${reason}.`,
    fix: `Let a superuser create it (CREATE ROLE ${ident(name)} NOLOGIN), or give the planning role CREATEROLE.`,
    cause,
  });
}
