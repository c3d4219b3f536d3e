// Rows that triggers made while others were inserted, where no column says whose they are: they go with what they point to.
import type { Boundary } from '../../define/proof.ts';
import { label } from '../../define/model.ts';
import type { Population, Row } from '../rows/index.ts';
import type { Target } from './objects.ts';
import { Witness } from './witness.ts';

interface Adopting {
  readonly population: Population;
  readonly targets: readonly Target[];
  readonly boundaries: readonly Boundary[];
}

/**
 * The population with such rows in the world of the row their foreign keys lead to: the secrets of a user, made with it, are
 * the user's. Rows of tables that are everybody's stay so, and those of a table whose owner column is empty. Pure.
 */
export function adopted({ population, targets, boundaries }: Adopting): Population {
  const fixed = new Set(
    boundaries.flatMap((one) => [...one.shared, ...one.tables]).map(({ of }) => label(of)),
  );
  const byLabel = new Map(targets.map((target) => [label(target), target]));
  const shared = population.shared.filter(({ of }) => fixed.has(label(of)));
  const witness = new Witness({ ...population, shared }, boundaries);
  let waiting = population.shared.filter(({ of }) => !fixed.has(label(of)));
  const found = new Map<number, Row[]>();
  for (let size = -1; size !== waiting.length;) {
    size = waiting.length;
    waiting = waiting.filter((row) => {
      const target = byLabel.get(label(row.of));
      const owner = target === undefined ? undefined : witness.ownerOf(target, row.values);
      const world = population.worlds.find(({ number }) => number === owner);
      if (world === undefined) return true;
      witness.add(world, row);
      found.set(world.number, [...(found.get(world.number) ?? []), row]);
      return false;
    });
  }
  return {
    ...population,
    shared: [...shared, ...waiting],
    worlds: population.worlds.map((world) => ({
      ...world,
      rows: [...world.rows, ...(found.get(world.number) ?? [])],
    })),
  };
}
