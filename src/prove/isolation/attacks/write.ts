// Attacks that change: rows made for, moved to, changed in or pointed at another owner's; each attempt is rolled back.
import { label } from '../../../define/model.ts';
import { ident, qualified } from '../../../sql.ts';
import { valueIn } from '../../boundary/index.ts';
import type { Row, World } from '../../rows/index.ts';
import type { Settings } from '../attacker.ts';
import { changesToOthers, valueSql, without } from '../inspector.ts';
import type { Column, Target } from '../objects.ts';
import {
  attempt,
  insertSql,
  ownerColumns,
  settingNames,
  settingsOf,
  stateOf,
  whereRow,
  type Stage,
} from '../stage.ts';
import { changed, changing, written } from './changing.ts';
import { attackKeys } from './keys.ts';
import { given, type Scene } from './scene.ts';

/** Tries every way of writing through every relation as every role. */
export async function attackWrites(stage: Stage): Promise<void> {
  for (const table of stage.targets.filter(
    (one) => !one.partition && (one.kind === 'r' || one.kind === 'p'),
  )) {
    stage.checkpoint();
    const scenes = scenesOf(stage, table);
    for (const scene of scenes) await attackRows(scene);
    for (const [viewer, victim] of pairs(stage)) {
      const those = scenes.filter((one) => one.viewer === viewer);
      const theirs = lastRow(stage, { table, world: victim });
      if (theirs !== undefined) {
        await without(stage, { of: table, row: theirs }, async () => {
          for (const scene of those) await attackAsOther(scene, theirs);
        });
      }
      const own = lastRow(stage, { table, world: viewer });
      if (own !== undefined) {
        await without(stage, { of: table, row: own }, async () => {
          for (const scene of those) await attackKeys(scene, own);
        });
      }
    }
  }
}

function pairs(stage: Stage): readonly [World, World][] {
  const [first, last] = stage.viewers;
  if (first === undefined || last === undefined || first === last) return [];
  return [
    [first, last],
    [last, first],
  ];
}

/** The table, its partitions, and the views that write to it alone. */
function scenesOf(stage: Stage, table: Target): readonly Scene[] {
  const through = stage.targets.filter(
    (one) =>
      label(one.root) === label(table) ||
      (one.kind === 'v' && one.writable && one.bases.includes(table.oid) && one.columns.some(inside(table))),
  );
  return through.flatMap((target) =>
    stage.crews.flatMap((crew) =>
      pairs(stage).map(([viewer, victim]) => ({ stage, crew, target, table, viewer, victim })),
    ),
  );
}

function inside(table: Target): (column: Column) => boolean {
  return (column) => table.columns.some((one) => one.name === column.name);
}

function lastRow(stage: Stage, { table, world }: { table: Target; world: World }): Row | undefined {
  return stage.witness.rowsOf(table, world).at(-1);
}

/** Writes to rows that are there. */
async function attackRows(scene: Scene): Promise<void> {
  const { target, table, stage, victim } = scene;
  const rows = stage.witness.rowsOf(table, victim);
  const row = rows[0];
  if (row === undefined && stage.witness.sharedOf(table).length === 0) return;
  const into = qualified(target);
  if (row !== undefined) {
    const where = rows.map((one) => `(${whereRow(table, one)})`).join(' OR ');
    for (const set of assignments(scene, row)) {
      await changing(scene, 'update', [`UPDATE ${into} SET ${set} WHERE ${where}`]);
      await changing(scene, 'update', [`UPDATE ${into} SET ${set}`]);
    }
    await changing(scene, 'update', [`UPDATE ${into} SET ${selfAssignment(scene)} RETURNING *`]);
    await changing(scene, 'delete', [`DELETE FROM ${into} WHERE ${where}`]);
    await blindDelete(scene);
    await merge(scene, row);
    await take(scene);
    const [set] = assignments(scene, row);
    const blind = [...(set === undefined ? [] : [`UPDATE ${into} SET ${set}`]), `DELETE FROM ${into}`];
    for (const statement of blind) await writeWithout(scene, statement);
  }
  await changing(scene, 'TRUNCATE', [`TRUNCATE ${into} CASCADE`]);
  await lock(scene);
  await sideEffects(scene);
}

/** Columns a role may change without moving the row or breaking a key; the first two, text first. */
function assignments({ crew, target, table, stage }: Scene, row: Row): readonly string[] {
  const fixed = new Set([
    ...ownerColumns(stage, table),
    ...table.uniques.flatMap((one) => one.columns),
    ...table.references.flatMap((one) => one.columns),
  ]);
  const may = crew.rights.get(target.oid)?.update ?? [];
  const usable = target.columns.filter(
    (column) =>
      !column.generated &&
      !column.identity &&
      column.name in row.values &&
      (may.length === 0 || may.includes(column.name)),
  );
  const plain = usable.filter((column) => !fixed.has(column.name));
  const chosen = [...plain.filter((one) => /text|char/.test(one.type)), ...plain, ...usable].slice(0, 1);
  return chosen.map((column) => `${ident(column.name)} = ${valueSql(row.values[column.name])}`);
}

/** A column set to itself: needs the right to read it, so that both policies are asked. */
function selfAssignment({ crew, target }: Scene): string {
  const may = crew.rights.get(target.oid)?.update ?? [];
  const column = target.columns.find(
    (one) => !one.generated && !one.identity && (may.length === 0 || may.includes(one.name)),
  );
  const name = ident(column?.name ?? target.columns[0]?.name ?? 'x');
  return `${name} = ${name}`;
}

/** DELETE without WHERE asks the DELETE policies alone; rows that point to the table are taken away before. */
async function blindDelete(scene: Scene): Promise<void> {
  const { stage, crew, target, table, viewer } = scene;
  const settings = settingsOf(stage, viewer);
  const statements = [`DELETE FROM ${qualified(target)}`];
  const again = { role: crew.role, settings, statements, viewer, ...written(scene) };
  await attempt(stage, {
    object: label(target),
    attack: 'delete',
    crew,
    state: stateOf(viewer),
    settings,
    statements,
    judge: async (seen) => {
      if (seen.error?.code !== '23503') return changed(scene, { seen, attack: 'delete', again });
      const pointing = stage.targets.filter(
        (one) =>
          !one.partition && one !== table && one.references.some((key) => label(key.to) === label(table)),
      );
      const prepare = pointing.map((one) => `DELETE FROM ${qualified(one)}`);
      return changesToOthers(stage, { ...again, prepare });
    },
  });
}

async function merge(scene: Scene, row: Row): Promise<void> {
  const { target, table } = scene;
  const key = whereRow(table, row);
  const on = key.replaceAll(/(^|\bAND )("(?:[^"]|"")+")/g, '$1t.$2');
  const head = `MERGE INTO ${qualified(target)} AS t USING (SELECT 1 AS one) AS s ON ${on}`;
  const [set] = assignments(scene, row);
  if (set !== undefined) await changing(scene, 'MERGE', [`${head} WHEN MATCHED THEN UPDATE SET ${set}`]);
  await changing(scene, 'MERGE', [`${head} WHEN MATCHED THEN DELETE`]);
}

async function lock({ stage, crew, target, viewer }: Scene): Promise<void> {
  if (target.kind === 'f') return;
  const seen = await attempt(stage, {
    object: label(target),
    attack: 'LOCK',
    crew,
    state: stateOf(viewer),
    settings: settingsOf(stage, viewer),
    statements: [`LOCK TABLE ${qualified(target)} IN ACCESS EXCLUSIVE MODE NOWAIT`],
    judge: () => undefined,
  });
  if (seen.error !== undefined) return;
  stage.board.tell(label(target), 'LOCK');
  stage.board.say({
    subject: 'LOCK TABLE',
    severity: 'info',
    what: `${crew.role} may lock tables that it may change, and so keep every owner waiting.`,
    fix: 'Set lock_timeout and idle_in_transaction_session_timeout for the role; any role that may UPDATE or DELETE may lock.',
  });
}

/** Changes to what the owner may change, where they set something off: triggers, cascades, rows of everybody. */
async function sideEffects(scene: Scene): Promise<void> {
  const { stage, target, table, viewer } = scene;
  const pointed = stage.targets.some((one) => one.references.some((key) => label(key.to) === label(table)));
  if (target.kind === 'v' || (!pointed && table.triggers === 0)) return;
  const own = stage.witness.rowsOf(table, viewer)[0] ?? stage.witness.sharedOf(table)[0];
  if (own === undefined) return;
  const where = whereRow(table, own);
  await changing(scene, 'side effect', [`DELETE FROM ${qualified(target)} WHERE (${where})`]);
  const [set] = assignments(scene, own);
  if (set !== undefined && table.triggers > 0)
    await changing(scene, 'side effect', [`UPDATE ${qualified(target)} SET ${set} WHERE ${where}`]);
  const key = table.primaryKey[0];
  const cascades = stage.targets.some((one) =>
    one.references.some(
      (ref) => label(ref.to) === label(table) && ref.onUpdate !== 'a' && ref.onUpdate !== 'r',
    ),
  );
  if (cascades && key !== undefined && stage.witness.sharedOf(table).includes(own))
    await changing(scene, 'side effect', [
      `UPDATE ${qualified(target)} SET ${ident(key)} = ${ident(key)} || 'x' WHERE ${where}`,
    ]);
}

/** Rows made for or moved to another owner, while that owner's row is out of the way. */
async function attackAsOther(scene: Scene, theirs: Row): Promise<void> {
  const { target, table, viewer, stage } = scene;
  const values = given(scene, theirs);
  await changing(scene, 'insert', [insertSql(target, values)]);
  await writeWithout(scene, insertSql(target, values));
  for (const other of disguises(scene, values)) await changing(scene, 'insert', [insertSql(target, other)]);
  await partitionLetsThrough(scene, insertSql(target, values));
  const key = conflictKey(table);
  const [set] = assignments(scene, theirs);
  if (key !== undefined && set !== undefined && target.kind !== 'f')
    await changing(scene, 'upsert', [
      `${insertSql(target, values)} ON CONFLICT (${key}) DO UPDATE SET ${set}`,
    ]);
  await existing(scene);
  const mine = stage.witness.rowsOf(table, viewer)[0];
  const moved = movedColumns(scene);
  if (mine === undefined || moved.length === 0) return;
  const where = whereRow(table, mine);
  const owners = new Set(ownerColumns(stage, table));
  for (const columns of [moved.filter((name) => owners.has(name)), moved]) {
    if (columns.length === 0) continue;
    const set = columns.map((name) => `${ident(name)} = ${valueSql(theirs.values[name])}`).join(', ');
    await changing(scene, 'move', [`UPDATE ${qualified(target)} SET ${set} WHERE ${where}`]);
    await changing(scene, 'move', [`UPDATE ${qualified(target)} SET ${set}`]);
  }
}

/** A session that works for nobody writes to nobody's rows, or to all: once for the two owners. */
async function writeWithout(scene: Scene, statement: string): Promise<void> {
  const { stage, crew, target, viewer } = scene;
  if (viewer !== stage.viewers[0]) return;
  const empty = Object.fromEntries(settingNames(stage.boundaries).map((name) => [name, '']));
  for (const [attack, settings] of [
    ['no setting', {}],
    ['empty setting', empty],
  ] as const) {
    const again = {
      role: crew.role,
      settings,
      statements: [statement],
      viewer: undefined,
      ...written(scene),
    };
    await attempt(stage, {
      object: label(target),
      attack,
      crew,
      state: attack,
      settings,
      statements: [statement],
      judge: (seen) => changed({ ...scene, viewer: undefined }, { seen, attack, again }),
      fresh: attack === 'no setting',
    });
  }
}

/** The same row as a policy may let it through: marked as everybody's, or with what the session carries besides. */
function disguises(
  { stage, table, viewer }: Scene,
  values: Readonly<Record<string, string | null>>,
): readonly Record<string, string | null>[] {
  const flags = table.columns.filter((column) => column.type === 'boolean' && column.name in values);
  const open = Object.fromEntries(flags.map((column) => [column.name, 'true']));
  const carried = stage.boundaries.flatMap((one) => one.carries ?? []);
  const own = settingsOf(stage, viewer);
  const mine = Object.fromEntries(
    carried.flatMap((one) =>
      one.column in values ? [[one.column, valueIn(one, own[one.setting] ?? '') ?? null]] : [],
    ),
  );
  return [
    ...(flags.length > 0 ? [{ ...values, ...open }] : []),
    ...(Object.keys(mine).length > 0 ? [{ ...values, ...mine }] : []),
  ];
}

/** Another's rows made one's own. */
async function take(scene: Scene): Promise<void> {
  const { stage, target, table, viewer, victim } = scene;
  const mine = stage.witness.rowsOf(table, viewer)[0];
  const theirs = stage.witness.rowsOf(table, victim)[0];
  const columns = movedColumns(scene);
  if (mine === undefined || theirs === undefined || columns.length === 0) return;
  const owners = new Set(ownerColumns(stage, table));
  for (const some of [columns.filter((name) => owners.has(name)), columns]) {
    if (some.length === 0) continue;
    const set = some.map((name) => `${ident(name)} = ${valueSql(mine.values[name])}`).join(', ');
    await changing(scene, 'move', [
      `UPDATE ${qualified(target)} SET ${set} WHERE ${whereRow(table, theirs)}`,
    ]);
    await changing(scene, 'move', [`UPDATE ${qualified(target)} SET ${set}`]);
  }
}

/**
 * A partition refused the row only for its bounds: policies were asked before and let it through. One that is divided further
 * looks for the row's place first, and asks no policy before that.
 */
async function partitionLetsThrough({ stage, crew, target, viewer }: Scene, insert: string): Promise<void> {
  if (!target.partition || target.kind !== 'r') return;
  const settings: Settings = settingsOf(stage, viewer);
  await attempt(stage, {
    object: label(target),
    attack: 'insert',
    crew,
    state: stateOf(viewer),
    settings,
    statements: [insert],
    judge: ({ error }) =>
      error?.code === '23514' && error.message.includes('violates partition constraint')
        ? `rights and policies let another owner's row through; only the partition's bounds refused this one`
        : undefined,
  });
}

/** Upsert over another's row that is there. */
async function existing(scene: Scene): Promise<void> {
  const { stage, target, table, victim } = scene;
  const rows = stage.witness.rowsOf(table, victim);
  const row = rows.length > 1 ? rows[0] : undefined;
  const key = conflictKey(table);
  if (row === undefined || key === undefined || target.kind === 'f') return;
  const [set] = assignments(scene, row);
  const values = given(scene, row);
  if (set !== undefined)
    await changing(scene, 'upsert', [
      `${insertSql(target, values)} ON CONFLICT (${key}) DO UPDATE SET ${set}`,
    ]);
}

function conflictKey(table: Target): string | undefined {
  return table.primaryKey.length === 0 ? undefined : table.primaryKey.map(ident).join(', ');
}

/** The columns that say whose a row is: owner columns, and keys of rows that are somebody's. */
function movedColumns({ stage, table, crew, target }: Scene): readonly string[] {
  const leading = table.references
    .filter((key) => stage.witness.others(key.to, undefined).length > 0)
    .flatMap((key) => key.columns);
  const may = crew.rights.get(target.oid)?.update ?? [];
  const all = [...new Set([...ownerColumns(stage, table), ...leading])];
  const allowed = all.filter((name) => may.length === 0 || may.includes(name));
  return allowed.filter((name) => target.columns.some((column) => column.name === name && !column.generated));
}
