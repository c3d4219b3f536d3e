// What a partition must have of its topmost table because PostgreSQL does not give it: row security, policies, TRUNCATE
// triggers, the state of row triggers, and no grant that goes around them. One reading for the plan and for the keeper.
// https://www.postgresql.org/docs/current/ddl-rowsecurity.html
import { ident, qualified } from '../sql.ts';
import type { RelationName } from './model.ts';
import type { CatalogueQuery } from './trait.ts';

/** One statement that makes a partition as its topmost table is. It takes ACCESS EXCLUSIVE on the partition alone. */
export interface Mending {
  readonly on: RelationName;
  /** The topmost table. */
  readonly root: RelationName;
  readonly sql: string;
  /** How to take it back, in order. */
  readonly back: readonly string[];
}

/**
 * What existing partitions lack of their topmost table's protection, in the order to mend it.
 * @param query reads the catalogue of the database
 * @param roles roles whose grants on a partition are taken away: they go through the parent; PUBLIC's always are
 * @param root looks at the partitions of one topmost table; a table that somebody holds ACCESS EXCLUSIVE is waited for
 * @returns none when every partition is as its topmost table
 */
export async function mendings(
  query: CatalogueQuery,
  roles: readonly string[],
  root?: RelationName,
): Promise<readonly Mending[]> {
  const below = belowOf(root);
  const unprotected = await query<FlagRow>(FLAGS_SQL, below);
  const policies = await query<PolicyRow>(POLICIES_SQL, below);
  const triggers = await query<TriggerRow>(TRIGGERS_SQL, below);
  const grants = await query<GrantRow>(GRANTS_SQL, [...below, roles]);
  return [
    ...grants.map(revoke),
    ...policies.map(policy),
    ...unprotected.map(flags),
    ...triggers.map(trigger),
  ];
}

/** Partitions that another role owns than their topmost table: a later change of the table would be refused on them. */
export async function ownerMendings(query: CatalogueQuery, root?: RelationName): Promise<readonly Mending[]> {
  const rows = await query<OwnerRow>(OWNERS_SQL, belowOf(root));
  return rows.map((row) =>
    mending(row, `ALTER TABLE ${qualified(row)} OWNER TO ${ident(row.wanted)}`, [
      `ALTER TABLE ${qualified(row)} OWNER TO ${ident(row.there)}`,
    ]),
  );
}

function belowOf(root: RelationName | undefined): readonly (string | null)[] {
  return root === undefined ? [null, null] : [root.schema, root.name];
}

interface On extends RelationName {
  readonly root: RelationName;
}

function mending(on: On, sql: string, back: readonly string[]): Mending {
  return { on: { schema: on.schema, name: on.name }, root: on.root, sql, back };
}

/** Each partition with its topmost table; the ledger's schema is not looked at. */
const PAIRS = `pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class root ON root.oid = pg_catalog.pg_partition_root(c.oid)
  JOIN pg_catalog.pg_namespace rn ON rn.oid = root.relnamespace`;
const ROOT = `pg_catalog.json_build_object('schema', rn.nspname, 'name', root.relname) AS root`;
const IS_PARTITION = `c.relispartition AND c.relkind IN ('r', 'p') AND n.nspname <> 'holdfast'
    AND ($1::pg_catalog.text IS NULL OR (rn.nspname = $1 AND root.relname = $2::pg_catalog.text))`;

const FLAGS_SQL = `
  SELECT n.nspname AS schema, c.relname AS name, ${ROOT}, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
         root.relrowsecurity AS "wantEnabled", root.relforcerowsecurity AS "wantForced"
  FROM ${PAIRS}
  WHERE ${IS_PARTITION} AND (c.relrowsecurity, c.relforcerowsecurity)
        IS DISTINCT FROM (root.relrowsecurity, root.relforcerowsecurity)
  ORDER BY n.nspname, c.relname`;

interface FlagRow extends On {
  readonly enabled: boolean;
  readonly forced: boolean;
  readonly wantEnabled: boolean;
  readonly wantForced: boolean;
}

function flags(row: FlagRow): Mending {
  return mending(row, flagSql(row, row.wantEnabled, row.wantForced), [flagSql(row, row.enabled, row.forced)]);
}

function flagSql(on: On, enabled: boolean, forced: boolean): string {
  const security = `${enabled ? 'ENABLE' : 'DISABLE'} ROW LEVEL SECURITY, ${forced ? 'FORCE' : 'NO FORCE'} ROW LEVEL SECURITY`;
  return `ALTER TABLE ${qualified(on)} ${security}`;
}

// Policies as statements: the root's that a partition lacks or has otherwise, and those only the partition has.
const POLICY_TEXT = (oid: string): string => `(
  SELECT pg_catalog.concat_ws(' ', CASE WHEN q.polpermissive THEN 'AS PERMISSIVE' ELSE 'AS RESTRICTIVE' END,
    'FOR ' || CASE q.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
    'TO ' || (SELECT pg_catalog.string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r)) END,
              ', ' ORDER BY pg_catalog.pg_get_userbyid(r)) FROM pg_catalog.unnest(q.polroles) r),
    'USING (' || pg_catalog.pg_get_expr(q.polqual, q.polrelid) || ')',
    'WITH CHECK (' || pg_catalog.pg_get_expr(q.polwithcheck, q.polrelid) || ')')
  FROM pg_catalog.pg_policy q WHERE q.oid = ${oid})`;

const POLICIES_SQL = `
  SELECT * FROM (
    SELECT n.nspname AS schema, c.relname AS name, ${ROOT}, pol.name AS policy,
           ${POLICY_TEXT('pol.wanted')} AS wanted, ${POLICY_TEXT('pol.there')} AS there
    FROM ${PAIRS},
    LATERAL (
      SELECT COALESCE(w.polname, h.polname) AS name, w.oid AS wanted, h.oid AS there
      FROM (SELECT * FROM pg_catalog.pg_policy WHERE polrelid = root.oid) w
      FULL JOIN (SELECT * FROM pg_catalog.pg_policy WHERE polrelid = c.oid) h ON h.polname = w.polname) pol
    WHERE ${IS_PARTITION}) found
  WHERE wanted IS DISTINCT FROM there
  ORDER BY schema, name, policy`;

interface PolicyRow extends On {
  readonly policy: string;
  readonly wanted: string | null;
  readonly there: string | null;
}

/** One message of one or two statements: PostgreSQL runs them in one transaction, so there is no moment without. */
function policy(row: PolicyRow): Mending {
  return mending(row, policySql(row, row.there, row.wanted), [policySql(row, row.wanted, row.there)]);
}

function policySql(row: PolicyRow, from: string | null, to: string | null): string {
  const drop = `DROP POLICY ${ident(row.policy)} ON ${qualified(row)}`;
  const create = `CREATE POLICY ${ident(row.policy)} ON ${qualified(row)} ${to ?? ''}`;
  return [...(from === null ? [] : [drop]), ...(to === null ? [] : [create])].join('; ');
}

// tgtype bit 5 is TRUNCATE. A row trigger is cloned by PostgreSQL itself, but being switched to ALWAYS on the parent
// alone does not reach partitions that exist. tgconstraint: constraint triggers are cloned with their constraint.
const TRIGGERS_SQL = `
  SELECT n.nspname AS schema, c.relname AS name, ${ROOT}, t.tgname AS trigger, t.tgenabled AS enabled, h.tgenabled AS "thereEnabled",
         pg_catalog.replace(pg_catalog.pg_get_triggerdef(t.oid),
           pg_catalog.format(' ON %I.%I ', rn.nspname, root.relname),
           pg_catalog.format(' ON %I.%I ', n.nspname, c.relname)) AS definition
  FROM ${PAIRS}
  JOIN pg_catalog.pg_trigger t ON t.tgrelid = root.oid AND NOT t.tgisinternal
  LEFT JOIN pg_catalog.pg_trigger h ON h.tgrelid = c.oid AND h.tgname = t.tgname
  WHERE ${IS_PARTITION} AND ((h.oid IS NULL AND t.tgtype::pg_catalog.int4 & 32 <> 0) OR h.tgenabled <> t.tgenabled)
  ORDER BY n.nspname, c.relname, t.tgname`;

interface TriggerRow extends On {
  readonly trigger: string;
  readonly enabled: keyof typeof FIRING;
  readonly thereEnabled: keyof typeof FIRING | null;
  readonly definition: string;
}

/** pg_trigger.tgenabled in ALTER TABLE's words. */
const FIRING = { O: 'ENABLE', D: 'DISABLE', R: 'ENABLE REPLICA', A: 'ENABLE ALWAYS' } as const;

function trigger(row: TriggerRow): Mending {
  const table = `ALTER TABLE ${qualified(row)}`;
  const fire = `${table} ${FIRING[row.enabled]} TRIGGER ${ident(row.trigger)}`;
  if (row.thereEnabled !== null) {
    return mending(row, fire, [`${table} ${FIRING[row.thereEnabled]} TRIGGER ${ident(row.trigger)}`]);
  }
  const sql = row.enabled === 'O' ? row.definition : `${row.definition}; ${fire}`;
  return mending(row, sql, [`DROP TRIGGER ${ident(row.trigger)} ON ${qualified(row)}`]);
}

const GRANTS_SQL = `
  SELECT n.nspname AS schema, c.relname AS name, a.attname AS column, COALESCE(g.rolname, 'PUBLIC') AS grantee,
         pg_catalog.json_build_object('schema', rn.nspname, 'name', root.relname) AS root,
         pg_catalog.json_agg(pg_catalog.json_build_object('privilege', e.privilege_type, 'grantable', e.is_grantable)
                             ORDER BY e.privilege_type) AS privileges
  FROM ${PAIRS}
  CROSS JOIN LATERAL (
    SELECT NULL::pg_catalog.name AS attname, c.relacl AS acl
    UNION ALL
    SELECT attname, attacl FROM pg_catalog.pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL) a
  CROSS JOIN LATERAL pg_catalog.aclexplode(a.acl) e
  LEFT JOIN pg_catalog.pg_roles g ON g.oid = e.grantee
  WHERE ${IS_PARTITION} AND e.grantee <> c.relowner AND (e.grantee = 0 OR g.rolname = ANY ($3))
  GROUP BY n.nspname, c.relname, rn.nspname, root.relname, a.attname, g.rolname
  ORDER BY n.nspname, c.relname, a.attname, g.rolname`;

interface GrantRow extends On {
  readonly column: string | null;
  readonly grantee: string;
  readonly privileges: readonly { readonly privilege: string; readonly grantable: boolean }[];
}

function revoke(row: GrantRow): Mending {
  const columns = row.column === null ? '' : ` (${ident(row.column)})`;
  const grantee = row.grantee === 'PUBLIC' ? 'PUBLIC' : ident(row.grantee);
  const grant = (grantable: boolean): string[] => {
    const list = row.privileges
      .filter((one) => one.grantable === grantable)
      .map((one) => `${one.privilege}${columns}`);
    if (list.length === 0) return [];
    return [
      `GRANT ${list.join(', ')} ON ${qualified(row)} TO ${grantee}${grantable ? ' WITH GRANT OPTION' : ''}`,
    ];
  };
  const sql = `REVOKE ALL${columns} ON ${qualified(row)} FROM ${grantee}`;
  return mending(row, sql, [...grant(false), ...grant(true)]);
}

const OWNERS_SQL = `
  SELECT n.nspname AS schema, c.relname AS name, ${ROOT},
         pg_catalog.pg_get_userbyid(root.relowner) AS wanted, pg_catalog.pg_get_userbyid(c.relowner) AS there
  FROM ${PAIRS}
  WHERE ${IS_PARTITION} AND c.relowner <> root.relowner
  ORDER BY n.nspname, c.relname`;

interface OwnerRow extends On {
  readonly wanted: string;
  readonly there: string;
}
