// Who may do what in a world, by the catalogue's own words: what nobody granted reads as what PostgreSQL gives by itself.
// What an owner may do with the sequence of an identity column is left out: it is the table's affair.
import type { Pool } from 'pg';

/** Holders and what they hold, with `*` where they may give it on, by object. */
export type Rights = ReadonlyMap<
  string,
  { readonly owner: string; readonly entries: ReadonlyMap<string, string> }
>;

interface Row {
  readonly object: string;
  readonly owner: string;
  readonly grantee: string | null;
  readonly held: string | null;
}

const RIGHTS_SQL = `
  SELECT o.object, o.owner, COALESCE(g.rolname::text, CASE WHEN e.grantee = 0 THEN 'PUBLIC' END) AS grantee,
         string_agg(DISTINCT e.privilege_type || CASE WHEN e.is_grantable THEN '*' ELSE '' END, ',') AS held
  FROM (
    SELECT 'relation ' || c.oid::regclass AS object, c.relowner::regrole::text AS owner,
           COALESCE(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)) AS acl,
           EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'i' AND c.relkind = 'S') AS follows
    FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.relnamespace = ANY ($1::regnamespace[])
    UNION ALL
    SELECT 'column ' || a.attrelid::regclass || '.' || a.attname, c.relowner::regrole::text, a.attacl, false
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE a.attacl IS NOT NULL AND a.attacl <> '{}' AND NOT a.attisdropped AND c.relnamespace = ANY ($1::regnamespace[])
    UNION ALL
    SELECT 'routine ' || p.oid::regprocedure, p.proowner::regrole::text, COALESCE(p.proacl, acldefault('f', p.proowner)), false
    FROM pg_proc p WHERE p.pronamespace = ANY ($1::regnamespace[])
    UNION ALL
    SELECT 'type ' || t.oid::regtype, t.typowner::regrole::text, COALESCE(t.typacl, acldefault('T', t.typowner)), false
    FROM pg_type t WHERE t.typtype IN ('e', 'd') AND t.typnamespace = ANY ($1::regnamespace[])
    UNION ALL
    SELECT 'schema ' || n.nspname, n.nspowner::regrole::text, COALESCE(n.nspacl, acldefault('n', n.nspowner)), false
    FROM pg_namespace n WHERE n.oid = ANY ($1::regnamespace[])
    UNION ALL
    SELECT concat_ws(' ', 'defaults of', d.defaclrole::regrole, d.defaclobjtype, 'in', n.nspname), '', d.defaclacl, false
    FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace) o
  LEFT JOIN LATERAL (SELECT x.grantee, x.privilege_type, bool_or(x.is_grantable) AS is_grantable
                     FROM aclexplode(o.acl) x GROUP BY 1, 2) e ON NOT (o.follows AND e.grantee::regrole::text = o.owner)
  LEFT JOIN pg_roles g ON g.oid = e.grantee
  GROUP BY 1, 2, 3 ORDER BY 1, 3`;

const SCHEMAS_SQL = `SELECT COALESCE(array_agg(oid), '{}') AS oids FROM pg_namespace WHERE nspname IN ('rw', 'rx')`;

/** Reads the rights of a world. */
export async function rightsIn(pool: Pool): Promise<Rights> {
  const schemas = await pool.query<{ oids: number[] }>(SCHEMAS_SQL);
  const { rows } = await pool.query<Row>(RIGHTS_SQL, [schemas.rows[0]?.oids]);
  const rights = new Map<string, { owner: string; entries: Map<string, string> }>();
  for (const { object, owner, grantee, held } of rows) {
    const known = rights.get(object) ?? { owner, entries: new Map<string, string>() };
    if (grantee !== null) known.entries.set(grantee === owner ? '<owner>' : grantee, held ?? '');
    rights.set(object, known);
  }
  return rights;
}

/**
 * The rights a plan has to reach: an owner whom the goal leaves open, because its own session made the object, stays who
 * it was, and what others' grants said of that role is the owner's then.
 */
export function wantedRights(before: Rights, goal: Rights, user: string): Rights {
  return new Map(
    [...goal].flatMap(
      ([object, { owner, entries }]): [string, { owner: string; entries: Map<string, string> }][] => {
        const owned = object.replace(/^column (.*)\..*$/, 'relation $1');
        const stays = owner === user ? (before.get(owned)?.owner ?? owner) : owner;
        const left = new Map([...entries].filter(([grantee]) => grantee !== stays));
        if (left.size === 0 && object.startsWith('column ')) return [];
        return [[object, { owner: stays, entries: left }]];
      },
    ),
  );
}
