// Where a text stands, in every place of a database that SQL reaches and in the files beside it.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ident, qualified } from '../../sql.ts';
import type { ArchivedRows } from './archives.ts';
import type { Ground } from './ground.ts';
import { OF_USERS } from './relations.ts';

/** One place that holds a text. */
export interface Place {
  /** `table`: a relation, a matview, a partition. `statistics`: what the planner knows. */
  readonly kind: 'table' | 'statistics' | 'large objects' | 'archive files' | 'file';
  /** As shown: the topmost table of a partition; a file's name. */
  readonly name: string;
  readonly column?: string;
  readonly needle: string;
  readonly rows: number;
  /** A query that shows it. */
  readonly sql?: string;
}

/** Looks for texts everywhere: tables of every schema, their partitions, matviews, the ledger, statistics, large objects, files. */
export async function search(
  ground: Ground,
  needles: readonly string[],
  archived: readonly ArchivedRows[],
): Promise<readonly Place[]> {
  if (needles.length === 0) return [];
  return [
    ...(await inTables(ground, needles)),
    ...(await inStatistics(ground, needles)),
    ...(await inLargeObjects(ground, needles)),
    ...inArchives(needles, archived),
    ...(await inFiles(ground.folder, needles)),
  ];
}

const TABLES_SQL = `
  SELECT n.nspname AS schema, c.relname AS name, rn.nspname AS root_schema, r.relname AS root
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class r ON r.oid = COALESCE(pg_catalog.pg_partition_root(c.oid), c.oid)
  JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
  WHERE c.relkind IN ('r', 'm') AND ${OF_USERS('n.nspname')} ORDER BY 1, 2`;

// A bytea is shown as hexadecimal: what is looked for is compared as such too.
const HOLDS = (relation: string): string => `
  SELECT n.needle, e.key AS "column", pg_catalog.count(*)::pg_catalog.float8 AS rows
  FROM ${relation} AS t, LATERAL pg_catalog.jsonb_each_text(pg_catalog.to_jsonb(t)) e,
    pg_catalog.unnest($1::pg_catalog.text[]) n (needle)
  WHERE pg_catalog.strpos(e.value, n.needle) > 0
    OR e.value LIKE '\\\\x%' AND pg_catalog.strpos(e.value, pg_catalog.encode(pg_catalog.convert_to(n.needle, 'UTF8'), 'hex')) > 0
  GROUP BY 1, 2 ORDER BY 1, 2`;

async function inTables({ query }: Ground, needles: readonly string[]): Promise<readonly Place[]> {
  const places = new Map<string, Place>();
  for (const table of await query<{ schema: string; name: string; root_schema: string; root: string }>(
    TABLES_SQL,
  )) {
    const root = { schema: table.root_schema, name: table.root };
    for (const { needle, column, rows } of await query<{ needle: string; column: string; rows: number }>(
      HOLDS(qualified(table)),
      [needles],
    )) {
      const name = `${root.schema}.${root.name}`;
      const known = places.get(JSON.stringify([name, column, needle]));
      places.set(JSON.stringify([name, column, needle]), {
        kind: 'table',
        name,
        column,
        needle,
        rows: rows + (known?.rows ?? 0),
        sql: `SELECT t.* FROM ${qualified(root)} AS t WHERE strpos(t.${ident(column)}::text, '${needle.replaceAll("'", "''")}') > 0;`,
      });
    }
  }
  return [...places.values()];
}

const STATISTICS_SQL = `
  SELECT s.schema, s.name, s."column", n.needle FROM (
    SELECT schemaname AS schema, tablename AS name, attname AS "column",
      pg_catalog.concat_ws(' ', most_common_vals::pg_catalog.text, histogram_bounds::pg_catalog.text, most_common_elems::pg_catalog.text) AS held
    FROM pg_catalog.pg_stats
    UNION ALL SELECT schemaname, tablename, statistics_name, most_common_vals::pg_catalog.text FROM pg_catalog.pg_stats_ext
    UNION ALL SELECT schemaname, tablename, expr,
      pg_catalog.concat_ws(' ', most_common_vals::pg_catalog.text, histogram_bounds::pg_catalog.text) FROM pg_catalog.pg_stats_ext_exprs) s,
    pg_catalog.unnest($1::pg_catalog.text[]) n (needle)
  WHERE pg_catalog.strpos(s.held, n.needle) > 0
    OR pg_catalog.strpos(s.held, pg_catalog.encode(pg_catalog.convert_to(n.needle, 'UTF8'), 'hex')) > 0 ORDER BY 1, 2, 3`;
const ROOT_SQL = `
  SELECT rn.nspname AS schema, r.relname AS name FROM pg_catalog.pg_class r JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
  WHERE r.oid = COALESCE(pg_catalog.pg_partition_root(pg_catalog.to_regclass($1)), pg_catalog.to_regclass($1))`;

async function inStatistics({ query }: Ground, needles: readonly string[]): Promise<readonly Place[]> {
  const found = await query<{ schema: string; name: string; column: string; needle: string }>(
    STATISTICS_SQL,
    [needles],
  );
  const places: Place[] = [];
  for (const one of found) {
    const [root = one] = await query<{ schema: string; name: string }>(ROOT_SQL, [qualified(one)]);
    places.push({
      kind: 'statistics',
      name: `${root.schema}.${root.name}`,
      column: one.column,
      needle: one.needle,
      rows: 1,
      sql: `SELECT * FROM pg_stats WHERE (schemaname, tablename, attname) = ('${one.schema}', '${one.name}', '${one.column}');`,
    });
  }
  return places;
}

const OBJECTS_SQL = `
  SELECT n.needle, pg_catalog.count(*)::pg_catalog.float8 AS rows
  FROM pg_catalog.pg_largeobject_metadata m, pg_catalog.unnest($1::pg_catalog.text[]) n (needle)
  WHERE pg_catalog.position(pg_catalog.lo_get(m.oid), pg_catalog.convert_to(n.needle, 'UTF8')) > 0 GROUP BY 1`;

async function inLargeObjects({ query }: Ground, needles: readonly string[]): Promise<readonly Place[]> {
  const found = await query<{ needle: string; rows: number }>(OBJECTS_SQL, [needles]);
  return found.map(({ needle, rows }) => ({ kind: 'large objects', name: 'pg_largeobject', needle, rows }));
}

function inArchives(needles: readonly string[], archived: readonly ArchivedRows[]): readonly Place[] {
  return archived.flatMap(({ place, rows }) =>
    needles.flatMap((needle): Place[] => {
      const counts = new Map<string, number>();
      for (const row of rows)
        for (const [column, value] of Object.entries(row))
          if (value?.includes(needle) === true) counts.set(column, (counts.get(column) ?? 0) + 1);
      return [...counts].map(([column, count]) => ({
        kind: 'archive files',
        name: place,
        column,
        needle,
        rows: count,
      }));
    }),
  );
}

async function inFiles(folder: string, needles: readonly string[]): Promise<readonly Place[]> {
  const places: Place[] = [];
  for (const file of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    const bytes = await readFile(join(file.parentPath, file.name));
    for (const needle of needles)
      if (bytes.includes(needle)) places.push({ kind: 'file', name: file.name, needle, rows: 1 });
  }
  return places;
}
