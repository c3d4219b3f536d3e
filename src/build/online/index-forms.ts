// Indexes on tables that hold rows: built and dropped concurrently, part by part on partitioned tables, and a changed
// one is built before the old one goes.
// https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
import { ident, qualified } from '../../sql.ts';
import { label, type RelationName } from '../../define/model.ts';
import type { ObjectId, PlannedAction, TargetTable } from '../action.ts';
import { describe, subjectOf } from '../locks.ts';
import { indexIsValid, lockTimeoutMs, lockingFirst, plain, relationIsGone, type Draft } from './draft.ts';
import { partName, successorName } from './name.ts';
import { readIndex, type IndexRendering } from './rendering.ts';
import {
  holdsRows,
  inUse,
  isPartitioned,
  partitionsOf,
  textOf,
  withPartitions,
  type Scene,
} from './scene.ts';

/** An index to be built: its name and its definition, read. */
interface Wanted extends RelationName {
  readonly as: IndexRendering;
}

/** CREATE INDEX in the form that fits the table. */
export function createIndex(action: PlannedAction, scene: Scene): readonly Draft[] {
  const wanted = readWanted(subjectOf(action), textOf(scene.after, subjectOf(action), 'def'));
  return wanted === undefined ? [plain(action, scene)] : buildIndex(scene, wanted);
}

/** DROP INDEX in the form that fits the table. */
export function dropIndex(action: PlannedAction, scene: Scene): readonly Draft[] {
  const id = subjectOf(action);
  const had = readWanted(id, textOf(scene.before, id, 'def'));
  if (had === undefined || !inUse(scene, had.as.table)) return [plain(action, scene)];
  return dropping(scene, had);
}

/** A changed index: the new one is complete before the old one goes, then takes its name. */
export function replaceIndex(create: PlannedAction, scene: Scene): readonly Draft[] | undefined {
  const id = subjectOf(create);
  const old = readWanted(id, textOf(scene.before, id, 'def'));
  const next = readWanted(id, textOf(scene.after, id, 'def'));
  if (old === undefined || next === undefined || !holdsRows(scene, next.as.table)) return undefined;
  const successor = { ...next, name: successorName(next.name) };
  const drafts = buildIndex(scene, successor);
  const undoBuild = [...withoutUndo(dropping(scene, successor)), ...dropParts(scene, successor)];
  const [first, ...rest] = drafts;
  if (first === undefined) return undefined;
  return [
    { ...first, undo: undoBuild },
    ...rest,
    ...undoneBy(dropping(scene, old), withoutUndo(buildIndex(scene, old))),
    { ...renaming(successor, next.name), undo: [{ ...renaming(next, successor.name), undo: [] }] },
  ];
}

function readWanted(id: ObjectId, definition: string): Wanted | undefined {
  const as = readIndex(definition);
  if (as === undefined || id.schema === undefined || id.name === undefined) return undefined;
  return { schema: id.schema, name: id.name, as };
}

function buildIndex(scene: Scene, wanted: Wanted): readonly Draft[] {
  const on = wanted.as.table;
  if (!holdsRows(scene, on)) return [building(scene, wanted, '')];
  return isPartitioned(scene, on) ? buildParts(scene, wanted) : [concurrently(wanted, on)];
}

function building(scene: Scene, wanted: Wanted, only: 'ONLY ' | ''): Draft {
  const on = wanted.as.table;
  const used = inUse(scene, on);
  const unique = wanted.as.unique ? 'UNIQUE ' : '';
  return {
    sql: `CREATE ${unique}INDEX ${ident(wanted.name)} ON ${only}${qualified(on)} ${wanted.as.tail}`,
    subject: `index ${label(wanted)}`,
    verb: 'create',
    lock: used ? 'SHARE' : 'NONE',
    locks: used ? (only === '' ? withPartitions(scene, on) : [label(on)]) : [],
    work: 'catalogue',
    transactional: true,
    lockTimeoutMs,
    loses: null,
    undo: ['planned'],
  };
}

/**
 * CREATE INDEX CONCURRENTLY as a step: it waits for old transactions, but nobody waits for it, so no short timeout.
 * What a failure leaves is invalid and is dropped before the next attempt.
 */
export function concurrently(wanted: Wanted, on: RelationName): Draft {
  const unique = wanted.as.unique ? 'UNIQUE ' : '';
  return {
    sql: `CREATE ${unique}INDEX CONCURRENTLY ${ident(wanted.name)} ON ${qualified(on)} ${wanted.as.tail}`,
    subject: `index ${label(wanted)}`,
    verb: 'create',
    lock: 'SHARE UPDATE EXCLUSIVE',
    locks: [label(on)],
    work: 'build',
    transactional: false,
    lockTimeoutMs: 0,
    loses: null,
    undo: ['planned'],
    doneWhen: indexIsValid(wanted, on),
    cleanUp: [dropConcurrently(wanted)],
  };
}

function dropConcurrently(index: RelationName): string {
  return `DROP INDEX CONCURRENTLY IF EXISTS ${qualified(index)}`;
}

// DROP INDEX CONCURRENTLY refuses a partitioned index. The plain form locks the parts' indexes before their tables,
// writers the other way round: locking the tables first, from the top, keeps the two from a deadlock.
function dropping(scene: Scene, had: Wanted): readonly Draft[] {
  const on = had.as.table;
  const subject = describe({ kind: 'index', schema: had.schema, name: had.name });
  const common = { subject, verb: 'drop', work: 'catalogue', loses: null, undo: ['planned'] } as const;
  const plainly: Draft = {
    ...common,
    sql: `DROP INDEX IF EXISTS ${qualified(had)}`,
    lock: 'ACCESS EXCLUSIVE',
    locks: withPartitions(scene, on),
    transactional: true,
    lockTimeoutMs,
  };
  if (isPartitioned(scene, on)) return lockingFirst(scene, [on], plainly);
  if (!holdsRows(scene, on)) return [plainly];
  return [
    {
      ...common,
      sql: dropConcurrently(had),
      lock: 'SHARE UPDATE EXCLUSIVE',
      locks: [label(on)],
      transactional: false,
      lockTimeoutMs: 0,
      doneWhen: relationIsGone(had),
    },
  ];
}

function withoutUndo(drafts: readonly Draft[]): readonly Draft[] {
  return drafts.map((draft) => ({ ...draft, undo: [] }));
}

/** Drafts of which the first carries the way back of them all. */
function undoneBy(drafts: readonly Draft[], undo: readonly Draft[]): readonly Draft[] {
  return drafts.map((draft, at) => ({ ...draft, undo: at === 0 ? undo : [] }));
}

function renaming(index: RelationName, to: string): Draft {
  return {
    sql: `ALTER INDEX ${qualified(index)} RENAME TO ${ident(to)}`,
    subject: `index ${index.schema}.${to}`,
    verb: 'alter',
    lock: 'SHARE UPDATE EXCLUSIVE',
    locks: [label(index)],
    work: 'catalogue',
    transactional: true,
    lockTimeoutMs,
    loses: null,
    undo: [],
  };
}

// The parent's index starts invalid and without parts; it is valid once the last part is attached. An attached part
// goes with the parent's index and cannot be dropped alone, so one way back on the first step clears both kinds.
function buildParts(scene: Scene, wanted: Wanted): readonly Draft[] {
  const on = wanted.as.table;
  return [
    { ...building(scene, wanted, 'ONLY '), undo: ['planned', ...dropParts(scene, wanted)] },
    ...fromBelow(scene, on, (part, above) => {
      const own = partOf(wanted, part);
      return {
        make: withoutUndo([buildPart(scene, own, part)]),
        attach: attaching(partOf(wanted, above), own),
      };
    }),
  ];
}

type Part = TargetTable['partitions'][number];

/**
 * Steps for every partition, each made and then attached to what is above it, inner ones complete before they are
 * attached: attaching the last part of an index that hangs on another one makes PostgreSQL lock the tables above
 * exclusively after the part's index, which deadlocks with writers (validatePartitionedIndex in tablecmds.c).
 */
export function fromBelow(
  scene: Scene,
  root: RelationName,
  form: (part: Part, above: RelationName) => { readonly make: readonly Draft[]; readonly attach: Draft },
): readonly Draft[] {
  const below = (above: RelationName): readonly Draft[] =>
    partitionsOf(scene, root)
      .filter((part) => label(parentOf(scene, root, part)) === label(above))
      .flatMap((part) => {
        const { make, attach } = form(part, above);
        return [...make, ...below(part), attach];
      });
  return below(root);
}

function buildPart(scene: Scene, own: Wanted, part: Part): Draft {
  if (part.partitioned) return building(scene, own, 'ONLY ');
  return holdsRows(scene, own.as.table) ? concurrently(own, own.as.table) : building(scene, own, '');
}

/** An index of a parent as it stands on one of its partitions; on the parent itself it is the index. */
function partOf(wanted: Wanted, part: RelationName): Wanted {
  if (label(part) === label(wanted.as.table)) return wanted;
  return {
    schema: part.schema,
    name: partName(part.name, wanted.name, wanted.as.tail),
    as: { ...wanted.as, table: { schema: part.schema, name: part.name } },
  };
}

/** The table a partition hangs below directly: the one with the fewest partitions that has it. */
function parentOf(scene: Scene, root: RelationName, part: RelationName): RelationName {
  const holds = (of: RelationName): boolean =>
    partitionsOf(scene, of).some((one) => label(one) === label(part));
  const inner = partitionsOf(scene, root).filter((one) => one.partitioned && holds(one));
  return inner.reduce<RelationName>(
    (best, one) => (partitionsOf(scene, one).length < partitionsOf(scene, best).length ? one : best),
    root,
  );
}

/** Joins a partition's index to its parent's; catalogue work, though the part's index is locked exclusively. */
export function attaching(above: RelationName, own: RelationName): Draft {
  return {
    sql: `ALTER INDEX ${qualified(above)} ATTACH PARTITION ${qualified(own)}`,
    subject: `index ${label(above)}`,
    verb: 'alter',
    lock: 'ACCESS EXCLUSIVE',
    locks: [label(own)],
    work: 'catalogue',
    transactional: true,
    lockTimeoutMs,
    loses: null,
    undo: [],
  };
}

// Inner before leaf: what was attached to an inner one goes with it.
function dropParts(scene: Scene, wanted: Wanted): readonly Draft[] {
  return partitionsOf(scene, wanted.as.table).flatMap((part) =>
    withoutUndo(dropping(scene, partOf(wanted, part))),
  );
}
