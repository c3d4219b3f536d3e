// Partitions as the server has them. The planner never sees them; what a parent protects is put on each of them here,
// read from the catalogue alone: row security, policies and TRUNCATE triggers do not reach a partition by themselves,
// and a grant on a partition goes around them.
// https://www.postgresql.org/docs/current/ddl-rowsecurity.html
import type { CatalogueQuery } from '../define/trait.ts';
import { ident, qualified } from '../sql.ts';
import { lockTimeoutMs } from './online/index.ts';
import type { StepDraft } from './steps.ts';

/** One partition, whatever its depth. */
export interface Partition {
  readonly schema: string;
  readonly name: string;
  readonly parent: { readonly schema: string; readonly name: string };
  /** `FOR VALUES FROM (…) TO (…)`, instants in UTC. */
  readonly bounds: string;
  /** `RANGE (created_at)` where it is itself partitioned. */
  readonly partitionKey: string | null;
}

const PARTITIONS_SQL = `
  WITH RECURSIVE tree AS (
    SELECT c.oid, 0 AS level FROM pg_catalog.pg_class c WHERE c.relkind = 'p' AND NOT c.relispartition
    UNION ALL
    SELECT i.inhrelid, tree.level + 1 FROM pg_catalog.pg_inherits i JOIN tree ON tree.oid = i.inhparent)
  SELECT n.nspname AS schema, c.relname AS name,
         pg_catalog.json_build_object('schema', pn.nspname, 'name', p.relname) AS parent,
         pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bounds,
         CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END AS "partitionKey"
  FROM tree
  JOIN pg_catalog.pg_class c ON c.oid = tree.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
  JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
  JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
  WHERE tree.level > 0 AND c.relkind IN ('r', 'p') AND n.nspname <> 'holdfast'
  ORDER BY tree.level, n.nspname, c.relname`;

/** Every partition of the database, parents before their partitions. */
export async function partitionsOf(query: CatalogueQuery): Promise<readonly Partition[]> {
  return query<Partition>(PARTITIONS_SQL);
}

/** CREATE TABLE … PARTITION OF, for databases nobody else uses. */
export function createPartitionSql(partition: Partition): string {
  const key = partition.partitionKey === null ? '' : ` PARTITION BY ${partition.partitionKey}`;
  return `CREATE TABLE ${qualified(partition)} PARTITION OF ${qualified(partition.parent)} ${partition.bounds}${key}`;
}

/**
 * What existing partitions lack of their parent's protection.
 * @param query reads the catalogue of the database
 * @param roles roles whose grants on a partition are taken away: they go through the parent; PUBLIC always is
 * @returns steps in order; none when every partition is as its parent
 */
export async function mendPartitions(
  query: CatalogueQuery,
  roles: readonly string[],
): Promise<readonly StepDraft[]> {
  const unprotected = await query<FlagRow>(FLAGS_SQL);
  const policies = await query<PolicyRow>(POLICIES_SQL);
  const triggers = await query<TriggerRow>(TRIGGERS_SQL);
  const grants = await query<GrantRow>(GRANTS_SQL, [roles]);
  return [
    ...grants.map(revoke),
    ...policies.map(policy),
    ...unprotected.map(flags),
    ...triggers.map(trigger),
  ];
}

interface On {
  readonly schema: string;
  readonly name: string;
}

function step(on: On, sql: string, back: readonly string[]): StepDraft {
  const relation = `${on.schema}.${on.name}`;
  return {
    sql,
    subject: `partition ${relation}`,
    verb: 'alter',
    lock: 'ACCESS EXCLUSIVE',
    locks: [relation],
    work: 'catalogue',
    transactional: true,
    lockTimeoutMs,
    loses: null,
    back: back.map((statement) => ({
      sql: statement,
      transactional: true,
      lock: 'ACCESS EXCLUSIVE',
      locks: [relation],
    })),
  };
}

/** Each partition with its parent; the ledger's schema and members of extensions are not looked at. */
const PAIRS = `pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
  JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
  JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace`;
const IS_PARTITION = `c.relispartition AND c.relkind IN ('r', 'p') AND n.nspname <> 'holdfast'`;

const FLAGS_SQL = `
  SELECT n.nspname AS schema, c.relname AS name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
         root.relrowsecurity AS "wantEnabled", root.relforcerowsecurity AS "wantForced"
  FROM ${PAIRS}
  JOIN pg_catalog.pg_class root ON root.oid = pg_catalog.pg_partition_root(c.oid)
  WHERE ${IS_PARTITION} AND (c.relrowsecurity, c.relforcerowsecurity)
        IS DISTINCT FROM (root.relrowsecurity, root.relforcerowsecurity)
  ORDER BY n.nspname, c.relname`;

interface FlagRow extends On {
  readonly enabled: boolean;
  readonly forced: boolean;
  readonly wantEnabled: boolean;
  readonly wantForced: boolean;
}

function flags(row: FlagRow): StepDraft {
  return step(row, flagSql(row, row.wantEnabled, row.wantForced), [flagSql(row, row.enabled, row.forced)]);
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
    SELECT n.nspname AS schema, c.relname AS name, pol.name AS policy,
           ${POLICY_TEXT('pol.wanted')} AS wanted, ${POLICY_TEXT('pol.there')} AS there
    FROM ${PAIRS},
    LATERAL (
      SELECT COALESCE(w.polname, h.polname) AS name, w.oid AS wanted, h.oid AS there
      FROM (SELECT * FROM pg_catalog.pg_policy WHERE polrelid = pg_catalog.pg_partition_root(c.oid)) w
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
function policy(row: PolicyRow): StepDraft {
  return step(row, policySql(row, row.there, row.wanted), [policySql(row, row.wanted, row.there)]);
}

function policySql(row: PolicyRow, from: string | null, to: string | null): string {
  const drop = `DROP POLICY ${ident(row.policy)} ON ${qualified(row)}`;
  const create = `CREATE POLICY ${ident(row.policy)} ON ${qualified(row)} ${to ?? ''}`;
  return [...(from === null ? [] : [drop]), ...(to === null ? [] : [create])].join('; ');
}

// tgtype bit 5 is TRUNCATE. A row trigger is cloned by PostgreSQL itself, but being switched to ALWAYS on the parent
// alone does not reach partitions that exist. tgconstraint: constraint triggers are cloned with their constraint.
const TRIGGERS_SQL = `
  SELECT n.nspname AS schema, c.relname AS name, t.tgname AS trigger, t.tgenabled AS enabled, h.tgenabled AS "thereEnabled",
         pg_catalog.replace(pg_catalog.pg_get_triggerdef(t.oid),
           pg_catalog.format(' ON %I.%I ', rn.nspname, root.relname),
           pg_catalog.format(' ON %I.%I ', n.nspname, c.relname)) AS definition
  FROM ${PAIRS}
  JOIN pg_catalog.pg_class root ON root.oid = pg_catalog.pg_partition_root(c.oid)
  JOIN pg_catalog.pg_namespace rn ON rn.oid = root.relnamespace
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

function trigger(row: TriggerRow): StepDraft {
  const table = `ALTER TABLE ${qualified(row)}`;
  const fire = `${table} ${FIRING[row.enabled]} TRIGGER ${ident(row.trigger)}`;
  if (row.thereEnabled !== null) {
    return step(row, fire, [`${table} ${FIRING[row.thereEnabled]} TRIGGER ${ident(row.trigger)}`]);
  }
  const sql = row.enabled === 'O' ? row.definition : `${row.definition}; ${fire}`;
  return step(row, sql, [`DROP TRIGGER ${ident(row.trigger)} ON ${qualified(row)}`]);
}

const GRANTS_SQL = `
  SELECT n.nspname AS schema, c.relname AS name, a.attname AS column, COALESCE(g.rolname, 'PUBLIC') AS grantee,
         pg_catalog.json_agg(pg_catalog.json_build_object('privilege', e.privilege_type, 'grantable', e.is_grantable)
                             ORDER BY e.privilege_type) AS privileges
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL (
    SELECT NULL::pg_catalog.name AS attname, c.relacl AS acl
    UNION ALL
    SELECT attname, attacl FROM pg_catalog.pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL) a
  CROSS JOIN LATERAL pg_catalog.aclexplode(a.acl) e
  LEFT JOIN pg_catalog.pg_roles g ON g.oid = e.grantee
  WHERE ${IS_PARTITION} AND e.grantee <> c.relowner AND (e.grantee = 0 OR g.rolname = ANY ($1))
  GROUP BY n.nspname, c.relname, a.attname, g.rolname
  ORDER BY n.nspname, c.relname, a.attname, g.rolname`;

interface GrantRow extends On {
  readonly column: string | null;
  readonly grantee: string;
  readonly privileges: readonly { readonly privilege: string; readonly grantable: boolean }[];
}

function revoke(row: GrantRow): StepDraft {
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
  return step(row, sql, [...grant(false), ...grant(true)]);
}
