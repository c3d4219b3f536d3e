// HT309 and HT310: roles past row security, and the one that is needed for dumps.
import { ident } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { relations } from '../facts/relations.ts';
import { rights, roles } from '../facts/rights.ts';

export const applicationRoleBypasses: TrapCheck = {
  code: 'HT309',
  name: 'application-role-bypasses',
  title: 'A role that an application works as is past row security, or can become so',
  severity: 'error',
  traps: ['B4-18', 'BX-06'],
  find: async ({ facts, roles: given }) => {
    const known = await facts(roles);
    const { holders } = await facts(rights);
    const { tables } = await facts(relations);
    return given.flatMap((name): Draft | readonly Draft[] => {
      const role = known.get(name);
      if (role === undefined) return [];
      const through = role.becomes
        .filter((other) => other !== name)
        .map((other) => known.get(other))
        .find((other) => other !== undefined && (other.super || other.bypass));
      const own = role.super ? 'a superuser' : role.bypass ? 'BYPASSRLS' : undefined;
      if (own === undefined && through === undefined) return [];
      // It holds nothing and only becomes what a request asks for, as PostgREST's authenticator does.
      const gateway =
        through?.super === false &&
        given.some((other) => other !== name && role.becomes.includes(other)) &&
        !tables.some(({ oid }) => holders(oid, 'select', 'insert', 'update', 'delete').includes(name));
      const word = through?.super === true ? 'a superuser' : 'BYPASSRLS';
      return {
        subject: `role ${name}`,
        what: own === undefined ? `It is a member of ${through?.name}, which is ${word}.` : `It is ${own}.`,
        effect:
          own === undefined
            ? `After SET ROLE ${through?.name} no policy applies to it.`
            : 'No policy applies to it: it sees and writes the rows of every owner.',
        mend: gateway
          ? []
          : own === undefined
            ? [`REVOKE ${ident(through?.name ?? '')} FROM ${ident(name)}`]
            : [`ALTER ROLE ${ident(name)} NOSUPERUSER NOBYPASSRLS`],
        advice: gateway
          ? `It becomes the role each request asks for: guard the key that signs the tokens as you guard the data, or let what needs ${through.name} log in by itself and REVOKE ${through.name} FROM ${name}.`
          : 'Work across owners belongs to a role of its own that no request logs in as.',
        ...(gateway ? { severity: 'warning' as const } : {}),
      };
    });
  },
  page: {
    what: 'The application logs in as a superuser, as a role with BYPASSRLS, or as a member of one.',
    effect:
      'Policies do not apply to superusers and BYPASSRLS roles, forced or not. BYPASSRLS is not inherited by members, but SET ROLE takes one command.',
    mend: '`ALTER ROLE app NOSUPERUSER NOBYPASSRLS`, `REVOKE service FROM app`.',
  },
};

// The rights pg_dump needs: to log in, to be past row security, and to read every table.
const BACKUP_SQL = `
  SELECT EXISTS (
    SELECT FROM pg_catalog.pg_roles r
    WHERE r.rolcanlogin AND r.rolbypassrls AND NOT r.rolsuper
      AND (pg_catalog.pg_has_role(r.oid, 'pg_read_all_data', 'USAGE')
           OR NOT EXISTS (SELECT FROM pg_catalog.unnest($1::pg_catalog.oid[]) t(oid)
                          WHERE NOT pg_catalog.has_table_privilege(r.oid, t.oid, 'SELECT')))) AS there,
    pg_catalog.current_database() AS database`;

export const noRoleCanBackUp: TrapCheck = {
  code: 'HT310',
  name: 'no-role-can-back-up',
  title: 'Only a superuser can dump the tables under forced row security',
  severity: 'info',
  traps: ['BX-03'],
  find: async ({ facts, query }) => {
    const { tables } = await facts(relations);
    const forced = tables.filter((table) => table.rowSecurity && table.forced);
    const [found] = await query<{ there: boolean; database: string }>(BACKUP_SQL, [
      forced.map(({ oid }) => oid),
    ]);
    const [first] = forced;
    if (first === undefined || found === undefined || found.there) return [];
    const role = `${found.database.slice(0, 56)}_backup`;
    return [
      {
        subject: `database ${found.database}`,
        what: `${forced.length} tables are under forced row security, and no role but superusers logs in, has BYPASSRLS and may read them.`,
        effect: `pg_dump as the owner fails: query would be affected by row-level security policy for table "${first.name}". With --enable-row-security it writes no row and ends with 0.`,
        mend: [`CREATE ROLE ${ident(role)} LOGIN BYPASSRLS`, `GRANT pg_read_all_data TO ${ident(role)}`],
        advice:
          'Give it a password or a certificate, never pass --enable-row-security, and compare counts of rows after each dump.',
      },
    ];
  },
  page: {
    what: 'Tables under FORCE ROW LEVEL SECURITY, and no role for backups.',
    effect:
      'pg_dump by the owner is refused: `query would be affected by row-level security policy for table "cl"`. With `--enable-row-security` it writes 0 of 600,000 rows and ends with 0.',
    mend: '`CREATE ROLE backup LOGIN BYPASSRLS; GRANT pg_read_all_data TO backup`.',
  },
};
