// A definition with every trait of this package, each as its example has it.
import { database, type Definition, type Facet } from '../../src/define/index.ts';
import type { TestDatabase } from '../cluster/index.ts';
import { examples, tables } from '../traits/examples.ts';

/** The definition; `role` gives names of roles, the same for the same prefix. */
export function everyTrait(
  role: (prefix: string) => string = (prefix) => `conform_${prefix}`,
  facets: readonly Facet[] = [],
): Definition {
  return database('conform', { tables, traits: Object.values(examples(role)).flat(), facets });
}

/** Names of roles that are free in the cluster, the same for the same prefix. */
export function rolesOf(db: TestDatabase): (prefix: string) => string {
  const roles = new Map<string, string>();
  return (prefix) => {
    const role = roles.get(prefix) ?? db.role(prefix);
    roles.set(prefix, role);
    return role;
  };
}
