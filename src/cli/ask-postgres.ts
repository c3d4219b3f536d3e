// Asks archived rows with PostgreSQL: they are loaded into a database made for the question and dropped after it.
import { randomBytes } from 'node:crypto';
import type { Client, QueryArrayConfig } from 'pg';
import type { CatalogueQuery, Model } from '../define/index.ts';
import { HoldfastError } from '../error.ts';
import {
  embedded,
  isSqlstate,
  majorOf,
  serverVersion,
  SQLSTATE,
  target,
  withClient,
  withDatabase,
} from '../server/index.ts';
import { ident, literal, qualified } from '../sql.ts';
import { insertRows, tableSql } from '../traits/retention/files/restore.ts';
import { EXACT_SQL } from '../traits/retention/files/source.ts';
import type { ArchivedColumn } from '../traits/retention/port.ts';
import type { ArchivedTable } from './archived-rows.ts';
import type { Answer } from './ask-duckdb.ts';

/** What is asked, of which archives, and where a database for it may be made. */
export interface Question {
  readonly tables: readonly ArchivedTable[];
  readonly statement: string;
  readonly model: Model;
  /** The target: a server of its own is started where its programs are on this machine, else it lends a database. */
  readonly url: string;
}

/**
 * Runs a statement over archived rows in a read-only transaction; tables have their own names and types.
 * @throws HoldfastError HF_ARCHIVE_QUERY with PostgreSQL's own words when it refuses the statement; HF_ARCHIVE_ENGINE when
 *   no database can be made for it
 */
export async function askPostgres(question: Question): Promise<Answer> {
  const local = LOCAL.includes(target(question.url).host);
  const places = local ? [lent, own] : [own, lent];
  for (const place of places) {
    const answer = await place(question);
    if (answer !== undefined) return answer;
  }
  throw new HoldfastError({
    code: 'HF_ARCHIVE_ENGINE',
    subject: 'archive query',
    what: 'this role may not make a database on the target, and no server programs of its major are on this machine.',
    fix: 'npm install @duckdb/node-api, or use a role with CREATEDB.',
  });
}

const LOCAL = ['localhost', '127.0.0.1', '::1'];

/** A database of the target; undefined where the role may not make one. */
async function lent(question: Question): Promise<Answer | undefined> {
  const name = `holdfast_query_${randomBytes(6).toString('hex')}`;
  return withClient(question.url, async (admin) => {
    try {
      await admin.query(`CREATE DATABASE ${ident(name)} TEMPLATE template0 ENCODING 'UTF8'`);
    } catch (error) {
      if (isSqlstate(error, SQLSTATE.insufficientPrivilege)) return undefined;
      throw error;
    }
    try {
      return await withClient(withDatabase(question.url, name), async (client) => ask(client, question));
    } finally {
      await admin.query(`DROP DATABASE IF EXISTS ${ident(name)} WITH (FORCE)`);
    }
  });
}

/** A server for this question alone, which spares the target; undefined where its programs are not on this machine. */
async function own(question: Question): Promise<Answer | undefined> {
  const major = await withClient(question.url, async (client) => majorOf(await serverVersion(client)));
  try {
    const server = await embedded({ ephemeral: true, major });
    return await withClient(server.url, async (client) => ask(client, question)).finally(server.stop);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'HF_NO_POSTGRES') return undefined;
    throw error;
  }
}

async function ask(client: Client, question: Question): Promise<Answer> {
  const query: CatalogueQuery = async (sql, values) => (await client.query(sql, values && [...values])).rows;
  await client.query('BEGIN');
  await query(EXACT_SQL);
  await makeTypes(query, question.model);
  for (const table of question.tables) await loadTable(query, table);
  await client.query('COMMIT');
  await client.query("SET TimeZone = 'UTC'");
  await client.query('BEGIN READ ONLY');
  try {
    const text = { getTypeParser: () => (value: string) => value };
    // The extended protocol takes one statement alone; the driver's types do not know the option.
    const one: QueryArrayConfig & { readonly queryMode: 'extended' } = {
      text: question.statement,
      rowMode: 'array',
      types: text,
      queryMode: 'extended',
    };
    const result = await client.query(one);
    const rows = result.rows as (string | null)[][];
    const types = result.fields.map((field) => field.dataTypeID);
    return {
      columns: result.fields.map((field) => field.name),
      rows: rows.map((row) => row.map((value, at) => plain(value, types[at] ?? 0))),
    };
  } catch (error) {
    throw new HoldfastError({
      code: 'HF_ARCHIVE_QUERY',
      subject: 'the statement',
      what: `PostgreSQL refused it: ${error instanceof Error ? error.message : String(error)}.`,
      fix: 'Archived tables have their own names, as `shop.orders`; see holdfast archive list.',
      cause: error,
    });
  }
}

/** Enums of the definition; any other type of the user's own is read as text. */
async function makeTypes(query: CatalogueQuery, { enums }: Model): Promise<void> {
  for (const { schema, name, values } of enums) {
    await query(`CREATE SCHEMA IF NOT EXISTS ${ident(schema)}`);
    const list = values.map((value) => literal(value)).join(', ');
    await query(`CREATE TYPE ${qualified({ schema, name })} AS ENUM (${list})`);
  }
}

async function loadTable(query: CatalogueQuery, { of, parts }: ArchivedTable): Promise<void> {
  const all = new Map<string, ArchivedColumn>();
  for (const column of parts.flatMap((part) => part.columns))
    all.set(column.name, await known(query, column));
  await query(`CREATE SCHEMA IF NOT EXISTS ${ident(of.schema)}`);
  await query(tableSql(of, [...all.values()]));
  for (const part of parts) {
    const columns = part.columns.map((column) => ({
      ...column,
      type: all.get(column.name)?.type ?? column.type,
    }));
    for await (const rows of part.rows()) await insertRows(query, { table: of, columns }, { rows });
  }
}

async function known(query: CatalogueQuery, column: ArchivedColumn): Promise<ArchivedColumn> {
  const [found] = await query<{ known: boolean }>('SELECT pg_catalog.to_regtype($1) IS NOT NULL AS known', [
    column.type,
  ]);
  return found?.known === true ? column : { ...column, type: 'text' };
}

// int2, int4, float4, float8, oid: JSON has numbers that hold them. What it could not hold exactly stays text.
const NUMBERS = [21, 23, 26, 700, 701];
const BOOLEAN = 16;
const JSONS = [114, 3802];

function plain(value: string | null, type: number): unknown {
  if (value === null) return null;
  if (NUMBERS.includes(type) && Number.isFinite(Number(value))) return Number(value);
  if (type === BOOLEAN) return value === 't';
  return JSONS.includes(type) ? (JSON.parse(value) as unknown) : value;
}
