// What the online forms may ask while they rewrite one direction of a plan: which relations are in use, what they
// hold, what a fact says before and after.
import { qualified } from '../../sql.ts';
import { label, type RelationName } from '../../define/model.ts';
import type { FactView, ObjectId, PlannedAction, TargetShape, TargetTable } from '../action.ts';

/** One direction of a plan with both its ends. */
export interface Scene {
  readonly before: FactView;
  readonly after: FactView;
  readonly shape: TargetShape;
  /** Keys of everything this direction makes. */
  readonly made: ReadonlySet<string>;
  /** Going back, a table that was empty when the plan was made may hold rows by then. */
  readonly backward: boolean;
}

/** Sets the scene for one direction. */
export function sceneOf(
  actions: readonly PlannedAction[],
  between: Pick<Scene, 'before' | 'after' | 'shape' | 'backward'>,
): Scene {
  const made = new Set(actions.flatMap((action) => action.produces.map(keyOf)));
  return { ...between, made };
}

/** One string per identity. */
export function keyOf(id: ObjectId): string {
  const target = id.target === undefined ? '' : keyOf(id.target);
  return JSON.stringify([
    id.kind,
    id.schema,
    id.table,
    id.name,
    id.args,
    target,
    id.grantee,
    id.role,
    id.column,
    id.objtype,
  ]);
}

/** The relation a statement's subject belongs to; undefined for what belongs to none (a function, a type). */
export function relationOf(action: PlannedAction): RelationName | undefined {
  const ids = [...action.produces, ...action.destroys, ...action.consumes].map(base);
  for (const id of ids) {
    if (id.schema === undefined) continue;
    if (id.table !== undefined && action.consumes[0]?.kind !== 'domain')
      return { schema: id.schema, name: id.table };
    if (id.name !== undefined && RELATIONS.has(id.kind)) return { schema: id.schema, name: id.name };
  }
  return undefined;
}

const RELATIONS = new Set(['table', 'view', 'materializedView', 'foreignTable', 'sequence']);

function base(id: ObjectId): ObjectId {
  return id.target === undefined ? id : base(id.target);
}

/** Whether the relation was there before the plan and still is: others may be using it. */
export function inUse(scene: Scene, of: RelationName): boolean {
  for (const kind of RELATIONS) {
    const id: ObjectId = { kind, schema: of.schema, name: of.name };
    if (scene.made.has(keyOf(id)) && scene.before.payload(id) === undefined) return false;
  }
  return true;
}

/** Whether a scan or a build on the relation can take long, so that the online form is worth its steps. */
export function holdsRows(scene: Scene, of: RelationName): boolean {
  const made = ['table', 'materializedView'].some((kind) => scene.made.has(keyOf({ kind, ...named(of) })));
  if (made || !inUse(scene, of)) return false;
  const table = scene.shape.tables.get(label(of));
  if (table === undefined)
    return scene.before.payload({ kind: 'materializedView', ...named(of) }) !== undefined;
  return scene.backward || rowsIn(scene.shape, table);
}

function named(of: RelationName): { schema: string; name: string } {
  return { schema: of.schema, name: of.name };
}

function rowsIn(shape: TargetShape, table: TargetTable): boolean {
  return table.hasRows || table.partitions.some((part) => shape.tables.get(label(part))?.hasRows === true);
}

/** The partitions below a table, inner ones before the leaves; none for a plain table. */
export function partitionsOf(scene: Scene, of: RelationName): TargetTable['partitions'] {
  return scene.shape.tables.get(label(of))?.partitions ?? [];
}

/** Whether the table is partitioned, by what the server or the goal says. */
export function isPartitioned(scene: Scene, of: RelationName): boolean {
  if (scene.shape.tables.get(label(of))?.partitioned === true) return true;
  const id: ObjectId = { kind: 'table', ...named(of) };
  const payload = scene.after.payload(id) ?? scene.before.payload(id);
  return payload?.['partitionKey'] !== undefined && payload['partitionKey'] !== null;
}

/** The relation and everything below it, as `Step.locks` lists them. */
export function withPartitions(scene: Scene, of: RelationName): readonly string[] {
  return [label(of), ...partitionsOf(scene, of).map(label)];
}

/** One value of a fact's payload as text, '' where it is absent. */
export function textOf(view: FactView, id: ObjectId, field: string): string {
  const value = view.payload(id)?.[field];
  return typeof value === 'string' ? value : '';
}

/** `ALTER TABLE "schema"."name"`. */
export function alterTable(of: RelationName): string {
  return `ALTER TABLE ${qualified(of)}`;
}
