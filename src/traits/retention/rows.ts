// Rows leave one by one, in batches that block no writer and know when to stop.
import { label, type RelationName } from '../../define/model.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import { HoldfastError } from '../../error.ts';
import { ident, qualified } from '../../sql.ts';
import { type Pointing, pointingAt } from './catalogue.ts';
import { heldRows, holdsNow, holdsUntilCommit } from './holds.ts';
import { copied } from './leave.ts';
import { count, passes, type Run, stopping } from './run.ts';
import { instantOf } from './terms.ts';

/** Bounds of a batch: it grows while batches are quick and shrinks when they are slow or wait for others. */
const LEAST = 50;
const MOST = 10_000;
const QUICK_MS = 100;
const SLOW_MS = 500;
const FAILURES = 8;
const WAIT_MS = 250;

/** Rows of one table that are to leave: those whose time lies in the half-open range. */
export interface Leaving {
  /** A plain table or one partition: `ctid` names a row in it. */
  readonly from: RelationName;
  /** The archive's table; absent: they are deleted. */
  readonly into?: RelationName;
  readonly range: { readonly from: Date | null; readonly to: Date };
  /** Ranges to leave alone, because their part of the archive takes no rows now. */
  readonly except?: readonly { readonly from: Date | null; readonly to: Date }[];
  /** Whether the rows are online, so that vacuum is owed. */
  readonly online: boolean;
}

/**
 * Moves rows until a batch is short. Each batch is one transaction: rows are locked with SKIP LOCKED, so that nobody
 * waits for it and it waits for no row, then deleted and inserted by one statement over named columns, and both counts
 * are compared. Rows that others point at stay: no foreign key's action is ever set off.
 * @returns how many rows left
 * @throws HoldfastError HF_RETENTION_LOST when the archive took fewer rows than left; the batch is rolled back
 */
export async function moveRows(run: Run, leaving: Leaving): Promise<number> {
  const pointing = await pointingAt(run.context.session.query, leaving.from);
  const endless = pointing.some((key) => key.own);
  let [size, moved, failures] = [run.terms.batch.rows, 0, 0];
  while (!stopping(run)) {
    const batch = await oneBatch(run, { leaving, pointing, size }).catch((error: unknown) => {
      failures += 1;
      if (!passes(error) || failures >= FAILURES) throw error;
      return undefined;
    });
    if (batch === undefined) {
      size = Math.max(LEAST, Math.floor(size / 2));
      await run.context.pause(WAIT_MS);
      continue;
    }
    failures = 0;
    moved += batch.moved;
    if (batch.moved === 0 || (batch.moved < size && !endless)) break;
    size = resized(size, batch.ms);
    await run.context.pause(run.terms.batch.pauseMs);
  }
  run.told.rows += moved;
  return moved;
}

/** `1 row stays`, `2 rows stay`. */
export function staying(rows: number): string {
  return rows === 1 ? '1 row stays' : `${rows} rows stay`;
}

/** How many rows are old enough and stay because others point at them. */
export async function countPointedAt(run: Run, leaving: Leaving): Promise<number> {
  const { session } = run.context;
  const pointing = await pointingAt(session.query, leaving.from);
  if (pointing.length === 0) return 0;
  return session.transaction(async (query) => {
    await query('SET LOCAL row_security = off');
    const due = dueRows(run, leaving);
    const [row] = await query<{ rows: string }>(
      `SELECT count(*) AS rows FROM ${qualified(leaving.from)} t WHERE ${due.sql} AND NOT ${unpointed(pointing)}`,
      due.values,
    );
    return Number(row?.rows ?? 0);
  });
}

/** The oldest row that is to leave and may, as an instant; null when there is none. */
export async function oldestRow(run: Run, leaving: Leaving): Promise<Date | null> {
  const { session } = run.context;
  const free = unpointed(await pointingAt(session.query, leaving.from));
  const held = await holdsNow(run);
  return session.transaction(async (query) => {
    await query('SET LOCAL row_security = off');
    const due = dueRows(run, leaving);
    const kept = heldRows(held, { terms: run.terms, values: due.values });
    const by = `t.${ident(run.terms.by)}`;
    const instant = run.terms.type === 'timestamptz' ? by : `${by}::timestamp AT TIME ZONE 'UTC'`;
    const [row] = await query<{ ms: number }>(
      `SELECT extract(epoch FROM ${instant})::float8 * 1000 AS ms FROM ${qualified(leaving.from)} t
       WHERE ${due.sql} AND NOT ${kept.sql} AND ${free} ORDER BY ${by} LIMIT 1`,
      kept.values,
    );
    return row === undefined ? null : new Date(Math.floor(row.ms));
  });
}

interface Batch {
  readonly leaving: Leaving;
  readonly pointing: readonly Pointing[];
  readonly size: number;
}

/**
 * Rows are locked by one statement and moved by the next: the second has a newer snapshot, in which every row that came
 * to point at a locked one is seen, and no other can come.
 */
async function oneBatch(run: Run, batch: Batch): Promise<{ readonly moved: number; readonly ms: number }> {
  const { leaving, pointing, size } = batch;
  return run.context.session.transaction(async (query) => {
    await query('SET LOCAL row_security = off');
    const holds = await holdsUntilCommit(run, query);
    const due = dueRows(run, leaving);
    const held = heldRows(holds, { terms: run.terms, values: due.values });
    const free = unpointed(pointing);
    const rows = await query<{ place: string }>(
      `SELECT t.ctid::text AS place FROM ${qualified(leaving.from)} t
       WHERE ${due.sql} AND NOT ${held.sql} AND ${free}
       ORDER BY t.${ident(run.terms.by)} LIMIT ${size} FOR UPDATE OF t SKIP LOCKED`,
      held.values,
    );
    if (rows.length === 0) return { moved: 0, ms: 0 };
    return moveBatch(run, query, { leaving, free, places: rows.map((row) => row.place) });
  });
}

async function moveBatch(
  run: Run,
  query: CatalogueQuery,
  batch: { readonly leaving: Leaving; readonly free: string; readonly places: readonly string[] },
): Promise<{ readonly moved: number; readonly ms: number }> {
  const { leaving, free, places } = batch;
  const columns = copied(run).join(', ');
  const gone = `DELETE FROM ${qualified(leaving.from)} t WHERE t.ctid = ANY ($1::tid[]) AND ${free} RETURNING ${leaving.into === undefined ? '1' : columns}`;
  const put =
    leaving.into === undefined
      ? 'SELECT FROM gone'
      : `INSERT INTO ${qualified(leaving.into)} (${columns}) SELECT ${columns} FROM gone RETURNING 1`;
  const [row] = await query<{ gone: string; put: string; ms: number }>(
    `WITH gone AS (${gone}), put AS (${put})
     SELECT (SELECT count(*) FROM gone) AS gone, (SELECT count(*) FROM put) AS put,
       extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.now())::float8 * 1000 AS ms`,
    [places],
  );
  const moved = Number(row?.gone ?? 0);
  if (Number(row?.put ?? 0) !== moved) throw lost(leaving, { moved, put: row?.put ?? '0' });
  const counted = leaving.into === undefined ? { deleted: moved } : { moved };
  await count(run, query, { ...counted, ...(leaving.online && { unvacuumed: moved }) });
  return { moved, ms: row?.ms ?? 0 };
}

function lost(leaving: Leaving, by: { readonly moved: number; readonly put: string }): HoldfastError {
  const { from, into } = leaving;
  return new HoldfastError({
    code: 'HF_RETENTION_LOST',
    subject: `table ${label(from)}`,
    what: `${by.moved} rows left it and ${label(into ?? from)} took ${by.put}: a trigger or rule there dropped some. Nothing was moved.`,
    fix: 'Remove that trigger or rule from the archive.',
  });
}

function resized(size: number, ms: number): number {
  if (ms < QUICK_MS) return Math.min(MOST, size * 2);
  return ms > SLOW_MS ? Math.max(LEAST, Math.floor(size / 2)) : size;
}

/** The condition on rows `t` that are old enough and not left alone. */
function dueRows(run: Run, leaving: Leaving): { readonly sql: string; readonly values: readonly unknown[] } {
  const { terms } = run;
  const values: unknown[] = [];
  const instant = (at: Date): string => `$${values.push(instantOf(terms, at))}::${terms.type}`;
  const by = `t.${ident(terms.by)}`;
  const within = ({ from, to }: { readonly from: Date | null; readonly to: Date }): string =>
    [...(from === null ? [] : [`${by} >= ${instant(from)}`]), `${by} < ${instant(to)}`].join(' AND ');
  const sql = [
    within(leaving.range),
    ...(leaving.except ?? []).map((range) => `NOT (${within(range)})`),
  ].join(' AND ');
  return { sql, values };
}

/** The condition on rows `t` that nobody points at; a row that points at itself does not keep itself. */
export function unpointed(pointing: readonly Pointing[]): string {
  const conditions = pointing.map((key) => {
    const on = key.columns.map((column, at) => `r.${ident(column)} = t.${ident(key.points[at] ?? '')}`);
    const itself = key.own ? ' AND (r.tableoid, r.ctid) IS DISTINCT FROM (t.tableoid, t.ctid)' : '';
    return `NOT EXISTS (SELECT FROM ${qualified(key)} r WHERE ${on.join(' AND ')}${itself})`;
  });
  return conditions.length === 0 ? 'true' : `(${conditions.join(' AND ')})`;
}
