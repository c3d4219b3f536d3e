// How PostgreSQL's types lie in Parquet: for each way of storing, what SQL reads, what the file holds, and the way back.
import type { SchemaElement } from 'hyparquet';
import type { ArchivedColumn, StoredAs } from '../port.ts';
import {
  dateText,
  float4Of,
  float8Of,
  hexOfFloat4,
  hexOfFloat8,
  hexOfInt64,
  int32OfHex,
  int64OfHex,
  timeText,
  timestampText,
} from './value.ts';

/** A value as the file holds it. */
export type FileValue = boolean | number | bigint | string | Uint8Array;

/** Thrown inside when a value has no exact form in the column's Parquet type; the column is then stored as text. */
export class NotExact extends Error {
  readonly column: string;

  constructor(column: string) {
    super(`a value of ${column} has no exact form in its Parquet type`);
    this.column = column;
  }
}

/** One way of storing. */
interface Form {
  /** SQL of the value's canonical text; depends on no setting but those of a reading transaction. */
  readonly read: (column: string) => string;
  /** Parquet's type while values are written; `written` replaces it in the footer where the writer would convert. */
  readonly element: (column: ArchivedColumn) => Omit<SchemaElement, 'name' | 'repetition_type'>;
  readonly footer?: Omit<SchemaElement, 'name' | 'repetition_type'>;
  /** From canonical text to what the file holds; undefined where there is no exact form. */
  readonly toFile: (text: string, column: ArchivedColumn) => FileValue | undefined;
  /** From Parquet's physical value back to canonical text. */
  readonly fromFile: (value: FileValue, column: ArchivedColumn) => string;
  /** From canonical text to text that PostgreSQL reads as the type, whatever its settings. */
  readonly toSql?: (text: string) => string;
}

// PostgreSQL counts microseconds and days from 2000-01-01, Parquet from 1970-01-01.
const EPOCH_MICROS = 946_684_800_000_000n;
const EPOCH_DAYS = 10_957;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const INT32_MAX = 2 ** 31 - 1;
const INT32_MIN = -(2 ** 31);
const DAY_MICROS = 86_400_000_000n;
// Beyond this a decimal has no type in the engines that read Parquet.
const MAX_PRECISION = 38;

const text = (value: FileValue): string =>
  typeof value === 'string' ? value : Buffer.from(asBytes(value)).toString('utf8');
const hex = (value: FileValue): string => Buffer.from(asBytes(value)).toString('hex');
const asBytes = (value: FileValue): Uint8Array => value as Uint8Array;

const instant = (zoned: boolean): Form => ({
  read: (column) =>
    `pg_catalog.encode(pg_catalog.${zoned ? 'timestamptz' : 'timestamp'}_send(${column}), 'hex')`,
  element: () => ({
    type: 'INT64',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: zoned, unit: 'MICROS' },
    ...(zoned ? { converted_type: 'TIMESTAMP_MICROS' } : {}),
  }),
  toFile: (value) => {
    const micros = int64OfHex(value);
    // Infinity is the type's end in both; the lower end is the one DuckDB and Arrow's users know, one above the minimum.
    if (micros === INT64_MAX) return INT64_MAX;
    if (micros === INT64_MIN) return -INT64_MAX;
    const shifted = micros + EPOCH_MICROS;
    return shifted < INT64_MAX ? shifted : undefined;
  },
  fromFile: (value) => {
    const micros = value as bigint;
    if (micros === INT64_MAX) return hexOfInt64(INT64_MAX);
    return hexOfInt64(micros === -INT64_MAX ? INT64_MIN : micros - EPOCH_MICROS);
  },
  toSql: (value) => timestampText(int64OfHex(value), zoned),
});

const integer = (converted: 'INT_16' | undefined): Form => ({
  read: (column) => `${column}::pg_catalog.text`,
  element: () => ({ type: 'INT32', ...(converted === undefined ? {} : { converted_type: converted }) }),
  toFile: Number,
  fromFile: String,
});

const FORMS: Readonly<Record<StoredAs, Form>> = {
  boolean: {
    read: (column) => `${column}::pg_catalog.text`,
    element: () => ({ type: 'BOOLEAN' }),
    toFile: (value) => value === 'true',
    fromFile: String,
  },
  int16: integer('INT_16'),
  int32: integer(undefined),
  int64: {
    read: (column) => `${column}::pg_catalog.text`,
    element: () => ({ type: 'INT64' }),
    toFile: BigInt,
    fromFile: String,
  },
  float: {
    read: (column) =>
      `CASE WHEN ${column} = 'NaN' THEN '7fc00000' ELSE pg_catalog.encode(pg_catalog.float4send(${column}), 'hex') END`,
    element: () => ({ type: 'FLOAT' }),
    toFile: float4Of,
    fromFile: (value) => hexOfFloat4(value as number),
    toSql: (value) => numberText(float4Of(value)),
  },
  double: {
    read: (column) =>
      `CASE WHEN ${column} = 'NaN' THEN '7ff8000000000000' ELSE pg_catalog.encode(pg_catalog.float8send(${column}), 'hex') END`,
    element: () => ({ type: 'DOUBLE' }),
    toFile: float8Of,
    fromFile: (value) => hexOfFloat8(value as number),
    toSql: (value) => numberText(float8Of(value)),
  },
  decimal: {
    read: (column) => `${column}::pg_catalog.text`,
    element: (column) => decimalElement(column),
    toFile: (value) => (/^-?[0-9.]+$/.test(value) ? BigInt(value.replace('.', '')) : undefined),
    fromFile: (value, column) => decimalText(value, column.scale ?? 0),
  },
  uuid: {
    read: (column) => `pg_catalog.encode(pg_catalog.uuid_send(${column}), 'hex')`,
    element: () => ({ type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, logical_type: { type: 'UUID' } }),
    toFile: (value) => Buffer.from(value, 'hex'),
    fromFile: hex,
  },
  date: {
    read: (column) => `pg_catalog.encode(pg_catalog.date_send(${column}), 'hex')`,
    element: () => ({ type: 'INT32', converted_type: 'DATE', logical_type: { type: 'DATE' } }),
    // Parquet's readers show an infinite day as one in the year 5881580.
    toFile: (value) => {
      const days = int32OfHex(value);
      return days === INT32_MAX || days === INT32_MIN ? undefined : days + EPOCH_DAYS;
    },
    fromFile: (value) => (((value as number) - EPOCH_DAYS) >>> 0).toString(16).padStart(8, '0'),
    toSql: (value) => dateText(int32OfHex(value)),
  },
  time: {
    read: (column) => `pg_catalog.encode(pg_catalog.time_send(${column}), 'hex')`,
    element: () => ({
      type: 'INT64',
      logical_type: { type: 'TIME', isAdjustedToUTC: false, unit: 'MICROS' },
    }),
    // 24:00:00 is a time in PostgreSQL and none in Parquet.
    toFile: (value) => (int64OfHex(value) < DAY_MICROS ? int64OfHex(value) : undefined),
    fromFile: (value) => hexOfInt64(value as bigint),
    toSql: (value) => timeText(int64OfHex(value)),
  },
  timestamp: instant(false),
  timestamptz: instant(true),
  json: {
    read: (column) => `${column}::pg_catalog.text`,
    // The writer would print a JSON column anew; PostgreSQL's own text goes in, and the footer says what it is.
    element: () => ({ type: 'BYTE_ARRAY', converted_type: 'UTF8' }),
    footer: { type: 'BYTE_ARRAY', converted_type: 'JSON', logical_type: { type: 'JSON' } },
    toFile: (value) => value,
    fromFile: text,
  },
  bytea: {
    read: (column) => `pg_catalog.encode(${column}, 'hex')`,
    element: () => ({ type: 'BYTE_ARRAY' }),
    toFile: (value) => Buffer.from(value, 'hex'),
    fromFile: hex,
    toSql: (value) => `\\x${value}`,
  },
  text: {
    read: (column) => `${column}::pg_catalog.text`,
    element: () => ({ type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } }),
    toFile: (value) => value,
    fromFile: text,
  },
};

/** What the catalogue says of a column's type, domains resolved. */
export interface CatalogueColumn {
  readonly name: string;
  /** As format_type writes it under an empty search_path. */
  readonly type: string;
  /** pg_type.oid of the type below all domains, and its modifier. */
  readonly base: number;
  readonly modifier: number;
}

// Object identifiers of PostgreSQL's own types never change: src/include/catalog/pg_type.dat.
const KINDS: Readonly<Record<number, StoredAs>> = {
  16: 'boolean',
  17: 'bytea',
  20: 'int64',
  21: 'int16',
  23: 'int32',
  114: 'json',
  700: 'float',
  701: 'double',
  1082: 'date',
  1083: 'time',
  1114: 'timestamp',
  1184: 'timestamptz',
  2950: 'uuid',
  3802: 'json',
};
const NUMERIC = 1700;

/**
 * How a column is stored: in a Parquet type of its own where every value has an exact form there, else as text. A
 * numeric without precision, or one that Parquet's decimal cannot hold (over 38 digits, a scale below 0 or above the
 * precision), is text, and so are intervals, arrays, enums, ranges, network addresses and everything else.
 * @param asText columns that hold a value without an exact form, by name
 */
export function storedColumn(column: CatalogueColumn, asText: ReadonlySet<string>): ArchivedColumn {
  const { name, type, base, modifier } = column;
  if (asText.has(name)) return { name, type, stored: 'text' };
  if (base === NUMERIC && modifier >= 4) {
    // numeric.c: precision in the upper half, scale as eleven signed bits.
    const precision = ((modifier - 4) >> 16) & 0xffff;
    const scale = (((modifier - 4) & 0x7ff) ^ 1024) - 1024;
    const fits = precision <= MAX_PRECISION && scale >= 0 && scale <= precision;
    if (fits) return { name, type, stored: 'decimal', precision, scale };
  }
  return { name, type, stored: KINDS[base] ?? 'text' };
}

/** SQL of a column's canonical text. */
export function readSql(column: ArchivedColumn, quoted: string): string {
  return FORMS[column.stored].read(quoted);
}

/** Parquet's schema of the columns: as the writer is told it, and as the footer says it. */
export function parquetSchemas(columns: readonly ArchivedColumn[]): {
  readonly writing: SchemaElement[];
  readonly footer: SchemaElement[];
} {
  const root: SchemaElement = { name: 'root', num_children: columns.length };
  return {
    writing: [root, ...columns.map((column) => leaf(column, 'writing'))],
    footer: [root, ...columns.map((column) => leaf(column, 'footer'))],
  };
}

function leaf(column: ArchivedColumn, which: 'writing' | 'footer'): SchemaElement {
  const form = FORMS[column.stored];
  const element = which === 'footer' ? (form.footer ?? form.element(column)) : form.element(column);
  return { name: column.name, repetition_type: 'OPTIONAL', ...element };
}

/**
 * What the file holds of a value.
 * @throws NotExact when the column's Parquet type has no exact form of it
 */
export function toFile(column: ArchivedColumn, value: string): FileValue {
  const held = FORMS[column.stored].toFile(value, column);
  if (held === undefined) throw new NotExact(column.name);
  return held;
}

/** The canonical text of what a file holds. */
export function fromFile(column: ArchivedColumn, value: FileValue): string {
  return FORMS[column.stored].fromFile(value, column);
}

/** Text that PostgreSQL reads as the column's type. */
export function toSql(column: ArchivedColumn, canonical: string): string {
  return FORMS[column.stored].toSql?.(canonical) ?? canonical;
}

function decimalElement(column: ArchivedColumn): Omit<SchemaElement, 'name' | 'repetition_type'> {
  const { precision = 0, scale = 0 } = column;
  const decimal = { converted_type: 'DECIMAL', precision, scale } as const;
  if (precision <= 9) return { type: 'INT32', ...decimal };
  if (precision <= 18) return { type: 'INT64', ...decimal };
  const bytes = Math.ceil((Math.log2(10) * precision + 1) / 8);
  return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: bytes, ...decimal };
}

function decimalText(value: FileValue, scale: number): string {
  const unscaled = typeof value === 'object' ? signedOf(value) : BigInt(value);
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const whole = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return unscaled < 0n ? `-${whole}` : whole;
}

function signedOf(bytes: Uint8Array): bigint {
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
}

// JavaScript prints the shortest digits that give the same double, which PostgreSQL reads back to it; only -0 needs help.
function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}
