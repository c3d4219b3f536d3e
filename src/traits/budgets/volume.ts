// The data that budgets are measured at: rows that are the same on every machine, and tenants of unequal size.
import type { Chance, CopyValue, Volume, VolumeContext } from '../../define/budget.ts';
import { columnOf, type ColumnReference, relationOf, type TableReference } from '../reference.ts';

/** Rows of one kind. */
export interface VolumeRowsOptions<World> {
  readonly into: TableReference;
  readonly columns: readonly ColumnReference[];
  /**
   * Row `number`, from 0, one value a column. A function of its arguments alone: a volume that grows and one that is
   * loaded at once hold the same rows.
   */
  readonly row: (number: number, chance: Chance, world: World) => readonly CopyValue[];
}

/** What a volume is made of. */
export interface VolumeOptions<World> {
  /** The same seed gives the same rows; default 1. */
  readonly seed?: number;
  /** How many days back the rows reach; default 0. Partitions are there from then on. */
  readonly historyDays?: number;
  /** Once, before any row: what all rows refer to. What it gives is `world` for rows and runs. */
  readonly begin?: (context: VolumeContext) => Promise<World>;
  /** Kinds of rows by the name that budgets ask sizes in, loaded in this order. */
  readonly rows: Readonly<Record<string, VolumeRowsOptions<World>>>;
  /** After each growth: what is summed up of the rows. Triggers do not see what is loaded. */
  readonly grown?: (context: VolumeContext, world: World) => Promise<void>;
}

/** A volume that knows what its `begin` gives. */
export interface TypedVolume<World> extends Volume {
  readonly begin?: (context: VolumeContext) => Promise<World>;
}

/**
 * Describes data to measure at. It is loaded with COPY, as fast as the server takes it, and only grows: budgets that name
 * the same volume share it, from the smallest size to the largest.
 * @example const year = volume('a year of orders', { rows: { orders: { into: orders, columns: ['id'], row: (n) => [n] } } })
 */
export function volume<World = undefined>(name: string, options: VolumeOptions<World>): TypedVolume<World> {
  const { seed = 1, historyDays = 0, begin, grown } = options;
  const rows = Object.entries(options.rows).map(([kind, of]) => [
    kind,
    { into: relationOf(of.into), columns: of.columns.map((column) => columnOf(column)), row: of.row },
  ]);
  return {
    name,
    seed,
    historyDays,
    rows: Object.fromEntries(rows) as Volume['rows'],
    ...(begin !== undefined && { begin }),
    ...(grown !== undefined && { grown: grown as NonNullable<Volume['grown']> }),
  };
}

/**
 * Picks among owners of unequal size: the first has `share` of everything, the others the rest alike.
 * @param owners at least one
 * @param share 0 to 1
 */
export function skewed<Owner>(owners: readonly Owner[], share: number): (chance: Chance) => Owner {
  const [first, ...others] = owners;
  if (first === undefined) throw new RangeError('skewed() needs one owner at least.');
  return (chance) => {
    const drawn = chance();
    if (drawn < share || others.length === 0) return first;
    return others[Math.floor(((drawn - share) / (1 - share)) * others.length)] ?? first;
  };
}
