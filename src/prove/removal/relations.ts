// The relations of the built database, as far as rows are made in them, searched and compared.
import { label, type Model, type RelationName, type RemovedRows } from '../../define/index.ts';
import { ident, literal, qualified } from '../../sql.ts';
import { ledgerDefaults } from '../../ledger/index.ts';
import type { Ground } from './ground.ts';

/** One column. */
export interface Column {
  readonly name: string;
  /** The type as SQL takes it in a cast, and its category: S for texts, U for json and uuid, A for arrays. */
  readonly type: string;
  readonly category: string;
  readonly generated: boolean;
  readonly primary: boolean;
  /** It is in a unique key, the primary one included. */
  readonly unique: boolean;
  /** It is in a foreign key of this table. */
  readonly refers: boolean;
}

/** One foreign key. */
export interface Reference {
  readonly columns: readonly string[];
  readonly to: RelationName;
  readonly toColumns: readonly string[];
}

/** One table, topmost where it has partitions. */
export interface Relation extends RelationName {
  readonly columns: readonly Column[];
  readonly references: readonly Reference[];
}

const OWN = [ledgerDefaults.schema].map((schema) => literal(schema)).join(', ');

/** True for schemas whose rows are the definition's. */
export const OF_USERS = (schema: string): string =>
  `${schema} NOT IN ('pg_catalog', 'information_schema') AND ${schema} NOT LIKE 'pg\\_toast%' AND ${schema} NOT LIKE 'pg\\_temp%'`;

const RELATIONS_SQL = `
  SELECT n.nspname AS schema, c.relname AS name,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
        'category', t.typcategory, 'generated', a.attgenerated <> '',
        'primary', EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey::pg_catalog.int2[])),
        'unique', EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND a.attnum = ANY (i.indkey::pg_catalog.int2[])),
        'refers', EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f' AND a.attnum = ANY (k.conkey))) ORDER BY a.attnum)
      FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    COALESCE((SELECT pg_catalog.json_agg(pg_catalog.json_build_object('to', pg_catalog.json_build_object('schema', fn.nspname, 'name', f.relname),
        'columns', (SELECT pg_catalog.json_agg(a.attname ORDER BY u.at) FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u (num, at)
                    JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num),
        'toColumns', (SELECT pg_catalog.json_agg(a.attname ORDER BY u.at) FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY u (num, at)
                    JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num)) ORDER BY k.conname)
      FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class f ON f.oid = k.confrelid
      JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
      WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.conparentid = 0), '[]') AS references
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND ${OF_USERS('n.nspname')} AND n.nspname NOT IN (${OWN})
  ORDER BY 1, 2`;

/** Every table that is not a partition, but those of the ledger. */
export async function readRelations({ query }: Ground): Promise<readonly Relation[]> {
  const rows = await query<Relation>(RELATIONS_SQL);
  return rows.map((row) => ({ ...row, columns: row.columns ?? [] }));
}

/** What becomes of a relation's rows: an archive's as of the table it is the archive of. */
export function ruleOf(
  model: Model,
  tables: readonly RemovedRows[],
  relation: RelationName,
): RemovedRows | undefined {
  const archived = model.tables.find((table) => label(table) === label(relation))?.archiveOf;
  const of = label(archived ?? relation);
  return tables.find((one) => label(one.of) === of);
}

/** A subject's key as rows carry it. */
export interface Key {
  readonly key: string;
  readonly within?: string;
}

/** True for rows `alias` of a relation that are the subject's: $1 is the key, $2 what it is within. */
export function theirs(tables: readonly RemovedRows[], rule: RemovedRows, alias: string): string {
  if (rule.through === undefined) {
    const any = rule.by.map((column) => `${alias}.${ident(column)}::pg_catalog.text = $1`);
    const within =
      rule.within === undefined
        ? '$2::pg_catalog.text IS NOT DISTINCT FROM $2'
        : `${alias}.${ident(rule.within)}::pg_catalog.text = $2`;
    return `(${any.length === 0 ? 'false' : any.join(' OR ')}) AND $1::pg_catalog.text IS NOT NULL AND ${within}`;
  }
  const { of, columns } = rule.through;
  const parent = tables.find((one) => label(one.of) === label(of));
  if (parent === undefined) return 'false';
  const above = `${alias}p`;
  const on = columns.map(({ own, other }) => `${above}.${ident(other)} = ${alias}.${ident(own)}`);
  return `EXISTS (SELECT FROM ${qualified(of)} AS ${above} WHERE ${[...on, theirs(tables, parent, above)].join(' AND ')})`;
}

/** The parameters of {@link theirs}. */
export function keyValues({ key, within }: Key): readonly (string | null)[] {
  return [key, within ?? null];
}
