// A definition with every trait of this package, each as its example has it.
import { database, type Definition } from '../../src/define/index.ts';
import { examples, tables } from '../traits/examples.ts';

/** The definition; `role` gives names of roles, the same for the same prefix. */
export function everyTrait(role: (prefix: string) => string = (prefix) => `conform_${prefix}`): Definition {
  return database('conform', { tables, traits: Object.values(examples(role)).flat() });
}
