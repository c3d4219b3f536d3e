// Tables, views and materialised views with their columns: one question.
import type { Fact } from '../check.ts';
import { grouped } from './grouped.ts';
import { inScope, notOfExtension, type RelationKind } from './naming.ts';

export interface Relation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: RelationKind;
  readonly owner: string;
  readonly rowSecurity: boolean;
  readonly forced: boolean;
  /** Of a materialised view: it was filled once. */
  readonly populated: boolean;
  readonly persistence: 'p' | 'u' | 't';
  /** The partitioned table it is a direct part of. */
  readonly parent: number | null;
  /** Storage parameters: `security_invoker=true`. */
  readonly options: readonly string[];
  /** Rows by the last ANALYZE or VACUUM; -1: never. */
  readonly rowsEstimate: number;
  /** Pages of 8 kB by the same. */
  readonly pages: number;
  readonly columns: readonly RelationColumn[];
}

export interface RelationColumn {
  readonly name: string;
  readonly number: number;
  /** As PostgreSQL writes it: `character varying(255)`. */
  readonly type: string;
  readonly notNull: boolean;
  /** The default's or the generation expression's text. */
  readonly default: string | null;
  readonly generated: boolean;
  readonly identity: boolean;
}

const RELATIONS_SQL = `
  SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind,
         pg_catalog.pg_get_userbyid(c.relowner) AS owner, c.relrowsecurity AS "rowSecurity",
         c.relforcerowsecurity AS forced, c.relispopulated AS populated, c.relpersistence AS persistence,
         CASE WHEN c.relispartition THEN
           (SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid LIMIT 1)
         END AS parent,
         coalesce(c.reloptions, '{}') AS options, c.reltuples::pg_catalog.float8 AS "rowsEstimate",
         c.relpages::pg_catalog.float8 AS pages, coalesce(a.columns, '[]') AS columns
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
             'name', a.attname, 'number', a.attnum, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
             'notNull', a.attnotnull, 'default', pg_catalog.pg_get_expr(d.adbin, d.adrelid),
             'generated', a.attgenerated <> '', 'identity', a.attidentity <> '') ORDER BY a.attnum) AS columns
    FROM pg_catalog.pg_attribute a
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) a ON true
  WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND ${inScope('n')} AND ${notOfExtension('pg_class', 'c.oid')}
  ORDER BY n.nspname, c.relname`;

/** Every relation that is looked at, with what is often asked of it. */
export interface Relations {
  readonly all: readonly Relation[];
  readonly tables: readonly Relation[];
  readonly byOid: (oid: number) => Relation | undefined;
  readonly byName: (of: { readonly schema: string; readonly name: string }) => Relation | undefined;
  /** The topmost partitioned table of a partition; the relation itself otherwise. */
  readonly root: (relation: Relation) => Relation;
  /** Direct partitions. */
  readonly partitions: (relation: Relation) => readonly Relation[];
}

export const relations: Fact<Relations> = {
  name: 'relations',
  read: async ({ query }) => index(await query<Relation>(RELATIONS_SQL)),
};

function index(all: readonly Relation[]): Relations {
  const byOid = new Map(all.map((relation) => [relation.oid, relation]));
  const byName = new Map(all.map((relation) => [JSON.stringify([relation.schema, relation.name]), relation]));
  const byParent = grouped(all, (relation) => relation.parent);
  const root = (relation: Relation): Relation => {
    const above = relation.parent === null ? undefined : byOid.get(relation.parent);
    return above === undefined ? relation : root(above);
  };
  return {
    all,
    tables: all.filter(({ kind }) => kind === 'r' || kind === 'p'),
    byOid: (oid) => byOid.get(oid),
    byName: ({ schema, name }) => byName.get(JSON.stringify([schema, name])),
    root,
    partitions: (relation) => byParent.get(relation.oid) ?? [],
  };
}
