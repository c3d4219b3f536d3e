// ALTER DEFAULT PRIVILEGES as a plan: what is taken comes before anything new is made, what is given after.
import type { Fact, StableId } from '@supabase/pg-delta/core';
import { ident } from '../../sql.ts';
import type { ObjectId, PlannedAction } from '../action.ts';
import { keyOf } from './facts.ts';
import type { RightsChange } from './rights.ts';
import { between, giving, granteeSql, taking, type Held, type Place } from './rights-sql.ts';

type Default = Extract<StableId, { kind: 'defaultPrivilege' }>;

/** The statements that turn one side's default privileges into the other's. Those of a schema go with the schema. */
export function defaultRights({ from, to }: Pick<RightsChange, 'from' | 'to'>): {
  readonly first: readonly PlannedAction[];
  readonly last: readonly PlannedAction[];
} {
  const first: PlannedAction[] = [];
  const last: PlannedAction[] = [];
  const both = new Map([...from.facts(), ...to.facts()].flatMap((fact) => keyed(fact)));
  for (const fact of both.values()) {
    if (fact.parent !== undefined && !to.has(fact.parent)) continue;
    const difference = between(heldIn(from.get(fact.id), fact), heldIn(to.get(fact.id), fact));
    const place = placeOf(fact.id as Default);
    const [take, give] = [taking(difference, place), giving(difference, place)];
    const sql = [...take, ...give].join('; ');
    if (sql !== '') (give.length === 0 ? first : last).push({ ...RIGHTS, sql, consumes: consumes(fact) });
  }
  return { first, last };
}

function keyed(fact: Fact): [string, Fact][] {
  return fact.id.kind === 'defaultPrivilege' ? [[keyOf(fact.id), fact]] : [];
}

/** Where a side says nothing of a role, it holds what PostgreSQL gives by itself. */
function heldIn(fact: Fact | undefined, other: Fact): Held {
  if (fact === undefined) return { privileges: other.payload['_usual'] as string[], grantable: [] };
  return {
    privileges: fact.payload['privileges'] as string[],
    grantable: fact.payload['grantable'] as string[],
  };
}

const OBJECTS: Readonly<Record<string, string>> = {
  r: 'TABLES',
  S: 'SEQUENCES',
  f: 'FUNCTIONS',
  T: 'TYPES',
  n: 'SCHEMAS',
  L: 'LARGE OBJECTS',
};

function placeOf({ role, schema, objtype, grantee }: Default): Place {
  const within = schema === null ? '' : ` IN SCHEMA ${ident(schema)}`;
  return {
    before: `ALTER DEFAULT PRIVILEGES FOR ROLE ${ident(role)}${within}`,
    on: OBJECTS[objtype] ?? objtype,
    to: granteeSql(grantee),
  };
}

function consumes({ id }: Fact): ObjectId[] {
  const { role, grantee, schema } = id as Default;
  const roles = [...new Set([role, grantee])].filter((name) => name !== 'PUBLIC');
  return [
    id as unknown as ObjectId,
    ...roles.map((name) => ({ kind: 'role', name })),
    ...(schema === null ? [] : [{ kind: 'schema', name: schema }]),
  ];
}

/** What every statement about rights is, for the rest of the planning. */
export const RIGHTS: Omit<PlannedAction, 'sql' | 'consumes'> = {
  verb: 'alter',
  produces: [],
  destroys: [],
  transactionality: 'transactional',
  lockClass: 'none',
  newSegmentBefore: false,
  dataLoss: 'none',
  rewriteRisk: false,
};
