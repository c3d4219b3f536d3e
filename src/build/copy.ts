// A scratch copy of the target's structure, with its partitions and without its rows, to try a plan on.
import type { Pool } from 'pg';
import type { CatalogueQuery } from '../define/trait.ts';
import { HoldfastError } from '../error.ts';
import { rebuildPlan, type Facts } from './engine/index.ts';
import { createPartitionSql, partitionsOf } from './partitions.ts';
import { runAlone, type Runnable } from './catalogue-session.ts';

/** What is copied. */
export interface CopySource {
  /** Reads the target's catalogue. */
  readonly query: CatalogueQuery;
  readonly facts: Facts;
}

/**
 * Makes an empty database into a copy of the target's structure.
 * @param into sessions to the empty scratch database
 * @throws HoldfastError HF_COPY when some of it cannot be made again there
 */
export async function copyStructure(source: CopySource, into: Pool): Promise<void> {
  const { rows } = await into.query<{ name: string }>(MAY_OWN_SQL);
  const plan = await rebuildPlan(into, source.facts, new Set(rows.map((row) => row.name)));
  const partitions = await partitionsOf(source.query);
  const beyond = partitions.length === 0 ? [] : await beyondParents(source.query);
  const invalid = await source.query<Definition>(INVALID_SQL);
  const statements: Runnable[] = [
    ...plan.map((action) => ({ sql: action.sql, subject: nameOf(action.sql) })),
    ...partitions.map((partition) => ({
      sql: createPartitionSql(partition),
      subject: `partition ${partition.schema}.${partition.name}`,
    })),
    ...[...beyond, ...invalid].map(({ subject, sql }) => ({ sql, subject })),
  ];
  try {
    await runAlone(
      into,
      statements.map((statement) => [statement]),
    );
  } catch (cause) {
    throw new HoldfastError({
      code: 'HF_COPY',
      subject: cause instanceof HoldfastError ? cause.subject : 'the target',
      what: `its structure could not be copied to rehearse on: ${cause instanceof HoldfastError ? cause.what : String(cause)}`,
      fix: 'The reason is PostgreSQL’s own; change or drop that object on the server, then plan again.',
      cause,
    });
  }
}

function nameOf(sql: string): string {
  return sql.slice(0, 80).replaceAll(/\s+/g, ' ');
}

const MAY_OWN_SQL = `
  SELECT rolname AS name FROM pg_catalog.pg_roles
  WHERE pg_catalog.pg_has_role(rolname, 'MEMBER') AND rolname <> 'pg_database_owner'`;

interface Definition {
  readonly subject: string;
  readonly sql: string;
}

// What a failure left of a plain index is whole in the copy, where there is nothing to fail on.
const INVALID_SQL = `
  SELECT 'index ' || c.relname AS subject, pg_catalog.pg_get_indexdef(c.oid) AS sql
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
  WHERE NOT t.relispartition AND NOT i.indisvalid AND n.nspname <> 'holdfast'
  ORDER BY n.nspname, c.relname`;

const PARTITION = `pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`;
const IS_PARTITION = `c.relispartition AND c.relkind IN ('r', 'p') AND n.nspname <> 'holdfast'`;

/** What partitions have of their own: checks, indexes, triggers, row security, policies and grants. */
const BEYOND_SQL = `
  SELECT 1 AS turn, 'constraint ' || con.conname AS subject,
         pg_catalog.format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', n.nspname, c.relname, con.conname,
                           pg_catalog.pg_get_constraintdef(con.oid)) AS sql
  FROM ${PARTITION} JOIN pg_catalog.pg_constraint con ON con.conrelid = c.oid
  WHERE ${IS_PARTITION} AND con.conparentid = 0 AND con.coninhcount = 0 AND con.contype IN ('c', 'f', 'p', 'u', 'x')
  UNION ALL
  SELECT 2, 'index ' || ic.relname, pg_catalog.pg_get_indexdef(ic.oid)
  FROM ${PARTITION} JOIN pg_catalog.pg_index i ON i.indrelid = c.oid JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
  WHERE ${IS_PARTITION}
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_index pi ON pi.indexrelid = h.inhparent
                    WHERE h.inhrelid = ic.oid AND pi.indisvalid)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint con WHERE con.conindid = ic.oid AND con.contype IN ('p', 'u', 'x'))
  UNION ALL
  SELECT 3, 'trigger ' || t.tgname, pg_catalog.pg_get_triggerdef(t.oid)
  FROM ${PARTITION} JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid
  WHERE ${IS_PARTITION} AND NOT t.tgisinternal AND t.tgparentid = 0
  UNION ALL
  SELECT 4, 'trigger ' || t.tgname, pg_catalog.format('ALTER TABLE %I.%I %s TRIGGER %I', n.nspname, c.relname,
         CASE t.tgenabled WHEN 'O' THEN 'ENABLE' WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, t.tgname)
  FROM ${PARTITION} JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid
  WHERE ${IS_PARTITION} AND NOT t.tgisinternal
  UNION ALL
  SELECT 5, 'table ' || c.relname, pg_catalog.format('ALTER TABLE %I.%I %s ROW LEVEL SECURITY, %s ROW LEVEL SECURITY',
         n.nspname, c.relname, CASE WHEN c.relrowsecurity THEN 'ENABLE' ELSE 'DISABLE' END,
         CASE WHEN c.relforcerowsecurity THEN 'FORCE' ELSE 'NO FORCE' END)
  FROM ${PARTITION} WHERE ${IS_PARTITION} AND (c.relrowsecurity OR c.relforcerowsecurity)
  UNION ALL
  SELECT 6, 'policy ' || q.polname, pg_catalog.concat_ws(' ',
    pg_catalog.format('CREATE POLICY %I ON %I.%I', q.polname, n.nspname, c.relname),
    CASE WHEN q.polpermissive THEN 'AS PERMISSIVE' ELSE 'AS RESTRICTIVE' END,
    'FOR ' || CASE q.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
    'TO ' || (SELECT pg_catalog.string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r)) END, ', ')
              FROM pg_catalog.unnest(q.polroles) r),
    'USING (' || pg_catalog.pg_get_expr(q.polqual, q.polrelid) || ')',
    'WITH CHECK (' || pg_catalog.pg_get_expr(q.polwithcheck, q.polrelid) || ')')
  FROM ${PARTITION} JOIN pg_catalog.pg_policy q ON q.polrelid = c.oid WHERE ${IS_PARTITION}
  UNION ALL
  SELECT 7, 'default privileges on ' || c.relname, pg_catalog.format('REVOKE ALL ON %I.%I FROM %s', n.nspname, c.relname,
         pg_catalog.string_agg(DISTINCT CASE WHEN e.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.grantee)) END, ', '))
  FROM ${PARTITION} JOIN pg_catalog.pg_default_acl d ON d.defaclobjtype = 'r' AND d.defaclnamespace IN (0, n.oid)
  CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) e
  WHERE ${IS_PARTITION} AND e.grantee NOT IN (c.relowner, d.defaclrole)
  GROUP BY n.nspname, c.relname
  UNION ALL
  SELECT 8, 'grant on ' || c.relname, pg_catalog.format('GRANT %s%s ON %I.%I TO %s%s', e.privilege_type,
         CASE WHEN a.attname IS NULL THEN '' ELSE pg_catalog.format(' (%I)', a.attname) END, n.nspname, c.relname,
         CASE WHEN e.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.grantee)) END,
         CASE WHEN e.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM ${PARTITION}
  CROSS JOIN LATERAL (
    SELECT NULL::pg_catalog.name AS attname, c.relacl AS acl
    UNION ALL SELECT attname, attacl FROM pg_catalog.pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL) a
  CROSS JOIN LATERAL pg_catalog.aclexplode(a.acl) e
  WHERE ${IS_PARTITION} AND e.grantee <> c.relowner
  ORDER BY 1, 2`;

async function beyondParents(query: CatalogueQuery): Promise<readonly Definition[]> {
  return query<Definition>(BEYOND_SQL);
}
