// HT101 to HT103: row security that is not there, lets nobody in, or leaves the owner out.
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck, TrapContext } from '../check.ts';
import { grants } from '../facts/grants.ts';
import { relationSubject } from '../facts/naming.ts';
import { ownership } from '../facts/owned.ts';
import { policies, type Policy } from '../facts/policies.ts';
import { relations, type Relation } from '../facts/relations.ts';
import { rights, roles } from '../facts/rights.ts';

/** Statements that put a table under row security for its owner's sessions; empty where nothing says whose its rows are. */
function guard(table: Relation, condition: string | undefined): readonly string[] {
  if (condition === undefined) return [];
  return [
    `ALTER TABLE ${qualified(table)} ENABLE ROW LEVEL SECURITY`,
    `ALTER TABLE ${qualified(table)} FORCE ROW LEVEL SECURITY`,
    `CREATE POLICY owner_rows ON ${qualified(table)} USING (${condition})`,
  ];
}

export const tenantColumnWithoutRowSecurity: TrapCheck = {
  code: 'HT101',
  name: 'tenant-column-without-row-security',
  title: "A table of owners' rows is not under row security",
  severity: 'error',
  traps: ['B4-17', 'B2-12'],
  find: async ({ facts, roles: given }) => {
    const { tables } = await facts(relations);
    const { of, condition } = await facts(ownership);
    const { holders } = await facts(rights);
    const written = await facts(policies);
    const { revoke } = await facts(grants);
    const anywhere = tables.some(({ rowSecurity }) => rowSecurity);
    return tables.flatMap((table): Draft | readonly Draft[] => {
      const owned = table.parent === null && !table.rowSecurity ? of(table) : undefined;
      const by = holders(table.oid, 'select', 'insert', 'update', 'delete');
      if (owned === undefined || (by.length === 0 && given.length > 0)) return [];
      const who = by.length === 0 ? 'whoever is granted it' : by.join(', ');
      const waits = written.of(table.oid).length > 0;
      const guarding = waits ? guard(table, 'true').slice(0, 2) : guard(table, condition(table));
      // TRUNCATE asks no policy: a table that is guarded and may be emptied is not.
      const emptied = revoke(table, { rights: ['truncate'], roles: holders(table.oid, 'truncate') });
      return {
        subject: relationSubject(table),
        what:
          owned.column === undefined
            ? `Its foreign keys lead to rows that belong to one ${owned.boundary.name}, and row security is off.`
            : `Column ${owned.column} says whose a row is, and row security is off${waits ? ' although policies are written' : ''}.`,
        effect: `${who} reads and writes the rows of every ${owned.boundary.name}; only the WHERE of each statement keeps them apart.`,
        mend: guarding.length === 0 ? [] : [...guarding, ...emptied],
        advice:
          condition(table) === undefined
            ? 'Give it the column that says whose a row is, a composite foreign key, and a policy that compares the column with the setting.'
            : `Read the policy before it is made: it lets a session see the rows of the ${owned.boundary.name} in ${owned.boundary.setting}.`,
        ...(anywhere ? {} : { severity: 'warning' as const }),
      };
    });
  },
  page: {
    what: 'A table has the column that says whose a row is (`tenant_id`, `organization_id`), or its foreign keys lead to one that has, and an application role may use it. Row security was enabled on other tables and forgotten here, or nowhere.',
    effect:
      'Every statement that forgets its `WHERE tenant_id = …` reads and writes the rows of all owners. Nothing fails.',
    mend: "`ALTER TABLE t ENABLE ROW LEVEL SECURITY`, `FORCE ROW LEVEL SECURITY`, and a policy such as `USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)`. A table that is meant for everybody is declared so (`shared`).",
  },
};

// INSERT, not SELECT: a role for dumps reads everything and works nowhere.
const SERVED_SQL = `
  SELECT DISTINCT c.oid FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_roles r ON r.rolbypassrls AND NOT r.rolsuper AND r.oid <> c.relowner
  WHERE c.relrowsecurity AND pg_catalog.has_table_privilege(r.oid, c.oid, 'INSERT')`;

export const rowSecurityWithoutPolicy: TrapCheck = {
  code: 'HT102',
  name: 'row-security-without-policy',
  title: 'Row security is on and no policy lets the role in',
  severity: 'error',
  traps: ['B4-11', 'B4-12'],
  find: async (context) => {
    const { tables } = await context.facts(relations);
    const { condition, of } = await context.facts(ownership);
    const { holders } = await context.facts(rights);
    const written = await context.facts(policies);
    const served = new Set((await context.query<{ oid: number }>(SERVED_SQL)).map(({ oid }) => oid));
    const applies = await applicable(context);
    return tables.flatMap((table): Draft | readonly Draft[] => {
      // A partition under row security without a policy is closed to those who name it; that is meant.
      if (!table.rowSecurity || table.parent !== null) return [];
      const all = written.of(table.oid).filter(({ permissive }) => permissive);
      const by = holders(table.oid, 'select', 'insert', 'update', 'delete');
      const out = by.filter((role) => !all.some((policy) => applies(policy, role)));
      if (out.length === 0 && (context.roles.length > 0 || all.length > 0)) return [];
      const who = out.length === 0 ? 'everybody but its owner' : out.join(', ');
      // Closed on purpose: a role past row security works there, or nothing says that its rows are owners'.
      const closed = served.has(table.oid) || (out.length === 0 && of(table) === undefined);
      const guarded = condition(table);
      const to = out.length === 0 ? '' : ` TO ${out.map(ident).join(', ')}`;
      return {
        subject: relationSubject(table),
        what: `Row security is on and ${all.length === 0 ? 'there is no policy' : `no policy is for ${who}`}.`,
        effect: `For ${who} it has no rows, and an INSERT fails: new row violates row-level security policy for table "${table.name}".`,
        mend:
          guarded === undefined
            ? []
            : [`CREATE POLICY owner_rows ON ${qualified(table)}${to} USING (${guarded})`],
        advice:
          guarded === undefined
            ? 'Give it a column that says whose a row is and write a policy for it; or take the rights away where nobody is to enter.'
            : 'Read the policy before it is made. CREATE POLICY … TO a role that does not exist fails and leaves the table like this.',
        // Where others have policies, a role without one may be meant to see nothing.
        ...(all.length > 0 || closed
          ? { severity: 'info' as const }
          : out.length === 0
            ? { severity: 'warning' as const }
            : {}),
      };
    });
  },
  page: {
    what: '`ENABLE ROW LEVEL SECURITY` without a policy, or with policies for other roles only. Often a script in which `CREATE POLICY … TO application_user` failed because the role was not there, after row security had been enabled.',
    effect:
      'No permissive policy means no rows: `SELECT` gives nothing without an error, `INSERT` fails with `new row violates row-level security policy for table "…"`. Only the owner (unless forced), superusers and BYPASSRLS roles see rows.',
    mend: 'Write the policy the table lacks, or revoke the rights of a role that is not meant to enter. Create roles before the policies that name them.',
  },
};

export const rowSecurityNotForced: TrapCheck = {
  code: 'HT103',
  name: 'row-security-not-forced',
  title: "The table's owner logs in and no policy applies to it",
  severity: 'warning',
  traps: ['B4-18'],
  find: async ({ facts, roles: given }) => {
    const { tables } = await facts(relations);
    const known = [...(await facts(roles)).values()];
    return tables.flatMap((table): Draft | readonly Draft[] => {
      if (!table.rowSecurity || table.forced) return [];
      const by = known
        .filter((role) => role.login && !role.super && !role.bypass && role.reaches.includes(table.owner))
        .map(({ name }) => name);
      if (by.length === 0) return [];
      const application = by.filter((name) => given.includes(name));
      return {
        subject: relationSubject(table),
        what: `${by.join(', ')} logs in and is, or may become, its owner ${table.owner}; row security is not forced.`,
        effect: `As the owner no policy applies: every row is seen and written.`,
        mend: [`ALTER TABLE ${qualified(table)} FORCE ROW LEVEL SECURITY`],
        advice: `Better: an owner that never logs in. With FORCE, materialised views and dumps of the owner are filtered too: give those to a NOLOGIN role with BYPASSRLS.`,
        ...(application.length > 0 ? { severity: 'error' as const } : {}),
      };
    });
  },
  page: {
    what: 'Row security is on, but not forced, and a role that logs in is the owner of the table or a member of the owner.',
    effect:
      "PostgreSQL exempts a table's owner from its policies unless row security is forced. An application that logs in as the owner sees the rows of all owners.",
    mend: 'Let the application log in as a role that owns nothing, and `ALTER TABLE t FORCE ROW LEVEL SECURITY`. Materialised views over the table and dumps by its owner need a BYPASSRLS role then (HT201, HT310).',
  },
};

/** Whether a policy is for a role: named itself, PUBLIC, or a role whose rights it has. */
async function applicable({ facts }: TrapContext): Promise<(policy: Policy, role: string) => boolean> {
  const known = await facts(roles);
  return (policy, role) =>
    policy.roles.includes('public') ||
    policy.roles.some((name) => (known.get(role)?.reaches ?? [role]).includes(name));
}
