// What a catalogue says about who owns which rows: relations, keys, policies and the functions they call.
import type { RelationName } from '../../define/model.ts';
import type { CatalogueQuery } from '../../define/trait.ts';

/** A table or view of the user's, with its columns. */
export interface Relation extends RelationName {
  readonly oid: number;
  /** `pg_class.relkind`: r, p, v, m or f. */
  readonly kind: string;
  readonly partition: boolean;
  readonly columns: Readonly<Record<string, string>>;
}

/** A foreign key of a table that is no partition. */
export interface Reference {
  readonly from: number;
  readonly to: number;
  readonly columns: readonly string[];
  readonly toColumns: readonly string[];
}

/** SQL text in which rows are told apart: a policy's expressions, a view's query, a function's body. */
export interface Text {
  /** For people: `policy p on public.t`. */
  readonly subject: string;
  readonly kind: 'policy' | 'view' | 'function';
  /** The relation it belongs to; 0 for a function. */
  readonly relation: number;
  /** A function's own name, else empty. */
  readonly name: string;
  readonly sql: string;
  readonly arguments: number;
}

/** A unique key of a table that is no partition, over all rows. */
export interface Key {
  readonly of: number;
  readonly columns: readonly string[];
  readonly primary: boolean;
}

/** A column whose values the server makes, each another: an identity, a sequence's, a random uuid. */
export interface Made {
  readonly of: number;
  readonly column: string;
}

export interface Catalogue {
  readonly relations: readonly Relation[];
  readonly references: readonly Reference[];
  readonly texts: readonly Text[];
  readonly keys: readonly Key[];
  readonly made: readonly Made[];
}

/** Schemas that hold no rows of the user's. */
export const NOT_SYSTEM = `
  n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'holdfast', 'cron', 'partman', 'repack')`;

const NOT_OF_EXTENSION = (catalogue: string, oid: string): string => `NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.${catalogue}'::pg_catalog.regclass
    AND x.objid = ${oid} AND x.deptype = 'e')`;

const RELATIONS_SQL = `
  SELECT c.oid::pg_catalog.int8::pg_catalog.float8 AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind,
         c.relispartition AS partition,
         coalesce((SELECT pg_catalog.json_object_agg(a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum)
                   FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
                  '{}') AS columns
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ${NOT_SYSTEM} AND ${NOT_OF_EXTENSION('pg_class', 'c.oid')}
  ORDER BY n.nspname, c.relname`;

const REFERENCES_SQL = `
  SELECT k.conrelid::pg_catalog.int8::pg_catalog.float8 AS "from", k.confrelid::pg_catalog.int8::pg_catalog.float8 AS "to",
    ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u(n, i)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.i) AS columns,
    ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY u(n, i)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.i) AS "toColumns"
  FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0`;

const KEYS_SQL = `
  SELECT i.indrelid::pg_catalog.int8::pg_catalog.float8 AS "of", i.indisprimary AS primary,
    ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY u(n, p)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.n
          WHERE u.p <= i.indnkeyatts ORDER BY u.p) AS columns
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT c.relispartition AND ${NOT_SYSTEM}
  ORDER BY i.indrelid, i.indexrelid`;

const MADE_SQL = `
  SELECT a.attrelid::pg_catalog.int8::pg_catalog.float8 AS "of", a.attname::pg_catalog.text AS "column"
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND ${NOT_SYSTEM}
    AND (a.attidentity <> '' OR pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~ 'nextval|uuid')`;

const TEXTS_SQL = `
  SELECT pg_catalog.format('policy %s on %s.%s', p.polname, n.nspname, c.relname) AS subject, 'policy' AS kind,
         c.oid::pg_catalog.int8::pg_catalog.float8 AS relation, '' AS name, 0 AS arguments,
         pg_catalog.concat_ws(' ; ', pg_catalog.pg_get_expr(p.polqual, p.polrelid),
                              pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)) AS sql
  FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE ${NOT_SYSTEM}
  UNION ALL
  SELECT pg_catalog.format('view %s.%s', n.nspname, c.relname), 'view', c.oid::pg_catalog.int8::pg_catalog.float8, '', 0,
         pg_catalog.pg_get_viewdef(c.oid)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'v' AND ${NOT_SYSTEM} AND ${NOT_OF_EXTENSION('pg_class', 'c.oid')}
  UNION ALL
  SELECT pg_catalog.format('function %s.%s', n.nspname, f.proname), 'function', 0, f.proname::pg_catalog.text, f.pronargs,
         coalesce(pg_catalog.pg_get_function_sqlbody(f.oid), f.prosrc)
  FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = f.prolang
  WHERE f.prokind IN ('f', 'p') AND l.lanname IN ('sql', 'plpgsql') AND ${NOT_SYSTEM}
    AND ${NOT_OF_EXTENSION('pg_proc', 'f.oid')}
  ORDER BY 1`;

/** Reads what {@link Catalogue} holds; changes nothing. */
export async function readCatalogue(query: CatalogueQuery): Promise<Catalogue> {
  return {
    relations: await query<Relation>(RELATIONS_SQL),
    references: await query<Reference>(REFERENCES_SQL),
    // A view that was dropped since the question began has no text any more.
    texts: (await query<Text & { sql: string | null }>(TEXTS_SQL)).filter(({ sql }) => sql !== null),
    keys: await query<Key>(KEYS_SQL),
    made: await query<Made>(MADE_SQL),
  };
}
