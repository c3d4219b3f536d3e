// What other promises of the definition keep of a table's rows: asked through the contract, each with its own pieces.
import type { ErasurePart } from '../../define/erasure.ts';
import type { TaskContext } from '../../define/job.ts';
import { HoldfastError } from '../../error.ts';

/** A promise's part, with the context it works in. */
export interface Part {
  readonly part: ErasurePart;
  readonly context: TaskContext;
}

/**
 * The parts of every promise of the definition.
 * @throws HoldfastError HF_ERASURE_CONTEXT where the context comes from elsewhere than a keeper or a command
 */
export async function partsOf(context: TaskContext): Promise<readonly Part[]> {
  const parts = await context.throughTraits?.((trait) => {
    const { erasing } = trait;
    if (erasing === undefined) return undefined;
    return async (own): Promise<Part> => ({ part: erasing(own.model), context: own });
  });
  if (parts !== undefined) return parts;
  throw new HoldfastError({
    code: 'HF_ERASURE_CONTEXT',
    subject: 'erasure',
    what: 'the context it runs in cannot ask the other promises what they keep.',
    fix: 'Run it by a keeper, or by holdfast erase.',
  });
}
