// Settings fixed for databases and roles. Everybody may read them: values of secrets are never passed on.
import { ident } from '../../../sql.ts';
import type { Fact } from '../check.ts';

export interface FixedSetting {
  /** Null: for every database. */
  readonly database: string | null;
  /** Null: for every role. */
  readonly role: string | null;
  readonly name: string;
  readonly value: string;
}

// Only what is in force in this database.
const SETTINGS_SQL = `
  SELECT d.datname::pg_catalog.text AS database,
         CASE WHEN s.setrole <> 0 THEN pg_catalog.pg_get_userbyid(s.setrole)::pg_catalog.text END AS role,
         pg_catalog.split_part(c.entry, '=', 1) AS name,
         pg_catalog.substr(c.entry, pg_catalog.strpos(c.entry, '=') + 1) AS value
  FROM pg_catalog.pg_db_role_setting s
  CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c(entry)
  LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
  WHERE s.setdatabase = 0 OR d.datname = pg_catalog.current_database()
  ORDER BY 1 NULLS FIRST, 2 NULLS FIRST, 3`;

export const fixedSettings: Fact<readonly FixedSetting[]> = {
  name: 'settings of databases and roles',
  read: ({ query }) => query<FixedSetting>(SETTINGS_SQL),
};

/** For whom it is fixed, in words: `role app in database shop`. */
export function holderOf({ database, role }: FixedSetting): string {
  if (role === null) return database === null ? 'every role' : `database ${database}`;
  return database === null ? `role ${role}` : `role ${role} in database ${database}`;
}

/** The statement that takes it away. */
export function resetSetting({ database, role, name }: FixedSetting): string {
  const parameter = name.split('.').map(ident).join('.');
  if (role === null && database !== null) return `ALTER DATABASE ${ident(database)} RESET ${parameter}`;
  const within = database === null ? '' : ` IN DATABASE ${ident(database)}`;
  return `ALTER ROLE ${role === null ? 'ALL' : ident(role)}${within} RESET ${parameter}`;
}
