// Pieces of the queries that print DDL. All names come out qualified because such a query runs with pg_catalog alone on
// its path.

/** A part of a database's structure: a query of rows (subject, sql), in the order to run them. */
export interface Part {
  /** What it prints, in the plural: for the case that it may not be read. */
  readonly of: string;
  readonly sql: string;
}

/** Extensions that reach other servers, files or programs, or run by themselves: a copy has none of them. */
export const OUTWARD: readonly string[] = [
  'dblink',
  'postgres_fdw',
  'file_fdw',
  'mysql_fdw',
  'oracle_fdw',
  'tds_fdw',
  'http',
  'pg_net',
  'pg_cron',
  'aws_s3',
  'aws_lambda',
  'plsh',
];

export const OUTWARD_SQL = OUTWARD.map((name) => `'${name}'`).join(', ');

/** Schemas of users; `n` is pg_namespace. */
export const USER_SCHEMA = `n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp\\_%'`;

/** Not made by an extension, nor by another object as a part of it (a range's constructors, an identity's sequence). A partitioned table depends on its own key. */
export const ownObject = (catalogue: string, oid: string): string => `NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend m
    WHERE m.classid = 'pg_catalog.${catalogue}'::pg_catalog.regclass AND m.objid = ${oid} AND m.deptype IN ('e', 'i')
      AND m.refobjid <> m.objid)`;

export const role = (oid: string): string => `pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(${oid}))`;

export const named = (name: string): string => `pg_catalog.format('%I.%I', n.nspname, ${name})`;

export const IN_SCHEMA = (oid: string): string => `JOIN pg_catalog.pg_namespace n ON n.oid = ${oid}`;

/** A routine as ALTER and GRANT take it; `p` is pg_proc. */
export const ROUTINE = `pg_catalog.format('%I.%I(%s)', n.nspname, p.proname,
    pg_catalog.pg_get_function_identity_arguments(p.oid))`;

/** Storage parameters as `WITH` takes them. */
export const withOptions = (options: string): string => `(
    SELECT ' WITH (' || pg_catalog.string_agg(pg_catalog.split_part(o, '=', 1) || '='
             || pg_catalog.quote_literal(pg_catalog.substr(o, pg_catalog.strpos(o, '=') + 1)), ', ') || ')'
    FROM pg_catalog.unnest(${options}) o)`;
