// Definitions written as SQL, for tests of what comes after lowering.
import type { Model, Role } from '../../src/define/model.ts';
import type { Trait } from '../../src/define/trait.ts';
import type { LoweredDefinition, PlanOptions } from '../../src/build/sides.ts';

export const NOW = new Date('2026-03-15T12:00:00Z');

export const OPTIONS: PlanOptions = { now: NOW };

/** A lowered definition of statements in order, with roles and traits beside it. */
export function wanted(
  statements: readonly string[],
  beside: { readonly roles?: readonly Role[]; readonly traits?: readonly Trait[] } = {},
): LoweredDefinition {
  const roles = beside.roles ?? [];
  const model: Model = {
    name: 'test',
    schemas: [],
    extensions: [],
    roles,
    enums: [],
    sequences: [],
    tables: [],
    views: [],
    statements: [],
  };
  return {
    model,
    traits: beside.traits ?? [],
    lowered: {
      roles,
      extensions: [],
      statements: statements.map((sql, at) => ({
        sql,
        subject: sql.split('\n')[0]?.slice(0, 60) ?? '',
        origin: `statement ${at + 1}`,
        reorderable: false,
      })),
    },
  };
}

/** A role without login and without rights. */
export function role(name: string, more: Partial<Role> = {}): Role {
  return { name, login: false, bypassRls: false, memberOf: [], settings: {}, ...more };
}
