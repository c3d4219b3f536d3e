// Constraints on tables that hold rows: added NOT VALID under a short lock, validated by a scan that lets everybody
// read and write; keys through an index that was built concurrently.
// https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-ADD-TABLE-CONSTRAINT
import { ident, qualified } from '../../sql.ts';
import { label, type RelationName } from '../../define/model.ts';
import type { ObjectId, PlannedAction } from '../action.ts';
import { strongerLock, subjectOf } from '../locks.ts';
import { exclusively, lockingFirst, plain, validating, type Draft } from './draft.ts';
import { attaching, concurrently, fromBelow } from './index-forms.ts';
import { notNullName, partName, successorName } from './name.ts';
import { readKey, referencedTable, type KeyRendering } from './rendering.ts';
import {
  holdsRows,
  inUse,
  isPartitioned,
  partitionsOf,
  textOf,
  withPartitions,
  type Scene,
} from './scene.ts';

interface Wanted {
  readonly on: RelationName;
  readonly name: string;
  readonly definition: string;
  readonly type: string;
}

/** ADD CONSTRAINT in the form that fits the table and the kind of constraint. */
export function createConstraint(action: PlannedAction, scene: Scene): readonly Draft[] {
  const id = subjectOf(action);
  if (action.consumes[0]?.kind === 'domain') return domainConstraint(action, scene);
  const wanted = readWanted(id, textOf(scene.after, id, 'def'), textOf(scene.after, id, 'type'));
  const validated =
    scene.after.payload(id)?.['validated'] === true && !wanted.definition.includes(' NOT ENFORCED');
  if (!validated || !holdsRows(scene, wanted.on)) return [addPlainly(action, scene, wanted)];
  if (wanted.type === 'f' || wanted.type === 'c') return addNotValid(scene, wanted);
  const key = readKey(wanted.definition);
  if (key === undefined) return [{ ...plain(action, scene), work: 'build' }];
  return isPartitioned(scene, wanted.on) ? keyByParts(scene, wanted, key) : keyByIndex(scene, wanted, key);
}

/** DROP CONSTRAINT; a foreign key locks the table it points at as well. */
export function dropConstraint(action: PlannedAction, scene: Scene): readonly Draft[] {
  const draft = plain(action, scene);
  const target = referencedTable(textOf(scene.before, subjectOf(action), 'def'));
  if (draft.lock === 'NONE' || target === undefined || !inUse(scene, target)) return [draft];
  return [{ ...draft, locks: [...draft.locks, ...withPartitions(scene, target)] }];
}

/** A changed constraint: the new one holds before the old one goes, and takes its name in the same transaction. */
export function replaceConstraint(create: PlannedAction, scene: Scene): readonly Draft[] | undefined {
  const id = subjectOf(create);
  const old = readWanted(id, textOf(scene.before, id, 'def'), textOf(scene.before, id, 'type'));
  const next = readWanted(id, textOf(scene.after, id, 'def'), textOf(scene.after, id, 'type'));
  if (!holdsRows(scene, next.on) || scene.after.payload(id)?.['validated'] !== true) return undefined;
  if (next.type === 'f' && isPartitioned(scene, next.on)) return undefined;
  if (next.type === 'c' || next.type === 'f') return replaceChecked(scene, old, next);
  const key = readKey(next.definition);
  const oldKey = readKey(old.definition);
  if (key === undefined || oldKey === undefined || isPartitioned(scene, next.on)) return undefined;
  return replaceKey(scene, { old, next }, { old: oldKey, next: key });
}

/** SET NOT NULL without a scan under lock. */
export function setNotNull(action: PlannedAction, scene: Scene): readonly Draft[] {
  const { schema = '', table = '', name = '' } = subjectOf(action);
  const on = { schema, name: table };
  if (!holdsRows(scene, on)) return [plain(action, scene)];
  if (scene.shape.serverVersion >= 180_000) return notNullByConstraint(scene, on, name);
  const proof = notNullName(table, `${name}_hf`);
  const column = ident(name);
  const drop = `DROP CONSTRAINT IF EXISTS ${ident(proof)}`;
  return [
    {
      ...exclusively(scene, on, `ADD CONSTRAINT ${ident(proof)} CHECK (${column} IS NOT NULL) NOT VALID`),
      subject: `column ${label(on)}.${name}`,
      undo: [exclusively(scene, on, drop)],
    },
    validating(scene, on, proof),
    { ...plain(action, scene), undo: ['planned'] },
    exclusively(scene, on, drop),
  ];
}

function notNullByConstraint(scene: Scene, on: RelationName, column: string): readonly Draft[] {
  const name = notNullName(on.name, column);
  // A key that a later step gives a partition makes the inherited NOT NULL the partition's own (PostgreSQL 18 counts
  // them), where it would outlive its parent's.
  const ofPartitions = partitionsOf(scene, on).map((part) =>
    exclusively(scene, part, `ALTER COLUMN ${ident(column)} DROP NOT NULL`),
  );
  return [
    {
      ...exclusively(scene, on, `ADD CONSTRAINT ${ident(name)} NOT NULL ${ident(column)} NOT VALID`),
      subject: `column ${label(on)}.${column}`,
      undo: ['planned', ...ofPartitions],
    },
    validating(scene, on, name),
  ];
}

function readWanted(id: ObjectId, definition: string, type: string): Wanted {
  const { schema = '', table = '', name = '' } = id;
  return { on: { schema, name: table }, name, definition, type };
}

// A domain's check is proved on every table that uses it, and writers of those wait meanwhile; which tables they are
// only the server knows.
function domainConstraint(action: PlannedAction, scene: Scene): readonly Draft[] {
  const { schema = '', table = '', name = '' } = subjectOf(action);
  const draft = plain(action, scene);
  if (
    action.sql.endsWith(' NOT VALID') ||
    scene.before.payload({ kind: 'domain', schema, name: table }) === undefined
  ) {
    return [{ ...draft, lock: 'NONE' }];
  }
  const validate = `ALTER DOMAIN ${qualified({ schema, name: table })} VALIDATE CONSTRAINT ${ident(name)}`;
  return [
    { ...draft, sql: `${action.sql} NOT VALID`, lock: 'NONE' },
    { ...draft, sql: validate, verb: 'alter', lock: 'SHARE', work: 'scan', undo: [] },
  ];
}

function addPlainly(action: PlannedAction, scene: Scene, wanted: Wanted): Draft {
  const draft = plain(action, scene);
  const target = referencedTable(wanted.definition);
  if (target === undefined || !inUse(scene, target)) return draft;
  const lock = strongerLock(draft.lock, 'SHARE ROW EXCLUSIVE');
  return { ...draft, lock, locks: [...new Set([...draft.locks, ...withPartitions(scene, target)])] };
}

// NOT VALID is refused for a foreign key on a partitioned table before PostgreSQL 18. There each partition gets its own
// validated one first; the parent's then adopts them without a scan (tryAttachPartitionForeignKey in tablecmds.c), for
// which it takes the triggers off both tables.
function addNotValid(scene: Scene, wanted: Wanted): readonly Draft[] {
  const parts = partitionsOf(scene, wanted.on);
  if (wanted.type === 'f' && isPartitioned(scene, wanted.on) && scene.shape.serverVersion < 180_000) {
    const leaves = parts.filter((part) => !part.partitioned);
    const onLeaves = leaves.flatMap((part) => addAndValidate(scene, { ...wanted, on: part }));
    const adopt: Draft = { ...adding(scene, wanted, ''), undo: ['planned'] };
    const target = referencedTable(wanted.definition);
    const adopting = lockingFirst(scene, target === undefined ? [wanted.on] : [wanted.on, target], adopt);
    return [...onLeaves, ...adopting];
  }
  const [add, validate] = addAndValidate(scene, wanted);
  return [{ ...add, undo: ['planned'] }, validate];
}

function addAndValidate(scene: Scene, wanted: Wanted): readonly [Draft, Draft] {
  const undo = [exclusively(scene, wanted.on, `DROP CONSTRAINT IF EXISTS ${ident(wanted.name)}`)];
  return [{ ...adding(scene, wanted, ' NOT VALID'), undo }, validating(scene, wanted.on, wanted.name)];
}

function adding(scene: Scene, wanted: Wanted, suffix: ' NOT VALID' | ''): Draft {
  const draft = exclusively(
    scene,
    wanted.on,
    `ADD CONSTRAINT ${ident(wanted.name)} ${wanted.definition}${suffix}`,
  );
  const target = referencedTable(wanted.definition);
  const subject = `constraint ${label(wanted.on)}.${wanted.name}`;
  if (target === undefined) return { ...draft, subject, verb: 'create' };
  const locks = inUse(scene, target) ? [...draft.locks, ...withPartitions(scene, target)] : draft.locks;
  return { ...draft, subject, verb: 'create', lock: 'SHARE ROW EXCLUSIVE', locks: [...new Set(locks)] };
}

function replaceChecked(scene: Scene, old: Wanted, next: Wanted): readonly Draft[] {
  const successor = { ...next, name: successorName(next.name) };
  const [add, validate] = addAndValidate(scene, successor);
  const [oldAdd, oldValidate] = addAndValidate(scene, old);
  return [
    add,
    validate,
    { ...dropped(scene, old), undo: [{ ...oldAdd, undo: [] }, oldValidate] },
    renamed(scene, next.on, [successor.name, next.name]),
  ];
}

function dropped(scene: Scene, old: Wanted): Draft {
  const draft = exclusively(scene, old.on, `DROP CONSTRAINT IF EXISTS ${ident(old.name)}`);
  const target = referencedTable(old.definition);
  const locks = target === undefined ? draft.locks : [...draft.locks, ...withPartitions(scene, target)];
  return {
    ...draft,
    verb: 'drop',
    subject: `constraint ${label(old.on)}.${old.name}`,
    locks: [...new Set(locks)],
  };
}

function renamed(scene: Scene, on: RelationName, [from, to]: readonly [string, string]): Draft {
  const rename = (a: string, b: string): Draft => ({
    ...exclusively(scene, on, `RENAME CONSTRAINT ${ident(a)} TO ${ident(b)}`),
    subject: `constraint ${label(on)}.${to}`,
  });
  return { ...rename(from, to), withPrevious: true, undo: [rename(to, from)] };
}

function keyByIndex(scene: Scene, wanted: Wanted, key: KeyRendering): readonly Draft[] {
  const index = { schema: wanted.on.schema, name: wanted.name };
  const build = concurrently(
    { ...index, as: { unique: true, tail: key.index, table: wanted.on } },
    wanted.on,
  );
  return [
    { ...build, undo: build.cleanUp === undefined ? [] : [dropIfLeft(build)] },
    usingIndex(scene, wanted, key),
  ];
}

// The constraint takes the index with it when it is dropped; this one clears an index that no constraint took yet.
function dropIfLeft(build: Draft): Draft {
  const { doneWhen: _, cleanUp: __, ...rest } = build;
  return { ...rest, sql: build.cleanUp?.[0] ?? '', verb: 'drop', work: 'catalogue', undo: [] };
}

function usingIndex(scene: Scene, wanted: Wanted, key: KeyRendering): Draft {
  const name = ident(wanted.name);
  return {
    ...exclusively(
      scene,
      wanted.on,
      `ADD CONSTRAINT ${name} ${key.kind} USING INDEX ${name}${key.deferrable}`,
    ),
    subject: `constraint ${label(wanted.on)}.${wanted.name}`,
    verb: 'create',
    undo: ['planned'],
  };
}

function replaceKey(
  scene: Scene,
  { old, next }: { old: Wanted; next: Wanted },
  key: { readonly old: KeyRendering; readonly next: KeyRendering },
): readonly Draft[] {
  const [build, use] = keyByIndex(scene, { ...next, name: successorName(next.name) }, key.next);
  const [oldBuild, oldUse] = keyByIndex(scene, { ...old, name: successorName(old.name) }, key.old);
  if (build === undefined || use === undefined || oldBuild === undefined || oldUse === undefined) return [];
  const rename = renamed(scene, next.on, [successorName(next.name), next.name]);
  const drop = dropped(scene, old);
  // Drop, add and rename are one transaction, so their way back stands on the first of them as a whole.
  return [
    build,
    { ...drop, undo: [{ ...oldBuild, undo: [] }, drop, { ...oldUse, undo: [] }, { ...rename, undo: [] }] },
    { ...use, undo: [], withPrevious: true },
    { ...rename, undo: [] },
  ];
}

// What pg_dump writes for such a key: the parent's alone, each partition's through its own index, then joined.
function keyByParts(scene: Scene, wanted: Wanted, key: KeyRendering): readonly Draft[] {
  const nameOn = (part: RelationName): string =>
    label(part) === label(wanted.on) ? wanted.name : partName(part.name, wanted.name, key.index);
  const indexOf = (part: RelationName): RelationName => ({ schema: part.schema, name: nameOn(part) });
  const undoParts = partitionsOf(scene, wanted.on).flatMap((part) => [
    exclusively(scene, part, `DROP CONSTRAINT IF EXISTS ${ident(nameOn(part))}`),
    ...keyIndexLeft(scene, { ...wanted, on: part, name: nameOn(part) }, key),
  ]);
  const parent = onlyItself(
    exclusively(scene, wanted.on, `ADD CONSTRAINT ${ident(wanted.name)} ${wanted.definition}`),
  );
  return [
    {
      ...parent,
      subject: `constraint ${label(wanted.on)}.${wanted.name}`,
      verb: 'create',
      undo: ['planned', ...undoParts],
    },
    ...fromBelow(scene, wanted.on, (part, above) => ({
      make: keyOnPart(scene, { ...wanted, on: part, name: nameOn(part) }, { key, inner: part.partitioned }),
      attach: attaching(indexOf(above), indexOf(part)),
    })),
  ];
}

/** Clears an index that was built for a partition's key and that no constraint has taken yet. */
function keyIndexLeft(scene: Scene, own: Wanted, key: KeyRendering): readonly Draft[] {
  if (!holdsRows(scene, own.on)) return [];
  return (keyByIndex(scene, own, key)[0]?.undo ?? []).flatMap((part) => (part === 'planned' ? [] : [part]));
}

function onlyItself(draft: Draft): Draft {
  return { ...draft, sql: draft.sql.replace(/^ALTER TABLE /, 'ALTER TABLE ONLY ') };
}

function keyOnPart(
  scene: Scene,
  own: Wanted,
  { key, inner }: { readonly key: KeyRendering; readonly inner: boolean },
): readonly Draft[] {
  if (!inner && holdsRows(scene, own.on)) {
    const [build, use] = keyByIndex(scene, own, key);
    return build === undefined || use === undefined
      ? []
      : [
          { ...build, undo: [] },
          { ...use, undo: [] },
        ];
  }
  const add = exclusively(scene, own.on, `ADD CONSTRAINT ${ident(own.name)} ${own.definition}`);
  return [inner ? onlyItself(add) : add];
}
