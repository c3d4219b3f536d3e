// Owners and grants: exactly the target's, whatever a new object has by itself.
import { IN_SCHEMA, ROUTINE, USER_SCHEMA, named, role, type Part } from './names.ts';

/** Members of extensions have owners too; parts of other objects (an identity's sequence) have none of their own. */
const notPart = (catalogue: string, oid: string): string => `NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend m
    WHERE m.classid = 'pg_catalog.${catalogue}'::pg_catalog.regclass AND m.objid = ${oid} AND m.deptype IN ('a', 'e', 'i')
      AND m.refobjid <> m.objid AND (m.deptype <> 'a' OR m.refobjsubid > 0))`;

const owner = (of: string, select: string): Part => ({ of: `owners of ${of}`, sql: select });

const RELATION_WORD = `CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END`;

/** Kinds with an identity that ALTER takes as pg_identify_object gives it. */
const byIdentity = (catalogue: string, column: string): Part =>
  owner(
    `objects in ${catalogue}`,
    `SELECT pg_catalog.format('owner of %s %s', i.type, i.identity) AS subject,
            pg_catalog.format('ALTER %s %s OWNER TO %s', i.type, i.identity, ${role(`o.${column}`)}) AS sql
     FROM pg_catalog.${catalogue} o,
          LATERAL pg_catalog.pg_identify_object('pg_catalog.${catalogue}'::pg_catalog.regclass, o.oid, 0) i
     WHERE o.oid >= 16384 AND ${notPart(catalogue, 'o.oid')} ORDER BY o.oid`,
  );

const OWNERS: readonly Part[] = [
  owner(
    'schemas',
    `SELECT 'owner of schema ' || n.nspname AS subject,
            pg_catalog.format('ALTER SCHEMA %I OWNER TO %s', n.nspname, ${role('n.nspowner')}) AS sql
     FROM pg_catalog.pg_namespace n WHERE ${USER_SCHEMA} AND ${notPart('pg_namespace', 'n.oid')}`,
  ),
  owner(
    'relations',
    `SELECT 'owner of ' || ${named('c.relname')} AS subject,
            pg_catalog.format('ALTER %s %s OWNER TO %s', ${RELATION_WORD}, ${named('c.relname')}, ${role('c.relowner')}) AS sql
     FROM pg_catalog.pg_class c ${IN_SCHEMA('c.relnamespace')}
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND ${USER_SCHEMA} AND ${notPart('pg_class', 'c.oid')}
     ORDER BY c.oid`,
  ),
  owner(
    'routines',
    `SELECT 'owner of ' || ${ROUTINE} AS subject,
            pg_catalog.format('ALTER %s %s OWNER TO %s', CASE p.prokind WHEN 'a' THEN 'AGGREGATE' ELSE 'ROUTINE' END,
              CASE WHEN p.prokind = 'a' AND p.pronargs = 0 THEN pg_catalog.format('%I.%I(*)', n.nspname, p.proname) ELSE ${ROUTINE} END,
              ${role('p.proowner')}) AS sql
     FROM pg_catalog.pg_proc p ${IN_SCHEMA('p.pronamespace')}
     WHERE ${USER_SCHEMA} AND ${notPart('pg_proc', 'p.oid')} ORDER BY p.oid`,
  ),
  owner(
    'types',
    `SELECT 'owner of ' || ${named('t.typname')} AS subject,
            pg_catalog.format('ALTER TYPE %s OWNER TO %s', ${named('t.typname')}, ${role('t.typowner')}) AS sql
     FROM pg_catalog.pg_type t ${IN_SCHEMA('t.typnamespace')} LEFT JOIN pg_catalog.pg_class tc ON tc.oid = t.typrelid
     WHERE t.typtype IN ('e', 'd', 'c', 'r') AND (t.typrelid = 0 OR tc.relkind = 'c')
       AND ${USER_SCHEMA} AND ${notPart('pg_type', 't.oid')} ORDER BY t.oid`,
  ),
  owner(
    'statistics objects',
    `SELECT 'owner of ' || ${named('s.stxname')} AS subject,
            pg_catalog.format('ALTER STATISTICS %s OWNER TO %s', ${named('s.stxname')}, ${role('s.stxowner')}) AS sql
     FROM pg_catalog.pg_statistic_ext s ${IN_SCHEMA('s.stxnamespace')} WHERE ${USER_SCHEMA}`,
  ),
  owner(
    'publications',
    `SELECT 'owner of ' || p.pubname AS subject,
            pg_catalog.format('ALTER PUBLICATION %I OWNER TO %s', p.pubname, ${role('p.pubowner')}) AS sql
     FROM pg_catalog.pg_publication p`,
  ),
  byIdentity('pg_collation', 'collowner'),
  byIdentity('pg_operator', 'oprowner'),
  byIdentity('pg_opfamily', 'opfowner'),
  byIdentity('pg_opclass', 'opcowner'),
  byIdentity('pg_ts_dict', 'dictowner'),
  byIdentity('pg_ts_config', 'cfgowner'),
];

/**
 * One statement an object: everything away, then each grantee what it has. An object that comes with the server belongs
 * to the server's first role, whatever that is called here; what it has by that stays as it is.
 */
function grants(
  of: string,
  given: { word: string; name: string; oid: string; acl: string; owner: string; from: string },
): Part {
  const { word, name } = given;
  return {
    of: `grants on ${of}`,
    sql: `
  SELECT 'grants on ' || x.name AS subject,
         pg_catalog.format('REVOKE ALL ON %s FROM PUBLIC%s', x.word || ' ' || x.name,
           CASE WHEN NOT x.builtin THEN ', ' || ${role('x.owner')} END)
         || COALESCE((SELECT pg_catalog.string_agg(pg_catalog.format('; GRANT %s ON %s TO %s%s', g.rights, x.word || ' ' || x.name,
              CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE ${role('g.grantee')} END,
              CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), '')
            FROM (SELECT e.grantee, e.is_grantable, pg_catalog.string_agg(DISTINCT e.privilege_type, ', ') AS rights
                  FROM pg_catalog.aclexplode(x.acl) e
                  WHERE (e.grantee = 0 OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = e.grantee))
                    AND NOT (x.builtin AND e.grantee = x.owner)
                  GROUP BY e.grantee, e.is_grantable) g), '') AS sql
  FROM (SELECT ${word} AS word, ${name} AS name, ${given.acl} AS acl, ${given.owner} AS owner,
               ${given.oid} < 16384 AND ${given.oid} <> 2200 AS builtin ${given.from}) x
  WHERE x.acl IS NOT NULL`,
  };
}

/** Objects of PostgreSQL itself whose grants somebody changed. */
const changed = (
  catalogue: string,
  oid: string,
  acl: string,
): string => `(${USER_SCHEMA} OR ${acl} IS DISTINCT FROM (
    SELECT i.initprivs FROM pg_catalog.pg_init_privs i
    WHERE i.classoid = 'pg_catalog.${catalogue}'::pg_catalog.regclass AND i.objoid = ${oid} AND i.objsubid = 0)
    AND n.nspname IN ('pg_catalog', 'information_schema'))`;

const GRANTS: readonly Part[] = [
  grants('schemas', {
    word: `'SCHEMA'`,
    name: `pg_catalog.quote_ident(n.nspname)`,
    oid: 'n.oid',
    // A new database's public has grants of its own; a schema somebody made may have none.
    acl: `COALESCE(n.nspacl, CASE n.nspname WHEN 'public' THEN pg_catalog.acldefault('n', n.nspowner) END)`,
    owner: 'n.nspowner',
    from: `FROM pg_catalog.pg_namespace n WHERE ${changed('pg_namespace', 'n.oid', 'n.nspacl')}`,
  }),
  grants('relations', {
    word: `CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END`,
    name: named('c.relname'),
    oid: 'c.oid',
    acl: 'c.relacl',
    owner: 'c.relowner',
    from: `FROM pg_catalog.pg_class c ${IN_SCHEMA('c.relnamespace')}
           WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND ${changed('pg_class', 'c.oid', 'c.relacl')}`,
  }),
  grants('routines', {
    word: `'ROUTINE'`,
    name: ROUTINE,
    oid: 'p.oid',
    acl: 'p.proacl',
    owner: 'p.proowner',
    from: `FROM pg_catalog.pg_proc p ${IN_SCHEMA('p.pronamespace')} WHERE ${changed('pg_proc', 'p.oid', 'p.proacl')}`,
  }),
  grants('types', {
    word: `'TYPE'`,
    name: named('t.typname'),
    oid: 't.oid',
    acl: 't.typacl',
    owner: 't.typowner',
    from: `FROM pg_catalog.pg_type t ${IN_SCHEMA('t.typnamespace')} WHERE t.typtype IN ('e', 'd', 'c', 'r', 'b') AND ${USER_SCHEMA}`,
  }),
  grants('languages', {
    word: `'LANGUAGE'`,
    name: `pg_catalog.quote_ident(l.lanname)`,
    oid: 'l.oid',
    acl: 'l.lanacl',
    owner: 'l.lanowner',
    from: `FROM pg_catalog.pg_language l WHERE l.lanname NOT IN ('c', 'internal')`,
  }),
];

const COLUMN_GRANTS: Part = {
  of: 'grants on columns',
  sql: `
  SELECT pg_catalog.format('grants on %s (%I)', ${named('c.relname')}, a.attname) AS subject,
         pg_catalog.format('GRANT %s ON %s TO %s%s',
           pg_catalog.string_agg(pg_catalog.format('%s (%I)', e.privilege_type, a.attname), ', '), ${named('c.relname')},
           CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE ${role('e.grantee')} END,
           CASE WHEN e.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS sql
  FROM pg_catalog.pg_class c ${IN_SCHEMA('c.relnamespace')} JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid,
  LATERAL pg_catalog.aclexplode(a.attacl) e
  WHERE ${USER_SCHEMA} AND (e.grantee = 0 OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = e.grantee))
  GROUP BY c.oid, n.nspname, c.relname, a.attname, e.grantee, e.is_grantable`,
};

// Of large objects with the same owner and the same grants one stands for all.
const LARGE_OBJECTS: Part = {
  of: 'large objects',
  sql: `
  SELECT 'large object ' || l.oid AS subject,
         pg_catalog.concat('SELECT pg_catalog.lo_create(', l.oid, ')', pg_catalog.format('; ALTER LARGE OBJECT %s OWNER TO %s', l.oid, ${role('l.lomowner')}),
           (SELECT pg_catalog.string_agg(pg_catalog.format('; GRANT %s ON LARGE OBJECT %s TO %s', e.privilege_type, l.oid,
              CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE ${role('e.grantee')} END), '') FROM pg_catalog.aclexplode(l.lomacl) e)) AS sql
  FROM (SELECT pg_catalog.min(m.oid::pg_catalog.int8) AS oid, m.lomowner, m.lomacl
        FROM pg_catalog.pg_largeobject_metadata m GROUP BY m.lomowner, m.lomacl ORDER BY 1 LIMIT 100) l`,
};

const KINDS = `CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES'
    WHEN 'T' THEN 'TYPES' WHEN 'L' THEN 'LARGE OBJECTS' ELSE 'SCHEMAS' END`;

// An entry for the whole database takes the place of what PostgreSQL grants by itself; one for a schema adds to it.
const DEFAULT_PRIVILEGES: Part = {
  of: 'default privileges',
  sql: `
  SELECT pg_catalog.format('default privileges of %s on %s', x.role, x.kind) AS subject,
         CASE WHEN x.schema IS NULL THEN pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %s REVOKE ALL ON %s FROM PUBLIC, %s',
           x.role, x.kind, x.role) ELSE 'SELECT' END
         || COALESCE((SELECT pg_catalog.string_agg(pg_catalog.format('; ALTER DEFAULT PRIVILEGES FOR ROLE %s%s GRANT %s ON %s TO %s%s', x.role,
              ' IN SCHEMA ' || pg_catalog.quote_ident(x.schema), e.privilege_type, x.kind,
              CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE ${role('e.grantee')} END,
              CASE WHEN e.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), '')
            FROM pg_catalog.aclexplode(x.acl) e), '') AS sql
  FROM (SELECT ${role('d.defaclrole')} AS role, ${KINDS} AS kind, n.nspname AS schema, d.defaclacl AS acl
        FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace) x`,
};

/** After every object is there, so that no default privilege adds to what is copied. */
export const RIGHT_PARTS: readonly Part[] = [
  ...OWNERS,
  ...GRANTS,
  COLUMN_GRANTS,
  LARGE_OBJECTS,
  DEFAULT_PRIVILEGES,
];
