// A definition that touches nothing outside its database: for proofs, which carry out for real what it promises.
import type { Definition } from './database.ts';
import { collectJobs } from './jobs.ts';
import { collectProofs } from './proofs.ts';
import type { ToldOutside } from './trait.ts';

/**
 * The definition with everything its promises keep outside the database in a folder, and without jobs of the user's own:
 * what those reach nobody knows.
 * @param told hears what would have been told to somebody outside
 */
export function indoors<D extends Definition>(
  definition: D,
  folder: string,
  told: (what: ToldOutside) => Promise<void> = async () => undefined,
): D {
  const traits = definition.traits.map((trait) => trait.indoors?.(folder, told) ?? trait);
  const { model } = definition;
  const own = definition.jobs.map(({ name, settings }) => ({ name, settings }));
  const { jobs } = collectJobs(model, { traits, own });
  return {
    ...definition,
    traits,
    jobs: jobs.filter((job) => job.tasks.length > 0),
    proofs: { ...collectProofs(model, traits), accepted: definition.proofs.accepted },
  };
}
