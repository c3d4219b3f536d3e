// The planner's statements become steps that a busy database can take.
import type { Planned, PlannedAction, TargetShape } from '../action.ts';
import { describe, subjectOf } from '../locks.ts';
import { qualified } from '../../sql.ts';
import type { Loss, Step } from '../step.ts';
import { arrange, remade, type Unit } from './arrange.ts';
import { alterColumn, createColumn, dropColumn } from './column-forms.ts';
import { createConstraint, dropConstraint, replaceConstraint, setNotNull } from './constraint-forms.ts';
import { lockingFirst, plain, type Draft } from './draft.ts';
import { grouped, type Change } from './group.ts';
import { createIndex, dropIndex, replaceIndex } from './index-forms.ts';
import { inUse, isPartitioned, keyOf, sceneOf, type Scene } from './scene.ts';
import { withWayBack, type Expanded } from './way-back.ts';

/**
 * Rewrites a plan into online steps, each with its lock, its work, what it loses and its way back. On tables that are
 * new or empty the planner's own statements are kept.
 * @param planned both directions, with the facts of both ends
 * @param shape what the target's tables hold now
 * @returns the steps, numbered from 1
 * @throws HoldfastError HF_COLUMN_NEEDS_DEFAULT for a NOT NULL column without a default on a table with rows
 */
export function toSteps(planned: Planned, shape: TargetShape): readonly Step[] {
  const { forward, backward, found, goal } = planned;
  const there = sceneOf(forward, { before: found, after: goal, shape, backward: false });
  const changes = arrange(forward, (create) => replacement(create, there) !== undefined)
    .map((unit) => expand(unit, there))
    .filter(isChange);
  const replaced = new Set(
    changes.flatMap(({ replaces, actions }) => (replaces ? actions.map(subjectKey) : [])),
  );
  const back = sceneOf(backward, { before: goal, after: found, shape, backward: true });
  const wayBack = arrange(
    backward,
    (create) => replaced.has(subjectKey(create)) && replacement(create, back) !== undefined,
  );
  const returning = withWayBack(
    changes,
    wayBack.map((unit) => expand(unit, back)),
  );
  const again = remade(forward);
  return grouped(
    changes.map((change, at): Change => ({
      actions: change.actions,
      drafts: returning[at] ?? [],
      remakes: change.actions
        .flatMap((action) => [...action.destroys, ...action.produces].map(keyOf))
        .filter((key) => again.has(key)),
    })),
  );
}

function subjectKey(action: PlannedAction): string {
  return keyOf(subjectOf(action));
}

function expand(unit: Unit, scene: Scene): Expanded {
  if (unit.kind === 'one')
    return { actions: [unit.action], drafts: drafts(unit.action, scene), replaces: false };
  const { drop, create } = unit;
  return { actions: [drop, create], drafts: replacement(create, scene) ?? [], replaces: true };
}

/** What turned out to change nothing takes no part, and nothing may hang its way back on it. */
function isChange({ drafts }: Expanded): boolean {
  return drafts.length > 0;
}

function replacement(create: PlannedAction, scene: Scene): readonly Draft[] | undefined {
  const { kind } = subjectOf(create);
  if (kind === 'index') return replaceIndex(create, scene);
  if (kind === 'constraint' && create.consumes[0]?.kind === 'table') return replaceConstraint(create, scene);
  return undefined;
}

type Form = (action: PlannedAction, scene: Scene) => readonly Draft[];

// By kind of the subject and verb; whatever is not here is quick, or has no online form, and stays as it is.
const FORMS: Readonly<Record<string, Form>> = {
  'index create': createIndex,
  'index drop': dropIndex,
  'constraint create': createConstraint,
  'constraint drop': dropConstraint,
  'constraint alter': (action, scene) => [
    { ...plain(action, scene), ...(isValidate(action) ? validates : {}) },
  ],
  'column create': createColumn,
  'column alter': (action, scene) =>
    action.sql.endsWith(' SET NOT NULL') ? setNotNull(action, scene) : alterColumn(action, scene),
  'column drop': dropColumn,
  'table alter': (action, scene) => [
    { ...plain(action, scene), work: action.rewriteRisk ? 'rewrite' : 'catalogue' },
  ],
  'table drop': dropTable,
  'materializedView create': (action, scene) => [{ ...plain(action, scene), work: 'build' }],
  'materializedView drop': dropMaterializedView,
  'sequence drop': dropSequence,
  'trigger drop': dropTrigger,
  'type alter': (action, scene) => [
    { ...plain(action, scene), work: action.rewriteRisk ? 'rewrite' : 'catalogue' },
  ],
};

const validates = { work: 'scan', lockTimeoutMs: 0 } as const;

function isValidate(action: PlannedAction): boolean {
  return action.sql.includes(' VALIDATE CONSTRAINT ');
}

function drafts(action: PlannedAction, scene: Scene): readonly Draft[] {
  const form = FORMS[`${subjectOf(action).kind} ${action.verb}`];
  if (form === undefined || isMeta(action)) return [plain(action, scene)];
  return form(action, scene);
}

// Grants, comments and owners are about an object without changing it.
function isMeta(action: PlannedAction): boolean {
  return /^(GRANT|REVOKE|COMMENT ON) | OWNER TO /.test(action.sql);
}

function dropTable(action: PlannedAction, scene: Scene): readonly Draft[] {
  const { schema = '', name = '' } = subjectOf(action);
  const probe = `SELECT EXISTS (SELECT FROM ${qualified({ schema, name })}) AS lost`;
  return [losing(action, scene, { what: 'every row of the table', probe })];
}

function dropSequence(action: PlannedAction, scene: Scene): readonly Draft[] {
  const { schema = '', name = '' } = subjectOf(action);
  const probe = `SELECT is_called AS lost FROM ${qualified({ schema, name })}`;
  return [losing(action, scene, { what: 'the number the sequence has reached', probe })];
}

// DROP TRIGGER takes a partitioned table's partitions before the table itself.
function dropTrigger(action: PlannedAction, scene: Scene): readonly Draft[] {
  const { schema = '', table = '' } = subjectOf(action);
  const on = { schema, name: table };
  const draft = plain(action, scene);
  return isPartitioned(scene, on) && inUse(scene, on) ? lockingFirst(scene, [on], draft) : [draft];
}

// Its rows were computed, so they are lost only where the query that gave them goes for good.
function dropMaterializedView(action: PlannedAction, scene: Scene): readonly Draft[] {
  if (scene.backward || scene.made.has(keyOf(subjectOf(action)))) return [plain(action, scene)];
  return [losing(action, scene, { what: 'the stored rows of the view, as of its last refresh' })];
}

function losing(action: PlannedAction, scene: Scene, loss: Omit<Loss, 'object'>): Draft {
  return { ...plain(action, scene), loses: { object: describe(subjectOf(action)), ...loss } };
}
