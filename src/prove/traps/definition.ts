// Traps of a definition before any server has it: it is built in a scratch database and looked at there.
import { type BuiltOptions, withBuilt } from '../../build/index.ts';
import type { Definition } from '../../define/database.ts';
import { findTraps, type Traps, type TrapsOptions } from './find.ts';

/** Where the definition is built, and what is looked for. */
export interface DefinitionTrapsOptions
  extends BuiltOptions, Pick<TrapsOptions, 'only' | 'onProgress' | 'statementTimeoutMs'> {}

/**
 * Builds a definition in a scratch database, with its run-time objects, and looks for traps there. Its own boundaries,
 * roles and accepted findings count. What only rows, statistics and jobs show is not seen.
 * @throws HoldfastError as `plan` does when the definition cannot be built, and as {@link findTraps} does
 */
export async function trapsOfDefinition(
  definition: Definition,
  options: DefinitionTrapsOptions,
): Promise<Traps> {
  const { boundaries, accepted } = definition.proofs;
  return withBuilt(definition, options, async ({ url, undressed }) => {
    const traps = await findTraps({
      ...options,
      url,
      boundaries,
      accepted,
    });
    const why = `the rehearsal may not give roles what the definition gives them: ${undressed.join(', ')}; findings about whose rows a session sees may be wrong`;
    return undressed.length === 0 ? traps : { ...traps, unseen: [...traps.unseen, { code: 'HT1xx', why }] };
  });
}
