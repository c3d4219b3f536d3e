// Who was granted what on relations, word for word: what REVOKE has to name.
import { ident, qualified } from '../../../sql.ts';
import type { Fact } from '../check.ts';
import { grouped } from './grouped.ts';
import type { Relation } from './relations.ts';
import type { Right } from './rights.ts';
import { roles } from './rights.ts';

interface Grant {
  readonly relation: number;
  /** `public` for everybody. */
  readonly grantee: string;
  readonly right: Right;
}

const GRANTS_SQL = `
  SELECT DISTINCT c.oid AS relation,
         CASE a.grantee WHEN 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(a.grantee)::pg_catalog.text END AS grantee,
         pg_catalog.lower(a.privilege_type) AS right
  FROM pg_catalog.pg_class c
  CROSS JOIN LATERAL (
    SELECT e.grantee, e.privilege_type FROM pg_catalog.aclexplode(c.relacl) e
    UNION ALL
    SELECT e.grantee, e.privilege_type FROM pg_catalog.pg_attribute t, pg_catalog.aclexplode(t.attacl) e
    WHERE t.attrelid = c.oid AND t.attacl IS NOT NULL) a
  WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND a.grantee <> c.relowner`;

/** How rights are taken from roles. */
export interface Grants {
  /**
   * Statements after which the roles hold none of the rights: it names whom the rights were granted to, which may be PUBLIC or
   * a group. Empty where a role holds them as the owner.
   */
  readonly revoke: (
    from: Relation,
    given: { readonly rights: readonly Right[]; readonly roles: readonly string[] },
  ) => readonly string[];
}

export const grants: Fact<Grants> = {
  name: 'grants',
  read: async ({ query, facts }) => {
    const byRelation = grouped(await query<Grant>(GRANTS_SQL), ({ relation }) => relation);
    const known = await facts(roles);
    return {
      revoke: (from, { rights, roles: holders }) => {
        const reached = new Set(['public', ...holders.flatMap((name) => known.get(name)?.reaches ?? [name])]);
        if (holders.some((name) => known.get(name)?.reaches.includes(from.owner) === true)) return [];
        const given = (byRelation.get(from.oid) ?? []).filter(
          ({ grantee, right }) => reached.has(grantee) && rights.includes(right),
        );
        if (given.length === 0) return [];
        const words = rights.filter((right) => given.some((grant) => grant.right === right));
        const names = [...new Set(given.map(({ grantee }) => grantee))];
        return [
          `REVOKE ${words.map((right) => right.toUpperCase()).join(', ')} ON ${qualified(from)} FROM ${names.map(grantee).join(', ')}`,
        ];
      },
    };
  },
};

function grantee(name: string): string {
  return name === 'public' ? 'PUBLIC' : ident(name);
}
