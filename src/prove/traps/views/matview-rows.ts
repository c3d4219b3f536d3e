// HT201 and HT202: which rows a materialised view holds, and who reads them.
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { grants } from '../facts/grants.ts';
import { inScope, relationSubject } from '../facts/naming.ts';
import { ownership } from '../facts/owned.ts';
import { relations, type Relation } from '../facts/relations.ts';
import { rights, roles, type Role } from '../facts/rights.ts';
import { sources, type Source } from '../facts/sources.ts';

const AT_HOME_SQL = `
  SELECT DISTINCT r.rolname::pg_catalog.text AS name
  FROM pg_catalog.pg_namespace n CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) a
  JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
  WHERE r.rolbypassrls AND NOT r.rolcanlogin AND NOT r.rolsuper AND ${inScope('n')}
  ORDER BY 1`;

export const matviewEmptied: TrapCheck = {
  code: 'HT201',
  name: 'matview-emptied',
  title: "A refresh fills a materialised view with the rows its owner may see: none, or one owner's",
  severity: 'error',
  traps: ['BX-01', 'BX-02'],
  find: async ({ facts, query }) => {
    const { all } = await facts(relations);
    const behind = await facts(sources);
    const known = await facts(roles);
    const [atHome] = await query<{ name: string }>(AT_HOME_SQL);
    return all.flatMap((view): Draft | readonly Draft[] => {
      if (view.kind !== 'm') return [];
      const filtered = behind(view).filter((source) => isFiltered(source, known));
      const [first] = filtered;
      if (first === undefined) return [];
      return {
        subject: relationSubject(view),
        what: `A refresh reads ${relationSubject(first.relation)} as ${first.as}, to whom its policies apply${first.relation.forced ? ' (row security is forced)' : ''}.`,
        effect: `REFRESH leaves it empty, or with the rows of the one owner the session is set to, without an error. pg_restore fails on it even as superuser: query would be affected by row-level security policy for table "${first.relation.name}".`,
        mend: ownedByBypass(view, {
          filtered,
          role: atHome?.name ?? `${view.schema}_matviews`.slice(0, 63),
          make: atHome === undefined,
        }),
        advice:
          'Whoever refreshes it must be a member of the new owner (or a superuser). Give nobody else rights on it; let a refresh record how many rows it left.',
      };
    });
  },
  page: {
    what: 'A materialised view over tables under row security, owned by a role that the policies apply to: the owner of the tables with FORCE ROW LEVEL SECURITY, or any other role without BYPASSRLS.',
    effect:
      'A refresh runs as the owner of the view. With a guarded policy it leaves 0 rows and reports success; with a tenant set, that tenant\'s rows only; with an unguarded one it fails with `invalid input syntax for type uuid: ""`. A restore sets `row_security = off` and fails: `query would be affected by row-level security policy for table "c"`, and the view stays unpopulated.',
    mend: 'A NOLOGIN role with BYPASSRLS and SELECT on the tables owns the view. Then refreshes see all rows and a restore works.',
  },
};

function isFiltered({ relation, as }: Source, known: ReadonlyMap<string, Role>): boolean {
  const role = as === undefined ? undefined : known.get(as);
  if (!relation.rowSecurity || role === undefined || role.super || role.bypass) return false;
  return relation.forced || !role.reaches.includes(relation.owner);
}

function ownedByBypass(
  view: Relation,
  { filtered, role, make }: { filtered: readonly Source[]; role: string; make: boolean },
): readonly string[] {
  const tables = [...new Set(filtered.map(({ relation }) => relation))];
  const schemas = [...new Set([view, ...tables].map(({ schema }) => schema))];
  return [
    ...(make ? [`CREATE ROLE ${ident(role)} NOLOGIN BYPASSRLS`] : []),
    ...schemas.map((schema) => `GRANT USAGE ON SCHEMA ${ident(schema)} TO ${ident(role)}`),
    ...tables.map((table) => `GRANT SELECT ON ${qualified(table)} TO ${ident(role)}`),
    `ALTER MATERIALIZED VIEW ${qualified(view)} OWNER TO ${ident(role)}`,
  ];
}

export const matviewOpensRows: TrapCheck = {
  code: 'HT202',
  name: 'matview-opens-rows',
  title: "An application role reads a materialised view of all owners' rows",
  severity: 'error',
  traps: ['BX-07'],
  find: async ({ facts }) => {
    const { all, tables } = await facts(relations);
    const anywhere = tables.some(({ rowSecurity }) => rowSecurity);
    const behind = await facts(sources);
    const { of, condition } = await facts(ownership);
    const { holders } = await facts(rights);
    const { revoke } = await facts(grants);
    return all.flatMap((view): Draft | readonly Draft[] => {
      const by = view.kind === 'm' ? holders(view.oid, 'select') : [];
      const owned = behind(view).find(
        ({ relation }) => relation.rowSecurity || of(relation) !== undefined,
      )?.relation;
      if (by.length === 0 || owned === undefined) return [];
      const where = condition(owned) ?? 'the owner column = the setting';
      return {
        subject: relationSubject(view),
        what: `It holds rows of ${relationSubject(owned)}, and ${by.join(', ')} may read it.`,
        effect: `A materialised view cannot have row security (ALTER action ENABLE ROW SECURITY cannot be performed on relation "${view.name}"): ${by[0]} reads every owner's rows in it.`,
        mend: revoke(view, { rights: ['select'], roles: by }),
        advice: `Let the roles read a view on top: CREATE VIEW … WITH (security_barrier) AS SELECT * FROM ${qualified(view)} WHERE ${where}.`,
        ...(anywhere ? {} : { severity: 'warning' as const }),
      };
    });
  },
  page: {
    what: "An application role holds SELECT on a materialised view over tables of owners' rows.",
    effect:
      'Materialised views have no row security: `ALTER action ENABLE ROW SECURITY cannot be performed on relation "project_stats"`, `This operation is not supported for materialized views.` The role reads all owners\' rows.',
    mend: "Revoke SELECT on the materialised view; grant a view on top that filters: `CREATE VIEW project_stats_mine WITH (security_barrier) AS SELECT * FROM project_stats WHERE tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid`.",
  },
};
