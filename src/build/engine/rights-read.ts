// What of a database's rights the planner's own reading leaves out or reads differently from what PostgreSQL does with
// it: default privileges, grants on the columns of views, on sequences of identity columns, and by whom a right was given.
import { buildFactBase, encodeId, type Fact, type FactBase, type StableId } from '@supabase/pg-delta/core';
import type { Pool } from 'pg';

/** A right that its object's owner did not give: only who gave it can take it back. */
export interface ForeignGrant {
  readonly target: StableId;
  readonly grantor: string;
  readonly grantee: string;
  readonly privilege: string;
}

/**
 * Reads the rights of one database beside the structure that was read of it.
 * @param pool sessions to the database; one is used
 * @param base the structure
 * @returns the structure with those rights, and the rights that no owner gave
 */
export async function withEveryRight(
  pool: Pool,
  base: FactBase,
): Promise<{ readonly base: FactBase; readonly foreign: readonly ForeignGrant[] }> {
  const { defaults, columns, identities, foreign } = await rowsOf(pool);
  const known = base.facts().filter(({ id }) => id.kind !== 'defaultPrivilege');
  const there = new Set(known.map(({ id }) => encodeId(id)));
  const more = [
    ...defaults.map(defaultFact),
    ...columns.map(columnFact),
    ...identities.map(identityFact),
  ].filter(
    ({ id, parent }) => !there.has(encodeId(id)) && (parent === undefined || there.has(encodeId(parent))),
  );
  const edges = base.edges.filter(
    ({ from, to }) => ![from, to].some(({ kind }) => kind === 'defaultPrivilege'),
  );
  return {
    base: buildFactBase([...known, ...more], edges, base.source, base.referenceOnly, {
      allowDangling: ({ kind, to }) => kind === 'owner' && to.kind === 'role',
    }),
    foreign: foreign.map((row) => ({ ...row, target: objectOf(row) })),
  };
}

interface Rows {
  readonly defaults: readonly DefaultRow[];
  readonly columns: readonly ColumnRow[];
  readonly identities: readonly IdentityRow[];
  readonly foreign: readonly ForeignRow[];
}

async function rowsOf(pool: Pool): Promise<Rows> {
  const client = await pool.connect();
  const read = async <Row extends object>(sql: string): Promise<Row[]> => (await client.query<Row>(sql)).rows;
  try {
    // Types of arguments are named as the planner names them: with their schema.
    await client.query(
      "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = 'pg_catalog'",
    );
    return {
      defaults: await read(DEFAULTS_SQL),
      columns: await read(COLUMNS_SQL),
      identities: await read(IDENTITIES_SQL),
      foreign: await read(FOREIGN_SQL),
    };
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
    client.release();
  }
}

interface DefaultRow {
  readonly role: string;
  readonly schema: string | null;
  readonly objtype: string;
  readonly grantee: string;
  readonly privileges: string[];
  readonly grantable: string[];
  readonly usual: string[];
}

// A row without a schema says what a new object gets instead of what PostgreSQL gives by itself; a row of a schema is
// added to that and can take nothing away. So the one is told by what it changes, the other by what it holds.
// https://www.postgresql.org/docs/current/catalog-pg-default-acl.html
const DEFAULTS_SQL = `
  SELECT r.rolname AS role, n.nspname AS schema, d.defaclobjtype::pg_catalog.text AS objtype, x.grantee,
         x.privileges, x.grantable, x.usual
  FROM pg_catalog.pg_default_acl d
  JOIN pg_catalog.pg_roles r ON r.oid = d.defaclrole
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
  CROSS JOIN LATERAL (
    SELECT COALESCE(g.rolname::pg_catalog.text, 'PUBLIC') AS grantee,
           COALESCE(pg_catalog.array_agg(DISTINCT e.privilege_type ORDER BY e.privilege_type) FILTER (WHERE e.stored), '{}') AS privileges,
           COALESCE(pg_catalog.array_agg(DISTINCT e.privilege_type ORDER BY e.privilege_type) FILTER (WHERE e.is_grantable), '{}') AS grantable,
           COALESCE(pg_catalog.array_agg(DISTINCT e.privilege_type ORDER BY e.privilege_type) FILTER (WHERE NOT e.stored), '{}') AS usual
    FROM (
      SELECT true AS stored, s.grantee, s.privilege_type, s.is_grantable FROM pg_catalog.aclexplode(d.defaclacl) s
      UNION ALL
      SELECT false, b.grantee, b.privilege_type, false
      FROM pg_catalog.aclexplode(pg_catalog.acldefault(
        CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END, d.defaclrole)) b
      WHERE d.defaclnamespace = 0) e
    LEFT JOIN pg_catalog.pg_roles g ON g.oid = e.grantee
    GROUP BY 1) x
  WHERE x.privileges <> x.usual OR x.grantable <> '{}'`;

function defaultFact({ role, schema, objtype, grantee, privileges, grantable, usual }: DefaultRow): Fact {
  return {
    id: { kind: 'defaultPrivilege', role, schema, objtype, grantee },
    ...(schema === null ? {} : { parent: { kind: 'schema', name: schema } as const }),
    payload: { privileges, grantable, _usual: usual },
  };
}

interface ColumnRow {
  readonly kind: 'table' | 'foreignTable' | 'view' | 'materializedView';
  readonly schema: string;
  readonly name: string;
  readonly column: string;
  readonly grantee: string;
  readonly privileges: string[];
  readonly grantable: string[];
}

const ENTRY = `COALESCE(g.rolname::pg_catalog.text, 'PUBLIC') AS grantee,
         pg_catalog.array_agg(DISTINCT e.privilege_type ORDER BY e.privilege_type) AS privileges,
         COALESCE(pg_catalog.array_agg(DISTINCT e.privilege_type ORDER BY e.privilege_type) FILTER (WHERE e.is_grantable), '{}') AS grantable`;

const COLUMNS_SQL = `
  SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materializedView' WHEN 'f' THEN 'foreignTable' ELSE 'table' END AS kind,
         n.nspname AS schema, c.relname AS name, a.attname AS column, ${ENTRY}
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) e
  LEFT JOIN pg_catalog.pg_roles g ON g.oid = e.grantee
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
  GROUP BY 1, 2, 3, 4, 5`;

function columnFact({ kind, schema, name, column, grantee, privileges, grantable }: ColumnRow): Fact {
  const target: StableId = { kind, schema, name };
  return { id: { kind: 'acl', target, grantee, column }, parent: target, payload: { privileges, grantable } };
}

interface IdentityRow extends Omit<ColumnRow, 'kind' | 'name'> {
  readonly table: string;
  readonly sequenceSchema: string;
  readonly sequence: string;
}

// The sequence's owner is the table's and goes with it.
const IDENTITIES_SQL = `
  SELECT n.nspname AS schema, c.relname AS table, a.attname AS column,
         sn.nspname AS "sequenceSchema", s.relname AS sequence, ${ENTRY}
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
  JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
  JOIN pg_catalog.pg_class c ON c.oid = d.refobjid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
  CROSS JOIN LATERAL pg_catalog.aclexplode(s.relacl) e
  LEFT JOIN pg_catalog.pg_roles g ON g.oid = e.grantee
  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.deptype = 'i' AND e.grantee <> s.relowner
  GROUP BY 1, 2, 3, 4, 5, 6`;

function identityFact(row: IdentityRow): Fact {
  const { schema, table, column, sequenceSchema, sequence, grantee, privileges, grantable } = row;
  return {
    id: { kind: 'acl', target: { kind: 'sequence', schema: sequenceSchema, name: sequence }, grantee },
    parent: { kind: 'column', schema, table, name: column },
    payload: { privileges, grantable },
  };
}

interface ForeignRow {
  readonly kind: string;
  readonly schema: string | null;
  readonly name: string;
  readonly args: string[] | null;
  readonly grantor: string;
  readonly grantee: string;
  readonly privilege: string;
}

const FOREIGN_SQL = `
  SELECT o.kind, o.schema, o.name, o.args, pg_catalog.pg_get_userbyid(e.grantor)::pg_catalog.text AS grantor,
         COALESCE(g.rolname::pg_catalog.text, 'PUBLIC') AS grantee, e.privilege_type AS privilege
  FROM (
    SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materializedView' WHEN 'f' THEN 'foreignTable'
                          WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind,
           n.nspname AS schema, c.relname AS name, NULL::pg_catalog.text[] AS args, c.relowner AS owner, a.acl
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (
      SELECT c.relacl AS acl UNION ALL
      SELECT attacl FROM pg_catalog.pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL) a
    UNION ALL
    SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END, n.nspname, p.proname,
           ARRAY(SELECT pg_catalog.format_type(t.type, NULL) FROM pg_catalog.unnest(p.proargtypes) WITH ORDINALITY t(type, at)
                 ORDER BY t.at), p.proowner, p.proacl
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    UNION ALL
    SELECT CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END, n.nspname, t.typname, NULL, t.typowner, t.typacl
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    UNION ALL
    SELECT 'schema', NULL, n.nspname, NULL, n.nspowner, n.nspacl FROM pg_catalog.pg_namespace n) o
  CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) e
  LEFT JOIN pg_catalog.pg_roles g ON g.oid = e.grantee
  WHERE e.grantor <> o.owner
    AND COALESCE(o.schema, o.name) NOT IN ('pg_catalog', 'information_schema')`;

function objectOf({ kind, schema, name, args }: ForeignRow): StableId {
  const id = { kind, ...(schema === null ? {} : { schema }), name, ...(args === null ? {} : { args }) };
  return id as StableId;
}
