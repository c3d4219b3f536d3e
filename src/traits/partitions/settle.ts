// Which partitions are missing now, and the statements that make each of them whole and attach it at once.
import { label, type RelationName } from '../../define/model.ts';
import type { CatalogueQuery, SettleContext, Settlement } from '../../define/trait.ts';
import { HoldfastError } from '../../error.ts';
import { ident, literal, qualified } from '../../sql.ts';
import { cut } from '../name.ts';
import type { RangeType } from './build.ts';
import { hotSettlements, hotStatements } from './hot.ts';
import type { PartitionsOptions } from './index.ts';
import { type Parent, protection } from './parent.ts';
import { boundText, gaps, periods, type Range, suffix } from './period.ts';
import { type Existing, readTables, type Standing } from './reading.ts';

/** The table, its column and the options it was partitioned with. */
export interface Asked {
  readonly of: RelationName;
  readonly by: string;
  readonly options: PartitionsOptions;
}

/** A table as it stands, and what else its missing partitions are made from. */
export interface Seen {
  readonly standing: Standing;
  readonly now: Date;
  /** Every name the schema of the partitions has; asked only when a name is wanted, which is then put into it. */
  readonly taken: () => Promise<Set<string>>;
}

const TAKEN_SQL = `
  SELECT c.relname AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1
  UNION SELECT t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  WHERE n.nspname = $1`;

/**
 * The partitions that should exist now and do not, one settlement each, and the hot indexes that come and go. None where
 * the table is not there yet.
 * @throws HoldfastError as {@link missing} does
 */
export async function missingPartitions(
  context: SettleContext,
  asked: Asked,
): Promise<readonly Settlement[]> {
  const { query, now } = context;
  const standing = (await readTables(query, [asked.of])).get(label(asked.of));
  if (standing === undefined) return [];
  const taken = (): Promise<Set<string>> => takenNames(query, asked.options.schema ?? asked.of.schema);
  return [
    ...(await missing(asked, { standing, now, taken })),
    ...(await hotSettlements(query, { asked, now, partitions: standing.partitions })),
  ];
}

/**
 * The partitions that should exist now and do not, one settlement each, in order of time.
 * @throws HoldfastError HF_PARTITION_OPTIONS when the options are not usable; HF_PARTITION_BY when the table is ranged
 * by something else; HF_PARTITION_DEFAULT when it has a DEFAULT partition, which would be scanned and could refuse each
 * new one
 */
export async function missing(asked: Asked, seen: Seen): Promise<readonly Settlement[]> {
  checkOptions(asked.options);
  const { parent, partitions } = seen.standing;
  const type = typeOf(asked, seen.standing);
  refuseDefault(asked.of, partitions);
  const free = gaps(wantedPeriods(asked.options, seen), partitions);
  if (free.length === 0) return [];
  const taken = await seen.taken();
  const making = { asked, parent, type, now: seen.now };
  return free.map((range) =>
    settlement({ ...freeName(asked, range, taken), ...range, isDefault: false }, making),
  );
}

/** Names of relations and types in a schema: a new table takes one of each. */
export async function takenNames(query: CatalogueQuery, schema: string): Promise<Set<string>> {
  const rows = await query<{ name: string }>(TAKEN_SQL, [schema]);
  return new Set(rows.map((row) => row.name));
}

function checkOptions(options: PartitionsOptions): void {
  const ahead = aheadOf(options);
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

/**
 * The first partitions begin at `from`. Afterwards they only go forward, from the running period or from where the newest
 * ends when nothing was made for a while: what has left, with age or by hand, is not made again.
 */
function wantedPeriods(options: PartitionsOptions, { now, standing }: Seen): Range[] {
  const nowMs = now.getTime();
  const newestEnd = Math.max(...standing.partitions.map((partition) => partition.toMs));
  const first = options.from === undefined ? nowMs : new Date(options.from).getTime();
  const since = standing.partitions.length === 0 ? first : newestEnd;
  return periods(options.every, { fromMs: Math.min(since, nowMs), nowMs, ahead: aheadOf(options) });
}

/** How many periods after the running one are wanted. */
export function aheadOf(options: PartitionsOptions): number {
  return options.ahead ?? 3;
}

function typeOf(asked: Asked, { parent, type }: Standing): RangeType {
  if (type !== undefined && parent.key_column === asked.by) return type;
  throw new HoldfastError({
    code: 'HF_PARTITION_BY',
    subject: `table ${label(asked.of)}`,
    what: `it is not partitioned by range of its column ${asked.by} alone, a timestamptz, timestamp or date.`,
    fix: 'Say in the definition what it is partitioned by, or make it anew and move its rows.',
  });
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
