// Promise: figures over many rows are there when they are asked for, as fresh as promised, and each tenant sees its own.
import type { Trait } from '../../define/trait.ts';
import { type ColumnReference, relationOf, type TableReference, type ViewReference } from '../reference.ts';
import { checkedSetting, type SettingType } from '../setting.ts';
import { findings, keep } from './build.ts';
import { keepSums } from './incremental/build.ts';
import { sumFindings } from './incremental/check.ts';
import type { IncrementalOptions } from './incremental/options.ts';
import { sumsErasing, viewErasing } from './erasing.ts';
import { closing, keepCounts, keepView } from './keep.ts';
import { countPromises, viewPromises } from './promises.ts';
import { countsProved } from './prove.ts';
import { firstFill } from './settle.ts';
import { watchCounts, watchView } from './watch.ts';

export type { Expressions, IncrementalOptions } from './incremental/options.ts';

/** The view that readers use in the materialised view's place; they hold no right on the latter. */
export interface RollupGuard {
  /** Name of the reader view, in the materialised view's schema. */
  readonly name: string;
  /** The column that holds the tenant. */
  readonly column: ColumnReference;
  /** The setting that carries the tenant, the same as the tenancy's. */
  readonly setting: string;
  /** Type of the column; default `text`. */
  readonly type?: SettingType;
  /** Roles that may read the guard. */
  readonly readers: readonly string[];
}

export interface RollupsOptions {
  /** Columns that identify a row; at least one, none of them NULL in any row. */
  readonly key: readonly ColumnReference[];
  /** Role without login and with BYPASSRLS that owns and refreshes the view. */
  readonly refreshedBy: string;
  /** Tables and views below; default: those of the definition whose name stands in the query. */
  readonly reads?: readonly (TableReference | ViewReference)[];
  readonly guard?: RollupGuard;
  /** The query as SQL, names qualified, for a view the tables module does not define. */
  readonly query?: string;
  /** The job that refreshes it; default `refresh`, hourly. */
  readonly job?: string;
  /** How old it may be before an alert: `2 hours`, which is the default. */
  readonly budget?: string;
  /**
   * What a refresh must leave: so many rows, and that share of the rows there were. One that leaves fewer than that and
   * fewer than there were is an error and changes nothing. Default: from some rows to none is an error; false: nothing is.
   */
  readonly floor?: false | { readonly rows?: number; readonly ratio?: number };
}

/**
 * Keeps a materialised view: a full unique key so that it refreshes concurrently, an owner that row security does not
 * filter (a forced policy would empty the view without an error and break pg_restore), a first fill, a guarded reader,
 * an hourly refresh that never goes below a floor of rows, and a view `rollup_age` that says how old it is.
 * @throws HoldfastError HF_MATVIEW_KEY when no key column is named: a concurrent refresh would fail
 * @example rollups(ruleEffectiveness, { key: ['tenant_id', 'rule_id'], refreshedBy: 'shop_system' })
 */
export function rollups(view: ViewReference, options: RollupsOptions): Trait {
  const of = relationOf(view);
  if (options.guard !== undefined) checkedSetting(options.guard.setting);
  return {
    name: 'rollups',
    after: ['partitions'],
    check: (model) => findings(model, { of, options }),
    build: (model) => keep(model, { of, options }),
    settle: (context) => firstFill(context, of),
    keep: () => keepView(of, options),
    erasing: () => viewErasing(of),
    watch: () => watchView(of, options),
    promises: (model) => viewPromises(model, of, options),
  };
}

/**
 * Keeps a table of sums over another table, so that bringing it up to date costs what changed and not what exists. Each
 * statement on the source notes what it changed; a job adds that up. It is a plain table: row security covers it.
 * Before rows leave the source, what is summed up of them is closed, and stays when they are gone. The first run of the
 * job counts what is there already.
 * @example incremental(tables.days, { of: tables.sales, key: { tenant_id: 'source.tenant_id' }, time: 'at',
 *   bucket: { column: 'day', every: 'day' }, count: 'sales', sums: { total: 'source.price' }, refreshedBy: 'shop_system' })
 */
export function incremental(table: TableReference, options: IncrementalOptions): Trait {
  const of = relationOf(table);
  relationOf(options.of);
  return {
    name: 'rollups',
    after: ['partitions'],
    check: (model) => sumFindings(model, of, options),
    build: (model) => keepSums(model, of, options),
    keep: () => keepCounts(of, options),
    leaving: closing(of, options),
    erasing: () => sumsErasing(of, options),
    watch: () => watchCounts(of, options),
    promises: (model) => countPromises(model, of, options),
    proves: () => countsProved(of, options),
  };
}
