// The queries of the catalogue dump. Each gives rows (schema, object, facet, value, text, partition, extra): names only,
// never an oid, so that two databases of the same structure give the same rows.
//
// `text` is what the server deparsed and may spell differently after a reload; `extra` is what a partition has of its
// own, beyond what its parent gives it. Members of extensions are the extension's and are left out.
import { LEDGER_MARK } from '../ledger/index.ts';
import { literal } from '../sql.ts';

/** A ledger may have any name; its comment tells it. */
const notLedger = (oid: string): string => `pg_catalog.starts_with(
    COALESCE(pg_catalog.obj_description(${oid}, 'pg_namespace'), ''), ${literal(LEDGER_MARK)}) IS FALSE`;

const USER_SCHEMA = `n.nspname NOT IN ('pg_catalog', 'information_schema', 'holdfast') AND ${notLedger('n.oid')}
  AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'`;

const notMember = (catalogue: string, oid: string): string => `NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend m
    WHERE m.classid = 'pg_catalog.${catalogue}'::pg_catalog.regclass AND m.objid = ${oid} AND m.deptype = 'e')`;

/** What each role holds, whoever gave it: from two, it may be given on when either says so. */
const held = (
  acl: string,
): string => `(SELECT x.grantee, x.privilege_type, pg_catalog.bool_or(x.is_grantable) AS is_grantable
      FROM pg_catalog.aclexplode(${acl}) x GROUP BY 1, 2)`;

/** Grants as one text; the owner is a word, so that the same grants under another owner read the same. */
const grants = (acl: string, kind: string, owner: string): string => `(
    SELECT pg_catalog.string_agg(entry, ', ' ORDER BY entry COLLATE "C") FROM (
      SELECT CASE WHEN e.grantee = 0 THEN 'public' WHEN e.grantee = ${owner} THEN '<owner>'
                  ELSE pg_catalog.pg_get_userbyid(e.grantee)::pg_catalog.text END || '='
             || pg_catalog.string_agg(DISTINCT e.privilege_type || CASE WHEN e.is_grantable THEN '*' ELSE '' END, ',') AS entry
      FROM ${held(`COALESCE(${acl}, pg_catalog.acldefault('${kind}', ${owner}))`)} e
      GROUP BY e.grantee) entries)`;

/** Grants to others than the owner, NULL where there are none. */
const othersGrants = (acl: string, owner: string): string => `(
    SELECT pg_catalog.string_agg(entry, ', ' ORDER BY entry COLLATE "C") FROM (
      SELECT CASE WHEN e.grantee = 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(e.grantee)::pg_catalog.text END || '='
             || pg_catalog.string_agg(DISTINCT e.privilege_type || CASE WHEN e.is_grantable THEN '*' ELSE '' END, ',') AS entry
      FROM ${held(acl)} e WHERE e.grantee <> ${owner} GROUP BY e.grantee) entries)`;

const role = (oid: string): string => `pg_catalog.pg_get_userbyid(${oid})::pg_catalog.text`;

const comment = (oid: string, catalogue: string): string =>
  `pg_catalog.obj_description(${oid}, '${catalogue}')`;

/** What a relation is, in PostgreSQL's words. */
const RELATION_KIND = `CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view'
    WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'type'
    ELSE c.relkind::pg_catalog.text END || ' ' || n.nspname || '.' || c.relname`;

export const SCHEMAS_SQL = `
  SELECT n.nspname AS schema, 'schema ' || n.nspname AS object, f.facet, f.value, NULL AS text, false AS partition, false AS extra
  FROM pg_catalog.pg_namespace n,
  LATERAL (VALUES ('owner', ${role('n.nspowner')}), ('grants', ${grants('n.nspacl', 'n', 'n.nspowner')}),
                  ('comment', ${comment('n.oid', 'pg_namespace')})) AS f (facet, value)
  WHERE ${USER_SCHEMA} AND ${notMember('pg_namespace', 'n.oid')}`;

export const RELATIONS_SQL = `
  SELECT n.nspname AS schema, ${RELATION_KIND} AS object, f.facet, f.value, f.text, c.relispartition AS partition,
         c.relispartition AND f.facet IN ('owner', 'grants', 'row security', 'comment', 'options') AS extra
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
  LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = c.reltablespace,
  LATERAL (VALUES
    ('is', pg_catalog.concat_ws(' ', CASE c.relpersistence WHEN 'u' THEN 'unlogged' END,
           CASE WHEN c.relkind = 'p' THEN 'partitioned by ' || pg_catalog.pg_get_partkeydef(c.oid) END,
           am.amname, 'in ' || ts.spcname,
           CASE c.relreplident WHEN 'd' THEN NULL ELSE 'replica identity ' || c.relreplident::pg_catalog.text END), NULL),
    ('owner', ${role('c.relowner')}, NULL),
    ('grants', CASE c.relkind WHEN 'S' THEN ${grants('c.relacl', 's', 'c.relowner')} WHEN 'c' THEN NULL
               ELSE ${grants('c.relacl', 'r', 'c.relowner')} END, NULL),
    ('row security', CASE WHEN c.relforcerowsecurity THEN 'forced ' ELSE '' END
               || CASE WHEN c.relrowsecurity THEN 'enabled' ELSE 'off' END, NULL),
    ('options', (SELECT pg_catalog.string_agg(o, ', ' ORDER BY o COLLATE "C") FROM pg_catalog.unnest(c.reloptions) o), NULL),
    ('comment', ${comment('c.oid', 'pg_class')}, NULL),
    ('inherits', (SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I', pn.nspname, p.relname), ', ' ORDER BY i.inhseqno)
                  FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
                  JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace WHERE i.inhrelid = c.oid), NULL),
    ('bounds', CASE WHEN c.relispartition THEN '' END, pg_catalog.pg_get_expr(c.relpartbound, c.oid)),
    ('query', CASE WHEN c.relkind IN ('v', 'm') THEN '' END,
              CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid) END)
  ) AS f (facet, value, text)
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND ${USER_SCHEMA} AND ${notMember('pg_class', 'c.oid')}
    AND (c.relkind <> 'S' OR NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
         WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'i'))`;

// A partition may refuse NULL where its parent takes it, and stays what its parent says all the same: one that moved to a
// parent with fewer promises keeps its key.
const NULL_REFUSED_ABOVE = `EXISTS (
             SELECT FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_attribute pa ON pa.attrelid = i.inhparent
             WHERE i.inhrelid = c.oid AND pa.attname = a.attname AND pa.attnotnull)`;

// attstattarget is null for "default" from PostgreSQL 17 on and -1 before. Debian's 15.20 stamps every new column with an option
// pg_attver of its own, another number each time; nobody asked for it, so it is no part of the structure.
export const COLUMNS_SQL = `
  SELECT n.nspname AS schema, ${RELATION_KIND} AS object, 'column ' || a.attname AS facet,
         pg_catalog.concat_ws(' ', pg_catalog.format_type(a.atttypid, a.atttypmod),
           CASE WHEN a.attcollation <> t.typcollation THEN
             (SELECT pg_catalog.format('collate %I.%I', cn.nspname, co.collname) FROM pg_catalog.pg_collation co
              JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation) END,
           CASE WHEN a.attnotnull AND (NOT c.relispartition OR ${NULL_REFUSED_ABOVE}) THEN 'not null' END,
           CASE a.attidentity WHEN 'a' THEN 'identity always' WHEN 'd' THEN 'identity by default' END,
           (SELECT pg_catalog.format('(%s start %s step %s min %s max %s cache %s cycle %s)', sc.relname, s.seqstart,
                                     s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
            FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_sequence s ON s.seqrelid = d.objid
            JOIN pg_catalog.pg_class sc ON sc.oid = s.seqrelid
            WHERE a.attidentity <> '' AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid
              AND d.refobjsubid = a.attnum AND d.deptype = 'i' AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass),
           'sequence grants ' || (SELECT ${othersGrants('sc.relacl', 'sc.relowner')}
            FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class sc ON sc.oid = d.objid
            WHERE a.attidentity <> '' AND NOT c.relispartition AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid
              AND d.refobjsubid = a.attnum AND d.deptype = 'i' AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass),
           CASE a.attgenerated WHEN 's' THEN 'generated stored' WHEN 'v' THEN 'generated virtual' END,
           CASE WHEN a.attstorage <> t.typstorage THEN 'storage ' || a.attstorage::pg_catalog.text END,
           CASE WHEN a.attcompression <> '' THEN 'compression ' || a.attcompression::pg_catalog.text END,
           'statistics ' || NULLIF(a.attstattarget, -1)::pg_catalog.text,
           'options ' || (SELECT NULLIF(pg_catalog.array_agg(o), '{}')::pg_catalog.text FROM pg_catalog.unnest(a.attoptions) o
                          WHERE o NOT LIKE 'pg\\_attver=%'), 'foreign options ' || a.attfdwoptions::pg_catalog.text,
           CASE WHEN a.attacl IS NOT NULL THEN 'grants ' || ${grants('a.attacl', 'c', 'c.relowner')} END,
           'comment ' || pg_catalog.quote_literal(pg_catalog.col_description(c.oid, a.attnum))) AS value,
         pg_catalog.pg_get_expr(ad.adbin, ad.adrelid) AS text, c.relispartition AS partition, false AS extra
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_attrdef ad ON ad.adrelid = c.oid AND ad.adnum = a.attnum
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND a.attnum > 0 AND NOT a.attisdropped
    AND ${USER_SCHEMA} AND ${notMember('pg_class', 'c.oid')}`;

// A constraint that a partition has from its parent may have any name there, on a partition of a partition twice over;
// it is read under the name it has on the topmost table. A foreign key's twin on the same table is not its parent.
// NOT NULL (contype n, PostgreSQL 18) is already in the column; here only one that is not yet validated shows.
export const CONSTRAINTS_SQL = `
  SELECT n.nspname AS schema,
         CASE WHEN con.conrelid <> 0 THEN ${RELATION_KIND} ELSE 'domain ' || n.nspname || '.' || dt.typname END AS object,
         'constraint ' || CASE WHEN pc.oid IS NULL THEN con.conname ELSE (
           WITH RECURSIVE up AS (
             SELECT pc.conname, pc.conparentid, pc.conrelid, 1 AS height
             UNION ALL
             SELECT above.conname, above.conparentid, above.conrelid, up.height + 1
             FROM up JOIN pg_catalog.pg_constraint above ON above.oid = up.conparentid AND above.conrelid <> up.conrelid
           ) SELECT up.conname FROM up ORDER BY up.height DESC LIMIT 1) END AS facet,
         pg_catalog.concat_ws(' ', con.contype::pg_catalog.text, CASE WHEN NOT con.convalidated THEN 'not valid' END,
           'comment ' || pg_catalog.quote_literal(${comment('con.oid', 'pg_constraint')})) AS value,
         pg_catalog.pg_get_constraintdef(con.oid) AS text, COALESCE(c.relispartition, false) AS partition,
         COALESCE(c.relispartition, false) AND con.conparentid = 0 AND con.coninhcount = 0 AS extra
  FROM pg_catalog.pg_constraint con
  JOIN pg_catalog.pg_namespace n ON n.oid = con.connamespace
  LEFT JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
  LEFT JOIN pg_catalog.pg_type dt ON dt.oid = con.contypid
  LEFT JOIN pg_catalog.pg_constraint pc ON pc.oid = con.conparentid AND pc.conrelid <> con.conrelid
  WHERE con.contype <> 't' AND (con.contype <> 'n' OR NOT con.convalidated)
    AND (con.conparentid = 0 OR pc.oid IS NOT NULL) AND ${USER_SCHEMA}
    AND (con.conrelid = 0 OR ${notMember('pg_class', 'con.conrelid')})
    AND (con.contypid = 0 OR ${notMember('pg_type', 'con.contypid')})`;

export const INDEXES_SQL = `
  SELECT n.nspname AS schema, ${RELATION_KIND} AS object, 
         'index ' || COALESCE((SELECT root.relname FROM pg_catalog.pg_class root
                               WHERE root.oid = pg_catalog.pg_partition_root(ic.oid)), ic.relname) AS facet,
         pg_catalog.concat_ws(' ', CASE WHEN NOT i.indisvalid THEN 'INVALID' END, CASE WHEN NOT i.indisready THEN 'NOT READY' END,
           CASE WHEN i.indisunique THEN 'unique' END, CASE WHEN i.indisprimary THEN 'primary' END,
           CASE WHEN i.indisreplident THEN 'replica identity' END, CASE WHEN i.indisclustered THEN 'clustered' END,
           CASE WHEN pic.oid IS NULL THEN NULL ELSE 'attached' END,
           'in ' || ts.spcname,
           (SELECT pg_catalog.string_agg(ia.attnum || ' statistics ' || ia.attstattarget, ', ' ORDER BY ia.attnum)
            FROM pg_catalog.pg_attribute ia WHERE ia.attrelid = ic.oid AND ia.attstattarget >= 0),
           'comment ' || pg_catalog.quote_literal(${comment('ic.oid', 'pg_class')})) AS value,
         CASE WHEN pic.oid IS NULL THEN pg_catalog.pg_get_indexdef(ic.oid)
              ELSE pg_catalog.regexp_replace(pg_catalog.pg_get_indexdef(ic.oid), '^CREATE .*? USING ', '') END AS text,
         c.relispartition AS partition, c.relispartition AND pic.oid IS NULL AS extra
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_inherits inh ON inh.inhrelid = ic.oid
  LEFT JOIN pg_catalog.pg_class pic ON pic.oid = inh.inhparent
  LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = ic.reltablespace
  WHERE ${USER_SCHEMA} AND ${notMember('pg_class', 'c.oid')}`;

export const TRIGGERS_SQL = `
  SELECT n.nspname AS schema, ${RELATION_KIND} AS object, 'trigger ' || t.tgname AS facet,
         pg_catalog.concat_ws(' ', 'enabled ' || t.tgenabled::pg_catalog.text,
           'comment ' || pg_catalog.quote_literal(${comment('t.oid', 'pg_trigger')})) AS value,
         pg_catalog.pg_get_triggerdef(t.oid) AS text, c.relispartition AS partition,
         c.relispartition AND t.tgparentid = 0 AS extra
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE NOT t.tgisinternal AND ${USER_SCHEMA} AND ${notMember('pg_class', 'c.oid')}`;

export const POLICIES_SQL = `
  SELECT n.nspname AS schema, ${RELATION_KIND} AS object, 'policy ' || p.polname AS facet,
         pg_catalog.concat_ws(' ', CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END, p.polcmd::pg_catalog.text,
           'to', (SELECT pg_catalog.string_agg(CASE WHEN r = 0 THEN 'public' ELSE ${role('r')} END, ', '
                                    ORDER BY ${role('r')} COLLATE "C") FROM pg_catalog.unnest(p.polroles) r),
           'comment ' || pg_catalog.quote_literal(${comment('p.oid', 'pg_policy')})) AS value,
         pg_catalog.concat_ws(' check ', 'using ' || pg_catalog.pg_get_expr(p.polqual, p.polrelid),
           pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)) AS text, c.relispartition AS partition, c.relispartition AS extra
  FROM pg_catalog.pg_policy p
  JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE ${USER_SCHEMA} AND ${notMember('pg_class', 'c.oid')}`;

export const RULES_SQL = `
  SELECT n.nspname AS schema, ${RELATION_KIND} AS object, 'rule ' || r.rulename AS facet,
         pg_catalog.concat_ws(' ', 'enabled ' || r.ev_enabled::pg_catalog.text,
           'comment ' || pg_catalog.quote_literal(${comment('r.oid', 'pg_rewrite')})) AS value,
         pg_catalog.pg_get_ruledef(r.oid) AS text, c.relispartition AS partition, c.relispartition AS extra
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE r.rulename <> '_RETURN' AND ${USER_SCHEMA} AND ${notMember('pg_class', 'c.oid')}`;

export const FUNCTIONS_SQL = `
  SELECT n.nspname AS schema, CASE p.prokind WHEN 'p' THEN 'procedure ' WHEN 'a' THEN 'aggregate ' ELSE 'function ' END
         || n.nspname || '.' || p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')' AS object,
         f.facet, f.value, f.text, false AS partition, false AS extra
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace,
  LATERAL (VALUES
    ('definition', '', CASE WHEN p.prokind = 'a' THEN
       (SELECT pg_catalog.concat_ws(' ', pg_catalog.pg_get_function_result(p.oid), g.aggkind, g.aggtransfn, g.aggfinalfn,
          g.aggcombinefn, g.aggserialfn, g.aggdeserialfn, pg_catalog.format_type(g.aggtranstype, NULL), g.agginitval,
          g.aggsortop::pg_catalog.regoperator, p.proparallel) FROM pg_catalog.pg_aggregate g WHERE g.aggfnoid = p.oid)
       ELSE pg_catalog.pg_get_functiondef(p.oid) END),
    ('owner', ${role('p.proowner')}, NULL), ('grants', ${grants('p.proacl', 'f', 'p.proowner')}, NULL),
    ('comment', ${comment('p.oid', 'pg_proc')}, NULL)) AS f (facet, value, text)
  WHERE ${USER_SCHEMA} AND ${notMember('pg_proc', 'p.oid')} AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'i')`;

export const TYPES_SQL = `
  SELECT n.nspname AS schema, CASE t.typtype WHEN 'd' THEN 'domain ' ELSE 'type ' END || n.nspname || '.' || t.typname AS object,
         f.facet, f.value, f.text, false AS partition, false AS extra
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_class tc ON tc.oid = t.typrelid
  LEFT JOIN pg_catalog.pg_type bt ON bt.oid = t.typbasetype,
  LATERAL (VALUES
    ('is', CASE t.typtype
       WHEN 'e' THEN 'enum ' || (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                                 FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)
       WHEN 'd' THEN pg_catalog.concat_ws(' ', pg_catalog.format_type(t.typbasetype, t.typtypmod),
                                          CASE WHEN t.typnotnull THEN 'not null' END,
                                          CASE WHEN t.typcollation <> bt.typcollation THEN 'collate ' || t.typcollation::pg_catalog.regcollation END)
       WHEN 'r' THEN (SELECT pg_catalog.concat_ws(' ', 'range of', pg_catalog.format_type(r.rngsubtype, NULL),
                        r.rngcanonical, r.rngsubdiff, pg_catalog.format_type(r.rngmultitypid, NULL),
                        CASE WHEN r.rngcollation <> 0 THEN r.rngcollation::pg_catalog.regcollation::pg_catalog.text END)
                      FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid)
       WHEN 'c' THEN 'composite'
       ELSE 'base ' || t.typinput || ' ' || t.typoutput END, t.typdefault),
    ('owner', ${role('t.typowner')}, NULL), ('grants', ${grants('t.typacl', 'T', 't.typowner')}, NULL),
    ('comment', ${comment('t.oid', 'pg_type')}, NULL)) AS f (facet, value, text)
  WHERE t.typtype IN ('e', 'd', 'r', 'c', 'b') AND ${USER_SCHEMA} AND (t.typrelid = 0 OR tc.relkind = 'c')
    AND t.typcategory <> 'A' AND ${notMember('pg_type', 't.oid')}`;

export const SEQUENCES_SQL = `
  SELECT n.nspname AS schema, 'sequence ' || n.nspname || '.' || c.relname AS object, 'sequence' AS facet,
         pg_catalog.format('%s start %s step %s min %s max %s cache %s cycle %s owned by %s',
           pg_catalog.format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
           COALESCE((SELECT pg_catalog.format('%I.%I.%I', tn.nspname, tc.relname, ta.attname)
             FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class tc ON tc.oid = d.refobjid
             JOIN pg_catalog.pg_namespace tn ON tn.oid = tc.relnamespace
             JOIN pg_catalog.pg_attribute ta ON ta.attrelid = tc.oid AND ta.attnum = d.refobjsubid
             WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'a'
               AND d.refobjsubid > 0 LIMIT 1), 'none')) AS value,
         NULL AS text, false AS partition, false AS extra
  FROM pg_catalog.pg_sequence s
  JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE ${USER_SCHEMA} AND ${notMember('pg_class', 'c.oid')} AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'i')`;

export const STATISTICS_SQL = `
  SELECT n.nspname AS schema, 'statistics ' || n.nspname || '.' || s.stxname AS object, f.facet, f.value, f.text,
         false AS partition, false AS extra
  FROM pg_catalog.pg_statistic_ext s
  JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace,
  LATERAL (VALUES ('definition', pg_catalog.concat_ws(' ', 'target', NULLIF(s.stxstattarget, -1)), pg_catalog.pg_get_statisticsobjdef(s.oid)),
                  ('owner', ${role('s.stxowner')}, NULL), ('comment', ${comment('s.oid', 'pg_statistic_ext')}, NULL))
    AS f (facet, value, text)
  WHERE ${USER_SCHEMA} AND ${notMember('pg_statistic_ext', 's.oid')}`;

export const EXTENSIONS_SQL = `
  SELECT NULL AS schema, 'extension ' || e.extname AS object, 'is' AS facet,
         pg_catalog.concat_ws(' ', 'in ' || n.nspname) AS value, NULL AS text, false AS partition, false AS extra
  FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace`;

// One line to a role and what it gains or loses: of what PostgreSQL gives by itself only a row without a schema can take
// something away, and what is as it always is is no line.
export const DEFAULT_PRIVILEGES_SQL = `
  SELECT n.nspname AS schema, pg_catalog.format('default privileges of %s', ${role('d.defaclrole')}) AS object,
         pg_catalog.concat_ws(' ', d.defaclobjtype::pg_catalog.text, 'in ' || n.nspname, 'to', x.grantee) AS facet,
         COALESCE(x.held, 'nothing') AS value, NULL AS text, false AS partition, false AS extra
  FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
  CROSS JOIN LATERAL (
    SELECT CASE WHEN e.grantee = 0 THEN 'public' WHEN e.grantee = d.defaclrole THEN '<owner>' ELSE ${role('e.grantee')} END AS grantee,
           pg_catalog.string_agg(DISTINCT e.held, ',') FILTER (WHERE e.stored) AS held,
           pg_catalog.string_agg(DISTINCT e.held, ',') FILTER (WHERE NOT e.stored) AS usual
    FROM (
      SELECT true AS stored, s.grantee, s.privilege_type || CASE WHEN s.is_grantable THEN '*' ELSE '' END AS held
      FROM pg_catalog.aclexplode(d.defaclacl) s
      UNION ALL
      SELECT false, u.grantee, u.privilege_type FROM pg_catalog.aclexplode(pg_catalog.acldefault(
        CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END, d.defaclrole)) u
      WHERE d.defaclnamespace = 0) e
    GROUP BY 1) x
  WHERE x.held IS DISTINCT FROM x.usual AND n.nspname IS DISTINCT FROM 'holdfast' AND ${notLedger('n.oid')}`;

export const PUBLICATIONS_SQL = `
  SELECT NULL AS schema, 'publication ' || p.pubname AS object, f.facet, f.value, NULL AS text, false AS partition, false AS extra
  FROM pg_catalog.pg_publication p,
  LATERAL (
    SELECT 'is', pg_catalog.concat_ws(' ', p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot)
    UNION ALL SELECT 'owner', ${role('p.pubowner')}
    UNION ALL SELECT 'schema ' || n.nspname, '' FROM pg_catalog.pg_publication_namespace pn
      JOIN pg_catalog.pg_namespace n ON n.oid = pn.pnnspid WHERE pn.pnpubid = p.oid
    UNION ALL SELECT pg_catalog.format('table %s.%s', n.nspname, c.relname),
        pg_catalog.concat_ws(' ', pr.prattrs::pg_catalog.text, pg_catalog.pg_get_expr(pr.prqual, pr.prrelid))
      FROM pg_catalog.pg_publication_rel pr JOIN pg_catalog.pg_class c ON c.oid = pr.prrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE pr.prpubid = p.oid
  ) AS f (facet, value)`;

export const EVENT_TRIGGERS_SQL = `
  SELECT NULL AS schema, 'event trigger ' || e.evtname AS object, 'is' AS facet,
         pg_catalog.concat_ws(' ', e.evtevent, e.evtenabled, e.evtfoid::pg_catalog.regproc, e.evttags::pg_catalog.text) AS value,
         NULL AS text, false AS partition, false AS extra
  FROM pg_catalog.pg_event_trigger e WHERE ${notMember('pg_event_trigger', 'e.oid')}`;

const other = (kind: string, catalogue: string, value: string): string => `
  SELECT i.schema, '${kind} ' || i.identity AS object, 'is' AS facet, ${value} AS value, NULL AS text,
         false AS partition, false AS extra
  FROM pg_catalog.${catalogue} o,
  LATERAL pg_catalog.pg_identify_object('pg_catalog.${catalogue}'::pg_catalog.regclass, o.oid, 0) i
  WHERE o.oid >= 16384 AND i.schema IS DISTINCT FROM 'holdfast' AND ${notMember(catalogue, 'o.oid')} AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.${catalogue}'::pg_catalog.regclass AND d.objid = o.oid AND d.deptype = 'i')`;

/** Kinds few databases have: each object by its identity, with what tells two of that identity apart. */
export const OTHERS_SQL = [
  other(
    'cast',
    'pg_cast',
    `pg_catalog.concat_ws(' ', o.castfunc::pg_catalog.regprocedure, o.castcontext, o.castmethod)`,
  ),
  other(
    'operator',
    'pg_operator',
    `pg_catalog.concat_ws(' ', o.oprcode, o.oprrest, o.oprjoin, o.oprcanmerge, o.oprcanhash)`,
  ),
  other(
    'operator class',
    'pg_opclass',
    `pg_catalog.concat_ws(' ', o.opcintype::pg_catalog.regtype, o.opcdefault)`,
  ),
  other('operator family', 'pg_opfamily', `''`),
  other(
    'text search configuration',
    'pg_ts_config',
    `(SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', m.maptokentype, m.mapseqno, m.mapdict::pg_catalog.regdictionary), ', ' ORDER BY m.maptokentype, m.mapseqno) FROM pg_catalog.pg_ts_config_map m WHERE m.mapcfg = o.oid)`,
  ),
  other('text search dictionary', 'pg_ts_dict', `o.dictinitoption`),
  other('text search parser', 'pg_ts_parser', `''`),
  other('text search template', 'pg_ts_template', `''`),
  other(
    'language',
    'pg_language',
    `pg_catalog.concat_ws(' ', o.lanpltrusted, o.lanplcallfoid::pg_catalog.regproc)`,
  ),
  other('transform', 'pg_transform', `''`),
  other('conversion', 'pg_conversion', `o.conproc::pg_catalog.text`),
  other(
    'collation',
    'pg_collation',
    `pg_catalog.concat_ws(' ', o.collprovider, o.collisdeterministic, o.collcollate, o.collctype)`,
  ),
  other('access method', 'pg_am', `o.amhandler::pg_catalog.text`),
  other('foreign-data wrapper', 'pg_foreign_data_wrapper', `o.fdwhandler::pg_catalog.text`),
  other('server', 'pg_foreign_server', `pg_catalog.concat_ws(' ', o.srvtype, o.srvversion)`),
].join(' UNION ALL ');
