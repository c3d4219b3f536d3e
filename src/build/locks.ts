// Which lock a plain statement of the planner takes on relations that others use. A statement on an object the plan
// itself makes locks nothing that anybody waits for. The online tests compare every claim with pg_locks.
// https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
import type { LockMode } from '../define/trait.ts';
import type { ObjectId, PlannedAction } from './action.ts';

const RANK: readonly LockMode[] = [
  'NONE',
  'ACCESS SHARE',
  'ROW SHARE',
  'ROW EXCLUSIVE',
  'SHARE UPDATE EXCLUSIVE',
  'SHARE',
  'SHARE ROW EXCLUSIVE',
  'EXCLUSIVE',
  'ACCESS EXCLUSIVE',
];

/** The stronger of two lock modes. */
export function strongerLock(one: LockMode, other: LockMode): LockMode {
  return RANK.indexOf(one) >= RANK.indexOf(other) ? one : other;
}

/** Whether a lock of this mode makes those wait who insert, update or delete. */
export function stopsWriters(mode: LockMode): boolean {
  return RANK.indexOf(mode) >= RANK.indexOf('SHARE');
}

/** The object a planned statement is about: what it makes, else what it drops, else what it names first. */
export function subjectOf(action: PlannedAction): ObjectId {
  return action.produces[0] ?? action.destroys[0] ?? action.consumes[0] ?? { kind: 'database' };
}

/** `kind schema.name` (`column schema.table.name`) for messages and for the user's word. */
export function describe(id: ObjectId): string {
  if (id.target !== undefined) return `${id.kind} of ${describe(id.target)}`;
  const kind = KIND_WORDS[id.kind] ?? id.kind;
  const args = id.args === undefined ? '' : `(${id.args.join(', ')})`;
  const path = [id.schema, id.table, id.name].filter((part) => part !== undefined).join('.');
  return path === '' ? kind : `${kind} ${path}${args}`;
}

const KIND_WORDS: Readonly<Record<string, string>> = {
  materializedView: 'materialized view',
  foreignTable: 'foreign table',
  eventTrigger: 'event trigger',
  acl: 'grant',
  defaultPrivilege: 'default privileges',
};

type Verb = PlannedAction['verb'];

// By kind of the subject: what the plain form takes on the relation it belongs to.
const BY_KIND: Readonly<Record<string, Readonly<Record<Verb, LockMode>>>> = {
  table: { create: 'ACCESS EXCLUSIVE', alter: 'ACCESS EXCLUSIVE', drop: 'ACCESS EXCLUSIVE' },
  column: { create: 'ACCESS EXCLUSIVE', alter: 'ACCESS EXCLUSIVE', drop: 'ACCESS EXCLUSIVE' },
  default: { create: 'ACCESS EXCLUSIVE', alter: 'ACCESS EXCLUSIVE', drop: 'ACCESS EXCLUSIVE' },
  constraint: { create: 'ACCESS EXCLUSIVE', alter: 'ACCESS EXCLUSIVE', drop: 'ACCESS EXCLUSIVE' },
  index: { create: 'SHARE', alter: 'SHARE UPDATE EXCLUSIVE', drop: 'ACCESS EXCLUSIVE' },
  trigger: { create: 'SHARE ROW EXCLUSIVE', alter: 'SHARE ROW EXCLUSIVE', drop: 'ACCESS EXCLUSIVE' },
  policy: { create: 'ACCESS EXCLUSIVE', alter: 'ACCESS EXCLUSIVE', drop: 'ACCESS EXCLUSIVE' },
  rule: { create: 'ACCESS EXCLUSIVE', alter: 'ACCESS EXCLUSIVE', drop: 'ACCESS EXCLUSIVE' },
  view: { create: 'ACCESS SHARE', alter: 'ACCESS EXCLUSIVE', drop: 'ACCESS EXCLUSIVE' },
  materializedView: { create: 'ACCESS SHARE', alter: 'ACCESS EXCLUSIVE', drop: 'ACCESS EXCLUSIVE' },
  foreignTable: { create: 'NONE', alter: 'ACCESS EXCLUSIVE', drop: 'ACCESS EXCLUSIVE' },
  sequence: { create: 'NONE', alter: 'ACCESS EXCLUSIVE', drop: 'ACCESS EXCLUSIVE' },
  publication: { create: 'SHARE UPDATE EXCLUSIVE', alter: 'SHARE UPDATE EXCLUSIVE', drop: 'NONE' },
};

// Statements whose lock differs from that of their kind, recognised by the planner's fixed renderings.
const BY_FORM: readonly (readonly [RegExp, LockMode])[] = [
  [/^(GRANT|REVOKE|ALTER DEFAULT PRIVILEGES) /, 'NONE'],
  [/^COMMENT ON (COLUMN|TABLE|INDEX|VIEW|MATERIALIZED VIEW|SEQUENCE) /, 'SHARE UPDATE EXCLUSIVE'],
  [/^COMMENT ON /, 'ACCESS SHARE'],
  [/^ALTER TABLE \S.* (RE)?SET \([^()]*\)$/, 'SHARE UPDATE EXCLUSIVE'],
  [/^ALTER (MATERIALIZED VIEW|INDEX) \S.* (RE)?SET \([^()]*\)$/, 'SHARE UPDATE EXCLUSIVE'],
  [/^ALTER TABLE \S.* VALIDATE CONSTRAINT /, 'SHARE UPDATE EXCLUSIVE'],
  [/^ALTER TABLE \S.* ADD CONSTRAINT \S.* FOREIGN KEY /, 'SHARE ROW EXCLUSIVE'],
  [/^ALTER TABLE \S.* (ENABLE|DISABLE) (ALWAYS |REPLICA )?TRIGGER /, 'SHARE ROW EXCLUSIVE'],
  [/^ALTER SEQUENCE \S.* OWNER TO /, 'ACCESS EXCLUSIVE'],
  [/^ALTER SEQUENCE \S.* OWNED BY /, 'ACCESS EXCLUSIVE'],
  [/^ALTER SEQUENCE /, 'SHARE ROW EXCLUSIVE'],
  [/^ALTER DOMAIN \S.* (ADD CONSTRAINT|VALIDATE CONSTRAINT|SET NOT NULL)/, 'SHARE'],
];

/** The strongest lock a plain statement takes on the relation it belongs to, when that relation is in use. */
export function plainLock(action: PlannedAction): LockMode {
  const form = BY_FORM.find(([pattern]) => pattern.test(action.sql));
  if (form !== undefined) return form[1];
  const on = subjectOf(action);
  if (on.kind === 'constraint' && action.consumes[0]?.kind === 'domain') return 'NONE';
  return BY_KIND[on.kind]?.[action.verb] ?? 'NONE';
}
