// Promise: each request is answered in its time, at the size it was stated for, as the application's role.
import type { Budget, FigureBudget } from '../../define/budget.ts';
import type { Trait } from '../../define/trait.ts';
import { findings } from './check.ts';

export {
  budget,
  budgetDefaults,
  type BudgetOptions,
  type OneStatement,
  type Requirement,
  type Run,
  type TypedTurn,
} from './budget.ts';
export { skewed, volume, type TypedVolume, type VolumeOptions, type VolumeRowsOptions } from './volume.ts';

/**
 * States what a database must do, at which size. `holdfast prove budgets` makes a scratch database of the definition,
 * loads the volumes, and measures; nothing of it runs anywhere else.
 * @param list values of {@link budget} and {@link figure}, each with a name of its own
 * @example budgets(budget('order by id', { data: year, at: { orders: 1_000_000 }, p95: '1 ms', run: … }))
 */
export function budgets(...list: readonly Budget[]): Trait {
  return {
    name: 'budgets',
    check: (model) => findings(model, list),
    proves: () => ({ budgets: list }),
  };
}

/** What is said of a figure. */
export type FigureOptions = Omit<FigureBudget, 'kind' | 'name' | 'unit'> & { readonly unit?: string };

/**
 * A number at a size, that is not a time: how large the indexes are beside their data, how many rows a second fit.
 * Without `atMost` and `atLeast` it is only shown.
 * @param options.measure gives the number; its `query` is a superuser's, `app` the application's
 */
export function figure(name: string, options: FigureOptions): FigureBudget {
  return { unit: '', ...options, kind: 'figure', name };
}
