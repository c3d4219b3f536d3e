// How a promise adds to a model: each thing once, so that building twice gives the same model.
import type { Model, Role, Statement } from '../define/model.ts';

/** The model with these statements, those it already has left out. Order of the new ones is kept. */
export function withStatements(model: Model, statements: readonly Statement[]): Model {
  const known = new Set(model.statements.map((statement) => statement.sql));
  const fresh = statements.filter((statement) => {
    if (known.has(statement.sql)) return false;
    known.add(statement.sql);
    return true;
  });
  return fresh.length === 0 ? model : { ...model, statements: [...model.statements, ...fresh] };
}

/** The model with these roles; a role that the definition names already stays as the user wrote it. */
export function withRoles(model: Model, roles: readonly Role[]): Model {
  const known = new Set(model.roles.map((role) => role.name));
  const fresh = roles.filter((role) => {
    if (known.has(role.name)) return false;
    known.add(role.name);
    return true;
  });
  return fresh.length === 0 ? model : { ...model, roles: [...model.roles, ...fresh] };
}

/** A role nobody logs in as. */
export function quietRole(name: string, bypassRls: boolean): Role {
  return { name, login: false, bypassRls, memberOf: [], settings: {} };
}
