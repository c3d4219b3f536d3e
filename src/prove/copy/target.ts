// Everything that is read of the target: in one read-only transaction, over one session.
import type { Client } from 'pg';
import type { CatalogueQuery } from '../../define/trait.ts';
import { serverVersion, withClient } from '../../server/index.ts';
import { literal } from '../../sql.ts';
import type { Left } from './copy.ts';
import { readRoles, type Roles } from './roles.ts';
import { readSettings, type Setting } from './settings.ts';
import { readStructure, type Reading, type Statement } from './structure/index.ts';

/** What CREATE DATABASE needs, who owns it, and whether we read it as a superuser. */
export interface Database {
  readonly name: string;
  readonly owner: string;
  readonly encoding: string;
  /** The locale as CREATE DATABASE takes it. */
  readonly locale: string;
  readonly super: boolean;
}

/** The target, read. */
export interface Target {
  readonly versionNumber: number;
  readonly database: Database;
  readonly roles: Roles;
  readonly settings: readonly Setting[];
  readonly structure: Reading;
  /** Grants on the database itself, with `$database` for its quoted name. */
  readonly grants: readonly Statement[];
  /** Grants on settings: they belong to the whole server. */
  readonly settingGrants: readonly Statement[];
  readonly left: readonly Left[];
}

const DATABASE_SQL = `
  SELECT d.datname AS name, pg_catalog.pg_get_userbyid(d.datdba)::pg_catalog.text AS owner,
         pg_catalog.pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate, d.datctype AS ctype,
         d.datlocprovider AS provider, pg_catalog.to_jsonb(d) AS row, r.rolsuper AS super
  FROM pg_catalog.pg_database d, pg_catalog.pg_roles r
  WHERE d.datname = pg_catalog.current_database() AND r.rolname = current_user`;

// Without entries of its own a database grants CONNECT and TEMPORARY to everybody, as a new one does.
const GRANTS_SQL = `
  SELECT 'grants on the database' AS subject, pg_catalog.concat('REVOKE ALL ON DATABASE $database FROM PUBLIC',
    (SELECT pg_catalog.string_agg(pg_catalog.format('; GRANT %s ON DATABASE $database TO %s%s', e.privilege_type,
       CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.grantee)) END,
       CASE WHEN e.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), '') FROM pg_catalog.aclexplode(d.datacl) e)) AS sql
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database() AND d.datacl IS NOT NULL`;

const PARAMETER_GRANTS_SQL = `
  SELECT 'grants on parameter ' || p.parname AS subject, pg_catalog.string_agg(pg_catalog.format('GRANT %s ON PARAMETER %s TO %s',
    e.privilege_type, p.parname, CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.grantee)) END), '; ') AS sql
  FROM pg_catalog.pg_parameter_acl p, LATERAL pg_catalog.aclexplode(p.paracl) e
  WHERE e.grantee <> 10 GROUP BY p.parname`;

/**
 * Reads the target. Changes nothing: every statement runs in a read-only transaction.
 * @throws what PostgreSQL or the connection throws for what every role may read
 */
export async function readTarget(url: string): Promise<Target> {
  return withClient(url, async (client) => {
    const versionNumber = await serverVersion(client);
    const settings = await readSettings(queryOf(client));
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    // Names come out qualified when they are not on the path; instants are in this zone.
    await client.query(
      "SET LOCAL search_path = 'pg_catalog'; SET LOCAL timezone = 'UTC'; SET LOCAL jit = off",
    );
    await client.query(
      "SET LOCAL statement_timeout = 0; SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres'",
    );
    const query = guarded(client);
    const database = await readDatabase(query);
    const roles = await readRoles(query);
    const structure = await readStructure(query);
    const grants = await query<Statement>(GRANTS_SQL);
    const settingGrants = await query<Statement>(PARAMETER_GRANTS_SQL);
    await client.query('ROLLBACK');
    return {
      versionNumber,
      database,
      roles,
      settings,
      structure,
      grants,
      settingGrants,
      left: structure.left,
    };
  });
}

function queryOf(client: Client): CatalogueQuery {
  return async <Row extends object>(sql: string, values: readonly unknown[] = []) =>
    (await client.query(sql, [...values])).rows as Row[];
}

/** A query that PostgreSQL refuses leaves the transaction as it was. */
function guarded(client: Client): CatalogueQuery {
  const query = queryOf(client);
  return async <Row extends object>(sql: string, values?: readonly unknown[]) => {
    await client.query('SAVEPOINT part');
    try {
      return await query<Row>(sql, values);
    } catch (error) {
      await client.query('ROLLBACK TO SAVEPOINT part');
      throw error;
    } finally {
      await client.query('RELEASE SAVEPOINT part').catch(() => undefined);
    }
  };
}

interface DatabaseRow {
  readonly name: string;
  readonly owner: string;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  readonly provider: 'c' | 'i' | 'b';
  readonly row: Readonly<Record<string, string | null>>;
  readonly super: boolean;
}

async function readDatabase(query: CatalogueQuery): Promise<Database> {
  const [row] = await query<DatabaseRow>(DATABASE_SQL);
  const { name, owner, encoding, super: superuser } = row as DatabaseRow;
  return { name, owner, encoding, super: superuser, locale: localeSql(row as DatabaseRow) };
}

/** The locale's column was renamed in PostgreSQL 17. */
function localeSql(row: DatabaseRow): string {
  const parts = [`LC_COLLATE ${literal(row.collate)} LC_CTYPE ${literal(row.ctype)}`];
  const locale = row.row['datlocale'] ?? row.row['daticulocale'] ?? '';
  if (row.provider === 'i') parts.push(`LOCALE_PROVIDER icu ICU_LOCALE ${literal(locale)}`);
  if (row.provider === 'i' && row.row['daticurules'] != null)
    parts.push(`ICU_RULES ${literal(row.row['daticurules'])}`);
  if (row.provider === 'b') parts.push(`LOCALE_PROVIDER builtin BUILTIN_LOCALE ${literal(locale)}`);
  return parts.join(' ');
}
