// Settings that come with a role, with the database or with the server's configuration, and that change what a session
// sees.
import type { Client } from 'pg';
import type { CatalogueQuery } from '../../define/trait.ts';
import { ident, literal } from '../../sql.ts';
import type { Left } from './copy.ts';

/** One setting: for a role, for the database, for a role in the database, or (neither) for all. */
export interface Setting {
  readonly role: string | null;
  readonly inDatabase: boolean;
  readonly name: string;
  readonly value: string;
}

// pg_db_role_setting keeps `name=value`.
const STORED_SQL = `
  SELECT r.rolname AS role, s.setdatabase <> 0 AS "inDatabase", pg_catalog.split_part(c, '=', 1) AS name,
         pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1) AS value
  FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole,
       pg_catalog.unnest(s.setconfig) c
  WHERE s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
    AND (s.setrole = 0 OR r.rolname IS NOT NULL)
  ORDER BY s.setdatabase, s.setrole, 3`;

// Of the server's own configuration: what changes the meaning of a statement, and settings of the user's own.
const CONFIGURED_SQL = `
  SELECT NULL AS role, true AS "inDatabase", name, setting AS value FROM pg_catalog.pg_settings
  WHERE source IN ('configuration file', 'command line', 'environment variable')
    AND (name IN ('TimeZone', 'row_security', 'search_path', 'DateStyle', 'IntervalStyle', 'default_transaction_isolation',
                  'session_replication_role', 'default_text_search_config', 'bytea_output', 'xmloption', 'extra_float_digits')
         OR category = 'Customized Options' AND name NOT LIKE 'pg\\_stat\\_statements.%')
  ORDER BY name`;

const SECRET = /key|secret|passw|token|credential/i;
const LIBRARIES = ['session_preload_libraries', 'local_preload_libraries'];

/**
 * Reads what is set for roles and for the database, weakest first.
 * @param query a session of the target outside a transaction that set anything
 */
export async function readSettings(query: CatalogueQuery): Promise<readonly Setting[]> {
  return [...(await query<Setting>(CONFIGURED_SQL)), ...(await query<Setting>(STORED_SQL))];
}

/** What a copy's setting is not: the value of a secret is never carried over. */
export function withoutSecrets(settings: readonly Setting[]): {
  readonly settings: readonly Setting[];
  readonly left: readonly Left[];
} {
  const left: Left[] = [];
  const kept = settings.flatMap((setting): Setting[] => {
    if (LIBRARIES.includes(setting.name)) {
      left.push({ subject: `setting ${setting.name}`, why: 'its libraries may not be on the copy’s server' });
      return [];
    }
    if (!SECRET.test(setting.name)) return [setting];
    left.push({
      subject: `setting ${setting.name}`,
      why: 'its name says that it is a secret: the copy has a made-up value',
    });
    return [{ ...setting, value: 'x'.repeat(Math.max(1, setting.value.length)) }];
  });
  return { settings: kept, left };
}

/**
 * Sets them for the copy, values as parameters. Those of a role outside the database are set only on a server that is
 * the copy's own.
 * @returns what could not be set, with PostgreSQL's message
 */
export async function applySettings(
  client: Client,
  settings: readonly Setting[],
  into: { readonly database: string; readonly ownServer: boolean },
): Promise<readonly Left[]> {
  const left: Left[] = [];
  for (const setting of settings) {
    if (!setting.inDatabase && !into.ownServer) continue;
    const why = await apply(client, setting, into.database);
    if (why !== undefined)
      left.push({
        subject: `setting ${setting.name}${setting.role === null ? '' : ` of ${setting.role}`}`,
        why,
      });
  }
  return left;
}

/** What a session of the role starts with: the more particular setting wins. */
export function settingsOf(settings: readonly Setting[], role: string): ReadonlyMap<string, string> {
  const rank = (one: Setting): number => (one.role === null ? 0 : 2) + (one.inDatabase ? 1 : 0);
  const own = settings.filter((one) => one.role === null || one.role === role);
  return new Map([...own].sort((a, b) => rank(a) - rank(b)).map((one) => [one.name, one.value]));
}

// FROM CURRENT takes lists and any spelling as they are. Where a setting cannot be had in a session, or would change who
// alters, it is written out.
async function apply(client: Client, setting: Setting, database: string): Promise<string | undefined> {
  const whose = whoseSql(setting, database);
  if (setting.name !== 'role') {
    try {
      await client.query('BEGIN');
      await client.query('SELECT pg_catalog.set_config($1, $2, true)', [setting.name, setting.value]);
      await client.query(`${whose} SET ${nameSql(setting.name)} FROM CURRENT`);
      await client.query('COMMIT');
      return undefined;
    } catch {
      await client.query('ROLLBACK');
    }
  }
  try {
    await client.query(`${whose} SET ${nameSql(setting.name)} TO ${literal(setting.value)}`);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function whoseSql(setting: Setting, database: string): string {
  if (setting.role === null)
    return setting.inDatabase ? `ALTER DATABASE ${ident(database)}` : 'ALTER ROLE ALL';
  return `ALTER ROLE ${ident(setting.role)}${setting.inDatabase ? ` IN DATABASE ${ident(database)}` : ''}`;
}

function nameSql(name: string): string {
  return name.split('.').map(ident).join('.');
}
