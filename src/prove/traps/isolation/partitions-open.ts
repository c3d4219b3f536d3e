// HT104 and HT105: rows of a guarded table that can be reached through its partitions.
import { ident, qualified } from '../../../sql.ts';
import type { Draft, TrapCheck } from '../check.ts';
import { inScope, relationSubject } from '../facts/naming.ts';
import { relations } from '../facts/relations.ts';
import { rights, roles } from '../facts/rights.ts';

export const partitionWithoutRowSecurity: TrapCheck = {
  code: 'HT104',
  name: 'partition-without-row-security',
  title: 'A partition can be read past the row security of its table',
  severity: 'error',
  traps: ['BX-06'],
  find: async ({ facts }) => {
    const { tables, root } = await facts(relations);
    const { holders } = await facts(rights);
    return tables.flatMap((table): Draft | readonly Draft[] => {
      const top = root(table);
      if (top === table || !top.rowSecurity || table.rowSecurity) return [];
      const by = holders(table.oid, 'select', 'insert', 'update', 'delete');
      if (by.length === 0) return [];
      return {
        subject: relationSubject(table),
        what: `${relationSubject(top)} is under row security, this partition is not, and ${by.join(', ')} holds rights on it.`,
        effect: `SELECT FROM ${qualified(table)} as ${by[0]} asks no policy: it gives the rows of every owner.`,
        mend: [
          `ALTER TABLE ${qualified(table)} ENABLE ROW LEVEL SECURITY`,
          ...(top.forced ? [`ALTER TABLE ${qualified(table)} FORCE ROW LEVEL SECURITY`] : []),
        ],
        advice:
          'Without a policy of its own the partition is closed to those who name it; through its table the policies of the table apply. Revoke the rights too, and the default privileges that gave them (HT105).',
      };
    });
  },
  page: {
    what: 'A partitioned table is under row security. Its partitions are tables of their own with `relrowsecurity = f`, and a role was granted rights on them: by `GRANT … ON ALL TABLES IN SCHEMA` or by default privileges when the partition was made.',
    effect:
      'The policies of the partitioned table apply only to statements that name it. `SELECT * FROM measurements_2026_11` gives the rows of all owners, and DELETE removes them.',
    mend: 'Enable (and force) row security on each partition; without a policy nobody enters by its name, and access through the table goes on. Grant nothing on partitions.',
  },
};

interface DefaultGrant {
  readonly creator: string;
  readonly schema: string | null;
  readonly grantee: string;
  readonly rights: readonly string[];
}

const DEFAULTS_SQL = `
  SELECT pg_catalog.pg_get_userbyid(d.defaclrole)::pg_catalog.text AS creator, n.nspname AS schema,
         CASE a.grantee WHEN 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(a.grantee)::pg_catalog.text END AS grantee,
         pg_catalog.array_agg(a.privilege_type ORDER BY a.privilege_type) AS rights
  FROM pg_catalog.pg_default_acl d
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
  CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) a
  WHERE d.defaclobjtype = 'r' AND a.grantee <> d.defaclrole AND (n.oid IS NULL OR (${inScope('n')}))
    AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
  GROUP BY 1, 2, 3`;

export const defaultPrivilegesOpenPartitions: TrapCheck = {
  code: 'HT105',
  name: 'default-privileges-open-partitions',
  title: 'Default privileges open every new table and partition before it has row security',
  severity: 'warning',
  traps: ['BX-06'],
  find: async ({ facts, query, roles: given }) => {
    const { tables, root } = await facts(relations);
    const known = await facts(roles);
    const reached = new Set(['public', ...given.flatMap((name) => known.get(name)?.reaches ?? [name])]);
    const defaults = await query<DefaultGrant>(DEFAULTS_SQL);
    return defaults.flatMap((one): Draft | readonly Draft[] => {
      const within = tables.filter(({ schema }) => one.schema === null || schema === one.schema);
      const guarded = within.filter((table) => root(table).rowSecurity);
      if (guarded.length === 0 || !reached.has(one.grantee)) return [];
      const partitioned = guarded.find((table) => root(table).kind === 'p');
      const inSchema = one.schema === null ? '' : ` IN SCHEMA ${ident(one.schema)}`;
      const grantee = one.grantee === 'public' ? 'PUBLIC' : ident(one.grantee);
      return {
        subject: `default privileges of ${one.creator} in ${one.schema === null ? 'every schema' : `schema ${one.schema}`}`,
        what: `Every table ${one.creator} makes there is granted to ${one.grantee}: ${one.rights.join(', ')}.`,
        effect:
          partitioned === undefined
            ? `A new table is open to ${one.grantee} until somebody enables row security on it.`
            : `The next partition of ${relationSubject(root(partitioned))} is made without row security and with these rights: ${one.grantee} reads every owner's rows in it.`,
        mend: [
          `ALTER DEFAULT PRIVILEGES FOR ROLE ${ident(one.creator)}${inSchema} REVOKE ${one.rights.join(', ')} ON TABLES FROM ${grantee}`,
        ],
        advice: 'Grant rights table by table, after row security is on.',
        ...(partitioned === undefined ? {} : { severity: 'error' as const }),
      };
    });
  },
  page: {
    what: '`ALTER DEFAULT PRIVILEGES … GRANT SELECT ON TABLES TO app` in a schema whose tables are under row security.',
    effect:
      'Each table made later is granted as it is made, and row security is off on a new table: also on each new partition of a guarded table, month after month. The role reads the rows of all owners in it by its name.',
    mend: '`ALTER DEFAULT PRIVILEGES … REVOKE … ON TABLES FROM app`, and grant by name. Partitions need no grants: rights on the partitioned table are enough.',
  },
};
