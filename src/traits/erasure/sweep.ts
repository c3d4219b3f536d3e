// Rows of a subject go from one relation, batch by batch: each is a transaction that holds what it counts.
import type { SubjectRows } from '../../define/erasure.ts';
import { ERASING_SETTING } from '../../define/erasure.ts';
import { label, type RelationName } from '../../define/model.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import { HoldfastError } from '../../error.ts';
import { ident, qualified } from '../../sql.ts';
import { assignments, isLeft, valuesOf } from './condition.ts';
import { passes } from './failure.ts';
import type { Rule } from './plan.ts';
import { noted, type Run, stopped } from './run.ts';

const PATIENCE = 20;
const WAIT_MS = 250;

/** What is swept: the rows of a rule in a relation with the columns of its table. */
export interface Sweeping {
  readonly rule: Rule;
  readonly relation: RelationName;
  readonly rows: SubjectRows;
}

/**
 * Erases the subject's rows of one relation. Rows are locked with SKIP LOCKED first, so that nobody waits for the batch and
 * it waits for no row; those that were locked are waited for at the end, each time as long as the lock timeout.
 * Each ordinary table below the relation is looked through by itself, and written to under the relation's own name: so the
 * triggers of its statements fire as for everybody.
 * @returns rows deleted or changed
 * @throws HoldfastError HF_ERASURE_WAITING where others hold rows for too long; what `mayGo` of a promise throws
 */
export async function sweep(run: Run, sweeping: Sweeping): Promise<number> {
  let total = 0;
  for (const leaf of await leavesOf(run.context.session.query, sweeping.relation)) {
    total += await sweepLeaf(run, sweeping, leaf);
  }
  return total;
}

/** How many rows of a relation are still to be erased. */
export async function countLeft(run: Run, { rule, relation }: Omit<Sweeping, 'rows'>): Promise<number> {
  const { subject, sought, context } = run;
  return context.session.transaction(async (query) => {
    await query('SET LOCAL row_security = off');
    const left = isLeft(subject.rules, rule, { alias: 't', sought });
    const [row] = await query<{ rows: number }>(
      `SELECT pg_catalog.count(*)::pg_catalog.float8 AS rows FROM ${qualified(relation)} AS t WHERE ${left}`,
      valuesOf(sought),
    );
    return row?.rows ?? 0;
  });
}

interface Leaf extends RelationName {
  /** The condition of a partition on its rows, so that the others are not looked at; null where it is none. */
  readonly bounds: string | null;
}

const LEAVES_SQL = `
  SELECT n.nspname AS schema, c.relname AS name, pg_catalog.pg_get_partition_constraintdef(c.oid) AS bounds
  FROM (SELECT pg_catalog.to_regclass($1) AS relid UNION SELECT relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1))) p
  JOIN pg_catalog.pg_class c ON c.oid = p.relid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' ORDER BY 1, 2`;

async function leavesOf(query: CatalogueQuery, relation: RelationName): Promise<readonly Leaf[]> {
  return query<Leaf>(LEAVES_SQL, [qualified(relation)]);
}

async function sweepLeaf(run: Run, sweeping: Sweeping, leaf: Leaf): Promise<number> {
  let [total, failures, skip] = [0, 0, true];
  while (!stopped(run)) {
    const done = await batch(run, { ...sweeping, leaf, skip }).catch((error: unknown) => {
      failures += 1;
      if (!passes(error)) throw error;
      if (failures >= PATIENCE) throw waiting(sweeping, error);
      return undefined;
    });
    if (done === undefined) {
      await run.context.pause(WAIT_MS);
      continue;
    }
    total += done;
    if (done === 0 && !skip) return total;
    if (done < run.plan.batch.rows) skip = false;
    else await run.context.pause(run.plan.batch.pauseMs);
  }
  throw new HoldfastError({
    code: 'HF_ABORTED',
    subject: `erasure of a ${run.subject.name}`,
    what: 'it was stopped between two batches.',
    fix: 'What is gone is gone; the next run goes on.',
  });
}

interface Batch extends Sweeping {
  readonly leaf: Leaf;
  readonly skip: boolean;
}

async function batch(run: Run, one: Batch): Promise<number> {
  const { rule, relation, leaf, rows, skip } = one;
  const { subject, sought, context, plan } = run;
  return context.session.transaction(async (query) => {
    await query('SET LOCAL row_security = off');
    await query(`SELECT pg_catalog.set_config('${ERASING_SETTING}', 'on', true)`);
    for (const mayGo of run.guards) await mayGo(query, rows);
    const left = isLeft(subject.rules, rule, { alias: 't', sought });
    const found = await query<{ place: string }>(
      `SELECT t.ctid::pg_catalog.text AS place FROM ONLY ${qualified(leaf)} AS t WHERE ${left}
       LIMIT ${plan.batch.rows} FOR UPDATE OF t${skip ? ' SKIP LOCKED' : ''}`,
      valuesOf(sought),
    );
    if (found.length === 0) return 0;
    const places = found.map((row) => row.place);
    await largeObjects(query, one, places);
    await pointing(run, query, { ...one, places });
    const done = await erased(run, query, { ...one, places });
    await noted(run, query, {
      erased: { place: run.placeOf(relation), rows: done },
      touched: [leaf, relation],
    });
    context.tell(`${label(relation)}: ${done} rows of a ${subject.name} erased`);
    return done;
  });
}

async function erased(
  run: Run,
  query: CatalogueQuery,
  of: Batch & { readonly places: readonly string[] },
): Promise<number> {
  const { rule, relation, leaf, places } = of;
  // The row has moved where an update of another partition key moved it meanwhile: it is locked, so it has not.
  const at = `t.tableoid = pg_catalog.to_regclass($${valuesOf(run.sought).length + 1}) AND t.ctid = ANY ($${valuesOf(run.sought).length + 2}::pg_catalog.tid[])`;
  const bounds = leaf.bounds === null || label(leaf) === label(relation) ? '' : ` AND (${leaf.bounds})`;
  const verb =
    rule.act === 'delete'
      ? `DELETE FROM ${qualified(relation)} AS t`
      : `UPDATE ${qualified(relation)} AS t SET ${assignments(rule, run.sought)}`;
  // The parameters of the condition stand in it whether it needs them or not: PostgreSQL wants to know their types.
  const typed = valuesOf(run.sought).map((_, number) => `$${number + 1}::pg_catalog.text IS NOT NULL`);
  const [row] = await query<{ done: number }>(
    `WITH done AS (${verb} WHERE ${typed.join(' AND ')} AND ${at}${bounds} RETURNING 1)
     SELECT pg_catalog.count(*)::pg_catalog.float8 AS done FROM done`,
    [...valuesOf(run.sought), qualified(leaf), places],
  );
  return row?.done ?? 0;
}

/** Rows that came to point at the locked ones since their own table was swept: no more can come now. */
async function pointing(
  run: Run,
  query: CatalogueQuery,
  of: Batch & { readonly places: readonly string[] },
): Promise<void> {
  const { rule, leaf, places } = of;
  if (rule.act !== 'delete' || label(of.relation) !== label(rule.of)) return;
  for (const child of run.subject.rules) {
    if (child.via === undefined || child.act !== 'delete' || label(child.via.parent) !== label(rule.of))
      continue;
    const { key } = child.via;
    const on = key.columns.map(
      (column, at) => `p.${ident(key.references.columns[at] ?? '')} = t.${ident(column)}`,
    );
    const [row] = await query<{ done: number }>(
      `WITH done AS (DELETE FROM ${qualified(child.of)} AS t USING ONLY ${qualified(leaf)} AS p
         WHERE p.ctid = ANY ($1::pg_catalog.tid[]) AND ${on.join(' AND ')} RETURNING 1)
       SELECT pg_catalog.count(*)::pg_catalog.float8 AS done FROM done`,
      [places],
    );
    const done = row?.done ?? 0;
    if (done > 0)
      await noted(run, query, { erased: { place: run.placeOf(child.of), rows: done }, touched: [child.of] });
  }
}

async function largeObjects(
  query: CatalogueQuery,
  { rule, leaf }: Batch,
  places: readonly string[],
): Promise<void> {
  for (const column of rule.largeObjects)
    await query(
      `SELECT pg_catalog.lo_unlink(m.oid) FROM ONLY ${qualified(leaf)} AS t
       JOIN pg_catalog.pg_largeobject_metadata m ON m.oid = t.${ident(column)}
       WHERE t.ctid = ANY ($1::pg_catalog.tid[])`,
      [places],
    );
}

function waiting(of: Sweeping, cause: unknown): HoldfastError {
  return new HoldfastError({
    code: 'HF_ERASURE_WAITING',
    subject: `table ${label(of.relation)}`,
    what: 'another transaction holds rows that are to be erased, and does not end.',
    fix: 'End that transaction; the erasure goes on with its next run.',
    cause,
  });
}
