// Schemas, extensions, types and what is made of them.
import { IN_SCHEMA, OUTWARD_SQL, USER_SCHEMA, named, ownObject, type Part } from './names.ts';

const SCHEMAS: Part = {
  of: 'schemas',
  sql: `
  SELECT 'schema ' || n.nspname AS subject,
         pg_catalog.format('CREATE SCHEMA IF NOT EXISTS %I', n.nspname)
         || pg_catalog.format('; COMMENT ON SCHEMA %I IS %L', n.nspname, pg_catalog.obj_description(n.oid, 'pg_namespace')) AS sql
  FROM pg_catalog.pg_namespace n WHERE ${USER_SCHEMA} AND ${ownObject('pg_namespace', 'n.oid')}
  UNION ALL
  SELECT 'schema public', 'DROP SCHEMA IF EXISTS public'
  WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public')`,
};

const EXTENSIONS: Part = {
  of: 'extensions',
  sql: `
  SELECT 'extension ' || e.extname AS subject,
         pg_catalog.format('CREATE EXTENSION IF NOT EXISTS %I SCHEMA %I', e.extname, n.nspname) AS sql
  FROM pg_catalog.pg_extension e ${IN_SCHEMA('e.extnamespace')}
  WHERE e.extname NOT IN (${OUTWARD_SQL}) ORDER BY e.oid`,
};

// The locale's column has another name in 15, 16 and from 17 on.
const COLLATIONS: Part = {
  of: 'collations',
  sql: `
  SELECT 'collation ' || ${named('o.collname')} AS subject,
         pg_catalog.format('CREATE COLLATION %s (provider = %s, deterministic = %s%s)', ${named('o.collname')},
           CASE o.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END, o.collisdeterministic::pg_catalog.text,
           CASE WHEN o.collprovider = 'c'
             THEN pg_catalog.format(', lc_collate = %L, lc_ctype = %L', o.collcollate, o.collctype)
             ELSE pg_catalog.format(', locale = %L', COALESCE(pg_catalog.to_jsonb(o) ->> 'colllocale',
               pg_catalog.to_jsonb(o) ->> 'colliculocale', o.collcollate)) END
           || COALESCE(', rules = ' || pg_catalog.quote_literal(pg_catalog.to_jsonb(o) ->> 'collicurules'), '')) AS sql
  FROM pg_catalog.pg_collation o ${IN_SCHEMA('o.collnamespace')}
  WHERE ${USER_SCHEMA} AND ${ownObject('pg_collation', 'o.oid')} ORDER BY o.oid`,
};

const COLLATE = (collation: string, type: string): string => `CASE WHEN ${collation} <> ${type} THEN
    (SELECT pg_catalog.format(' COLLATE %I.%I', xn.nspname, xo.collname) FROM pg_catalog.pg_collation xo
     JOIN pg_catalog.pg_namespace xn ON xn.oid = xo.collnamespace WHERE xo.oid = ${collation}) END`;

const TYPES: Part = {
  of: 'types',
  sql: `
  SELECT 'type ' || ${named('t.typname')} AS subject,
    CASE t.typtype
      WHEN 'e' THEN pg_catalog.format('CREATE TYPE %s AS ENUM (%s)', ${named('t.typname')},
        (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
         FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid))
      WHEN 'd' THEN pg_catalog.format('CREATE DOMAIN %s AS %s', ${named('t.typname')},
          pg_catalog.format_type(t.typbasetype, t.typtypmod))
        || COALESCE(${COLLATE('t.typcollation', 'bt.typcollation')}, '')
        || COALESCE(' DEFAULT ' || t.typdefault, '') || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END
      WHEN 'c' THEN pg_catalog.format('CREATE TYPE %s AS (%s)', ${named('t.typname')},
        (SELECT pg_catalog.string_agg(pg_catalog.format('%I %s%s', a.attname,
                  pg_catalog.format_type(a.atttypid, a.atttypmod), ${COLLATE('a.attcollation', 'at.typcollation')}),
                ', ' ORDER BY a.attnum)
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type at ON at.oid = a.atttypid
         WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped))
      ELSE (SELECT pg_catalog.format('CREATE TYPE %s AS RANGE (subtype = %s, subtype_opclass = %s%s%s, multirange_type_name = %s)',
          ${named('t.typname')}, pg_catalog.format_type(r.rngsubtype, NULL),
          (SELECT pg_catalog.format('%I.%I', xn.nspname, oc.opcname) FROM pg_catalog.pg_opclass oc
           JOIN pg_catalog.pg_namespace xn ON xn.oid = oc.opcnamespace WHERE oc.oid = r.rngsubopc),
          CASE WHEN r.rngsubdiff <> 0 THEN ', subtype_diff = ' || r.rngsubdiff::pg_catalog.text END,
          (SELECT pg_catalog.format(', collation = %I.%I', xn.nspname, xo.collname) FROM pg_catalog.pg_collation xo
           JOIN pg_catalog.pg_namespace xn ON xn.oid = xo.collnamespace WHERE xo.oid = r.rngcollation),
          pg_catalog.format_type(r.rngmultitypid, NULL)) FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid)
    END AS sql
  FROM pg_catalog.pg_type t ${IN_SCHEMA('t.typnamespace')}
  LEFT JOIN pg_catalog.pg_class tc ON tc.oid = t.typrelid
  LEFT JOIN pg_catalog.pg_type bt ON bt.oid = t.typbasetype
  WHERE t.typtype IN ('e', 'd', 'c', 'r') AND (t.typrelid = 0 OR tc.relkind = 'c')
    AND ${USER_SCHEMA} AND ${ownObject('pg_type', 't.oid')} ORDER BY t.oid`,
};

/** Checks of domains may call functions, so they come after those. */
export const DOMAIN_CONSTRAINTS: Part = {
  of: 'constraints of domains',
  sql: `
  SELECT pg_catalog.format('constraint %s on domain %s', con.conname, ${named('t.typname')}) AS subject,
         pg_catalog.format('ALTER DOMAIN %s ADD CONSTRAINT %I %s', ${named('t.typname')}, con.conname,
                           pg_catalog.pg_get_constraintdef(con.oid)) AS sql
  FROM pg_catalog.pg_constraint con JOIN pg_catalog.pg_type t ON t.oid = con.contypid ${IN_SCHEMA('t.typnamespace')}
  WHERE con.contype = 'c' AND ${USER_SCHEMA} AND ${ownObject('pg_type', 't.oid')} ORDER BY con.oid`,
};

const DICTIONARIES: Part = {
  of: 'text search dictionaries',
  sql: `
  SELECT 'text search dictionary ' || ${named('d.dictname')} AS subject,
         pg_catalog.format('CREATE TEXT SEARCH DICTIONARY %s (TEMPLATE = %I.%I%s)', ${named('d.dictname')},
           xn.nspname, x.tmplname, ', ' || d.dictinitoption) AS sql
  FROM pg_catalog.pg_ts_dict d ${IN_SCHEMA('d.dictnamespace')}
  JOIN pg_catalog.pg_ts_template x ON x.oid = d.dicttemplate JOIN pg_catalog.pg_namespace xn ON xn.oid = x.tmplnamespace
  WHERE ${USER_SCHEMA} AND ${ownObject('pg_ts_dict', 'd.oid')} ORDER BY d.oid`,
};

const CONFIGURATIONS: Part = {
  of: 'text search configurations',
  sql: `
  SELECT 'text search configuration ' || ${named('c.cfgname')} AS subject,
         pg_catalog.format('CREATE TEXT SEARCH CONFIGURATION %s (PARSER = %I.%I)', ${named('c.cfgname')}, xn.nspname, x.prsname)
         || COALESCE((SELECT pg_catalog.string_agg(pg_catalog.format('; ALTER TEXT SEARCH CONFIGURATION %s ADD MAPPING FOR %s WITH %s',
                        ${named('c.cfgname')}, m.alias, m.dictionaries), '')
            FROM (SELECT tt.alias, pg_catalog.string_agg(m.mapdict::pg_catalog.regdictionary::pg_catalog.text, ', '
                                                         ORDER BY m.mapseqno) AS dictionaries
                  FROM pg_catalog.pg_ts_config_map m JOIN pg_catalog.ts_token_type(c.cfgparser) tt ON tt.tokid = m.maptokentype
                  WHERE m.mapcfg = c.oid GROUP BY tt.alias) m), '') AS sql
  FROM pg_catalog.pg_ts_config c ${IN_SCHEMA('c.cfgnamespace')}
  JOIN pg_catalog.pg_ts_parser x ON x.oid = c.cfgparser JOIN pg_catalog.pg_namespace xn ON xn.oid = x.prsnamespace
  WHERE ${USER_SCHEMA} AND ${ownObject('pg_ts_config', 'c.oid')} ORDER BY c.oid`,
};

/** What other objects are made of, in order. */
export const TYPE_PARTS: readonly Part[] = [
  SCHEMAS,
  EXTENSIONS,
  COLLATIONS,
  TYPES,
  DICTIONARIES,
  CONFIGURATIONS,
];
