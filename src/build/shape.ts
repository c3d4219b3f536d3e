// What the target's tables hold right now: decides which steps must be kind to others.
import type { Pool } from 'pg';
import type { TargetShape, TargetTable } from './action.ts';

// A relation with pages may have rows; one without has none. Asking the storage is right also where statistics were
// never gathered and where row security hides rows. The order of the partitions is inner before leaf.
const TABLES_SQL = `
  SELECT n.nspname AS schema, c.relname AS name, c.relkind = 'p' AS partitioned,
         pg_catalog.pg_relation_size(c.oid)::pg_catalog.float8 AS bytes,
         COALESCE((SELECT pg_catalog.json_agg(pg_catalog.json_build_object('schema', pn.nspname, 'name', p.relname,
                            'partitioned', p.relkind = 'p') ORDER BY t.level, pn.nspname, p.relname)
                   FROM pg_catalog.pg_partition_tree(c.oid) t
                   JOIN pg_catalog.pg_class p ON p.oid = t.relid
                   JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
                   WHERE c.relkind = 'p' AND t.level > 0), '[]') AS partitions
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'holdfast')
    AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'`;

interface Row extends Omit<TargetTable, 'hasRows'> {
  readonly bytes: number;
}

/**
 * Reads which tables exist, how much they hold and how they are partitioned.
 * @param pool sessions to the target; one is used
 * @param serverVersion `server_version_num`
 */
export async function targetShape(pool: Pool, serverVersion: number): Promise<TargetShape> {
  const { rows } = await pool.query<Row>(TABLES_SQL);
  const tables = new Map<string, TargetTable>();
  for (const row of rows) tables.set(`${row.schema}.${row.name}`, { ...row, hasRows: row.bytes > 0 });
  return { serverVersion, tables };
}
