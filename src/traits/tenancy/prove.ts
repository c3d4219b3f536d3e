// What tenancy asks to be shown: the line between tenants, with the tables, keys and roles that the options name.
import type { Model } from '../../define/model.ts';
import type { Boundary, Proved } from '../../define/proof.ts';
import { columnOf, relationOf } from '../reference.ts';
import type { TenancyOptions } from './index.ts';
import { loginRole, sharedTable, standingOf } from './plan.ts';

/** One boundary: no session of the application's roles crosses from one tenant's rows to another's. Pure. */
export function boundaries(model: Model, options: TenancyOptions): Proved {
  const { app, analytics } = options.roles;
  const roles = [app, ...(analytics === undefined ? [] : [analytics])].map((role) => loginRole(role).name);
  const boundary: Boundary = {
    name: options.key ?? 'tenant',
    setting: options.setting,
    tables: model.tables.flatMap((table) => {
      const column = ownerColumn(table, options);
      return column === undefined ? [] : [{ of: { schema: table.schema, name: table.name }, column }];
    }),
    shared: (options.shared ?? []).map((one) => ({
      of: relationOf(sharedTable(one).table),
      because: "tenancy lists it in 'shared': every tenant sees it",
    })),
    roles: [...new Set(roles)],
    spanning: (options.globalKeys ?? []).map((one) => ({
      of: relationOf(one.table),
      columns: one.columns.map(columnOf),
      because: one.because,
    })),
  };
  const carries = carried(model, options);
  return { boundaries: [carries.length === 0 ? boundary : { ...boundary, carries }] };
}

/** The tenant column, also of a table that no application role reaches: its rows are a tenant's all the same. */
function ownerColumn(table: Model['tables'][number], options: TenancyOptions): string | undefined {
  const standing = standingOf(table, options);
  if (standing.kind === 'tenant') return standing.column;
  if (standing.kind !== 'except') return undefined;
  return table.columns.some((column) => column.name === options.column) ? options.column : undefined;
}

/** Other settings of a session whose value a membership query compares with a column. */
function carried(model: Model, options: TenancyOptions): NonNullable<Boundary['carries']> {
  return Object.values(options.settings ?? {}).flatMap(({ setting }) => {
    const query = (options.membership ?? []).find((one) => one.query.includes(`'${setting}'`))?.query;
    const place = query === undefined ? undefined : comparedColumn(query, setting);
    const table = model.tables.find(
      (one) =>
        query !== undefined &&
        query.includes(one.name) &&
        one.columns.some((column) => column.name === place),
    );
    if (table === undefined || place === undefined) return [];
    return [{ setting, of: { schema: table.schema, name: table.name }, column: place }];
  });
}

/** The column before `= … current_setting('…')`; undefined where the query is written otherwise. */
function comparedColumn(query: string, setting: string): string | undefined {
  const before = query.slice(0, query.indexOf(`'${setting}'`));
  return /([A-Za-z_]\w*)"?\s*=\s*[^=]*$/.exec(before)?.[1];
}
