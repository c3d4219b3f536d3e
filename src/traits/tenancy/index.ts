// Promise: a session sees and writes the rows of its own tenant, whatever query it sends, and no others.
import type { Trait } from '../../define/trait.ts';
import { type ColumnReference, relationOf, type TableReference, type ViewReference } from '../reference.ts';
import { checkedSetting } from '../setting.ts';
import { isolate } from './build.ts';
import { findings } from './check.ts';
import { boundaries } from './prove.ts';

export { settingValue as setting, type SettingType } from '../setting.ts';

/** What the application role may be granted on a table; TRUNCATE is not among them: row security does not see it. */
export type Right = 'select' | 'insert' | 'update' | 'delete';

/** A role that an application logs in as. */
export interface LoginRole {
  readonly name: string;
  /** Default true. Holdfast never sets a password: without one nobody logs in. False: a role to be a member of. */
  readonly login?: boolean;
  /** `statement_timeout` of its sessions, as PostgreSQL writes it; default `30s`. Maintenance roles get none. */
  readonly statementTimeout?: string;
  /** More `ALTER ROLE … SET`. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface TenancyRoles {
  /** Within one tenant: the rights of each table, and every view that is not kept for others. */
  readonly app: string | LoginRole;
  /** Guarded views alone, no table. */
  readonly analytics?: string | LoginRole;
  /** Roles without login that see every tenant (BYPASSRLS): administration, refreshes, retention. */
  readonly bypass?: readonly string[];
  /** Role without login that owns everything the definition makes. */
  readonly owner: string;
}

/** A tenant table that differs from the rule for all. */
export interface TenantTable {
  readonly table: TableReference;
  /** The column that holds the tenant here, when it is not the common one: `id` on the table of tenants. */
  readonly column?: ColumnReference;
  /**
   * What the application role may do; default all four, less what another promise refuses for everybody, and `['select']`
   * where one computes the rows.
   */
  readonly app?: readonly Right[];
}

/** A table that every tenant may see: a list of channels, of currencies. */
export interface SharedTable {
  readonly table: TableReference;
  /** What the application role may do; default `['select']`. */
  readonly app?: readonly Right[];
}

/** A limit on top of isolation. It is RESTRICTIVE: permissive policies are OR-ed and would limit nothing. */
export interface Restriction {
  readonly table: TableReference;
  /** The policy's name. */
  readonly name: string;
  readonly for?: 'all' | Right;
  /** SQL condition on the rows that are seen or changed; `setting('app.x', 'uuid')` writes a session value into it. */
  readonly using?: string;
  /** SQL condition on the rows that are written; default: `using`. */
  readonly withCheck?: string;
}

/**
 * Which keys a user may reach, looked up past row security, so that two tables whose policies read each other
 * do not recurse. Use it in a restriction: `id = ANY (app.visible_projects())`.
 */
export interface Membership {
  /** The function's schema and name; it takes no argument. */
  readonly function: { readonly schema: string; readonly name: string };
  /** SQL type of one key: `uuid`. The function gives an array of it. */
  readonly key: string;
  /** One-column query, names qualified; every session value read by `setting(…)`, because no policy filters it. */
  readonly query: string;
  /** Role without login and with BYPASSRLS that owns the function; default: the first of `roles.bypass`. */
  readonly owner?: string;
}

/** A plain view that its readers reach without a right on the tables below. */
export interface GuardedView {
  readonly view: ViewReference;
  /** The view's tenant column; default the common one. */
  readonly column?: ColumnReference;
  readonly readers: readonly ('app' | 'analytics')[];
}

export interface TenancyOptions {
  /** The column that says whose row it is, under one name in every tenant table. */
  readonly column: string;
  /** The transaction-local setting that carries the tenant: `app.current_tenant_id`. */
  readonly setting: string;
  /** What a tenant's id must match whole before it is sent; default `/^[A-Za-z0-9_-]{1,63}$/`. */
  readonly pattern?: RegExp;
  /** Key of `session({ … })`; default `tenant`. */
  readonly key?: string;
  /** More values a session may carry, by their key: `{ user: { setting: 'app.current_user_id', pattern: /…/ } }`. */
  readonly settings?: Readonly<Record<string, { readonly setting: string; readonly pattern?: RegExp }>>;
  readonly roles: TenancyRoles;
  /** Tenant tables that differ from the rule. Every table that has the column is a tenant table without being named. */
  readonly tables?: readonly TenantTable[];
  /** Tables without a tenant that every session may use. */
  readonly shared?: readonly (TableReference | SharedTable)[];
  /** Tables no application role reaches at all. */
  readonly except?: readonly TableReference[];
  /** Unique keys that may span tenants, each with the reason: a duplicate in one tells a tenant about another. */
  readonly globalKeys?: readonly {
    readonly table: TableReference;
    readonly columns: readonly ColumnReference[];
    readonly because: string;
  }[];
  readonly restrict?: readonly Restriction[];
  readonly guardedViews?: readonly GuardedView[];
  readonly membership?: readonly Membership[];
}

const ANY_ID = /^[A-Za-z0-9_-]{1,63}$/;

/**
 * Isolates tenants by row security: enabled and forced on every table with the tenant column, one plain comparison
 * with a transaction-local setting, roles that own nothing they log in as, no right that is not listed.
 * A session without the setting, with an empty one or with another tenant's sees none of the rows and writes none.
 * @throws HoldfastError HF_SETTING_NAME for a setting without prefix, HF_REFERENCE for a table that names none
 * @example tenancy({ column: 'tenant_id', setting: 'app.tenant', roles: { app: 'shop_app', owner: 'shop_owner' } })
 */
export function tenancy(options: TenancyOptions): Trait {
  checkedSetting(options.setting);
  for (const value of Object.values(options.settings ?? {})) checkedSetting(value.setting);
  for (const { table } of options.tables ?? []) relationOf(table);
  const more = Object.entries(options.settings ?? {}).map(([key, value]) => [
    key,
    { setting: value.setting, pattern: value.pattern ?? ANY_ID },
  ]);
  const { app } = options.roles;
  return {
    name: 'tenancy',
    after: ['partitions', 'versioning', 'immutability', 'rollups'],
    check: (model) => findings(model, options),
    build: (model) => isolate(model, options),
    proves: (model) => boundaries(model, options),
    session: {
      settings: {
        [options.key ?? 'tenant']: { setting: options.setting, pattern: options.pattern ?? ANY_ID },
        ...Object.fromEntries(more),
      },
      role: typeof app === 'string' ? app : app.name,
    },
  };
}
