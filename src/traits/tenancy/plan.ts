// Which table is what to the tenancy: the one reading of the options that build and check share.
import { label, type Model, type RelationName, type Table } from '../../define/model.ts';
import { columnOf, relationOf } from '../reference.ts';
import type { LoginRole, Right, SharedTable, TenancyOptions } from './index.ts';

/** What one table is to the tenancy. */
export type Standing =
  | { readonly kind: 'tenant'; readonly column: string; readonly app: readonly Right[] }
  | { readonly kind: 'shared'; readonly app: readonly Right[] }
  | { readonly kind: 'except' }
  /** Without the tenant column and not declared otherwise: a mistake. */
  | { readonly kind: 'unknown' };

/** Name of the policy that isolates; one a table. */
export const ISOLATION = 'tenant_isolation';

const ALL_RIGHTS: readonly Right[] = ['select', 'insert', 'update', 'delete'];

/** Says what a table is: declared exceptions first, then declared shared tables, then whoever has the column. */
export function standingOf(table: Table, options: TenancyOptions): Standing {
  const is = (of: RelationName): boolean => of.schema === table.schema && of.name === table.name;
  if ((options.except ?? []).some((reference) => is(relationOf(reference)))) return { kind: 'except' };
  const shared = (options.shared ?? []).map(sharedTable).find((one) => is(relationOf(one.table)));
  if (shared !== undefined) return { kind: 'shared', app: shared.app ?? ['select'] };
  const own = (options.tables ?? []).find((one) => is(relationOf(one.table)));
  const column = own?.column === undefined ? options.column : columnOf(own.column);
  if (!table.columns.some((one) => one.name === column))
    return { kind: table.internal === true ? 'except' : 'unknown' };
  return { kind: 'tenant', column, app: own?.app ?? usualRights(table) };
}

/** What the application may do on a tenant table that nobody said more of. */
function usualRights(table: Table): readonly Right[] {
  if (table.internal === true) return [];
  return table.derived === true ? ['select'] : ALL_RIGHTS;
}

/** The application's login role with its defaults. */
export function loginRole(role: string | LoginRole): Required<LoginRole> {
  const given = typeof role === 'string' ? { name: role } : role;
  return { login: true, statementTimeout: '30s', settings: {}, ...given };
}

/** Every relation the options point at, with where: what is not in the definition is a mistake. */
export function namedTables(
  options: TenancyOptions,
): readonly { readonly of: RelationName; readonly as: string }[] {
  return [
    ...(options.tables ?? []).map((one) => ({ of: relationOf(one.table), as: 'tables' })),
    ...(options.shared ?? []).map((one) => ({ of: relationOf(sharedTable(one).table), as: 'shared' })),
    ...(options.except ?? []).map((one) => ({ of: relationOf(one), as: 'except' })),
    ...(options.restrict ?? []).map((one) => ({ of: relationOf(one.table), as: 'restrict' })),
    ...(options.globalKeys ?? []).map((one) => ({ of: relationOf(one.table), as: 'globalKeys' })),
  ];
}

/** Tables by `schema.name` with what they are. */
export function standings(model: Model, options: TenancyOptions): ReadonlyMap<string, Standing> {
  return new Map(model.tables.map((table) => [label(table), standingOf(table, options)]));
}

/** A shared table as an entry of the list, however it was written. */
export function sharedTable(one: NonNullable<TenancyOptions['shared']>[number]): SharedTable {
  if (typeof one === 'object' && 'table' in one && !('schema' in one)) return one;
  return { table: one as SharedTable['table'] };
}
