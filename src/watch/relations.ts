// How large the definition's relations are and which indexes are used; by oid, so that any name does, and without a look
// at a row.
import type { Definition } from '../define/database.ts';
import type { Metric, Sample } from '../define/measure.ts';
import { label, type RelationName } from '../define/model.ts';
import type { CatalogueQuery } from '../define/trait.ts';
import { engineFamilies } from './families.ts';
import type { Part } from './parts.ts';

// Partitioned tables hold nothing themselves; what their partitions hold is measured by who keeps those.
const SIZES_SQL = `
  SELECT n.nspname AS schema, c.relname AS name,
    (CASE WHEN c.reltuples < 0 THEN pg_catalog.pg_stat_get_live_tuples(c.oid) ELSE c.reltuples END)::pg_catalog.float8 AS rows,
    pg_catalog.pg_stat_get_dead_tuples(c.oid)::pg_catalog.float8 AS dead_rows,
    (s.whole - s.toast)::pg_catalog.float8 AS heap, s.indexes::pg_catalog.float8 AS indexes, s.toast::pg_catalog.float8 AS toast
  FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS asked(schema, name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = asked.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = asked.name AND c.relkind IN ('r', 'm')
  CROSS JOIN LATERAL (SELECT pg_catalog.pg_table_size(c.oid) AS whole, pg_catalog.pg_indexes_size(c.oid) AS indexes,
    CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE pg_catalog.pg_total_relation_size(c.reltoastrelid) END AS toast OFFSET 0) s
  WHERE s.whole IS NOT NULL`;

// pg_partition_tree gives nothing for an index that is in no tree.
const INDEXES_SQL = `
  SELECT n.nspname AS schema, c.relname AS name, i.relname AS index,
    (CASE i.relkind WHEN 'i' THEN pg_catalog.pg_stat_get_numscans(i.oid) ELSE (
      SELECT coalesce(sum(pg_catalog.pg_stat_get_numscans(t.relid)), 0) FROM pg_catalog.pg_partition_tree(i.oid) t
      WHERE t.isleaf) END)::pg_catalog.float8 AS scans
  FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS asked(schema, name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = asked.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = asked.name AND c.relkind IN ('r', 'm', 'p')
  JOIN pg_catalog.pg_index x ON x.indrelid = c.oid
  JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid`;

interface Sizes extends RelationName {
  readonly rows: number;
  readonly dead_rows: number;
  readonly heap: number;
  readonly indexes: number;
  readonly toast: number;
}

/** The part about the relations of the definition: two questions for however many there are. */
export function relationsPart({ model }: Definition): Part {
  const relations = [...model.tables, ...model.views.filter((view) => view.materialized)];
  return {
    name: 'relations',
    metrics: engineFamilies,
    collect: async (query) => {
      const names = [relations.map(({ schema }) => schema), relations.map(({ name }) => name)];
      const sizes = await query<Sizes>(SIZES_SQL, names);
      return [...sizes.flatMap(samplesOf), ...(await indexSamples(query, names))];
    },
  };
}

function samplesOf(of: Sizes): Sample[] {
  const values: Readonly<Record<Metric['name'], number>> = {
    holdfast_relation_rows: of.rows,
    holdfast_relation_dead_rows: of.dead_rows,
    holdfast_relation_heap_bytes: of.heap,
    holdfast_relation_index_bytes: of.indexes,
    holdfast_relation_toast_bytes: of.toast,
  };
  const labels = { relation: label(of) };
  return Object.entries(values).map(([metric, value]) => ({
    metric: metric as Metric['name'],
    labels,
    value,
  }));
}

async function indexSamples(
  query: CatalogueQuery,
  names: readonly (readonly string[])[],
): Promise<readonly Sample[]> {
  const rows = await query<RelationName & { readonly index: string; readonly scans: number }>(
    INDEXES_SQL,
    names,
  );
  return rows.map((row) => ({
    metric: 'holdfast_index_scans',
    labels: { relation: label(row), index: row.index },
    value: row.scans,
  }));
}
