// What the catalogue says of partitions on their way: attached, being detached, apart.
import type { RelationName } from '../../define/model.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import type { RangeType } from '../partitions/build.ts';

/** A partition of a table as the catalogue has it. */
export interface Attached extends RelationName {
  readonly fromMs: number;
  readonly toMs: number;
  /** A concurrent detach was cut off: the table's readers no longer see its rows, and no other detach may begin. */
  readonly pending: boolean;
  readonly isDefault: boolean;
  /** It is partitioned itself. */
  readonly nested: boolean;
}

/**
 * Bounds are read back by the server that wrote them, in the same session, so that DateStyle and TimeZone cancel out.
 * Those of `date` and `timestamp` are read as UTC.
 */
const ATTACHED_SQL = `
  SELECT b.schema, b.name, b.pending, b.nested, b.bound = 'DEFAULT' AS "isDefault",
    CASE WHEN b.low = 'MINVALUE' THEN '-Infinity'::float8
      WHEN $3 = 'timestamptz' THEN extract(epoch FROM b.low::timestamptz)::float8 * 1000
      ELSE extract(epoch FROM b.low::timestamp AT TIME ZONE 'UTC')::float8 * 1000 END AS "fromMs",
    CASE WHEN b.high = 'MAXVALUE' THEN 'Infinity'::float8
      WHEN $3 = 'timestamptz' THEN extract(epoch FROM b.high::timestamptz)::float8 * 1000
      ELSE extract(epoch FROM b.high::timestamp AT TIME ZONE 'UTC')::float8 * 1000 END AS "toMs"
  FROM (
    SELECT n.nspname AS schema, c.relname AS name, i.inhdetachpending AS pending, c.relkind = 'p' AS nested, e.bound,
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
  ORDER BY "fromMs" NULLS FIRST, name`;

/** The partitions of a table, oldest first. */
export async function attachedTo(
  query: CatalogueQuery,
  of: RelationName,
  type: RangeType,
): Promise<readonly Attached[]> {
  return query<Attached>(ATTACHED_SQL, [of.schema, of.name, type]);
}

/** How a table stands to a partitioned one. */
export type Standing = 'attached' | 'pending' | 'apart' | 'missing';

const STANDING_SQL = `
  SELECT i.inhdetachpending AS pending, pn.nspname = $3 AND p.relname = $4 AS own
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
  LEFT JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
  LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2`;

/** Whether a table is a partition of another one now. */
export async function standingOf(
  query: CatalogueQuery,
  table: RelationName,
  parent: RelationName,
): Promise<Standing> {
  const values = [table.schema, table.name, parent.schema, parent.name];
  const [row] = await query<{ pending: boolean | null; own: boolean | null }>(STANDING_SQL, values);
  if (row === undefined) return 'missing';
  if (row.own !== true) return 'apart';
  return row.pending === true ? 'pending' : 'attached';
}

const SIZE_SQL = `SELECT pg_catalog.pg_total_relation_size($1::text::pg_catalog.regclass)::float8 AS bytes`;

/** What a table takes on disk with its indexes, in bytes. */
export async function sizeOf(query: CatalogueQuery, quoted: string): Promise<number> {
  const [row] = await query<{ bytes: number }>(SIZE_SQL, [quoted]);
  return row?.bytes ?? 0;
}

const COLUMNS_SQL = `
  SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped`;

/** The columns that two tables do not share by name and type, as a person reads them; none: they fit. */
export async function unlikeColumns(
  query: CatalogueQuery,
  left: RelationName,
  right: RelationName,
): Promise<readonly string[]> {
  const read = async (of: RelationName): Promise<readonly string[]> =>
    (await query<{ name: string; type: string }>(COLUMNS_SQL, [of.schema, of.name])).map(
      ({ name, type }) => `${name} ${type}`,
    );
  const [mine, others] = [await read(left), await read(right)];
  return [...mine.filter((one) => !others.includes(one)), ...others.filter((one) => !mine.includes(one))];
}

/** A foreign key that points at a table, with the columns of both sides in order. */
export interface Pointing extends RelationName {
  readonly columns: readonly string[];
  readonly points: readonly string[];
  /** It points at its own table. */
  readonly own: boolean;
}

const POINTING_SQL = `
  WITH target AS (
    SELECT coalesce(pg_catalog.pg_partition_root(c.oid), c.oid) AS oid
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = $2)
  SELECT rn.nspname AS schema, r.relname AS name, k.conrelid = k.confrelid AS own,
    (SELECT pg_catalog.json_agg(a.attname ORDER BY u.at) FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u (num, at)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num) AS columns,
    (SELECT pg_catalog.json_agg(a.attname ORDER BY u.at) FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY u (num, at)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num) AS points
  FROM pg_catalog.pg_constraint k
  JOIN target ON target.oid = k.confrelid
  JOIN pg_catalog.pg_class r ON r.oid = k.conrelid
  JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
  WHERE k.contype = 'f' AND k.conparentid = 0
  ORDER BY 1, 2, k.conname`;

/** The foreign keys that point at a table, or at the topmost table it is a partition of. */
export async function pointingAt(query: CatalogueQuery, of: RelationName): Promise<readonly Pointing[]> {
  return query<Pointing>(POINTING_SQL, [of.schema, of.name]);
}

const KEYS_OUT_SQL = `
  SELECT k.conname AS name FROM pg_catalog.pg_constraint k
  WHERE k.conrelid = $1::text::pg_catalog.regclass AND k.contype = 'f' AND k.conparentid = 0 ORDER BY 1`;

/** Names of a table's own foreign keys. */
export async function keysOutOf(query: CatalogueQuery, quoted: string): Promise<readonly string[]> {
  return (await query<{ name: string }>(KEYS_OUT_SQL, [quoted])).map((row) => row.name);
}

const DEFAULTS_SQL = `
  SELECT a.attname AS name FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = $1::text::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped
    AND a.atthasdef AND a.attgenerated = '' ORDER BY a.attnum`;

/** Columns with a default: an archived one would keep a sequence or function from ever being dropped. */
export async function defaultsOf(query: CatalogueQuery, quoted: string): Promise<readonly string[]> {
  return (await query<{ name: string }>(DEFAULTS_SQL, [quoted])).map((row) => row.name);
}

/** A relation that moves along with its table, and the kind of name it has. */
export interface Moving {
  readonly name: string;
  readonly kind: 'TABLE' | 'INDEX' | 'SEQUENCE';
}

// 'S' with a dependency on a column is owned by it; indexes of constraints carry the constraint's name.
const CLASHES_SQL = `
  WITH moving AS (
    SELECT c.relname AS name, 'TABLE' AS kind FROM pg_catalog.pg_class c WHERE c.oid = $1::text::pg_catalog.regclass
    UNION ALL SELECT c.relname, 'INDEX' FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
    WHERE x.indrelid = $1::text::pg_catalog.regclass
    UNION ALL SELECT s.relname, 'SEQUENCE' FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    WHERE d.refobjid = $1::text::pg_catalog.regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i'))
  SELECT m.name, m.kind FROM moving m
  WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = $2::text::pg_catalog.regnamespace AND c.relname = m.name)
    OR (m.kind = 'TABLE' AND EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.typnamespace = $2::text::pg_catalog.regnamespace AND t.typname = m.name))`;

/** What of a table could not move into a schema because its name is taken there. */
export async function clashesIn(
  query: CatalogueQuery,
  at: { readonly quoted: string; readonly schema: string },
): Promise<readonly Moving[]> {
  return query<Moving>(CLASHES_SQL, [at.quoted, at.schema]);
}

const TAKEN_SQL = `
  SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = ANY ($1) AND c.relname = $2)
    OR EXISTS (SELECT FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
      WHERE n.nspname = ANY ($1) AND t.typname = $2) AS taken`;

/** The wanted name, or the first with a number after it that no relation or type in the schemas has. */
export async function freeName(
  query: CatalogueQuery,
  wanted: string,
  by: { readonly schemas: readonly string[]; readonly name: (text: string) => string },
): Promise<string> {
  for (let number = 1; ; number += 1) {
    const name = by.name(number === 1 ? wanted : `${wanted}_${number}`);
    const [row] = await query<{ taken: boolean }>(TAKEN_SQL, [by.schemas, name]);
    if (row?.taken !== true) return name;
  }
}
