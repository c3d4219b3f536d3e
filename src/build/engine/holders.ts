// Each role that has or had rights on an object of a plan, with what it holds when the structure's statements have run
// and what it is to hold.
import type { Fact, FactBase, StableId } from '@supabase/pg-delta/core';
import { keyOf } from './facts.ts';
import type { RightsChange } from './rights.ts';
import { NOTHING, type Held } from './rights-sql.ts';

/** One role on one object. */
export interface Holder {
  readonly target: StableId;
  /** Undefined: whoever makes the object, which then is its owner. */
  readonly grantee: string | undefined;
  /** What is there before the rights can be: the object, and what it belongs to, where it is a sequence. */
  readonly needs: readonly StableId[];
  /** The plan makes the object. */
  readonly isNew: boolean;
  /** Default privileges may have a say in what this role holds on the new object. */
  readonly uncertain: boolean;
  readonly whole: Ends;
  readonly columns: readonly (Ends & { readonly column: string })[];
}

interface Ends {
  readonly have: Held;
  readonly want: Held;
}

type Grant = Extract<StableId, { kind: 'acl' }>;
type Default = Extract<StableId, { kind: 'defaultPrivilege' }>;
interface Column {
  readonly kind: 'column';
  readonly schema: string;
  readonly table: string;
  readonly name: string;
}

/**
 * Finds everybody whose rights on an object that is there in the end have to be looked at.
 * @param made keys of the objects that the plan makes
 * @returns holders, in the order of their objects' keys
 */
export function holders(change: RightsChange, made: ReadonlySet<string>): readonly Holder[] {
  const subjects = new Map<string, Subject>();
  const look = (target: StableId, column: Column | undefined): Subject | undefined => {
    const key = keyOf(target);
    const subject = subjects.get(key) ?? subjectOf({ target, column }, change, made);
    if (subject !== undefined) subjects.set(key, subject);
    return subject;
  };
  for (const fact of [...change.from.facts(), ...change.to.facts()]) {
    const { id, parent } = fact;
    if (id.kind !== 'acl' || (parent !== undefined && !change.to.has(parent))) continue;
    const subject = look(id.target, sequenceColumn(fact));
    subject?.grantees.add(id.grantee);
    if (id.column !== undefined) subject?.columns.add(id.column);
  }
  for (const fact of change.defaults.length === 0 ? [] : change.to.facts()) {
    const sequence = fact.id.kind === 'column' ? identityOf(fact) : undefined;
    const target = sequence ?? fact.id;
    if (defaultsOn(target, change).length > 0)
      look(target, sequence === undefined ? undefined : (fact.id as Column));
  }
  return [...subjects]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, subject]) => holdersOn(subject, change));
}

/** An object whose rights are looked at. */
interface Subject {
  readonly target: StableId;
  /** The identity column that the sequence belongs to. */
  readonly column: Column | undefined;
  /** The table that the sequence goes with. */
  readonly linked: StableId | undefined;
  readonly isNew: boolean;
  readonly made: ReadonlySet<string>;
  readonly ownerBefore: string | undefined;
  /** Undefined: whoever makes it. */
  readonly ownerAfter: string | undefined;
  readonly grantees: Set<string>;
  /** Those with grants of their own, whoever holds them. */
  readonly columns: Set<string>;
}

/** Undefined for what is not there in the end: its rights go with it. */
function subjectOf(
  { target, column }: Pick<Subject, 'target' | 'column'>,
  { from, to }: RightsChange,
  made: ReadonlySet<string>,
): Subject | undefined {
  if (!to.has(column ?? target)) return undefined;
  const owned = column === undefined ? target : tableOf(column);
  // What an extension brings has the rights that the extension gives it.
  const member = to.outgoingEdges(target).some(({ kind }) => kind === 'memberOfExtension');
  const isNew =
    column === undefined
      ? made.has(keyOf(target)) && !member
      : made.has(keyOf(column)) || made.has(keyOf(owned)) || identityOf(from.get(column)) === undefined;
  return {
    target,
    column,
    linked: linkedTo(to.get(target)),
    isNew,
    made,
    ownerBefore: ownerOf(from, owned),
    ownerAfter: ownerOf(to, owned),
    grantees: new Set(),
    columns: new Set(),
  };
}

function ownerOf(base: FactBase, id: StableId): string | undefined {
  const role = base.outgoingEdges(id).find(({ kind }) => kind === 'owner')?.to;
  return role?.kind === 'role' ? role.name : undefined;
}

function linkedTo(fact: Fact | undefined): StableId | undefined {
  const owner = fact?.payload['ownedBy'] as { schema: string; table: string } | null | undefined;
  return owner == null ? undefined : { kind: 'table', schema: owner.schema, name: owner.table };
}

function sequenceColumn({ id, parent }: Fact): Column | undefined {
  const { target } = id as Grant;
  return target.kind === 'sequence' && parent?.kind === 'column' ? (parent as Column) : undefined;
}

function tableOf({ schema, table }: Column): StableId {
  return { kind: 'table', schema, name: table };
}

function identityOf(fact: Fact | undefined): StableId | undefined {
  const identity = fact?.payload['identity'] as { sequence?: { schema: string; name: string } } | null;
  if (identity?.sequence == null) return undefined;
  return { kind: 'sequence', schema: identity.sequence.schema, name: identity.sequence.name };
}

const OBJTYPES: Readonly<Record<string, string>> = {
  table: 'r',
  view: 'r',
  materializedView: 'r',
  foreignTable: 'r',
  sequence: 'S',
  function: 'f',
  procedure: 'f',
  aggregate: 'f',
  type: 'T',
  domain: 'T',
  schema: 'n',
};

function defaultsOn(target: StableId, { defaults }: RightsChange): Default[] {
  const { schema } = target as { schema?: string };
  return defaults
    .map(({ id }) => id as Default)
    .filter((id) => id.objtype === OBJTYPES[target.kind] && (id.schema === null || id.schema === schema));
}

function holdersOn(subject: Subject, change: RightsChange): Holder[] {
  const { target, column, isNew, ownerAfter, grantees } = subject;
  const says = isNew ? defaultsOn(target, change) : [];
  const owner = ownerAfter ?? (isNew ? change.user : undefined);
  const ownersOwn = says.some(({ grantee, role }) => grantee === role || grantee === ownerAfter);
  const names = [...new Set([...grantees, ...says.map(({ grantee }) => grantee)])].sort();
  const found = names.flatMap((grantee): Holder[] => {
    const owns = grantee === owner;
    if (owns && (column !== undefined || !grantees.has(grantee))) return [];
    const at = { ...about(subject), grantee };
    const ends = endsOf(subject, grantee, change);
    const spoken = owns ? ownersOwn : says.some((one) => one.grantee === grantee);
    if (!isNew || !owns) return [{ ...at, uncertain: isNew && spoken, ...ends }];
    const usual = isOwnersUsual(subject, grantee, change);
    if (usual && !spoken) return [{ ...at, uncertain: false, ...ends, whole: NONE }];
    return [{ ...at, uncertain: true, ...ends, whole: usual ? EVERYTHING : ends.whole }];
  });
  if (!ownersOwn || column !== undefined || ownerAfter !== undefined || grantees.has(change.user))
    return found;
  const nameless = { grantee: undefined, uncertain: true, whole: EVERYTHING, columns: [] };
  return [...found, { ...about(subject), ...nameless }];
}

const NONE: Ends = { have: NOTHING, want: NOTHING };
const EVERYTHING: Ends = { have: NOTHING, want: { privileges: ['ALL'], grantable: [] } };

function about({ target, column, linked, isNew }: Subject): Pick<Holder, 'target' | 'needs' | 'isNew'> {
  if (column !== undefined) return { target, isNew, needs: [column, tableOf(column)] };
  return { target, isNew, needs: linked === undefined ? [target] : [target, linked] };
}

/** An owner who holds what every owner holds may have no entry at all. */
function isOwnersUsual({ target }: Subject, grantee: string, { to }: RightsChange): boolean {
  const payload = to.get({ kind: 'acl', target, grantee })?.payload;
  if (payload === undefined) return true;
  const usual = payload['_ownerDefault'] as readonly string[] | undefined;
  const { privileges, grantable } = heldIn(payload);
  return usual !== undefined && usual.join() === privileges.join() && grantable.length === 0;
}

function endsOf(subject: Subject, grantee: string, change: RightsChange): Pick<Holder, 'whole' | 'columns'> {
  const columns = [...subject.columns]
    .sort()
    .map((column) => ({ column, ...endOf(subject, { grantee, column }, change) }))
    .filter(({ have, want }) => have.privileges.length + want.privileges.length > 0);
  return { whole: endOf(subject, { grantee }, change), columns };
}

function endOf(
  subject: Subject,
  { grantee, column }: { readonly grantee: string; readonly column?: string },
  { from, to }: RightsChange,
): Ends {
  const { target, isNew, made } = subject;
  const id: Grant = { kind: 'acl', target, grantee, ...(column === undefined ? {} : { column }) };
  const wanted = to.get(id)?.payload;
  const born = isNew || (column !== undefined && made.has(keyOf(columnId(target, column))));
  return {
    have: born ? bornWith(id) : (heldBefore(from, subject, id) ?? installed(wanted)),
    want: wanted === undefined ? installed(from.get(id)?.payload) : heldIn(wanted),
  };
}

/** What PostgreSQL gives by itself to everybody; what it gives the owner is looked at apart. */
function bornWith({ target, grantee, column }: Grant): Held {
  if (grantee !== 'PUBLIC' || column !== undefined) return NOTHING;
  if (OBJTYPES[target.kind] === 'f') return { privileges: ['EXECUTE'], grantable: [] };
  return OBJTYPES[target.kind] === 'T' ? { privileges: ['USAGE'], grantable: [] } : NOTHING;
}

/** Whose entries before the plan are the grantee's when owners have changed: the old owner's become the new one's. */
function before({ ownerBefore, ownerAfter }: Subject, grantee: string): string[] {
  if (ownerBefore === undefined || ownerAfter === undefined || ownerBefore === ownerAfter) return [grantee];
  if (grantee === ownerBefore) return [];
  return grantee === ownerAfter ? [ownerBefore, ownerAfter] : [grantee];
}

function heldBefore(from: FactBase, subject: Subject, id: Grant): Held | undefined {
  const names = before(subject, id.grantee);
  const facts = names
    .flatMap((grantee) => from.get({ ...id, grantee }) ?? [])
    .map(({ payload }) => heldIn(payload));
  if (facts.length === 0) return names.length === 0 ? NOTHING : undefined;
  return {
    privileges: together(facts.map(({ privileges }) => privileges)),
    grantable: together(facts.map(({ grantable }) => grantable)),
  };
}

function together(lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())].sort();
}

/** What an extension gave its own object: where nothing else is said, that is what holds. */
function installed(payload: Fact['payload'] | undefined): Held {
  return heldIn(payload?.['_initPrivs'] as Fact['payload'] | undefined);
}

function heldIn(payload: Fact['payload'] | undefined): Held {
  const { privileges, grantable } = (payload ?? {}) as Partial<Held>;
  return { privileges: privileges ?? [], grantable: grantable ?? [] };
}

function columnId(target: StableId, column: string): StableId {
  const { schema, name } = target as { schema: string; name: string };
  return { kind: 'column', schema, table: name, name: column };
}
