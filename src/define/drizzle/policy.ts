// Drizzle's policies and roles as values of the model.
import { is } from 'drizzle-orm';
import { type PgPolicy, PgRole } from 'drizzle-orm/pg-core';
import { type Policy, type Role, ROLE_WORDS } from '../model.ts';
import type { Expressions } from './expression.ts';
import { storedName } from './name.ts';

/** Gives the model's policy for a Drizzle policy. */
export function readPolicy(policy: PgPolicy, read: Expressions): Policy {
  return {
    name: storedName(policy.name),
    as: policy.as ?? 'permissive',
    for: policy.for ?? 'all',
    to: policyRoles(policy).map((role) => (typeof role === 'string' ? role : role.name)),
    ...(policy.using !== undefined && { using: read.text(policy.using) }),
    ...(policy.withCheck !== undefined && { withCheck: read.text(policy.withCheck) }),
  };
}

// Drizzle keeps a role's configuration out of its public type.
type RoleFacts = PgRole & {
  readonly _existing?: boolean;
  readonly createDb?: boolean;
  readonly createRole?: boolean;
  readonly inherit?: boolean;
};

/** Gives the model's role for a Drizzle role; `.existing()` ones are only referred to. */
export function readRole(role: PgRole): Role {
  const { _existing: existing, ...facts } = role as RoleFacts;
  return {
    name: storedName(role.name),
    login: false,
    bypassRls: false,
    createDb: facts.createDb ?? false,
    createRole: facts.createRole ?? false,
    inherit: facts.inherit ?? true,
    memberOf: [],
    settings: {},
    ...(existing === true && { existing }),
  };
}

/** The roles a policy's TO speaks of that need a role in the cluster: Drizzle roles as they are, names as existing ones. */
export function rolesOf(policy: PgPolicy): Role[] {
  return policyRoles(policy)
    .filter((role) => typeof role !== 'string' || !ROLE_WORDS.has(role))
    .map((role) => (typeof role === 'string' ? referred(role) : readRole(role)));
}

function policyRoles(policy: PgPolicy): (string | PgRole)[] {
  const to = policy.to === undefined ? ['public'] : [policy.to].flat();
  return (to as unknown[]).map((role) => (is(role, PgRole) ? role : String(role)));
}

function referred(name: string): Role {
  return {
    name: storedName(name),
    login: false,
    bypassRls: false,
    memberOf: [],
    settings: {},
    existing: true,
  };
}
