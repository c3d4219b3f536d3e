// Which partitions are missing now, and the statements that make each of them whole and attach it at once.
import { findTable, label, type RelationName } from '../../define/model.ts';
import type { CatalogueQuery, SettleContext, Settlement } from '../../define/trait.ts';
import { HoldfastError } from '../../error.ts';
import { ident, literal, qualified } from '../../sql.ts';
import { cut } from '../name.ts';
import { rangeTypeOf, type RangeType } from './build.ts';
import { hotSettlements, hotStatements } from './hot.ts';
import type { PartitionsOptions } from './index.ts';
import { PARENT_SQL, type Parent, protection } from './parent.ts';
import { boundText, gaps, periods, type Range, suffix } from './period.ts';

/** One partition as the catalogue has it. */
export interface Existing extends RelationName, Range {
  readonly isDefault: boolean;
}

/** The table, its column and the options it was partitioned with. */
export interface Asked {
  readonly of: RelationName;
  readonly by: string;
  readonly options: PartitionsOptions;
}

/**
 * A bound is read back by the server that wrote it, in the same session: text and parse share DateStyle and TimeZone,
 * so the instant is right whatever they are. Bounds of `date` and `timestamp` are read as UTC.
 */
const PARTITIONS_SQL = `
  SELECT b.schema, b.name, b.bound = 'DEFAULT' AS is_default,
    CASE WHEN b.low = 'MINVALUE' THEN '-Infinity'::float8
      WHEN $3 = 'timestamptz' THEN extract(epoch FROM b.low::timestamptz)::float8 * 1000
      ELSE extract(epoch FROM b.low::timestamp AT TIME ZONE 'UTC')::float8 * 1000 END AS from_ms,
    CASE WHEN b.high = 'MAXVALUE' THEN 'Infinity'::float8
      WHEN $3 = 'timestamptz' THEN extract(epoch FROM b.high::timestamptz)::float8 * 1000
      ELSE extract(epoch FROM b.high::timestamp AT TIME ZONE 'UTC')::float8 * 1000 END AS to_ms
  FROM (
    SELECT n.nspname AS schema, c.relname AS name, e.bound,
      coalesce((pg_catalog.regexp_match(e.bound, 'FROM \\(''([^'']*)''\\)'))[1], substring(e.bound FROM 'FROM \\((MINVALUE|MAXVALUE)\\)')) AS low,
      coalesce((pg_catalog.regexp_match(e.bound, 'TO \\(''([^'']*)''\\)'))[1], substring(e.bound FROM 'TO \\((MINVALUE|MAXVALUE)\\)')) AS high
    FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
    JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
    CROSS JOIN LATERAL (SELECT pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound) e
    WHERE pn.nspname = $1 AND p.relname = $2
  ) b
  ORDER BY from_ms NULLS FIRST`;

const TAKEN_SQL = `
  SELECT c.relname AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1
  UNION SELECT t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  WHERE n.nspname = $1`;

/**
 * The partitions that should exist now and do not, one settlement each, and the hot indexes that come and go.
 * @throws HoldfastError HF_PARTITION_OPTIONS when the options are not usable, HF_PARTITION_DEFAULT when the table has a
 * DEFAULT partition, which would be scanned and could refuse each new one
 */
export async function missingPartitions(
  context: SettleContext,
  asked: Asked,
): Promise<readonly Settlement[]> {
  checkOptions(asked.options);
  const type = typeOf(context, asked);
  const [parent] = await context.query<Parent>(PARENT_SQL, [asked.of.schema, asked.of.name]);
  if (parent === undefined) return [];
  const existing = await existingPartitions(context.query, asked.of, type);
  refuseDefault(asked.of, existing);
  const wanted = wantedPeriods(asked.options, { now: context.now, existing });
  const taken = await takenNames(context.query, asked);
  const made = gaps(wanted, existing).map((range) => {
    const of = freeName(asked, range, taken);
    return { ...of, ...range, isDefault: false };
  });
  const scene = { asked, now: context.now };
  return [
    ...made.map((partition) => settlement(partition, { ...scene, parent, type })),
    ...(await hotSettlements(context.query, { ...scene, partitions: existing })),
  ];
}

/** The table's partitions by their bounds. */
export async function existingPartitions(
  query: CatalogueQuery,
  of: RelationName,
  type: RangeType,
): Promise<readonly Existing[]> {
  const rows = await query<{
    schema: string;
    name: string;
    is_default: boolean;
    from_ms: number;
    to_ms: number;
  }>(PARTITIONS_SQL, [of.schema, of.name, type]);
  return rows.map((row) => ({
    schema: row.schema,
    name: row.name,
    isDefault: row.is_default,
    fromMs: row.from_ms,
    toMs: row.to_ms,
  }));
}

function checkOptions(options: PartitionsOptions): void {
  const ahead = options.ahead ?? 3;
  const newest = options.hot?.newest ?? 2;
  const usable = Number.isInteger(ahead) && ahead >= 0 && Number.isInteger(newest) && newest >= 1;
  if (usable && (options.from === undefined || !Number.isNaN(new Date(options.from).getTime()))) return;
  throw new HoldfastError({
    code: 'HF_PARTITION_OPTIONS',
    subject: 'trait partitions',
    what: `ahead is ${ahead}, hot.newest is ${newest}, from is ${String(options.from)}.`,
    fix: "Give 'ahead' a whole number from 0, 'newest' one from 1, and 'from' a date.",
  });
}

/** From `from`, or from where the newest partition ends when nothing was made for a while: no hole is left behind. */
function wantedPeriods(
  options: PartitionsOptions,
  at: { readonly now: Date; readonly existing: readonly Existing[] },
): Range[] {
  const nowMs = at.now.getTime();
  const newestEnd = Math.max(...at.existing.map((partition) => partition.toMs));
  const since = Number.isFinite(newestEnd) ? newestEnd : nowMs;
  const from = options.from === undefined ? since : new Date(options.from).getTime();
  const fromMs = Math.min(from, nowMs);
  return periods(options.every, { fromMs, nowMs, ahead: options.ahead ?? 3 });
}

function typeOf(context: SettleContext, asked: Asked): RangeType {
  const column = findTable(context.model, asked.of)?.columns.find((one) => one.name === asked.by);
  return rangeTypeOf(column?.type ?? '') ?? 'timestamptz';
}

function refuseDefault(of: RelationName, existing: readonly Existing[]): void {
  const found = existing.find((partition) => partition.isDefault);
  if (found === undefined) return;
  throw new HoldfastError({
    code: 'HF_PARTITION_DEFAULT',
    subject: `table ${label(of)}`,
    what: `it has the DEFAULT partition ${label(found)}: each new partition would scan it under lock and fail if a row is in its range.`,
    fix: `Detach it (ALTER TABLE ${qualified(of)} DETACH PARTITION ${qualified(found)}), run this again, then insert its rows into the table.`,
  });
}

async function takenNames(query: CatalogueQuery, asked: Asked): Promise<Set<string>> {
  const rows = await query<{ name: string }>(TAKEN_SQL, [asked.options.schema ?? asked.of.schema]);
  return new Set(rows.map((row) => row.name));
}

/** A name that nothing in the schema has; whether a partition exists was already settled by its bounds. */
function freeName(asked: Asked, range: Range, taken: Set<string>): RelationName {
  const { every, schema } = asked.options;
  const ending = `_${suffix(every, range.fromMs)}`;
  for (let attempt = 1; ; attempt += 1) {
    const tail = attempt === 1 ? ending : `${ending}_${attempt}`;
    const name = `${cut(asked.of.name, 63 - Buffer.byteLength(tail))}${tail}`;
    if (taken.has(name)) continue;
    taken.add(name);
    return { schema: schema ?? asked.of.schema, name };
  }
}

interface Making {
  readonly asked: Asked;
  readonly parent: Parent;
  readonly type: RangeType;
  readonly now: Date;
}

/**
 * One transaction makes the partition whole and attaches it, so that an interrupted run leaves nothing half made.
 * ATTACH takes SHARE UPDATE EXCLUSIVE on the parent, where CREATE TABLE … PARTITION OF takes ACCESS EXCLUSIVE and stops
 * every reader; the new table is empty, so its validation reads nothing. A foreign key of the parent is copied, which
 * takes SHARE ROW EXCLUSIVE on the table it points at.
 */
function settlement(partition: Existing, making: Making): Settlement {
  const { asked, parent, type } = making;
  const name = qualified(partition);
  const [from, to] = [partition.fromMs, partition.toMs].map((ms) => literal(boundText(ms, type)).trim());
  const sql = [
    createTable(partition, making),
    `ALTER TABLE ${name} OWNER TO ${ident(parent.owner)}`,
    revokeAll(partition),
    ...protection(parent, partition),
    ...hotStatements(partition, making),
    `ALTER TABLE ${qualified(asked.of)} ATTACH PARTITION ${name} FOR VALUES FROM (${from}) TO (${to})`,
  ];
  const [pointedAt] = parent.points_at;
  return {
    subject: `partition ${label(partition)} of ${label(asked.of)}`,
    statements: [
      {
        sql: `${sql.join(';\n')};`,
        transactional: true,
        lock: pointedAt === undefined ? 'SHARE UPDATE EXCLUSIVE' : 'SHARE ROW EXCLUSIVE',
        on: pointedAt ?? asked.of,
      },
    ],
    back: [dropEmpty(partition, asked.of)],
  };
}

/**
 * LIKE without identity (PostgreSQL 17 refuses to attach a table that has its own) and without indexes: ATTACH makes or
 * adopts those of the parent, so none exists twice.
 */
function createTable(partition: Existing, { asked, parent }: Making): string {
  const storage = Object.entries(asked.options.storage ?? {}).map(
    ([key, value]) => `${ident(key)} = ${literal(value).trim()}`,
  );
  return [
    `CREATE TABLE ${qualified(partition)} (LIKE ${qualified(asked.of)} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION)`,
    ...(storage.length === 0 ? [] : [`WITH (${storage.join(', ')})`]),
    ...(parent.tablespace === null ? [] : [`TABLESPACE ${ident(parent.tablespace)}`]),
  ].join(' ');
}

/** Default privileges of the schema would give roles rights on each new table, TRUNCATE among them. */
function revokeAll(partition: RelationName): string {
  const of = literal(qualified(partition)).trim();
  return `DO $holdfast$
DECLARE who text;
BEGIN
  FOR who IN
    SELECT DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END
    FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a
    WHERE c.oid = ${of}::pg_catalog.regclass AND a.grantee <> c.relowner
  LOOP
    EXECUTE 'REVOKE ALL ON TABLE ' || ${of} || ' FROM ' || who;
  END LOOP;
END
$holdfast$`;
}

/** Undoing never loses a row: a partition that was written to stays. A key that points in forbids a plain DROP. */
function dropEmpty(partition: RelationName, parent: RelationName): string {
  const name = qualified(partition);
  const of = literal(name).trim();
  return `DO $holdfast$
BEGIN
  IF pg_catalog.to_regclass(${of}) IS NULL THEN RETURN; END IF;
  LOCK TABLE ONLY ${qualified(parent)} IN ACCESS EXCLUSIVE MODE;
  LOCK TABLE ${name} IN ACCESS EXCLUSIVE MODE;
  IF EXISTS (SELECT FROM ${name})
    OR NOT EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhrelid = ${of}::pg_catalog.regclass) THEN RETURN; END IF;
  ALTER TABLE ${qualified(parent)} DETACH PARTITION ${name};
  DROP TABLE ${name};
END
$holdfast$`;
}
