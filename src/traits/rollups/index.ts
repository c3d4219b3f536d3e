// Promise: a materialised view holds every tenant's rows, can be refreshed while it is read, and shows each its own.
import type { Trait } from '../../define/trait.ts';
import { type ColumnReference, relationOf, type TableReference, type ViewReference } from '../reference.ts';
import { checkedSetting, type SettingType } from '../setting.ts';
import { findings, keep } from './build.ts';
import { firstFill } from './settle.ts';

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
}

/**
 * Keeps a materialised view: a full unique key so that it refreshes concurrently, an owner that row security does not
 * filter (a forced policy would empty the view without an error and break pg_restore), a first fill, a guarded reader.
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
  };
}
