// A step before it has its number and its way back, and the few shapes every online form is made of.
import { ident, literal, qualified } from '../../sql.ts';
import { label, type RelationName } from '../../define/model.ts';
import type { PlannedAction } from '../action.ts';
import { describe, plainLock, subjectOf } from '../locks.ts';
import type { Step } from '../step.ts';
import { alterTable, inUse, relationOf, withPartitions, type Scene } from './scene.ts';

/** How long a statement may wait for a lock that makes others wait behind it, in milliseconds. */
export const lockTimeoutMs = 1_000;

/** A step in the making. `undo`: its way back, where 'planned' stands for what the planner's backward plan says. */
export interface Draft extends Omit<Step, 'number' | 'back' | 'backReason' | 'group'> {
  readonly undo: readonly (Draft | 'planned')[];
  /** On the way back: why it cannot be done although the planner says so. */
  readonly impossible?: string;
  /** Nothing may follow in the same transaction (a new enum value can be used only after COMMIT). */
  readonly commitAfter?: boolean;
  /** Must run in one transaction with the draft before it. */
  readonly withPrevious?: boolean;
}

/** A planner's statement as it is: right for new objects, empty tables and what is quick anyway. */
export function plain(action: PlannedAction, scene: Scene): Draft {
  const of = relationOf(action);
  const used = of !== undefined && inUse(scene, of);
  const lock = of === undefined || used ? plainLock(action) : 'NONE';
  return {
    sql: action.sql,
    subject: describe(subjectOf(action)),
    verb: action.verb,
    lock,
    locks: lock === 'NONE' || of === undefined ? [] : withPartitions(scene, of),
    work: 'catalogue',
    transactional: action.transactionality !== 'nonTransactional',
    lockTimeoutMs,
    loses: null,
    undo: ['planned'],
    ...(action.transactionality === 'commitBoundaryAfter' ? { commitAfter: true } : {}),
  };
}

/** Short work under ACCESS EXCLUSIVE on a table and its partitions. */
export function exclusively(scene: Scene, of: RelationName, change: string): Draft {
  return {
    sql: `${alterTable(of)} ${change}`,
    subject: `table ${label(of)}`,
    verb: 'alter',
    lock: 'ACCESS EXCLUSIVE',
    locks: withPartitions(scene, of),
    work: 'catalogue',
    transactional: true,
    lockTimeoutMs,
    loses: null,
    undo: [],
  };
}

/**
 * A statement that locks parts or referenced tables in an order of its own, behind a LOCK TABLE that takes them from the
 * top, as writers do: otherwise the two can meet in a deadlock.
 */
export function lockingFirst(
  scene: Scene,
  tables: readonly [RelationName, ...RelationName[]],
  draft: Draft,
): readonly Draft[] {
  const [first] = tables;
  const lock = {
    ...exclusively(scene, first, ''),
    sql: `LOCK TABLE ${tables.map(qualified).join(', ')} IN ACCESS EXCLUSIVE MODE`,
    locks: [...new Set(tables.flatMap((of) => withPartitions(scene, of)))],
  };
  return [lock, { ...draft, lock: lock.lock, locks: lock.locks, withPrevious: true }];
}

/** A scan that lets everybody read and write: it waits for no reader or writer, so its own patience is the limit. */
export function validating(scene: Scene, of: RelationName, constraint: string): Draft {
  return {
    ...exclusively(scene, of, `VALIDATE CONSTRAINT ${ident(constraint)}`),
    subject: `constraint ${label(of)}.${constraint}`,
    lock: 'SHARE UPDATE EXCLUSIVE',
    work: 'scan',
    lockTimeoutMs: 0,
  };
}

/** Asks whether a valid index of this name is on this table. */
export function indexIsValid(index: RelationName, of: RelationName): string {
  return (
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid` +
    ` JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ${literal(index.schema)}` +
    ` AND c.relname = ${literal(index.name)} AND i.indisvalid` +
    ` AND i.indrelid = pg_catalog.to_regclass(${literal(qualified(of))})) AS done`
  );
}

/** Asks whether no relation of this name is left. */
export function relationIsGone(of: RelationName): string {
  return `SELECT pg_catalog.to_regclass(${literal(qualified(of))}) IS NULL AS done`;
}
