// What rows hold, as one sum that does not depend on their order: PostgreSQL computes it over a table, Node over files.
import { hash } from 'node:crypto';
import type { TaskContext } from '../../../define/job.ts';
import { ident } from '../../../sql.ts';
import type { ArchivedColumn, ArchiveSource, StoredAs } from '../port.ts';
import type { TextColumns } from './parquet-file.ts';
import { batches, BLOCKS } from './source.ts';
import { readSql } from './stored.ts';
import { dateText, int32OfHex, int64OfHex, timestampText } from './value.ts';

/** Row count, the ends of a time column and the sum of the rows' hashes. */
export interface Content {
  readonly rows: number;
  /** Canonical text of the oldest and the newest value; null where there is none. */
  readonly min: string | null;
  readonly max: string | null;
  /** Two sums, of the first and the second eight bytes of SHA-256 over each row's text. */
  readonly sum: string;
}

/** Adds up batches. */
export interface Summing {
  readonly add: (part: Content) => void;
  readonly total: () => Content;
}

/**
 * Sums up rows as Node has them. A row's text is, for each column in order, `-` for NULL, else the number of characters,
 * `:` and the canonical text: no two different rows share one.
 * @param time the column whose ends are told, when it is among them
 */
export function contentOf(
  rows: TextColumns,
  columns: readonly ArchivedColumn[],
  time: ArchivedColumn | undefined,
): Content {
  const count = rows[0]?.length ?? 0;
  let high = 0n;
  let low = 0n;
  for (let at = 0; at < count; at += 1) {
    let text = '';
    for (const column of rows) {
      const value = column[at] ?? null;
      text += value === null ? '-' : `${characters(value)}:${value}`;
    }
    const digest = hash('sha256', text, 'buffer');
    high += digest.readBigInt64BE(0);
    low += digest.readBigInt64BE(8);
  }
  const ends = summing(time);
  const values = time === undefined ? undefined : rows[columns.indexOf(time)];
  for (const value of values ?? []) ends.add({ rows: 0, min: value, max: value, sum: '0:0' });
  const { min, max } = ends.total();
  return { rows: count, min, max, sum: `${high}:${low}` };
}

/**
 * Lets PostgreSQL sum up a table, batch by batch.
 * @throws HoldfastError HF_ABORTED when the signal was aborted
 */
export async function contentOfTable(
  context: TaskContext,
  source: ArchiveSource,
  of: { readonly columns: readonly ArchivedColumn[]; readonly time: ArchivedColumn | undefined },
): Promise<Content> {
  const total = summing(of.time);
  const statement = (leaf: string): string =>
    contentSql(of.columns, { from: `ONLY ${leaf} WHERE ${BLOCKS}`, time: of.time });
  for await (const [part] of batches<Content>(context, source, statement)) if (part) total.add(part);
  return total.total();
}

/** A sum that starts at nothing; `time` says how its ends are compared. */
export function summing(time: ArchivedColumn | undefined): Summing {
  let rows = 0;
  let [high, low] = [0n, 0n];
  let min: string | null = null;
  let max: string | null = null;
  return {
    add: (part) => {
      rows += part.rows;
      const [more, less] = part.sum.split(':');
      high += BigInt(more ?? 0);
      low += BigInt(less ?? 0);
      if (time === undefined) return;
      if (part.min !== null && (min === null || order(time, part.min) < order(time, min))) min = part.min;
      if (part.max !== null && (max === null || order(time, part.max) > order(time, max))) max = part.max;
    },
    total: () => ({ rows, min, max, sum: `${high}:${low}` }),
  };
}

const ORDERED: readonly StoredAs[] = ['date', 'timestamp', 'timestamptz'];

/** The range's column among the stored ones, where its ends can be told. */
export function timeColumn(
  columns: readonly ArchivedColumn[],
  range: { readonly column: string },
): ArchivedColumn | undefined {
  return columns.find((column) => column.name === range.column && ORDERED.includes(column.stored));
}

/** Columns with their types, as one text to compare. */
export function names(columns: readonly { readonly name: string; readonly type: string }[]): string {
  return columns.map(({ name, type }) => `${name} ${type}`).join(', ');
}

/** Canonical text of a time as people read it: ISO, with microseconds. */
export function shownTime(column: ArchivedColumn, canonical: string): string {
  if (column.stored === 'date') return dateText(int32OfHex(canonical));
  return timestampText(int64OfHex(canonical), column.stored === 'timestamptz');
}

/** Microseconds since 2000-01-01 of canonical text; days count from their midnight. */
export function order(column: ArchivedColumn, canonical: string): bigint {
  return column.stored === 'date' ? BigInt(int32OfHex(canonical)) * 86_400_000_000n : int64OfHex(canonical);
}

/**
 * The statement that sums up rows: one row with the fields of {@link Content}.
 * @param of.from what stands after FROM; its columns are those of `alias` where one is given
 */
export function contentSql(
  columns: readonly ArchivedColumn[],
  of: { readonly from: string; readonly time: ArchivedColumn | undefined; readonly alias?: string },
): string {
  const own = (column: ArchivedColumn): string =>
    `${of.alias === undefined ? '' : `${of.alias}.`}${ident(column.name)}`;
  const values = columns.map((column, at) => `${readSql(column, own(column))} AS c${at}`);
  const text = columns.map((_, at) => `coalesce(pg_catalog.length(c${at})||':'||c${at}, '-')`).join('||');
  const { time } = of;
  const ends =
    time === undefined ? ['NULL', 'NULL'] : [`min(moment)`, `max(moment)`].map((end) => readSql(time, end));
  const moment = time === undefined ? 'NULL' : own(time);
  // OFFSET 0 keeps the planner from computing a value once for its length and once more for itself.
  return `
    SELECT pg_catalog.count(*)::pg_catalog.float8 AS rows, ${ends[0]} AS min, ${ends[1]} AS max,
           ${half(1)}||':'||${half(17)} AS sum
    FROM (SELECT moment, pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(${text}, 'UTF8')), 'hex') AS h
          FROM (SELECT ${moment} AS moment, ${values.join(', ')} FROM ${of.from} OFFSET 0) AS v OFFSET 0) AS w`;
}

// The sum of eight bytes of each hash, as signed numbers; numeric, so it never overflows.
function half(from: number): string {
  return `coalesce(pg_catalog.sum(('x'||pg_catalog.substr(h, ${from}, 16))::pg_catalog.bit(64)::pg_catalog.int8), 0)`;
}

// PostgreSQL counts characters; JavaScript counts two for those outside the basic plane.
function characters(text: string): number {
  if (!/[\uD800-\uDBFF]/.test(text)) return text.length;
  return text.length - (text.match(/[\uD800-\uDBFF]/g)?.length ?? 0);
}
