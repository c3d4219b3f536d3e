// Tables, views, sequences, and what belongs to them.
import { IN_SCHEMA, USER_SCHEMA, named, ownObject, withOptions, type Part } from './names.ts';

const RELATION = `pg_catalog.pg_class c ${IN_SCHEMA('c.relnamespace')}`;
const USERS = `${USER_SCHEMA} AND ${ownObject('pg_class', 'c.oid')}`;
const NAME = named('c.relname');

const bounds = (
  s: string,
): string => `pg_catalog.format('INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s%s',
    ${s}.seqincrement, ${s}.seqmin, ${s}.seqmax, ${s}.seqstart, ${s}.seqcache, CASE WHEN ${s}.seqcycle THEN ' CYCLE' END)`;

const SEQUENCES: Part = {
  of: 'sequences',
  sql: `
  SELECT 'sequence ' || ${NAME} AS subject,
         pg_catalog.format('CREATE SEQUENCE %s AS %s %s', ${NAME}, pg_catalog.format_type(s.seqtypid, NULL), ${bounds('s')}) AS sql
  FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid ${IN_SCHEMA('c.relnamespace')}
  WHERE ${USERS} ORDER BY c.oid`,
};

// A NOT NULL that is not yet validated (PostgreSQL 18) is a constraint with a text of its own.
const NOT_NULL_APART = `EXISTS (SELECT FROM pg_catalog.pg_constraint nn
    WHERE nn.conrelid = c.oid AND nn.contype = 'n' AND a.attnum = ANY (nn.conkey) AND (NOT nn.convalidated OR nn.connoinherit))`;

const COLUMN = `pg_catalog.concat(pg_catalog.format('%I %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)),
    CASE WHEN a.attcompression <> '' THEN ' COMPRESSION ' || CASE a.attcompression WHEN 'l' THEN 'lz4' ELSE 'pglz' END END,
    CASE WHEN a.attcollation <> at.typcollation THEN
      (SELECT pg_catalog.format(' COLLATE %I.%I', xn.nspname, xo.collname) FROM pg_catalog.pg_collation xo
       JOIN pg_catalog.pg_namespace xn ON xn.oid = xo.collnamespace WHERE xo.oid = a.attcollation) END,
    CASE a.attgenerated WHEN 's' THEN ' GENERATED ALWAYS AS (' || pg_catalog.pg_get_expr(ad.adbin, ad.adrelid) || ') STORED'
                        WHEN 'v' THEN ' GENERATED ALWAYS AS (' || pg_catalog.pg_get_expr(ad.adbin, ad.adrelid) || ') VIRTUAL' END,
    (SELECT pg_catalog.format(' GENERATED %s AS IDENTITY (SEQUENCE NAME %I.%I %s)',
              CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, sn.nspname, sc.relname, ${bounds('s')})
     FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_sequence s ON s.seqrelid = d.objid
     JOIN pg_catalog.pg_class sc ON sc.oid = s.seqrelid JOIN pg_catalog.pg_namespace sn ON sn.oid = sc.relnamespace
     WHERE a.attidentity <> '' AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid
       AND d.refobjsubid = a.attnum AND d.deptype = 'i' AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass),
    CASE WHEN a.attnotnull AND NOT ${NOT_NULL_APART} THEN ' NOT NULL' END)`;

const COLUMNS = (which: string): string => `(
    SELECT pg_catalog.string_agg(${COLUMN}, ', ' ORDER BY a.attnum)
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type at ON at.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef ad ON ad.adrelid = c.oid AND ad.adnum = a.attnum
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ${which})`;

const PARENTS = `(SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I', xn.nspname, x.relname), ', ' ORDER BY i.inhseqno)
    FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class x ON x.oid = i.inhparent
    JOIN pg_catalog.pg_namespace xn ON xn.oid = x.relnamespace WHERE i.inhrelid = c.oid)`;

// A foreign table becomes an ordinary one: nothing in a copy may reach another server or a file. Columns a child shares
// with its parents are its own where they are also local, which a repeated column in CREATE TABLE says.
const TABLES: Part = {
  of: 'tables',
  sql: `
  SELECT 'table ' || ${NAME} AS subject,
    pg_catalog.concat('CREATE ', CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' END, 'TABLE ', ${NAME},
      CASE WHEN c.relispartition THEN pg_catalog.concat(' PARTITION OF ', ${PARENTS}, ' ', pg_catalog.pg_get_expr(c.relpartbound, c.oid))
           WHEN c.reloftype <> 0 THEN ' OF ' || pg_catalog.format_type(c.reloftype, NULL)
           ELSE pg_catalog.concat(' (', ${COLUMNS('AND a.attislocal')}, ')', ' INHERITS (' || ${PARENTS} || ')') END,
      CASE WHEN c.relkind = 'p' THEN ' PARTITION BY ' || pg_catalog.pg_get_partkeydef(c.oid) END,
      CASE WHEN c.relkind = 'r' AND am.amname <> 'heap' THEN ' USING ' || pg_catalog.quote_ident(am.amname) END,
      CASE WHEN c.relkind <> 'f' THEN ${withOptions('c.reloptions')} END) AS sql
  FROM ${RELATION} LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
  WHERE c.relkind IN ('r', 'p', 'f') AND ${USERS}
  ORDER BY c.relispartition, c.oid`,
};

// What PARTITION OF and OF do not say of a column.
const COLUMN_EXTRAS: Part = {
  of: 'properties of columns',
  sql: `
  SELECT pg_catalog.format('column %s of %s', a.attname, ${NAME}) AS subject,
         pg_catalog.format('ALTER TABLE ONLY %s ALTER COLUMN %I %s', ${NAME}, a.attname, x.what) AS sql
  FROM ${RELATION} JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid JOIN pg_catalog.pg_type at ON at.oid = a.atttypid,
  LATERAL (VALUES
    (CASE WHEN a.attnotnull AND (c.relispartition OR c.reloftype <> 0 OR NOT a.attislocal) AND NOT ${NOT_NULL_APART}
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_attribute pa ON pa.attrelid = i.inhparent
                          WHERE i.inhrelid = c.oid AND pa.attname = a.attname AND pa.attnotnull) THEN 'SET NOT NULL' END),
    (CASE WHEN a.attstorage <> at.typstorage AND c.relkind IN ('r', 'p') THEN 'SET STORAGE ' || CASE a.attstorage
       WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'x' THEN 'EXTENDED' ELSE 'MAIN' END END),
    (CASE WHEN a.attstattarget >= 0 AND c.relkind IN ('r', 'p') THEN 'SET STATISTICS ' || a.attstattarget END)) AS x (what)
  WHERE x.what IS NOT NULL AND c.relkind IN ('r', 'p', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND ${USERS}
  ORDER BY c.oid, a.attnum`,
};

const DEFAULTS: Part = {
  of: 'defaults',
  sql: `
  SELECT pg_catalog.format('default of %s.%I', ${NAME}, a.attname) AS subject,
         pg_catalog.format('ALTER %s %s ALTER COLUMN %I SET DEFAULT %s', CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE ONLY' END,
           ${NAME}, a.attname, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid)) AS sql
  FROM ${RELATION} JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
  JOIN pg_catalog.pg_attrdef ad ON ad.adrelid = c.oid AND ad.adnum = a.attnum
  WHERE a.attgenerated = '' AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'v') AND ${USERS} ORDER BY c.oid, a.attnum`,
};

const SEQUENCE_OWNERS: Part = {
  of: 'sequences of columns',
  sql: `
  SELECT 'sequence ' || ${NAME} AS subject,
         pg_catalog.format('ALTER SEQUENCE %s OWNED BY %I.%I.%I', ${NAME}, tn.nspname, t.relname, a.attname) AS sql
  FROM ${RELATION} JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'a' AND d.refobjsubid > 0
  JOIN pg_catalog.pg_class t ON t.oid = d.refobjid JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
  WHERE c.relkind = 'S' AND ${USERS} ORDER BY c.oid`,
};

const constraints = (of: string, kinds: string): Part => ({
  of,
  sql: `
  SELECT pg_catalog.format('constraint %s on %s', con.conname, ${NAME}) AS subject,
         pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', ${NAME}, con.conname, pg_catalog.pg_get_constraintdef(con.oid)) AS sql
  FROM ${RELATION} JOIN pg_catalog.pg_constraint con ON con.conrelid = c.oid
  WHERE (con.contype IN (${kinds}) OR con.contype = 'n' AND (NOT con.convalidated OR con.connoinherit) AND 'c' IN (${kinds}))
    AND con.conparentid = 0 AND con.conislocal AND ${USERS}
  ORDER BY con.oid`,
});

// pg_get_indexdef says ONLY for a partitioned table; without it every partition gets its own. One that some partition
// lacks stays invalid and is left as it is, and the partitions' own indexes are attached to it.
const INDEXES: Part = {
  of: 'indexes',
  sql: `
  SELECT 'index ' || pg_catalog.format('%I.%I', n.nspname, ic.relname) AS subject,
         CASE WHEN c.relkind = 'p' AND i.indisvalid
              THEN pg_catalog.regexp_replace(pg_catalog.pg_get_indexdef(ic.oid), ' ON ONLY ', ' ON ')
              ELSE pg_catalog.pg_get_indexdef(ic.oid) END
         || CASE WHEN pc.oid IS NULL THEN '' ELSE
           pg_catalog.format('; ALTER INDEX %I.%I ATTACH PARTITION %I.%I', pn.nspname, pc.relname, n.nspname, ic.relname) END AS sql
  FROM ${RELATION} JOIN pg_catalog.pg_index i ON i.indrelid = c.oid JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
  LEFT JOIN pg_catalog.pg_inherits inh ON inh.inhrelid = ic.oid
  LEFT JOIN pg_catalog.pg_class pc ON pc.oid = inh.inhparent LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace
  LEFT JOIN pg_catalog.pg_index pi ON pi.indexrelid = pc.oid
  WHERE ${USERS} AND COALESCE(NOT pi.indisvalid, true)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint con WHERE con.conindid = ic.oid AND con.contype IN ('p', 'u', 'x'))
  ORDER BY c.relkind = 'p' DESC, ic.oid`,
};

const REPLICA_IDENTITY: Part = {
  of: 'replica identities',
  sql: `
  SELECT 'replica identity of ' || ${NAME} AS subject,
         pg_catalog.format('ALTER TABLE ONLY %s REPLICA IDENTITY %s', ${NAME}, CASE c.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
           ELSE 'USING INDEX ' || (SELECT pg_catalog.quote_ident(ic.relname) FROM pg_catalog.pg_index i
             JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisreplident) END) AS sql
  FROM ${RELATION} WHERE c.relkind IN ('r', 'p') AND c.relreplident <> 'd' AND ${USERS} ORDER BY c.oid`,
};

const VIEWS: Part = {
  of: 'views',
  sql: `
  SELECT 'view ' || ${NAME} AS subject,
         pg_catalog.concat('CREATE ', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED ' END, 'VIEW ', ${NAME}, ' (',
           (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), ')', ${withOptions('c.reloptions')}, ' AS ',
           pg_catalog.rtrim(pg_catalog.pg_get_viewdef(c.oid), ';'), CASE c.relkind WHEN 'm' THEN ' WITH NO DATA' END) AS sql
  FROM ${RELATION} WHERE c.relkind IN ('v', 'm') AND ${USERS} ORDER BY c.oid`,
};

const STATISTICS: Part = {
  of: 'statistics objects',
  sql: `
  SELECT 'statistics ' || ${named('s.stxname')} AS subject, pg_catalog.pg_get_statisticsobjdef(s.oid) AS sql
  FROM pg_catalog.pg_statistic_ext s ${IN_SCHEMA('s.stxnamespace')}
  WHERE ${USER_SCHEMA} AND ${ownObject('pg_statistic_ext', 's.oid')} ORDER BY s.oid`,
};

const PUBLICATIONS: Part = {
  of: 'publications',
  sql: `
  SELECT 'publication ' || p.pubname AS subject,
         pg_catalog.concat(pg_catalog.format('CREATE PUBLICATION %I', p.pubname),
           CASE WHEN p.puballtables THEN ' FOR ALL TABLES' ELSE ' FOR ' || NULLIF(pg_catalog.concat_ws(', ',
             (SELECT 'TABLES IN SCHEMA ' || pg_catalog.string_agg(pg_catalog.quote_ident(n.nspname), ', ') FROM pg_catalog.pg_publication_namespace pn
              JOIN pg_catalog.pg_namespace n ON n.oid = pn.pnnspid WHERE pn.pnpubid = p.oid),
             (SELECT pg_catalog.string_agg(pg_catalog.concat('TABLE ONLY ', ${NAME},
                ' (' || (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ') FROM pg_catalog.pg_attribute a
                         WHERE a.attrelid = c.oid AND a.attnum = ANY (pr.prattrs)) || ')',
                ' WHERE (' || pg_catalog.pg_get_expr(pr.prqual, pr.prrelid) || ')'), ', ')
              FROM pg_catalog.pg_publication_rel pr JOIN pg_catalog.pg_class c ON c.oid = pr.prrelid
              ${IN_SCHEMA('c.relnamespace')} WHERE pr.prpubid = p.oid)), '') END,
           pg_catalog.format(' WITH (publish = %L, publish_via_partition_root = %s)', pg_catalog.concat_ws(', ',
             CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
             CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END), p.pubviaroot::pg_catalog.text)) AS sql
  FROM pg_catalog.pg_publication p ORDER BY p.oid`,
};

/** Relations and their parts, in order. Views need only what is before them; defaults may call any function. */
export const RELATION_PARTS: readonly Part[] = [
  SEQUENCES,
  TABLES,
  COLUMN_EXTRAS,
  SEQUENCE_OWNERS,
  constraints('keys', "'p', 'u', 'x'"),
  VIEWS,
  DEFAULTS,
  constraints('checks', "'c'"),
  INDEXES,
  REPLICA_IDENTITY,
  constraints('foreign keys', "'f'"),
  STATISTICS,
  PUBLICATIONS,
];
