// Asks archived rows with DuckDB, where it is installed: it reads the Parquet files as they are.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { HoldfastError } from '../error.ts';
import { ident, literal, qualified } from '../sql.ts';
import type { ArchivedColumn } from '../traits/retention/port.ts';
import type { ArchivedPart, ArchivedTable } from './archived-rows.ts';

/** Rows that a statement gave. */
export interface Answer {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

/** What is used of the package; its types are not at hand where it is not installed. */
interface DuckDb {
  readonly DuckDBInstance: {
    readonly create: (path: string) => Promise<{ readonly connect: () => Promise<Connection> }>;
  };
}

interface Connection {
  readonly run: (sql: string) => Promise<unknown>;
  readonly runAndReadAll: (sql: string) => Promise<{
    readonly columnNames: () => string[];
    readonly getRowsJson: () => unknown[][];
  }>;
  readonly closeSync: () => void;
}

/**
 * DuckDB, where `@duckdb/node-api` is installed beside the definition or beside this package.
 * @param cwd where the command runs
 */
export async function duckdb(cwd: string): Promise<DuckDb | undefined> {
  for (const from of [pathToFileURL(join(cwd, 'package.json')).href, import.meta.url]) {
    try {
      const file = createRequire(from).resolve('@duckdb/node-api');
      return (await import(pathToFileURL(file).href)) as DuckDb;
    } catch {
      // Not there, or its library is not made for this machine: the other engine answers as well.
    }
  }
  return undefined;
}

/**
 * Runs a statement over archived rows; tables have their own names. It reaches no file but those of the archive.
 * @throws HoldfastError HF_ARCHIVE_QUERY with DuckDB's own words when it refuses the statement
 */
export async function askDuckdb(
  library: DuckDb,
  tables: readonly ArchivedTable[],
  statement: string,
): Promise<Answer> {
  const connection = await (await library.DuckDBInstance.create(':memory:')).connect();
  try {
    await connection.run("SET TimeZone = 'UTC'");
    const paths: string[] = [];
    for (const table of tables) paths.push(...(await addView(connection, table)));
    const allowed = paths.map((path) => literal(path).trim()).join(', ');
    await connection.run(`SET allowed_paths = [${allowed}]`);
    await connection.run('SET enable_external_access = false');
    await connection.run('SET lock_configuration = true');
    const read = await connection.runAndReadAll(statement);
    return { columns: read.columnNames(), rows: read.getRowsJson() };
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw new HoldfastError({
      code: 'HF_ARCHIVE_QUERY',
      subject: 'the statement',
      what: `DuckDB refused it: ${error instanceof Error ? error.message : String(error)}.`,
      fix: 'Write it for DuckDB, or ask with --engine postgres.',
      cause: error,
    });
  } finally {
    connection.closeSync();
  }
}

async function addView(connection: Connection, table: ArchivedTable): Promise<readonly string[]> {
  const paths: string[] = [];
  const selects: string[] = [];
  for (const part of table.parts) {
    const one = await selectOf(part);
    if (one === undefined) continue;
    paths.push(...one.paths);
    selects.push(one.sql);
  }
  if (selects.length === 0) selects.push(emptySql(table));
  await connection.run(`CREATE SCHEMA IF NOT EXISTS ${ident(table.of.schema)}`);
  await connection.run(`CREATE VIEW ${qualified(table.of)} AS ${selects.join(' UNION ALL BY NAME ')}`);
  return paths;
}

async function selectOf(
  part: ArchivedPart,
): Promise<{ readonly paths: readonly string[]; readonly sql: string } | undefined> {
  const { paths, columns } = await part.files();
  if (paths.length === 0) return undefined;
  const list = columns.map((column) => {
    const type = castOf(column);
    return type === undefined
      ? ident(column.name)
      : `CAST(${ident(column.name)} AS ${type}) AS ${ident(column.name)}`;
  });
  const files = paths.map((path) => literal(path).trim()).join(', ');
  return { paths, sql: `SELECT ${list.join(', ')} FROM read_parquet([${files}])` };
}

/** A table with no part has its columns unknown; a part without rows has them. */
function emptySql({ parts }: ArchivedTable): string {
  const columns = parts[0]?.columns ?? [];
  if (columns.length === 0) return 'SELECT NULL AS nothing WHERE false';
  return `SELECT ${columns.map((column) => `NULL AS ${ident(column.name)}`).join(', ')} WHERE false`;
}

// Columns whose one odd value made them text, so that parts agree.
function castOf(column: ArchivedColumn): string | undefined {
  if (column.stored !== 'text') return undefined;
  if (/^timestamp(\(\d\))? with time zone$/.test(column.type)) return 'TIMESTAMPTZ';
  if (/^timestamp(\(\d\))? without time zone$/.test(column.type)) return 'TIMESTAMP';
  return column.type === 'date' ? 'DATE' : undefined;
}
