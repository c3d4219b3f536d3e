// What there is to attack, read from the copy's catalogue: relations, keys, functions, sequences, roles.
import type { RelationName } from '../../define/model.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import { NOT_SYSTEM } from '../boundary/catalogue.ts';

export interface Column {
  readonly name: string;
  readonly type: string;
  /** Its value is computed, never given. */
  readonly generated: boolean;
  readonly identity: boolean;
  /** Has a default that makes a new value each time: a sequence, a random uuid. */
  readonly selfMade: boolean;
  /** Its type can be compared. */
  readonly comparable: boolean;
}

/** A relation that sessions may try to reach. */
export interface Target extends RelationName {
  readonly oid: number;
  /** r table, p partitioned, v view, m materialised view, f foreign table. */
  readonly kind: 'r' | 'p' | 'v' | 'm' | 'f';
  /** The table its rows belong to: itself, or the topmost parent of a partition. */
  readonly root: RelationName;
  readonly partition: boolean;
  readonly owner: string;
  readonly rowSecurity: boolean;
  readonly forced: boolean;
  /** A view or table through which rows can be written. */
  readonly writable: boolean;
  readonly invoker: boolean;
  readonly columns: readonly Column[];
  readonly primaryKey: readonly string[];
  readonly uniques: readonly Unique[];
  readonly references: readonly Reference[];
  /** Tables a view is made from, however deep, by oid. */
  readonly bases: readonly number[];
  /** Triggers that run also in a session that applies changes (`ENABLE ALWAYS`, `ENABLE REPLICA`). */
  readonly stubborn: readonly { readonly name: string; readonly mode: string }[];
  readonly triggers: number;
  /** Rules on it but a view's own. */
  readonly rules: number;
  /** The policy that lets everybody read, where reading asks no other; null: there is none. */
  readonly publicBy: string | null;
}

/** A unique or exclusion constraint, or a unique index. */
export interface Unique {
  readonly name: string;
  readonly columns: readonly string[];
  /** The condition of a partial index; empty for none. */
  readonly condition: string;
}

export interface Reference {
  readonly name: string;
  readonly columns: readonly string[];
  readonly to: RelationName;
  readonly toColumns: readonly string[];
  /** `a` none, `r` restrict, `c` cascade, `n` set null, `d` set default. */
  readonly onDelete: string;
  readonly onUpdate: string;
}

/** A function or procedure of the user's. */
export interface Routine {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: 'f' | 'p';
  readonly signature: string;
  readonly definer: boolean;
  readonly owner: string;
  readonly ownerPast: boolean;
  readonly trigger: boolean;
  readonly body: string;
  readonly path: string | null;
  readonly arguments: readonly { readonly name: string; readonly type: string }[];
  readonly executors: readonly string[];
  /** It opens cursors, or gives one that another function opens. */
  readonly cursors: boolean;
  /** Its language lets it do what the role may not, on the server itself. */
  readonly untrusted: boolean;
  /** Policies let it see rows before they are asked. */
  readonly leakproof: boolean;
}

const TARGETS_SQL = `
  SELECT c.oid::pg_catalog.int8::pg_catalog.float8 AS oid, n.nspname::pg_catalog.text AS schema, c.relname::pg_catalog.text AS name,
    c.relkind AS kind, pg_catalog.json_build_object('schema', coalesce(rn.nspname, n.nspname), 'name', coalesce(rc.relname, c.relname)) AS root,
    c.relispartition AS partition, pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text AS owner,
    c.relrowsecurity AS "rowSecurity", c.relforcerowsecurity AS forced,
    c.relkind IN ('r', 'p', 'f') OR (c.relkind = 'v' AND pg_catalog.pg_relation_is_updatable(c.oid, true) <> 0) AS writable,
    coalesce('security_invoker=true' = ANY (c.reloptions) OR 'security_invoker=on' = ANY (c.reloptions), false) AS invoker,
    coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
       'name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod), 'generated', a.attgenerated <> '',
       'identity', a.attidentity <> '',
       'selfMade', a.attidentity <> '' OR coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~* '(nextval|uuid|random|ulid|nanoid)', false)
         OR EXISTS (SELECT FROM pg_catalog.pg_depend u JOIN pg_catalog.pg_proc f ON f.oid = u.refobjid AND f.provolatile = 'v'
                    WHERE u.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND u.objid = d.oid
                      AND u.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass),
       'comparable', EXISTS (SELECT FROM pg_catalog.pg_operator o WHERE o.oprname = '=' AND o.oprleft = o.oprright
                             AND (o.oprleft = coalesce(NULLIF(t.typbasetype, 0), t.oid) OR t.typcategory IN ('A', 'E', 'R', 'S')))) ORDER BY a.attnum)
     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
     LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated = ''
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]') AS columns,
    ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_index i CROSS JOIN LATERAL pg_catalog.unnest(i.indkey) WITH ORDINALITY k(n, o)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n
          WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.o) AS "primaryKey",
    coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', ic.relname, 'columns',
       ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
             AND (a.attnum = ANY ((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1]) OR i.indexprs IS NOT NULL
                  AND ('"' || pg_catalog.pg_get_expr(i.indexprs, i.indrelid) || '"') ~ ('\\y' || a.attname || '\\y')) ORDER BY a.attnum),
       'condition', coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid), '')) ORDER BY ic.relname)
     FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
     WHERE i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion)), '[]') AS uniques,
    coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', k.conname,
       'columns', ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u(n, o)
                        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.o),
       'to', pg_catalog.json_build_object('schema', tn.nspname, 'name', tc.relname),
       'toColumns', ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY u(n, o)
                          JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.o),
       'onDelete', k.confdeltype, 'onUpdate', k.confupdtype) ORDER BY k.conname)
     FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class tc ON tc.oid = k.confrelid
     JOIN pg_catalog.pg_namespace tn ON tn.oid = tc.relnamespace
     WHERE k.contype = 'f' AND k.conrelid = c.oid AND k.conparentid = 0), '[]') AS "references",
    ARRAY(WITH RECURSIVE used(oid) AS (
            SELECT c.oid UNION
            SELECT x.refobjid FROM used u JOIN pg_catalog.pg_rewrite w ON w.ev_class = u.oid
            JOIN pg_catalog.pg_depend x ON x.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND x.objid = w.oid
              AND x.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass)
          SELECT oid::pg_catalog.int8::pg_catalog.float8 FROM used WHERE used.oid <> c.oid) AS bases,
    coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', t.tgname, 'mode', t.tgenabled))
     FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('A', 'R')), '[]') AS stubborn,
    (SELECT count(*)::pg_catalog.int4 FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) AS triggers,
    CASE WHEN c.relrowsecurity THEN (SELECT pg_catalog.min(p.polname::pg_catalog.text) FROM pg_catalog.pg_policy p
      WHERE p.polrelid = c.oid AND p.polcmd IN ('r', '*')
      HAVING pg_catalog.bool_and(p.polpermissive AND p.polcmd = 'r' AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) = 'true'))
    END AS "publicBy",
    (SELECT count(*)::pg_catalog.int4 FROM pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid AND w.ev_type <> '1') AS rules
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_class rc ON c.relispartition AND rc.oid = pg_catalog.pg_partition_root(c.oid)
  LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ${NOT_SYSTEM}
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND x.objid = c.oid AND x.deptype = 'e')
  ORDER BY n.nspname, coalesce(rc.relname, c.relname), c.relispartition, c.relname`;

const ROUTINES_SQL = `
  SELECT f.oid::pg_catalog.int8::pg_catalog.float8 AS oid, n.nspname::pg_catalog.text AS schema, f.proname::pg_catalog.text AS name,
    f.prokind AS kind, pg_catalog.format('%s.%s(%s)', n.nspname, f.proname, pg_catalog.oidvectortypes(f.proargtypes)) AS signature,
    f.prosecdef AS definer, f.proleakproof AS leakproof,
    NOT l.lanpltrusted AND l.lanname <> 'internal' AND l.lanname <> 'sql' AS untrusted, r.rolname::pg_catalog.text AS owner, r.rolsuper OR r.rolbypassrls AS "ownerPast",
    f.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype OR f.prorettype = 'pg_catalog.event_trigger'::pg_catalog.regtype AS trigger,
    coalesce(pg_catalog.pg_get_function_sqlbody(f.oid), f.prosrc) AS body,
    f.prorettype = 'pg_catalog.refcursor'::pg_catalog.regtype
      OR 'pg_catalog.refcursor'::pg_catalog.regtype = ANY (coalesce(f.proallargtypes, f.proargtypes::pg_catalog.oid[]))
      OR coalesce(pg_catalog.pg_get_function_sqlbody(f.oid), f.prosrc) ~* '\\y(OPEN|CURSOR)\\y' AS cursors,
    (SELECT pg_catalog.substr(c, 13) FROM pg_catalog.unnest(f.proconfig) c WHERE c LIKE 'search\\_path=%') AS path,
    coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', coalesce((f.proargnames)[u.o], ''),
         'type', pg_catalog.format_type(u.t, NULL)) ORDER BY u.o)
       FROM pg_catalog.unnest(f.proargtypes::pg_catalog.oid[]) WITH ORDINALITY u(t, o)), '[]') AS arguments,
    ARRAY(SELECT x.role FROM pg_catalog.unnest($1::pg_catalog.text[]) x(role)
          WHERE pg_catalog.has_function_privilege(x.role, f.oid, 'EXECUTE')
            AND pg_catalog.has_schema_privilege(x.role, n.oid, 'USAGE')) AS executors
  FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace JOIN pg_catalog.pg_roles r ON r.oid = f.proowner
  JOIN pg_catalog.pg_language l ON l.oid = f.prolang
  WHERE f.prokind IN ('f', 'p') AND ${NOT_SYSTEM}
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                      AND x.objid = f.oid AND x.deptype = 'e')
  ORDER BY 5`;

/** Every relation of the user's, with its keys; partitions after their parent. */
export async function readTargets(query: CatalogueQuery): Promise<readonly Target[]> {
  return query<Target>(TARGETS_SQL);
}

/** Every function and procedure of the user's, with which of the roles may execute it. */
export async function readRoutines(
  query: CatalogueQuery,
  roles: readonly string[],
): Promise<readonly Routine[]> {
  return query<Routine>(ROUTINES_SQL, [roles]);
}

/** What one role may do with one relation, by column. */
export interface Rights {
  readonly oid: number;
  readonly select: readonly string[];
  readonly insert: readonly string[];
  readonly update: readonly string[];
  readonly delete: boolean;
  readonly truncate: boolean;
}

const RIGHTS_SQL = `
  SELECT c.oid::pg_catalog.int8::pg_catalog.float8 AS oid,
    ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          AND pg_catalog.has_column_privilege($1::pg_catalog.name, c.oid, a.attnum, 'SELECT') ORDER BY a.attnum) AS "select",
    ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          AND pg_catalog.has_column_privilege($1::pg_catalog.name, c.oid, a.attnum, 'INSERT') ORDER BY a.attnum) AS "insert",
    ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          AND pg_catalog.has_column_privilege($1::pg_catalog.name, c.oid, a.attnum, 'UPDATE') ORDER BY a.attnum) AS "update",
    pg_catalog.has_table_privilege($1::pg_catalog.name, c.oid, 'DELETE') AS "delete",
    pg_catalog.has_table_privilege($1::pg_catalog.name, c.oid, 'TRUNCATE') AS truncate
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ${NOT_SYSTEM}`;

/** What a role may do, by relation. */
export async function readRights(query: CatalogueQuery, role: string): Promise<ReadonlyMap<number, Rights>> {
  return new Map((await query<Rights>(RIGHTS_SQL, [role])).map((one) => [one.oid, one]));
}
