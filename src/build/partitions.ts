// Partitions as the server has them. The planner never sees them; what a parent protects is put on each of them here.
import type { Pool } from 'pg';
import { type Mending, mendings } from '../define/protection.ts';
import type { CatalogueQuery } from '../define/trait.ts';
import { qualified } from '../sql.ts';
import { runAlone, type Runnable } from './catalogue-session.ts';
import { lockTimeoutMs } from './online/index.ts';
import type { StepDraft } from './steps.ts';

/** One partition, whatever its depth. */
export interface Partition {
  readonly schema: string;
  readonly name: string;
  readonly parent: { readonly schema: string; readonly name: string };
  /** `FOR VALUES FROM (…) TO (…)`, instants in UTC. */
  readonly bounds: string;
  /** `RANGE (created_at)` where it is itself partitioned. */
  readonly partitionKey: string | null;
}

const PARTITIONS_SQL = `
  WITH RECURSIVE tree AS (
    SELECT c.oid, 0 AS level FROM pg_catalog.pg_class c WHERE c.relkind = 'p' AND NOT c.relispartition
    UNION ALL
    SELECT i.inhrelid, tree.level + 1 FROM pg_catalog.pg_inherits i JOIN tree ON tree.oid = i.inhparent)
  SELECT n.nspname AS schema, c.relname AS name,
         pg_catalog.json_build_object('schema', pn.nspname, 'name', p.relname) AS parent,
         pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bounds,
         CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END AS "partitionKey"
  FROM tree
  JOIN pg_catalog.pg_class c ON c.oid = tree.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
  JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
  JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
  WHERE tree.level > 0 AND c.relkind IN ('r', 'p') AND n.nspname <> 'holdfast'
  ORDER BY tree.level, n.nspname, c.relname`;

/** Every partition of the database, parents before their partitions. */
export async function partitionsOf(query: CatalogueQuery): Promise<readonly Partition[]> {
  return query<Partition>(PARTITIONS_SQL);
}

/** CREATE TABLE … PARTITION OF, for databases nobody else uses. */
export function createPartitionSql(partition: Partition): string {
  const key = partition.partitionKey === null ? '' : ` PARTITION BY ${partition.partitionKey}`;
  return `CREATE TABLE ${qualified(partition)} PARTITION OF ${qualified(partition.parent)} ${partition.bounds}${key}`;
}

/** Drops partitions of a database nobody else uses; `partitions` as {@link partitionsOf} gives them. */
export async function dropPartitions(pool: Pool, partitions: readonly Partition[]): Promise<void> {
  await runAlone(pool, [...partitions].reverse().map(dropPartition));
}

// A foreign key that references the parent depends on each partition until that is detached.
function dropPartition(one: Partition): readonly Runnable[] {
  const subject = `partition ${one.schema}.${one.name}`;
  const detach = `ALTER TABLE ${qualified(one.parent)} DETACH PARTITION ${qualified(one)}`;
  return [detach, `DROP TABLE ${qualified(one)}`].map((sql) => ({ sql, subject }));
}

/**
 * What existing partitions lack of their parent's protection.
 * @param query reads the catalogue of the database
 * @param roles roles whose grants on a partition are taken away: they go through the parent; PUBLIC always is
 * @returns steps in order; none when every partition is as its parent
 */
export async function mendPartitions(
  query: CatalogueQuery,
  roles: readonly string[],
): Promise<readonly StepDraft[]> {
  return (await mendings(query, roles)).map(step);
}

function step({ on, sql, back }: Mending): StepDraft {
  const relation = `${on.schema}.${on.name}`;
  return {
    sql,
    subject: `partition ${relation}`,
    verb: 'alter',
    lock: 'ACCESS EXCLUSIVE',
    locks: [relation],
    work: 'catalogue',
    transactional: true,
    lockTimeoutMs,
    loses: null,
    back: back.map((statement) => ({
      sql: statement,
      transactional: true,
      lock: 'ACCESS EXCLUSIVE',
      locks: [relation],
    })),
  };
}
