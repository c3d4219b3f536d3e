// Roles belong to the cluster and are made before anything that speaks of them. Only roles of the definition are
// looked at, and only what it says of them; every other role and attribute is somebody else's.
import type { Role } from '../define/model.ts';
import type { CatalogueQuery } from '../define/trait.ts';
import { HoldfastError } from '../error.ts';
import { SQLSTATE, isSqlstate } from '../server/index.ts';
import { ident, literal } from '../sql.ts';
import { lockTimeoutMs } from './online/index.ts';
import { REHEARSAL_MARK } from './scratch-roles.ts';
import type { Pool, PoolClient } from 'pg';
import type { StepDraft } from './steps.ts';

/**
 * What makes the definition's roles exist as it says.
 * @param query reads the catalogue of the target's server
 * @param roles the definition's roles
 * @returns steps in order; a role is dropped on the way back only when its step made it
 * @throws HoldfastError HF_ROLE_MISSING when a role the definition calls existing is not there
 */
export async function roleSteps(
  query: CatalogueQuery,
  roles: readonly Role[],
): Promise<readonly StepDraft[]> {
  if (roles.length === 0) return [];
  const names = roles.map((role) => role.name);
  const found = new Map(
    (await query<FoundRole>(ROLES_SQL, [names, REHEARSAL_MARK])).map((role) => [role.name, role]),
  );
  const [session] = await query<{ super: boolean }>(SESSION_SQL);
  for (const role of roles) if (role.existing === true && !found.has(role.name)) throw missing(role);
  const ours = roles.filter((role) => role.existing !== true);
  const make = ours.flatMap((role) => {
    const there = found.get(role.name);
    return there === undefined ? create(role, session?.super === true) : change(role, there);
  });
  return [...make, ...ours.flatMap((role) => more(role, found.get(role.name)))];
}

/**
 * Tries role steps forward and back in a transaction that is rolled back: the only place where a cluster-wide change can
 * be tried without anybody seeing it.
 * @param pool sessions to the target; one is used
 * @throws HoldfastError HF_ROLE_RIGHT when the session may not make what a step makes
 */
export async function rehearseRoles(pool: Pool, steps: readonly StepDraft[]): Promise<void> {
  if (steps.length === 0) return;
  const back = [...steps]
    .reverse()
    .flatMap((one) => (one.back ?? []).map(({ sql }) => ({ sql, subject: one.subject })));
  const client = await pool.connect();
  try {
    for (let tries = 1; ; tries += 1) {
      const met = await tryRoles(client, [...steps, ...back]);
      if (met === undefined) return;
      if (tries === TRIES) throw met;
    }
  } finally {
    client.release();
  }
}

/** Several plans of one server try the same roles and may lock each other out; one of them goes on. */
const TRIES = 10;

async function tryRoles(
  client: PoolClient,
  statements: readonly { readonly sql: string; readonly subject: string }[],
): Promise<unknown> {
  let contested = false;
  try {
    await client.query('BEGIN');
    for (const statement of statements) {
      await client.query('SAVEPOINT statement');
      const cause = await client.query(statement.sql).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (cause === undefined) continue;
      if (isSqlstate(cause, SQLSTATE.deadlockDetected)) return cause;
      // Another plan's rehearsal holds a role of this name for a moment, and may drop it the next.
      contested ||= isSqlstate(cause, ...TAKEN);
      if (!contested || !isSqlstate(cause, ...TAKEN, ...GONE)) throw notAllowed(statement, cause);
      await client.query('ROLLBACK TO SAVEPOINT statement');
    }
    return undefined;
  } finally {
    await client.query('ROLLBACK');
  }
}

const TAKEN = [SQLSTATE.duplicateObject, SQLSTATE.uniqueViolation] as const;
const GONE = [
  SQLSTATE.undefinedObject,
  SQLSTATE.insufficientPrivilege,
  SQLSTATE.dependentObjectsStillExist,
] as const;

function notAllowed(
  statement: { readonly sql: string; readonly subject: string },
  cause: unknown,
): HoldfastError {
  const { message, detail } = cause as { message: string; detail?: string };
  return new HoldfastError({
    code: 'HF_ROLE_RIGHT',
    subject: statement.subject,
    what: `PostgreSQL refuses ${statement.sql}: ${[message, detail].filter(Boolean).join('; ').replace(/\.$/, '')}.`,
    fix: 'Run that statement as a superuser, or give the planning role the right; then plan again.',
    cause,
  });
}

// A role made for somebody's rehearsal is about to go: it counts as missing.
const ROLES_SQL = `
  SELECT r.rolname AS name, r.rolcanlogin AS login, r.rolbypassrls AS "bypassRls", r.rolcreatedb AS "createDb",
         r.rolcreaterole AS "createRole", r.rolinherit AS inherit,
         COALESCE((SELECT pg_catalog.array_agg(s ORDER BY s) FROM pg_catalog.pg_db_role_setting d,
                   pg_catalog.unnest(d.setconfig) s WHERE d.setrole = r.oid AND d.setdatabase = 0), '{}') AS settings,
         COALESCE((SELECT pg_catalog.array_agg(DISTINCT g.rolname::pg_catalog.text) FROM pg_catalog.pg_auth_members m
                   JOIN pg_catalog.pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid), '{}') AS "memberOf"
  FROM pg_catalog.pg_roles r
  WHERE r.rolname = ANY ($1) AND pg_catalog.shobj_description(r.oid, 'pg_authid') IS DISTINCT FROM $2`;

const SESSION_SQL = 'SELECT rolsuper AS super FROM pg_catalog.pg_roles WHERE rolname = current_user';

interface FoundRole {
  readonly name: string;
  readonly login: boolean;
  readonly bypassRls: boolean;
  readonly createDb: boolean;
  readonly createRole: boolean;
  readonly inherit: boolean;
  /** `name=value` */
  readonly settings: readonly string[];
  readonly memberOf: readonly string[];
}

function step(role: string, sql: string, back: readonly string[]): StepDraft {
  return {
    sql,
    subject: `role ${role}`,
    verb: sql.startsWith('CREATE') ? 'create' : 'alter',
    lock: 'NONE',
    locks: [],
    work: 'catalogue',
    transactional: true,
    lockTimeoutMs,
    loses: null,
    back: back.map((statement) => ({ sql: statement, transactional: true })),
  };
}

/** What may be said of a role, as CREATE ROLE spells it. */
const ATTRIBUTES = {
  login: ['LOGIN', 'NOLOGIN'],
  bypassRls: ['BYPASSRLS', 'NOBYPASSRLS'],
  createDb: ['CREATEDB', 'NOCREATEDB'],
  createRole: ['CREATEROLE', 'NOCREATEROLE'],
  inherit: ['INHERIT', 'NOINHERIT'],
} as const;

type Attribute = keyof typeof ATTRIBUTES;

function said(role: Role): [Attribute, boolean][] {
  return (Object.keys(ATTRIBUTES) as Attribute[]).flatMap((attribute): [Attribute, boolean][] => {
    const value = role[attribute];
    return value === undefined ? [] : [[attribute, value]];
  });
}

function spelled(attributes: readonly (readonly [Attribute, boolean])[]): string {
  return attributes.map(([attribute, value]) => ATTRIBUTES[attribute][value ? 0 : 1]).join(' ');
}

/** A session without superuser can give objects to a role only as its member. */
function create(role: Role, superuser: boolean): StepDraft[] {
  const name = ident(role.name);
  // What CREATE ROLE does anyway needs no word, and some words need rights: only a superuser may say NOBYPASSRLS.
  const words = said(role).filter(([attribute, value]) => value !== (attribute === 'inherit'));
  const made = step(role.name, `CREATE ROLE ${name} ${spelled(words)}`.trimEnd(), [`DROP ROLE ${name}`]);
  if (superuser) return [made];
  return [made, step(role.name, `GRANT ${name} TO CURRENT_USER`, [])];
}

function change(role: Role, found: FoundRole): StepDraft[] {
  const differing = said(role).filter(([attribute, value]) => found[attribute] !== value);
  if (differing.length === 0) return [];
  const alter = `ALTER ROLE ${ident(role.name)}`;
  const before = differing.map(([attribute, value]) => [attribute, !value] as const);
  return [step(role.name, `${alter} ${spelled(differing)}`, [`${alter} ${spelled(before)}`])];
}

/** Settings and memberships; after every role is there, because a membership names two of them. */
function more(role: Role, found: FoundRole | undefined): StepDraft[] {
  const name = ident(role.name);
  const had = new Map((found?.settings ?? []).map((entry) => splitSetting(entry)));
  const settings = Object.entries(role.settings).flatMap(([setting, value]) => {
    const before = had.get(setting);
    if (before !== undefined && sameSetting(setting, before, value)) return [];
    const back =
      before === undefined
        ? `RESET ${ident(setting)}`
        : `SET ${ident(setting)} = ${settingValue(setting, before)}`;
    const sql = `ALTER ROLE ${name} SET ${ident(setting)} = ${settingValue(setting, value)}`;
    return [step(role.name, sql, [`ALTER ROLE ${name} ${back}`])];
  });
  const memberships = role.memberOf
    .filter((group) => found?.memberOf.includes(group) !== true)
    .map((group) =>
      step(role.name, `GRANT ${ident(group)} TO ${name}`, [`REVOKE ${ident(group)} FROM ${name}`]),
    );
  return [...settings, ...memberships];
}

function splitSetting(entry: string): [string, string] {
  const at = entry.indexOf('=');
  return [entry.slice(0, at), entry.slice(at + 1)];
}

/** Settings that hold a list of names: each is quoted on its own, or all of them would be read as one name. */
const LISTS = new Set([
  'search_path',
  'session_preload_libraries',
  'local_preload_libraries',
  'temp_tablespaces',
]);

/** The value of a setting as SQL; of one that is a list of names, each name by itself. */
export function settingValue(setting: string, value: string): string {
  return LISTS.has(setting) ? listed(value).map(literal).join(', ') : literal(value);
}

function sameSetting(setting: string, one: string, other: string): boolean {
  return LISTS.has(setting) ? listed(one).join() === listed(other).join() : one === other;
}

function listed(value: string): string[] {
  return value.split(',').map((part) =>
    part
      .trim()
      .replace(/^"(.*)"$/, '$1')
      .replaceAll('""', '"'),
  );
}

function missing(role: Role): HoldfastError {
  return new HoldfastError({
    code: 'HF_ROLE_MISSING',
    subject: `role ${role.name}`,
    what: 'the definition says it exists, and the server has no such role.',
    fix: `Create it (CREATE ROLE ${ident(role.name)}), or leave out .existing() so that Holdfast makes it.`,
  });
}
