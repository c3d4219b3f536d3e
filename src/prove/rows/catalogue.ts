// What of a catalogue says which rows a table takes.
import type { CatalogueQuery } from '../../define/trait.ts';
import type { RelationName } from '../../define/model.ts';
import { LEDGER_MARK } from '../../ledger/index.ts';

/** A type, as far as values are made of it. */
export interface Type {
  readonly oid: number;
  /** `int4`, `text`; for a user's type its own name. */
  readonly name: string;
  /** As SQL takes it in a cast. */
  readonly sql: string;
  /** b base, e enum, d domain, c composite, r range, m multirange. */
  readonly kind: 'b' | 'e' | 'd' | 'c' | 'r' | 'm' | 'p';
  readonly category: string;
  readonly labels: readonly string[];
  /** Of an array its element, of a domain its base, of a range its subtype. */
  readonly inner: number;
  /** The modifier a domain gives its base; -1 for none. */
  readonly modifier: number;
  readonly notNull: boolean;
  /** The columns of a composite. */
  readonly parts: readonly { readonly type: number; readonly modifier: number }[];
  /** The checks of a domain, with VALUE. */
  readonly checks: readonly string[];
}

/** One column. */
export interface Column {
  readonly name: string;
  readonly type: number;
  /** The type as SQL takes it in a cast. */
  readonly sql: string;
  /** `COLLATE …` where the column's is not its type's, else empty: an expression on the column may depend on it. */
  readonly collate: string;
  readonly modifier: number;
  readonly notNull: boolean;
  readonly default: string | null;
  readonly generated: string | null;
  /** It numbers itself: an identity, or a default from a sequence. */
  readonly counts: boolean;
  /** No value may be given. */
  readonly always: boolean;
}

/** A unique index or key. */
export interface Key {
  readonly name: string;
  readonly primary: boolean;
  /** Null where it is not of plain columns of every row. */
  readonly columns: readonly string[] | null;
  readonly definition: string;
}

/** A foreign key; the referenced relation is a topmost table. */
export interface Reference {
  readonly name: string;
  readonly columns: readonly string[];
  readonly to: string;
  readonly toColumns: readonly string[];
}

/** A check, or what a partition says of its rows. */
export interface Rule {
  readonly name: string;
  readonly expression: string;
}

/** A partition that holds rows itself. */
export interface Leaf {
  readonly name: string;
  readonly rules: readonly Rule[];
}

/** A table that is no partition. */
export interface Table {
  /** `schema.name`, the key everything here is found by. */
  readonly id: string;
  readonly of: RelationName;
  readonly partitionedBy: 'l' | 'r' | 'h' | null;
  readonly owner: string;
  readonly columns: readonly Column[];
  readonly keys: readonly Key[];
  readonly references: readonly Reference[];
  readonly rules: readonly Rule[];
  readonly leaves: readonly Leaf[];
}

/** The tables of a database and the types of their columns. */
export interface Catalogue {
  readonly tables: readonly Table[];
  readonly types: ReadonlyMap<number, Type>;
}

const TYPES_SQL = `
  SELECT t.oid::pg_catalog.int8::pg_catalog.float8 AS oid, t.typname AS name, pg_catalog.format_type(t.oid, NULL) AS sql, t.typtype AS kind, t.typcategory AS category, t.typnotnull AS "notNull",
         t.typtypmod AS modifier,
         COALESCE((SELECT pg_catalog.json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid), '[]') AS labels,
         (CASE t.typtype WHEN 'd' THEN t.typbasetype
           WHEN 'r' THEN (SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid)
           WHEN 'm' THEN (SELECT r.rngtypid FROM pg_catalog.pg_range r WHERE r.rngmultitypid = t.oid)
           ELSE t.typelem END)::pg_catalog.int8::pg_catalog.float8 AS inner,
         COALESCE((SELECT pg_catalog.json_agg(pg_catalog.json_build_object('type', a.atttypid::pg_catalog.int8, 'modifier', a.atttypmod) ORDER BY a.attnum)
           FROM pg_catalog.pg_attribute a WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '[]') AS parts,
         COALESCE((SELECT pg_catalog.json_agg(pg_catalog.pg_get_expr(con.conbin, 0)) FROM pg_catalog.pg_constraint con
           WHERE con.contypid = t.oid AND con.contype = 'c'), '[]') AS checks
  FROM pg_catalog.pg_type t`;

const USER_TABLE = `n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
    AND n.nspname NOT LIKE 'pg\\_temp\\_%'
    AND NOT pg_catalog.starts_with(COALESCE(pg_catalog.obj_description(n.oid, 'pg_namespace'), ''), $1)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend m WHERE m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    AND m.objid = c.oid AND m.deptype = 'e')`;
const ID = (c: string, n: string): string => `${n}.nspname || '.' || ${c}.relname`;
const FROM_TABLES = `pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`;
const WHERE_TABLES = `c.relkind IN ('r', 'p') AND NOT c.relispartition AND ${USER_TABLE}`;

const TABLES_SQL = `
  SELECT ${ID('c', 'n')} AS id, n.nspname AS schema, c.relname AS name, p.partstrat AS "partitionedBy",
         pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text AS owner
  FROM ${FROM_TABLES} LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = c.oid
  WHERE ${WHERE_TABLES} ORDER BY 1`;

const COLUMNS_SQL = `
  SELECT ${ID('c', 'n')} AS id, a.attname AS name, a.atttypid::pg_catalog.int8::pg_catalog.float8 AS type,
         pg_catalog.format_type(a.atttypid, a.atttypmod) AS sql, COALESCE((SELECT pg_catalog.format(' COLLATE %I.%I', cn.nspname, co.collname) FROM pg_catalog.pg_collation co
           JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace JOIN pg_catalog.pg_type ty ON ty.oid = a.atttypid
           WHERE co.oid = a.attcollation AND a.attcollation <> ty.typcollation), '') AS collate,
         a.atttypmod AS modifier, a.attnotnull AS "notNull",
         CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(ad.adbin, ad.adrelid) END AS default,
         CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(ad.adbin, ad.adrelid) END AS generated,
         a.attidentity <> '' OR COALESCE(pg_catalog.starts_with(pg_catalog.pg_get_expr(ad.adbin, ad.adrelid), 'nextval('), false) AS counts,
         a.attidentity = 'a' AS always
  FROM ${FROM_TABLES} JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_attrdef ad ON ad.adrelid = c.oid AND ad.adnum = a.attnum
  WHERE ${WHERE_TABLES} ORDER BY c.oid, a.attnum`;

const KEYS_SQL = `
  SELECT ${ID('c', 'n')} AS id, ic.relname AS name, i.indisprimary AS primary, pg_catalog.pg_get_indexdef(ic.oid) AS definition,
         CASE WHEN i.indpred IS NULL AND i.indexprs IS NULL THEN
           (SELECT pg_catalog.json_agg(a.attname ORDER BY k.at) FROM pg_catalog.unnest(i.indkey) WITH ORDINALITY AS k (num, at)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num WHERE k.at <= i.indnkeyatts) END AS columns
  FROM ${FROM_TABLES} JOIN pg_catalog.pg_index i ON i.indrelid = c.oid JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
  WHERE (i.indisunique OR i.indisexclusion) AND ${WHERE_TABLES} ORDER BY c.oid, ic.oid`;

const names = (relation: string, numbers: string): string => `(
    SELECT pg_catalog.json_agg(a.attname ORDER BY k.at) FROM pg_catalog.unnest(${numbers}) WITH ORDINALITY AS k (num, at)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = ${relation} AND a.attnum = k.num)`;

// A key to a partition is a key to its topmost table's rows.
const REFERENCES_SQL = `
  SELECT ${ID('c', 'n')} AS id, con.conname AS name, ${names('con.conrelid', 'con.conkey')} AS columns,
         ${ID('rc', 'rn')} AS "to", ${names('con.confrelid', 'con.confkey')} AS "toColumns"
  FROM ${FROM_TABLES} JOIN pg_catalog.pg_constraint con ON con.conrelid = c.oid AND con.contype = 'f'
  JOIN pg_catalog.pg_class rc ON rc.oid = COALESCE(pg_catalog.pg_partition_root(con.confrelid), con.confrelid)
  JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
  WHERE con.conparentid = 0 AND ${WHERE_TABLES} ORDER BY c.oid, con.oid`;

const RULES_SQL = `
  SELECT ${ID('c', 'n')} AS id, con.conname AS name, pg_catalog.pg_get_expr(con.conbin, con.conrelid) AS expression
  FROM ${FROM_TABLES} JOIN pg_catalog.pg_constraint con ON con.conrelid = c.oid AND con.contype = 'c'
  WHERE ${WHERE_TABLES} ORDER BY c.oid, con.oid`;

// The constraint of a partition holds those above it too; its own checks stand beside.
const LEAVES_SQL = `
  SELECT ${ID('c', 'n')} AS id, leaf.oid::pg_catalog.regclass::pg_catalog.text AS name,
         (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', r.name, 'expression', r.expression)) FROM (
            SELECT leaf.relname::pg_catalog.text AS name, pg_catalog.pg_get_partition_constraintdef(leaf.oid) AS expression
            UNION ALL
            SELECT con.conname, pg_catalog.pg_get_expr(con.conbin, con.conrelid) FROM pg_catalog.pg_constraint con
            WHERE con.conrelid = leaf.oid AND con.contype = 'c' AND con.coninhcount = 0) r
          WHERE r.expression IS NOT NULL) AS rules
  FROM ${FROM_TABLES} CROSS JOIN LATERAL pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class leaf ON leaf.oid = t.relid
  WHERE c.relkind = 'p' AND t.isleaf AND leaf.relkind = 'r' AND ${WHERE_TABLES} ORDER BY c.oid, leaf.relname`;

interface OfTable {
  readonly id: string;
}

/**
 * Reads the tables, without those of extensions, of the ledger and of PostgreSQL itself.
 * @param query reads the catalogue; expressions come out as its search_path has them
 */
export async function readCatalogue(query: CatalogueQuery): Promise<Catalogue> {
  const types = await query<Type>(TYPES_SQL);
  const ofTable = async <Row extends object>(sql: string): Promise<ReadonlyMap<string, readonly Row[]>> =>
    grouped(await query<Row & OfTable>(sql, [LEDGER_MARK]));
  const tables = await query<
    OfTable & { schema: string; name: string; owner: string; partitionedBy: 'l' | 'r' | 'h' | null }
  >(TABLES_SQL, [LEDGER_MARK]);
  const columns = await ofTable<Column>(COLUMNS_SQL);
  const keys = await ofTable<Key>(KEYS_SQL);
  const references = await ofTable<Reference>(REFERENCES_SQL);
  const rules = await ofTable<Rule>(RULES_SQL);
  const leaves = await ofTable<Leaf>(LEAVES_SQL);
  return {
    types: new Map(types.map((type) => [type.oid, type])),
    tables: tables.map(({ id, schema, name, owner, partitionedBy }) => ({
      id,
      of: { schema, name },
      owner,
      partitionedBy,
      columns: columns.get(id) ?? [],
      keys: keys.get(id) ?? [],
      references: references.get(id) ?? [],
      rules: rules.get(id) ?? [],
      leaves: leaves.get(id) ?? [],
    })),
  };
}

function grouped<Row extends OfTable>(rows: readonly Row[]): ReadonlyMap<string, readonly Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.id);
    if (group === undefined) groups.set(row.id, [row]);
    else group.push(row);
  }
  return groups;
}
