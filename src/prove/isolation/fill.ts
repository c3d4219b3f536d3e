// Puts a row of each owner into partitions that hold none: what has no row shows nothing to whoever may read it.
import { label } from '../../define/model.ts';
import { ident } from '../../sql.ts';
import { committed } from './inspector.ts';
import type { Target } from './objects.ts';
import { insertSql, rootOf, type Stage } from './stage.ts';

interface Leaf {
  readonly oid: number;
  readonly strategy: string;
  readonly column: string | null;
  readonly bound: string;
}

const LEAVES_SQL = `
  SELECT c.oid::pg_catalog.int8::pg_catalog.float8 AS oid, p.partstrat AS strategy, a.attname::pg_catalog.text AS "column",
         pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
  JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = i.inhparent
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.inhparent AND p.partnatts = 1 AND a.attnum = (p.partattrs::pg_catalog.int2[])[0]
  WHERE c.relispartition AND c.relkind = 'r'`;

/** Makes the rows, past triggers and foreign keys, and lets the witness know them. */
export async function fillPartitions(stage: Stage): Promise<void> {
  const leaves = await stage.copy.query<Leaf>(LEAVES_SQL);
  for (const leaf of leaves) {
    const target = stage.targets.find((one) => one.oid === leaf.oid);
    const table = target === undefined ? undefined : rootOf(stage, target.root);
    const value = boundValue(leaf);
    if (target === undefined || table === undefined || leaf.column === null || value === undefined) continue;
    if (!stage.crews.some((crew) => reaches(crew.rights.get(leaf.oid)))) continue;
    await fill(stage, { target, table, column: leaf.column, value });
  }
}

function reaches(
  rights:
    | { select: readonly string[]; insert: readonly string[]; update: readonly string[]; delete: boolean }
    | undefined,
): boolean {
  if (rights === undefined) return false;
  return rights.select.length + rights.insert.length + rights.update.length > 0 || rights.delete;
}

/** The first value a partition takes: the lower bound of a range, the first of a list. */
function boundValue({ strategy, bound }: Leaf): string | undefined {
  if (strategy === 'r') return /^FOR VALUES FROM \('?([^')]+?)'?\) TO/.exec(bound)?.[1];
  if (strategy === 'l') return /^FOR VALUES IN \('?([^',)]+)'?/.exec(bound)?.[1];
  return undefined;
}

interface Filling {
  readonly target: Target;
  readonly table: Target;
  readonly column: string;
  readonly value: string;
}

async function fill(stage: Stage, { target, table, column, value }: Filling): Promise<void> {
  if (
    value === 'MINVALUE' ||
    stage.boundaries.some((one) =>
      one.tables.some((of) => label(of.of) === label(table) && of.column === column),
    )
  )
    return;
  const { rows } = await stage.copy.pool.query<{ row: unknown }>(
    `SELECT 1 AS row FROM ${ident(target.schema)}.${ident(target.name)} LIMIT 1`,
  );
  if (rows.length > 0) return;
  for (const world of stage.population.worlds) {
    const like = stage.witness.rowsOf(table, world)[0];
    if (like === undefined) continue;
    const values = { ...like.values, [column]: value };
    const given = Object.fromEntries(
      Object.entries(values).filter(([name]) =>
        table.columns.some((one) => one.name === name && !one.generated),
      ),
    );
    const made = await committed(stage, {
      before: [],
      sql: insertSql(target, given),
      after: [],
      expected: 1,
    });
    if (!made) continue;
    const names = table.columns.map((one) => ident(one.name)).join(', ');
    const last = await stage.copy.pool.query<(string | null)[]>({
      text: `SELECT ${names} FROM ${ident(target.schema)}.${ident(target.name)} ORDER BY ctid DESC LIMIT 1`,
      rowMode: 'array',
      types: { getTypeParser: () => (text: unknown) => text },
    });
    const row = last.rows[0];
    if (row === undefined) continue;
    const read = Object.fromEntries(table.columns.map((one, at) => [one.name, row[at] ?? null]));
    stage.witness.add(world, { of: { schema: table.schema, name: table.name }, values: read });
  }
}
