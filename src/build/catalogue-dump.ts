// A reader of a database's whole structure that is not the planner: every object the catalogue knows, in a fixed order,
// by names only. It sees what the planner does not (validity of indexes, what each partition has) and what pg_dump does
// not print.
import type { Pool, PoolClient } from 'pg';
import * as catalogue from './catalogue-sql.ts';

/** One fact of a structure. */
export interface DumpLine {
  /** The schema it is in; null for what belongs to the whole database. */
  readonly schema: string | null;
  /** `table public.orders` */
  readonly object: string;
  /** `column id`, `index orders_pkey`, `owner` */
  readonly facet: string;
  readonly value: string;
  /** What the server deparsed; may be spelled differently after a reload, see `elaborate`. */
  readonly text: string;
  /** On a partition. */
  readonly partition: boolean;
  /** On a partition, and not from its parent. */
  readonly extra: boolean;
}

/** A structure as sorted lines. */
export type Dump = readonly DumpLine[];

type Row = { readonly [Key in keyof DumpLine]: DumpLine[Key] | null };

/**
 * Reads a database's structure in one snapshot; changes nothing. Leaves out the ledger's schema and members of
 * extensions.
 * @param pool sessions to the database; one is used
 * @returns sorted lines; the same structure gives the same lines on any server of the same major
 */
export async function catalogueDump(pool: Pool): Promise<Dump> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    // Deparsed names are qualified exactly when they are not on the path, and instants are shown in this zone.
    await client.query(
      "SET LOCAL search_path = 'pg_catalog'; SET LOCAL timezone = 'UTC'; SET LOCAL jit = off",
    );
    return await dumpIn(client);
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
    client.release();
  }
}

/**
 * As {@link catalogueDump}, within a transaction of the caller whose search_path is pg_catalog.
 */
export async function dumpIn(client: Pick<PoolClient, 'query'>): Promise<Dump> {
  const lines: DumpLine[] = [];
  for (const sql of Object.values(catalogue)) {
    const { rows } = await client.query<Row>(sql);
    for (const row of rows) if (row.value !== null || row.text !== null) lines.push(line(row));
  }
  return lines.sort(byKey);
}

/** Where a line stands; two lines of one database never share it. */
export function lineKey(at: Pick<DumpLine, 'object' | 'facet'>): string {
  return `${at.object}\n${at.facet}`;
}

function line(row: Row): DumpLine {
  return {
    schema: row.schema,
    object: row.object ?? '',
    facet: row.facet ?? '',
    value: row.value ?? '',
    text: row.text ?? '',
    partition: row.partition ?? false,
    extra: row.extra ?? false,
  };
}

function byKey(left: DumpLine, right: DumpLine): number {
  const a = lineKey(left);
  const b = lineKey(right);
  if (a !== b) return a < b ? -1 : 1;
  return left.value < right.value ? -1 : 1;
}
