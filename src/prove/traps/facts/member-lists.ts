// Lists of members: tables in which policies, or the functions they call, look the session's owner up.
import { readCatalogue } from '../../boundary/catalogue.ts';
import { comparisons } from '../../boundary/comparisons.ts';
import type { Fact } from '../check.ts';

/** Their oids. */
export const memberLists: Fact<ReadonlySet<number>> = {
  name: 'member lists',
  read: async ({ query }) => {
    const looked = comparisons(await readCatalogue(query)).filter(({ lookUp }) => lookUp);
    return new Set(looked.map(({ relation }) => relation.oid));
  },
};
