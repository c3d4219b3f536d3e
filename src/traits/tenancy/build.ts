// Lowers tenancy to row security, policies, roles, grants, guarded views and membership functions.
import {
  label,
  type Model,
  type Policy,
  type RelationName,
  type Role,
  type Statement,
  type Table,
  type View,
} from '../../define/model.ts';
import { ident, qualified } from '../../sql.ts';
import { quietRole, withRoles, withStatements } from '../addition.ts';
import { columnOf, relationOf } from '../reference.ts';
import { settingTypeOf, settingValue } from '../setting.ts';
import { grants } from './grants.ts';
import type { LoginRole, Membership, Restriction, TenancyOptions } from './index.ts';
import { ISOLATION, loginRole, standingOf } from './plan.ts';

/**
 * The model with every tenant table isolated. Row security is forced, so the owner is filtered too; the policy is for
 * PUBLIC, so a role that is granted a table later is filtered without another policy.
 * @see https://www.postgresql.org/docs/current/ddl-rowsecurity.html
 */
export function isolate(model: Model, options: TenancyOptions): Model {
  const isolated: Model = {
    ...model,
    owner: model.owner ?? options.roles.owner,
    tables: model.tables.map((table) => isolatedTable(table, options)),
    views: model.views.map((view) => isolatedView(view, { model, options })),
  };
  const withOwners = withRoles(isolated, roles(options));
  const functions = (options.membership ?? []).flatMap((one) => membershipStatements(one, options));
  return withStatements(withOwners, [
    ...functions,
    ...grants(withOwners, options),
    ...functionOwners(withOwners, options.roles.owner),
  ]);
}

/** Trigger functions that other promises brought and gave no owner: whoever owns one could replace what it refuses. */
function functionOwners(model: Model, owner: string): Statement[] {
  return model.statements.flatMap(({ sql, subject, origin }) => {
    const call = origin.startsWith('trait ') ? TRIGGER_FUNCTION.exec(sql)?.[1] : undefined;
    if (call === undefined) return [];
    if (model.statements.some((one) => one.sql.startsWith(`ALTER FUNCTION ${call} OWNER TO `))) return [];
    return [
      {
        sql: `ALTER FUNCTION ${call} OWNER TO ${ident(owner)}`,
        subject,
        origin: 'trait tenancy',
        phase: 'after',
      },
    ];
  });
}

const TRIGGER_FUNCTION = /^CREATE FUNCTION ("(?:[^"]|"")+"\."(?:[^"]|"")+"\(\)) RETURNS trigger /;

function isolatedTable(table: Table, options: TenancyOptions): Table {
  const standing = standingOf(table, options);
  if (standing.kind === 'unknown') return table;
  const restrictions = (options.restrict ?? [])
    .filter((one) => same(relationOf(one.table), table))
    .map(restrictive);
  if (standing.kind === 'tenant') {
    const policy = isolation(table, { column: standing.column, setting: options.setting });
    return secured(table, [policy, ...restrictions]);
  }
  if (restrictions.length === 0) return table;
  // A restrictive policy alone admits nobody: row security wants a permissive one to restrict.
  const everybody: Policy = { name: 'shared', as: 'permissive', for: 'all', to: ['public'], using: 'true' };
  return secured(table, [everybody, ...restrictions]);
}

function secured(table: Table, policies: readonly Policy[]): Table {
  const added = new Set(policies.map((policy) => policy.name));
  return {
    ...table,
    rowSecurity: 'forced',
    policies: [...table.policies.filter((policy) => !added.has(policy.name)), ...policies],
  };
}

function isolation(table: Table, by: { readonly column: string; readonly setting: string }): Policy {
  const type = settingTypeOf(table.columns.find((column) => column.name === by.column)?.type ?? 'text');
  const own = `${ident(by.column)} = ${settingValue(by.setting, type ?? 'text')}`;
  return { name: ISOLATION, as: 'permissive', for: 'all', to: ['public'], using: own, withCheck: own };
}

function restrictive(one: Restriction): Policy {
  const command = one.for ?? 'all';
  const reads = command !== 'insert';
  const writes = command === 'all' || command === 'insert' || command === 'update';
  const check = one.withCheck ?? one.using;
  return {
    name: one.name,
    as: 'restrictive',
    for: command,
    to: ['public'],
    ...(reads && one.using !== undefined ? { using: one.using } : {}),
    ...(writes && check !== undefined ? { withCheck: check } : {}),
  };
}

/** A plain view runs with its reader's rights, so the policies below see the reader; a guard runs with its owner's. */
function isolatedView(view: View, by: { readonly model: Model; readonly options: TenancyOptions }): View {
  if (view.materialized) return view;
  const guard = (by.options.guardedViews ?? []).find((one) => same(relationOf(one.view), view));
  if (guard !== undefined) {
    const column = guard.column === undefined ? by.options.column : columnOf(guard.column);
    const own = settingValue(by.options.setting, tenantType(by.model, by.options));
    const filter = `) AS guarded WHERE guarded.${ident(column)} = ${own}`;
    const body = view.query.trim().replace(/;$/, '');
    const query = body.endsWith(filter) ? body : `SELECT guarded.* FROM (${body}${filter}`;
    return { ...view, query, with: { ...view.with, security_barrier: 'true' } };
  }
  if (view.with?.['security_invoker'] !== undefined || view.with?.['security_barrier'] !== undefined)
    return view;
  return { ...view, with: { ...view.with, security_invoker: 'true' } };
}

/** The common type of the tenant column; tables that differ are found by the check. */
function tenantType(model: Model, options: TenancyOptions): NonNullable<ReturnType<typeof settingTypeOf>> {
  for (const table of model.tables) {
    const column = table.columns.find((one) => one.name === options.column);
    const type = column === undefined ? undefined : settingTypeOf(column.type);
    if (type !== undefined) return type;
  }
  return 'text';
}

function roles(options: TenancyOptions): Role[] {
  const { app, analytics, bypass, owner } = options.roles;
  return [
    quietRole(owner, false),
    ...(bypass ?? []).map((name) => quietRole(name, true)),
    applicationRole(app),
    ...(analytics === undefined ? [] : [applicationRole(analytics)]),
  ];
}

/** The timeout is the role's own: one for the whole database would cancel refreshes and index builds as well. */
function applicationRole(role: string | LoginRole): Role {
  const { name, login, statementTimeout, settings } = loginRole(role);
  return {
    name,
    login,
    bypassRls: false,
    memberOf: [],
    settings: { statement_timeout: statementTimeout, ...settings },
  };
}

/**
 * PL/pgSQL rather than SQL: its body is not resolved when the function is made, so policies and their function do not
 * wait for each other's tables. An array, not a set: `= ANY (array)` is an index condition and needs no sub-select.
 */
function membershipStatements(one: Membership, options: TenancyOptions): Statement[] {
  const { function: of } = one;
  const call = `${qualified(of)}()`;
  const subject = `function ${label(of)}()`;
  const origin = 'trait tenancy';
  const owner = one.owner ?? options.roles.bypass?.[0] ?? options.roles.owner;
  const query = one.query.trim().replace(/;$/, '');
  const create = `CREATE FUNCTION ${call} RETURNS ${one.key}[] LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $holdfast$
BEGIN
  RETURN ARRAY(${query});
END
$holdfast$`;
  return [
    create,
    `ALTER FUNCTION ${call} OWNER TO ${ident(owner)}`,
    `REVOKE ALL ON FUNCTION ${call} FROM PUBLIC`,
    `GRANT EXECUTE ON FUNCTION ${call} TO ${ident(loginRole(options.roles.app).name)}`,
  ].map((sql) => ({ sql, subject, origin, phase: 'before' as const }));
}

function same(left: RelationName, right: RelationName): boolean {
  return left.schema === right.schema && left.name === right.name;
}
