// How SQL reads a setting that an application session sent: the one form policies, guards and functions share.
import { HoldfastError } from '../error.ts';
import { literal } from '../sql.ts';

/** Types a session value may be compared as; each compares with a leakproof operator, so an index serves it. */
export type SettingType = 'text' | 'uuid' | 'smallint' | 'integer' | 'bigint';

const SETTING_NAME = /^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)+$/;

/**
 * SQL text that reads a transaction-local setting as a value of the given type.
 * An unset setting and the empty string that `SET LOCAL` leaves behind read as NULL: a comparison with it is true for no
 * row and never fails. A text that is not of the type fails the statement (SQLSTATE 22P02) and shows no row: a test of
 * its form beside the cast made a scan of a million rows three to ten times as long. No sub-select: a distributed server
 * refuses one in a policy. `current_setting` is STABLE, so an index condition evaluates it once a scan.
 * @param setting the setting's name, `app.current_tenant_id`
 * @param type the type of the column it is compared with; default text
 * @throws HoldfastError HF_SETTING_NAME when the name is not `prefix.name` in lower case
 * @see https://www.postgresql.org/docs/current/runtime-config-custom.html
 */
export function settingValue(setting: string, type: SettingType = 'text'): string {
  const read = `pg_catalog.current_setting(${literal(checkedSetting(setting))}, true)`;
  const given = `NULLIF(${read}, '')`;
  return type === 'text' ? given : `${given}::pg_catalog.${SQL_TYPE[type]}`;
}

/** Names under which `pg_catalog` knows the types: `pg_catalog.bigint` does not exist. */
const SQL_TYPE: Readonly<Record<SettingType, string>> = {
  text: 'text',
  uuid: 'uuid',
  smallint: 'int2',
  integer: 'int4',
  bigint: 'int8',
};

/** The setting's name, unchanged. Errors as {@link settingValue}. */
export function checkedSetting(setting: string): string {
  if (SETTING_NAME.test(setting)) return setting;
  throw new HoldfastError({
    code: 'HF_SETTING_NAME',
    subject: `setting ${JSON.stringify(setting)}`,
    what: 'a session setting needs a name with a prefix, in lower-case letters, digits and underscores.',
    fix: "Write it like 'app.current_tenant_id'.",
  });
}

/** The type a column's values are compared as, or undefined where a policy could not use its index. */
export function settingTypeOf(columnType: string): SettingType | undefined {
  const plain = columnType
    .toLowerCase()
    .replace(/\(.*\)/, '')
    .trim();
  return SETTING_TYPES.get(plain);
}

const SETTING_TYPES: ReadonlyMap<string, SettingType> = new Map<string, SettingType>([
  ['text', 'text'],
  ['varchar', 'text'],
  ['character varying', 'text'],
  ['uuid', 'uuid'],
  ['smallint', 'smallint'],
  ['int2', 'smallint'],
  ['integer', 'integer'],
  ['int', 'integer'],
  ['int4', 'integer'],
  ['bigint', 'bigint'],
  ['int8', 'bigint'],
]);
