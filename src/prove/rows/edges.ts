// Rows on each side of a constant: a policy that opens what is from before a date shows what it does only where a row is
// from before it, and another is not.
import type { Catalogue, Column, Table } from './catalogue.ts';
import { baseOf } from './candidates.ts';
import type { Filling } from './filling.ts';
import type { Code } from './spoken.ts';

/** What a column holds in a row that stands on one side of a constant, or on it. */
export interface Edge {
  readonly column: string;
  /** The nearest value first; a further one where the nearer is taken. */
  readonly values: readonly string[];
}

const CONSTANT = String.raw`\(*(?:(?:date|timestamp|timestamptz)\s+)?('[^']*'|(?<![\w.])-?\d+(?:\.\d+)?)(?:::[a-z ]+)?\)*`;
const MOVING = String.raw`\(*((?:now\(\)|CURRENT_TIMESTAMP|CURRENT_DATE)(?:\s*[-+]\s*(?:interval\s*)?(?:'[^']*'(?:::interval)?|\d+))?)(?:::[a-z ]+)?\)*`;
const COLUMN = String.raw`"?\b([a-z_]\w*)"?\)*(?:::[a-z ]+(?:\([\d,]+\))?)?\)*`;
const OPERATOR = String.raw`\s*(<=|>=|<>|<|>|=|\bBETWEEN\b)\s*`;
const OPERAND = `(?:${MOVING}|${CONSTANT})`;
const COLUMN_FIRST = new RegExp(`${COLUMN}${OPERATOR}${OPERAND}`, 'gi');
const COLUMN_LAST = new RegExp(String.raw`${OPERAND}${OPERATOR}\(*"?([a-z_]\w*)`, 'gi');
const LISTED = new RegExp(String.raw`${COLUMN}\s*(?:=\s*ANY\s*\(+ARRAY\[|IN\s*\()([^\])]*)`, 'gi');

interface Line {
  readonly column: string;
  readonly operator: string;
  /** As SQL: a literal, or what is reckoned from the present. */
  readonly constant: string;
}

/** Constants of one column, so that a long list of them does not fill a table. */
const MOST = 4;
/** Values on one side, so that a unique key leaves each owner one. */
const DEEP = 6;

/**
 * Rows to make besides in a table: for each instant and number that the database's code compares one of its columns
 * with, a row just below it and one just above; for each that a column is to equal, a row with it. Owner columns,
 * references and what numbers itself stay as they are.
 */
export async function edgesOf(filling: Filling, table: Table): Promise<readonly Edge[]> {
  const lines = linesIn(filling.codesAbout(table));
  const bound = new Set(table.references.flatMap(({ columns }) => columns));
  const edges: Edge[] = [];
  for (const column of table.columns) {
    const held = filling.owners.classOf(table.id, column.name) !== undefined || bound.has(column.name);
    const kind = kindOf(column, filling.types);
    if (held || kind === undefined || column.generated !== null || column.counts) continue;
    const about = lines.filter((line) => line.column === column.name);
    const once = new Map(about.map((line) => [`${line.operator === '='} ${line.constant}`, line]));
    for (const line of [...once.values()].slice(0, MOST))
      for (const values of await sidesOf(filling, { column, kind, line }))
        edges.push({ column: column.name, values });
  }
  return edges;
}

function linesIn(codes: readonly Code[]): readonly Line[] {
  return codes.flatMap(({ code }) => [
    ...[...code.matchAll(COLUMN_FIRST)].map(([, column = '', operator = '', moving, constant = '']) => ({
      column,
      operator,
      constant: moving ?? constant,
    })),
    ...[...code.matchAll(COLUMN_LAST)].map(([, moving, constant = '', operator = '', column = '']) => ({
      column,
      operator,
      constant: moving ?? constant,
    })),
    ...[...code.matchAll(LISTED)].flatMap(([, column = '', list = '']) =>
      [...list.matchAll(new RegExp(CONSTANT, 'gi'))].map(([, constant = '']) => ({
        column,
        operator: '=',
        constant,
      })),
    ),
  ]);
}

type Kind = 'day' | 'instant' | 'number';

function kindOf(column: Column, types: Catalogue['types']): Kind | undefined {
  const name = baseOf(column, types).type?.name ?? '';
  if (name === 'date') return 'day';
  if (/^timestamp(tz)?$/.test(name)) return 'instant';
  return /^(int[248]|numeric|float[48])$/.test(name) ? 'number' : undefined;
}

interface Asked {
  readonly column: Column;
  readonly kind: Kind;
  readonly line: Line;
}

/** Values below and above a constant, or the constant itself; none where it is no constant of the column's type. */
async function sidesOf(filling: Filling, asked: Asked): Promise<readonly (readonly string[])[]> {
  if (asked.line.operator === '=') return [await valuesOn(filling, asked, 0)].filter(some);
  return [await valuesOn(filling, asked, -1), await valuesOn(filling, asked, 1)].filter(some);
}

function some(values: readonly string[]): boolean {
  return values.length > 0;
}

/** The nearest values on a side that the type has room for. */
async function valuesOn(filling: Filling, asked: Asked, side: -1 | 0 | 1): Promise<readonly string[]> {
  const { column, line } = asked;
  const moving = !/^['\d-]/.test(line.constant);
  if (moving && asked.kind === 'number') return [];
  for (const depth of side === 0 ? [0] : [DEEP, 1]) {
    const rows = await filling
      .ask<{ value: string }>(
        `SELECT (${edgeSql(asked, moving)} + n * ${side} * ${stepSql(asked, moving)})::${column.sql}::pg_catalog.text AS value
         FROM pg_catalog.generate_series(${Math.min(1, depth)}, ${depth}) n ORDER BY n`,
        moving ? [] : [line.constant.replaceAll("'", '')],
      )
      .catch(() => []);
    if (rows.length > 0) return rows.map(({ value }) => value);
  }
  return [];
}

/** What is reckoned from the present is a whole day's, so that the same seed gives the same rows. */
function edgeSql({ kind, line }: Asked, moving: boolean): string {
  if (moving) return `pg_catalog.date_trunc('day', (${line.constant})::pg_catalog.timestamptz)`;
  return `$1::pg_catalog.text::pg_catalog.${kind === 'number' ? 'numeric' : 'timestamptz'}`;
}

/** Of a number one of the last digit that it is written with; of the present a day and a half, as it moves on. */
function stepSql({ kind, line }: Asked, moving: boolean): string {
  if (moving) return `'36 hours'::pg_catalog.interval`;
  if (kind !== 'number') return `'1 ${kind === 'day' ? 'day' : 'second'}'::pg_catalog.interval`;
  const digits = /\.(\d+)/.exec(line.constant)?.[1]?.length ?? 0;
  return digits === 0 ? '1' : `0.${'1'.padStart(digits, '0')}`;
}
