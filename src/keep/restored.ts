// After rows came back that had been away: every promise is asked to bring them to what was promised meanwhile.
import type { Definition, Done } from '../define/index.ts';
import { withTask, type WithTaskOptions } from './command.ts';

/**
 * To be called on a database that was restored from a backup, before anybody works with it: subjects that were erased since
 * the backup are erased again. It leads while it lasts, and a second call does nothing.
 * @returns what each promise did that had anything to do with it
 * @throws HoldfastError HF_KEEPER_BUSY, HF_LEASE_LOST as `withTask`; what a promise throws
 */
export async function afterRestore(
  definition: Definition,
  url: string,
  options: Omit<WithTaskOptions, 'trait' | 'leading'> = {},
): Promise<readonly Done[]> {
  return withTask(definition, url, { ...options, trait: 'restored', leading: true }, async (context) => {
    const done = await context.throughTraits?.(({ restored }) => restored?.(definition.model));
    return done ?? [];
  });
}
