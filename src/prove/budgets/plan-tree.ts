// A plan as the server tells it, flat: what was read, how, and how many rows came of it.
import type { CatalogueQuery, RelationName } from '../../define/index.ts';

/** A node of a plan as EXPLAIN writes it in JSON; only what is read here. */
export interface PlanNode {
  readonly 'Node Type': string;
  readonly Operation?: string;
  readonly Schema?: string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows'?: number;
  readonly 'Actual Loops'?: number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** One statement that the server ran, with the plan it used. */
export interface Told {
  readonly sql: string;
  readonly plan: PlanNode;
  /** The application sent it; not a function, and not a foreign key's check. */
  readonly top: boolean;
}

/** One thing that was read, with names of parents for what is a partition. */
export interface Scan {
  readonly type: string;
  /** `schema.name` of what was read; null where only an index was named (a bitmap's). */
  readonly relation: string | null;
  /** The table it is a partition of, at the root; itself where it is none. */
  readonly root: string | null;
  readonly index: string | null;
  /** The index it is a part of, at the root. */
  readonly rootIndex: string | null;
  /** Rows read, kept or thrown away, all loops together. */
  readonly rows: number;
}

/** Whose part a relation or an index is: names of roots by `schema.name`, for indexes by name alone. */
export interface Family {
  readonly tables: ReadonlyMap<string, string>;
  readonly indexes: ReadonlyMap<string, string>;
}

// `pg_partition_root` gives the relation itself where it is a root, and null where it is no partition.
const FAMILY_SQL = `
  SELECT n.nspname || '.' || c.relname AS name, c.relname AS short, c.relkind IN ('i', 'I') AS index,
         rn.nspname || '.' || r.relname AS root, r.relname AS "rootShort"
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class r ON r.oid = pg_catalog.pg_partition_root(c.oid)
  JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
  WHERE c.relispartition`;

/** Reads which relations are partitions of which. */
export async function readFamily(query: CatalogueQuery): Promise<Family> {
  const rows = await query<{
    name: string;
    short: string;
    index: boolean;
    root: string;
    rootShort: string;
  }>(FAMILY_SQL);
  const of = (index: boolean): typeof rows => rows.filter((row) => row.index === index);
  return {
    tables: new Map(of(false).map((row) => [row.name, row.root])),
    indexes: new Map(of(true).map((row) => [row.short, row.rootShort])),
  };
}

/** What a plan read; what was never begun is left out, as pruning at run time leaves it out. */
export function scansOf(plan: PlanNode, family: Family): readonly Scan[] {
  return nodesOf(plan)
    .filter((node) => isScan(node) && (node['Actual Loops'] ?? 1) > 0)
    .map((node) => scanOf(node, family));
}

/** Rows that a statement gave or wrote. */
export function rowsGiven(plan: PlanNode): number {
  const rows = (node: PlanNode): number => (node['Actual Rows'] ?? 0) * (node['Actual Loops'] ?? 1);
  const given = rows(plan);
  if (plan['Node Type'] !== 'ModifyTable' || given > 0) return Math.round(given);
  return Math.round(plan.Plans?.reduce((sum, below) => sum + rows(below), 0) ?? 0);
}

/** `schema.name` of the root of a relation. */
export function rootOf(of: RelationName, family: Family): string {
  const name = `${of.schema}.${of.name}`;
  return family.tables.get(name) ?? name;
}

function nodesOf(node: PlanNode): readonly PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

// A bitmap's index is named by the node below the one that reads the table.
function isScan(node: PlanNode): boolean {
  return (
    node['Index Name'] !== undefined ||
    (node['Relation Name'] !== undefined && node['Node Type'] !== 'ModifyTable')
  );
}

function scanOf(node: PlanNode, family: Family): Scan {
  const relation =
    node['Relation Name'] === undefined ? null : `${node.Schema ?? 'public'}.${node['Relation Name']}`;
  const index = node['Index Name'] ?? null;
  const rows =
    (node['Actual Rows'] ?? 0) +
    (node['Rows Removed by Filter'] ?? 0) +
    (node['Rows Removed by Index Recheck'] ?? 0);
  return {
    type: node['Node Type'],
    relation,
    root: relation === null ? null : (family.tables.get(relation) ?? relation),
    index,
    rootIndex: index === null ? null : (family.indexes.get(index) ?? index),
    // What a bitmap's index finds is counted where the table is read.
    rows: relation === null ? 0 : Math.round(rows * (node['Actual Loops'] ?? 1)),
  };
}
