// What an incremental rollup is, resolved against the model: its columns in order, and the period a row falls into.
import { findTable, type Model, type RelationName, type Table } from '../../../define/model.ts';
import { ident, qualified } from '../../../sql.ts';
import { objectName } from '../../name.ts';
import { columnOf, relationOf } from '../../reference.ts';
import { mentions } from '../mention.ts';
import type { IncrementalOptions } from './options.ts';

/** What a column of the target holds. */
export type Part = 'key' | 'count' | 'sum' | 'least' | 'greatest' | 'carried' | 'recounted';

/** One column of the target, and the expression over a source row (or over many, for `recounted`) that fills it. */
export interface Figure {
  readonly part: Part;
  readonly column: string;
  readonly expression: string;
  /** Type in the queue: sums without a scale, so that nothing is rounded before it is added up. */
  readonly type: string;
}

/** The period of a bucket as SQL over a row `row` that has the bucket's column. */
export interface Bucket {
  readonly column: string;
  readonly from: (row: string) => string;
  readonly to: (row: string) => string;
}

/** An incremental rollup, ready to be written as SQL. */
export interface Plan {
  readonly of: RelationName;
  readonly source: RelationName;
  readonly options: IncrementalOptions;
  readonly figures: readonly Figure[];
  /** `source.created_at` as an instant, where a time was named. */
  readonly instant?: string;
  readonly time?: { readonly column: string; readonly kind: TimeKind };
  readonly bucket?: Bucket;
  readonly stamp?: string;
  /** The source's primary key, where it is partitioned. */
  readonly partitionedKey?: readonly string[];
}

/** How a column of time is stored; the last two are read as UTC. */
export type TimeKind = 'timestamptz' | 'timestamp' | 'date';

/** The kind of a column's type, or undefined where it holds no time. */
export function timeKind(type: string): TimeKind | undefined {
  const plain = plainType(type);
  if (plain === 'timestamptz' || plain === 'timestamp with time zone') return 'timestamptz';
  if (plain === 'timestamp' || plain === 'timestamp without time zone') return 'timestamp';
  return plain === 'date' ? 'date' : undefined;
}

/** A type without its modifiers, in small letters. */
export function plainType(type: string): string {
  return type
    .toLowerCase()
    .replace(/\s*\([^)]*\)/, '')
    .trim();
}

/** The rollup resolved against the model, or undefined where the model lacks one of its tables; the check says so. */
export function planOf(model: Model, of: RelationName, options: IncrementalOptions): Plan | undefined {
  const target = findTable(model, of);
  const from = relationOf(options.of);
  const source = findTable(model, from);
  if (target === undefined || source === undefined) return undefined;
  const time = timeOf(source, options);
  const bucket = bucketOf(target, options);
  return {
    of,
    source: from,
    options,
    figures: figuresOf(target, { options, ...(time !== undefined && { time }) }),
    ...(time !== undefined && { time, instant: instantOf(time) }),
    ...(bucket !== undefined && { bucket }),
    ...(options.stamp !== undefined && { stamp: columnOf(options.stamp) }),
    ...(source.partitionBy !== undefined &&
      source.primaryKey !== undefined && { partitionedKey: source.primaryKey.columns }),
  };
}

/** Names of what a rollup brings, in its table's schema. */
export function namesOf(of: RelationName): {
  readonly queue: RelationName;
  readonly note: RelationName;
  readonly settle: RelationName;
  readonly rebuild: RelationName;
} {
  const named = (suffix: string): RelationName => ({
    schema: of.schema,
    name: objectName(`${of.name}_${suffix}`),
  });
  return {
    queue: named('pending'),
    note: named('note'),
    settle: named('settle'),
    rebuild: named('rebuild'),
  };
}

/** The relations that the options join to the source. */
export function joinedOf(model: Model, options: IncrementalOptions): readonly RelationName[] {
  const join = options.join ?? '';
  const named = options.reads?.map(relationOf);
  const all = named ?? [...model.tables, ...model.views].filter((one) => mentions(join, one));
  return all.map(({ schema, name }) => ({ schema, name }));
}

/** The figures of given parts, in order. */
export function only(plan: Plan, ...parts: readonly Part[]): readonly Figure[] {
  return plan.figures.filter((figure) => parts.includes(figure.part));
}

/** What a row is taken from: the given relation under the name `source`, and what the options join to it. */
export function fromClause(plan: Plan, relation = qualified(plan.source)): string {
  return `FROM ${relation} AS source${plan.options.join === undefined ? '' : `\n    ${plan.options.join}`}`;
}

/** The condition on rows that count, on a line of its own; nothing where all do. */
export function whereClause(plan: Plan, more: readonly string[] = []): string {
  const all = [...(plan.options.where === undefined ? [] : [`(${plan.options.where})`]), ...more];
  return all.length === 0 ? '' : `\n    WHERE ${all.join(' AND ')}`;
}

/** Grouping by the key, which is selected first; a key with a NULL in it is no key. */
export function groupClause(plan: Plan, having?: string): string {
  const keys = only(plan, 'key');
  const whole = keys.map(({ expression }) => `(${expression}) IS NOT NULL`);
  const all = [...whole, ...(having === undefined ? [] : [`(${having})`])];
  return `GROUP BY ${keys.map((_, at) => String(at + 1)).join(', ')} HAVING ${all.join(' AND ')}`;
}

function figuresOf(
  target: Table,
  by: { readonly options: IncrementalOptions; readonly time?: NonNullable<Plan['time']> },
): readonly Figure[] {
  const { options, time } = by;
  const figure = (part: Part, column: string, expression: string): Figure => {
    const type = target.columns.find((one) => one.name === column)?.type ?? 'text';
    const summed = part === 'sum' || part === 'count';
    return { part, column, expression, type: summed ? queueType(type) : type };
  };
  const list = (part: Part, given: Readonly<Record<string, string>> = {}): Figure[] =>
    Object.entries(given).map(([column, expression]) => figure(part, column, expression));
  const { bucket } = options;
  const period =
    bucket === undefined || time === undefined
      ? []
      : [figure('key', columnOf(bucket.column), bucketExpression(target, { bucket, time }))];
  return [
    ...list('key', options.key),
    ...period,
    figure('count', columnOf(options.count), '1'),
    ...list('sum', options.sums),
    ...list('least', options.least),
    ...list('greatest', options.greatest),
    ...list('carried', options.carried),
    ...list('recounted', options.recounted),
  ];
}

/** Whole numbers grow to bigint; what else is added up keeps its type. */
function queueType(type: string): string {
  return /^(small|big)?int(eger)?$|^int[248]$/.test(plainType(type)) ? 'bigint' : plainType(type);
}

function timeOf(source: Table, options: IncrementalOptions): Plan['time'] {
  if (options.time === undefined) return undefined;
  const name = columnOf(options.time);
  const kind = timeKind(source.columns.find((one) => one.name === name)?.type ?? '');
  return kind === undefined ? undefined : { column: name, kind };
}

function instantOf(time: NonNullable<Plan['time']>): string {
  const column = `source.${ident(time.column)}`;
  if (time.kind === 'timestamptz') return column;
  return `(${column}${time.kind === 'date' ? '::timestamp' : ''} AT TIME ZONE 'UTC')`;
}

/** An instant as the source's column of time stores it, so that its index and its partitions are used. */
export function stored(time: NonNullable<Plan['time']>, instant: string): string {
  if (time.kind === 'timestamptz') return instant;
  return `(${instant} AT TIME ZONE 'UTC')${time.kind === 'date' ? '::date' : ''}`;
}

function bucketExpression(
  target: Table,
  by: {
    readonly bucket: NonNullable<IncrementalOptions['bucket']>;
    readonly time: NonNullable<Plan['time']>;
  },
): string {
  const begins = `date_trunc('${by.bucket.every}', ${instantOf(by.time)} AT TIME ZONE 'UTC')`;
  const kind = bucketKind(target, columnOf(by.bucket.column));
  if (kind === 'date') return `${begins}::date`;
  return kind === 'timestamptz' ? `(${begins} AT TIME ZONE 'UTC')` : begins;
}

function bucketKind(target: Table, column: string): TimeKind | undefined {
  return timeKind(target.columns.find((one) => one.name === column)?.type ?? '');
}

function bucketOf(target: Table, options: IncrementalOptions): Bucket | undefined {
  if (options.bucket === undefined) return undefined;
  const column = columnOf(options.bucket.column);
  const kind = bucketKind(target, column);
  const utc = (row: string): string => {
    const value = `${row}.${ident(column)}`;
    if (kind === 'timestamptz') return `(${value} AT TIME ZONE 'UTC')`;
    return kind === 'date' ? `${value}::timestamp` : value;
  };
  const { every } = options.bucket;
  return {
    column,
    from: (row) => `(${utc(row)} AT TIME ZONE 'UTC')`,
    to: (row) => `((${utc(row)} + interval '1 ${every}') AT TIME ZONE 'UTC')`,
  };
}
