// What the catalogue says of partitioned tables: one reading serves as many of them as a run asks about, because a query
// of the catalogue costs more to plan than to run.
import { label, type RelationName } from '../../define/model.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import type { RangeType } from './build.ts';
import { PARENTS_SQL, type Parent } from './parent.ts';
import type { Range } from './period.ts';

/** One partition as the catalogue has it. */
export interface Existing extends RelationName, Range {
  readonly isDefault: boolean;
  /** It is being detached: its range is taken, and rows find no place in it. */
  readonly leaving?: boolean;
}

/** One partitioned table as the catalogue has it. */
export interface Standing {
  readonly parent: Parent;
  /** What its one column is ranged by; undefined where it is partitioned in another way. */
  readonly type: RangeType | undefined;
  /** By their lower bounds, oldest first. */
  readonly partitions: readonly Existing[];
}

/**
 * A bound is read back by the server that wrote it, in the same session: text and parse share DateStyle and TimeZone,
 * so the instant is right whatever they are. Bounds of `date` and `timestamp` are read as UTC. A table that is not
 * ranged by one time gives no instants, and so no error to the tables that are read with it. OFFSET 0: what a subquery
 * computes is computed once and not wherever it is named. Bounds hold no columns, so that deparsing them for no relation
 * waits for nobody's lock.
 */
const PARTITIONS_SQL = `
  SELECT b.parent_schema, b.parent_name, b.schema, b.name, b.leaving, b.bound = 'DEFAULT' AS is_default,
    CASE WHEN b.low = 'MINVALUE' THEN '-Infinity'::float8
      WHEN b.type IN ('timestamptz', 'timestamp', 'date') THEN
        CASE WHEN b.type = 'timestamptz' THEN extract(epoch FROM b.low::timestamptz)::float8 * 1000
          ELSE extract(epoch FROM b.low::timestamp AT TIME ZONE 'UTC')::float8 * 1000 END END AS from_ms,
    CASE WHEN b.high = 'MAXVALUE' THEN 'Infinity'::float8
      WHEN b.type IN ('timestamptz', 'timestamp', 'date') THEN
        CASE WHEN b.type = 'timestamptz' THEN extract(epoch FROM b.high::timestamptz)::float8 * 1000
          ELSE extract(epoch FROM b.high::timestamp AT TIME ZONE 'UTC')::float8 * 1000 END END AS to_ms
  FROM (
    SELECT pn.nspname AS parent_schema, p.relname AS parent_name, n.nspname AS schema, c.relname AS name, e.bound,
      i.inhdetachpending AS leaving, t.typname AS type,
      CASE WHEN e.bound LIKE '%FROM (MINVALUE)%' THEN 'MINVALUE' ELSE nullif(pg_catalog.split_part(e.bound, '''', 2), '') END AS low,
      CASE WHEN e.bound LIKE '%TO (MAXVALUE)' THEN 'MAXVALUE'
        ELSE nullif(pg_catalog.split_part(e.bound, '''', CASE WHEN e.bound LIKE '%FROM (MINVALUE)%' THEN 2 ELSE 4 END), '') END AS high
    FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS asked(schema, name)
    JOIN pg_catalog.pg_namespace pn ON pn.nspname = asked.schema
    JOIN pg_catalog.pg_class p ON p.relnamespace = pn.oid AND p.relname = asked.name
    JOIN pg_catalog.pg_partitioned_table k ON k.partrelid = p.oid
    JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = p.oid AND a.attnum = k.partattrs[0] AND k.partnatts = 1 AND k.partstrat = 'r'
    LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    CROSS JOIN LATERAL (SELECT pg_catalog.pg_get_expr(c.relpartbound, 0) AS bound OFFSET 0) e
    OFFSET 0
  ) b
  ORDER BY from_ms NULLS FIRST, b.schema, b.name`;

interface PartitionRow {
  readonly parent_schema: string;
  readonly parent_name: string;
  readonly schema: string;
  readonly name: string;
  readonly leaving: boolean;
  readonly is_default: boolean;
  readonly from_ms: number;
  readonly to_ms: number;
}

/** The tables of these that exist and are partitioned, by their label. Two queries for however many there are. */
export async function readTables(
  query: CatalogueQuery,
  tables: readonly RelationName[],
): Promise<ReadonlyMap<string, Standing>> {
  const parents = await query<Parent>(PARENTS_SQL, namesOf(tables));
  const partitions =
    parents.length === 0 ? new Map<string, readonly Existing[]>() : await readPartitions(query, tables);
  return new Map(
    parents.map((parent) => [
      label(parent),
      { parent, type: rangeType(parent), partitions: partitions.get(label(parent)) ?? [] },
    ]),
  );
}

/** A table's partitions by their bounds, oldest first; none where there is no such table. */
export async function existingPartitions(
  query: CatalogueQuery,
  of: RelationName,
): Promise<readonly Existing[]> {
  return (await readPartitions(query, [of])).get(label(of)) ?? [];
}

/** Partitions of tables by their parent's label, oldest first. One query, which waits for no lock. */
export async function readPartitions(
  query: CatalogueQuery,
  tables: readonly RelationName[],
): Promise<ReadonlyMap<string, readonly Existing[]>> {
  const byParent = new Map<string, Existing[]>();
  for (const row of await query<PartitionRow>(PARTITIONS_SQL, namesOf(tables))) {
    const of = label({ schema: row.parent_schema, name: row.parent_name });
    const siblings = byParent.get(of);
    if (siblings === undefined) byParent.set(of, [existing(row)]);
    else siblings.push(existing(row));
  }
  return byParent;
}

function namesOf(tables: readonly RelationName[]): readonly [string[], string[]] {
  return [tables.map(({ schema }) => schema), tables.map(({ name }) => name)];
}

function existing(row: PartitionRow): Existing {
  return {
    schema: row.schema,
    name: row.name,
    isDefault: row.is_default,
    fromMs: row.from_ms,
    toMs: row.to_ms,
    ...(row.leaving && { leaving: true }),
  };
}

function rangeType({ key_type: type }: Parent): RangeType | undefined {
  return type === 'timestamptz' || type === 'timestamp' || type === 'date' ? type : undefined;
}
