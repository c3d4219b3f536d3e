// The statements of one database that take longest, out of pg_stat_statements: what is normalised there stays so, and
// what is not (utility statements before PostgreSQL 18 keep their literals, passwords among them) loses its literals here.
import type { CatalogueQuery } from '../define/trait.ts';
import { HoldfastError } from '../error.ts';
import { qualified } from '../sql.ts';

/** What {@link slowStatements} looks for where nothing is said. */
export const slowDefaults = { aboveMs: 100, limit: 20 } as const;

export interface SlowOptions {
  /** Statements whose mean time is above this, in milliseconds. */
  readonly aboveMs?: number;
  /** How many at most. */
  readonly limit?: number;
}

/** One statement of this database, by all roles that ran it at top level or within functions. */
export interface SlowStatement {
  /** Normalised by PostgreSQL (`$1`), every literal that is left shown as `'…'`. */
  readonly statement: string;
  readonly role: string;
  readonly calls: number;
  readonly rows: number;
  readonly meanMs: number;
  readonly maxMs: number;
  readonly totalMs: number;
  /** Its part of all time that statements of this database took, 0 to 1. */
  readonly share: number;
}

/** The slow statements, and what could not be seen. */
export interface SlowStatements {
  /** Slowest mean first. */
  readonly statements: readonly SlowStatement[];
  /** Statements of this database that are remembered at all. */
  readonly remembered: number;
  /** Of those, how many others' roles ran and this role may not read. */
  readonly hidden: number;
  /** Since when, as far as the server says. */
  readonly since: Date | null;
}

// shared_preload_libraries is hidden from a plain role; a setting of the library's own is there once it is loaded.
const WHERE_SQL = `
  SELECT n.nspname AS schema, pg_catalog.current_setting('pg_stat_statements.max', true) IS NOT NULL AS loaded
  FROM (VALUES (1)) AS one
  LEFT JOIN pg_catalog.pg_extension e ON e.extname = 'pg_stat_statements'
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace`;

// Rows of every database are mixed in it: https://www.postgresql.org/docs/current/pgstatstatements.html
const statementsSql = (view: string): string => `
  WITH here AS (
    SELECT s.query, pg_catalog.pg_get_userbyid(s.userid) AS role, s.calls, s.rows, s.mean_exec_time, s.max_exec_time,
           s.total_exec_time, s.query = '<insufficient privilege>' AS hidden
    FROM ${view} s JOIN pg_catalog.pg_database d ON d.oid = s.dbid
    WHERE d.datname = pg_catalog.current_database())
  SELECT query AS statement, role::pg_catalog.text AS role, calls::pg_catalog.float8 AS calls,
         rows::pg_catalog.float8 AS rows, mean_exec_time AS "meanMs", max_exec_time AS "maxMs",
         total_exec_time AS "totalMs",
         COALESCE(total_exec_time / NULLIF((SELECT sum(total_exec_time) FROM here), 0), 0) AS share
  FROM here WHERE NOT hidden AND mean_exec_time > $1
  ORDER BY mean_exec_time DESC LIMIT $2`;

const countsSql = (view: string, info: string): string => `
  SELECT count(*)::pg_catalog.int4 AS remembered,
         (count(*) FILTER (WHERE s.query = '<insufficient privilege>'))::pg_catalog.int4 AS hidden,
         (SELECT stats_reset FROM ${info}) AS since
  FROM ${view} s JOIN pg_catalog.pg_database d ON d.oid = s.dbid
  WHERE d.datname = pg_catalog.current_database()`;

/**
 * Reads the statements of the connected database that take longest on average.
 * @param query reads; a role in `pg_read_all_stats` sees every role's statements, another one its own
 * @returns slowest mean first, with how many were hidden from this role
 * @throws HoldfastError HF_STATEMENTS_NOT_LOADED when the server does not load pg_stat_statements,
 *   HF_STATEMENTS_NOT_HERE when the database lacks the extension
 */
export async function slowStatements(
  query: CatalogueQuery,
  options: SlowOptions = {},
): Promise<SlowStatements> {
  const [where] = await query<{ schema: string | null; loaded: boolean }>(WHERE_SQL);
  if (where?.loaded !== true) throw notLoaded();
  if (where.schema === null) throw notHere();
  const view = qualified({ schema: where.schema, name: 'pg_stat_statements' });
  const info = qualified({ schema: where.schema, name: 'pg_stat_statements_info' });
  const limits = [options.aboveMs ?? slowDefaults.aboveMs, options.limit ?? slowDefaults.limit];
  const found = await query<SlowStatement>(statementsSql(view), limits);
  const [counts] = await query<Omit<SlowStatements, 'statements'>>(countsSql(view, info));
  return {
    statements: found.map((one) => ({ ...one, statement: withoutLiterals(one.statement) })),
    remembered: counts?.remembered ?? 0,
    hidden: counts?.hidden ?? 0,
    since: counts?.since ?? null,
  };
}

// Dollar quotes first, since quotes stand unescaped within them; a tag begins and ends alike.
const LITERALS = /(\$(?:[A-Za-z_]\w*)?\$)[\s\S]*?\1|[eE]?'(?:[^'\\]|''|\\[\s\S])*'/g;

/** A statement in one line without string literals: what a utility statement carries may be a secret. */
export function withoutLiterals(statement: string): string {
  return statement.replaceAll(LITERALS, "'…'").replaceAll(/\s+/g, ' ').trim();
}

function notLoaded(): HoldfastError {
  return new HoldfastError({
    code: 'HF_STATEMENTS_NOT_LOADED',
    subject: 'extension pg_stat_statements',
    what: 'the server does not load it, so it remembers no statement.',
    fix: 'Add pg_stat_statements to shared_preload_libraries and restart the server; then CREATE EXTENSION pg_stat_statements.',
  });
}

function notHere(): HoldfastError {
  return new HoldfastError({
    code: 'HF_STATEMENTS_NOT_HERE',
    subject: 'extension pg_stat_statements',
    what: 'the server loads it, but this database has no view of it.',
    fix: 'Run CREATE EXTENSION pg_stat_statements as a superuser.',
  });
}
