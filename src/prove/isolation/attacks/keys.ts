// Attacks by what a key refuses or lets through: pointing at another owner's row, and learning that it is there.
import { label } from '../../../define/model.ts';
import { ident, qualified } from '../../../sql.ts';
import type { Row } from '../../rows/index.ts';
import type { Seen } from '../attacker.ts';
import type { Reference, Target, Unique } from '../objects.ts';
import { attempt, insertSql, ownerColumns, settingsOf, stateOf, whereRow } from '../stage.ts';
import { altered, leavesRows, without } from '../inspector.ts';
import { changing } from './changing.ts';
import { given, type Scene } from './scene.ts';

/** Tries to point at another's rows and to learn of them, while the owner's own row is out of the way to be made again. */
export async function attackKeys(scene: Scene, own: Row): Promise<void> {
  for (const key of scene.table.references) await pointAt(scene, { key, own });
  for (const unique of scene.table.uniques) {
    const theirs = scene.stage.witness.rowsOf(scene.table, scene.victim)[0];
    if (theirs === undefined) continue;
    const meeting = meets(unique.condition);
    if (Object.keys(meeting).length === 0) await learnOf(scene, { unique, own, theirs, meeting });
    else
      await altered(scene.stage, { of: scene.table, row: theirs, values: meeting }, () =>
        learnOf(scene, { unique, own, theirs, meeting }),
      );
  }
  if (scene.table.triggers > 0 && scene.target.kind !== 'v') await learnByTriggers(scene, own);
  if (scene.table.triggers > 0 && scene.target.kind !== 'v')
    await changing(scene, 'side effect', [insertSql(scene.target, given(scene, own))]);
}

/** The owner's own row with a foreign key that leads to another's row. */
async function pointAt(scene: Scene, { key, own }: { key: Reference; own: Row }): Promise<void> {
  const { stage, table, target, victim, viewer } = scene;
  const theirs = stage.witness.rowsOf(key.to, victim)[0];
  if (theirs === undefined) return;
  const owners = new Set(ownerColumns(stage, table));
  const changes = key.columns.flatMap((name, at) =>
    owners.has(name) ? [] : [[name, theirs.values[key.toColumns[at] ?? ''] ?? null] as const],
  );
  if (changes.length === 0 || changes.some(([, value]) => value === null)) return;
  const pointing = Object.fromEntries(changes);
  // With an owner column in the key the row still points to a row of its own owner, if to any.
  const whole = changes.length === key.columns.length;
  const judged = (statement: string): Trying => ({
    attack: 'foreign key',
    statement,
    judge: async (seen) =>
      whole &&
      seen.error === undefined &&
      seen.results.some((result) => result.count > 0) &&
      (await pointsThere(scene, { statement, pointing }))
        ? `a row of owner ${viewer.number} now points to a row of owner ${victim.number} in ${label(key.to)}`
        : undefined,
  });
  await trying(scene, judged(insertSql(target, { ...given(scene, own), ...pointing })));
  const mine = stage.witness.rowsOf(table, viewer).find((row) => row !== own);
  if (mine === undefined) return;
  const set = changes
    .map(([name, value]) => `${ident(name)} = ${value === null ? 'NULL' : quoted(value)}`)
    .join(', ');
  await trying(scene, judged(`UPDATE ${qualified(target)} SET ${set} WHERE ${whereRow(table, mine)}`));
}

/** Triggers and rules may have put another value in the place of the one that was sent. */
async function pointsThere(
  scene: Scene,
  { statement, pointing }: { statement: string; pointing: Values },
): Promise<boolean> {
  const { stage, crew, target, table, viewer } = scene;
  if (table.triggers === 0 && table.rules === 0 && target.kind !== 'v') return true;
  const again = { role: crew.role, settings: settingsOf(stage, viewer), statements: [statement], viewer };
  return leavesRows(stage, { ...again, table, values: pointing });
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

interface Learning {
  readonly unique: Unique;
  readonly own: Row;
  readonly theirs: Row;
  /** Values with which a row meets the condition of a partial index. */
  readonly meeting: Values;
}

type Values = Readonly<Record<string, string | null>>;

/** The values a simple condition asks for: `x IS NULL`, `x = 'a'`, `x`, `NOT x`. */
function meets(condition: string): Values {
  const found: Record<string, string | null> = {};
  for (const [, name] of condition.matchAll(/"?(\w+)"? IS NULL/g)) found[name ?? ''] = null;
  for (const [, name, value] of condition.matchAll(/"?(\w+)"?\)?(?:::[\w ]+)? = '([^']*)'/g))
    found[name ?? ''] = value ?? '';
  for (const [, not, name] of condition.matchAll(/^\(?(NOT )?"?(\w+)"?\)?$/g))
    found[name ?? ''] = String(not === undefined);
  return found;
}

/** The owner's own row with another's key: the refusal tells that the other row is there. */
async function learnOf(scene: Scene, { unique, own, theirs, meeting }: Learning): Promise<void> {
  const { stage, table, target, victim, viewer } = scene;
  if (bound(scene, unique)) return;
  if (unique.columns.some((name) => theirs.values[name] == null)) return;
  if (spans(scene, unique)) return;
  const taken = {
    ...Object.fromEntries(unique.columns.map((name) => [name, theirs.values[name] ?? null])),
    ...meeting,
  };
  const insert = insertSql(target, { ...given(scene, own), ...taken });
  const told = made(table, unique);
  const judge = (seen: Seen): string | undefined => {
    const refused = seen.error !== undefined && ['23505', '23P01'].includes(seen.error.code);
    const skipped = seen.error === undefined && seen.results.every((result) => result.count === 0);
    if (!refused && !skipped) return undefined;
    const said = seen.error?.message ?? 'the row was passed over';
    if (!told) return `${said}: so owner ${victim.number} has it`;
    stage.board.tell(label(target), 'existence');
    stage.board.say({
      subject: 'keys that the server makes',
      severity: 'info',
      what: 'whoever guesses such a key learns whether any owner has it; nobody chooses its values, so they say nothing more.',
      fix: 'Lead the key with the owner column, or leave it: a random uuid is not guessed.',
    });
    return undefined;
  };
  await trying(scene, { attack: 'existence', statement: insert, judge });
  if (target.kind !== 'f')
    await trying(scene, { attack: 'upsert', statement: `${insert} ON CONFLICT DO NOTHING`, judge });
  const mine = stage.witness.rowsOf(table, viewer).find((row) => row !== own);
  if (mine === undefined) return;
  const set = unique.columns
    .map((name) => `${ident(name)} = ${quoted(theirs.values[name] ?? '')}`)
    .join(', ');
  await trying(scene, {
    attack: 'existence',
    statement: `UPDATE ${qualified(target)} SET ${set} WHERE ${whereRow(table, mine)}`,
    judge: (seen) => (seen.error === undefined ? undefined : judge(seen)),
  });
}

const MOST_COLUMNS = 8;
const REFUSALS = new Set(['23505', '23P01', 'P0001']);

/** The owner's own row with one value of another's: a trigger that refuses it for that tells that the value is there. */
async function learnByTriggers(scene: Scene, own: Row): Promise<void> {
  const { stage, crew, table, target, victim, viewer } = scene;
  const theirs = stage.witness.rowsOf(table, victim)[0];
  const fixed = new Set([...ownerColumns(stage, table), ...table.references.flatMap((key) => key.columns)]);
  const values = given(scene, own);
  const columns = Object.keys(values).filter((name) => !fixed.has(name) && theirs?.values[name] != null);
  if (theirs === undefined) return;
  for (const name of columns.slice(0, MOST_COLUMNS)) {
    const value = theirs.values[name] ?? '';
    const statement = insertSql(target, { ...values, [name]: value });
    const settings = settingsOf(stage, viewer);
    const judge = async ({ error }: Seen): Promise<string | undefined> => {
      if (error === undefined || !REFUSALS.has(error.code)) return undefined;
      if (table.uniques.some((one) => error.message.includes(`"${one.name}"`))) return undefined;
      let alone: Seen | undefined;
      await without(stage, { of: table, row: theirs }, async () => {
        alone = await crew.session.attempt(settings, [statement]);
      });
      const other = alone?.error?.message !== error.message;
      return alone !== undefined && other
        ? `${error.message}: said only while owner ${victim.number} has the row`
        : undefined;
    };
    await trying(scene, { attack: 'existence', statement, judge });
  }
}

/** A key that an owner column, or the key of a row that is somebody's, is part of: two owners cannot meet in it. */
function bound({ stage, table }: Scene, unique: Unique): boolean {
  const owners = ownerColumns(stage, table);
  const leading = table.references
    .filter((key) => stage.witness.others(key.to, undefined).length > 0)
    .flatMap((key) => key.columns);
  return unique.columns.some((name) => owners.includes(name) || leading.includes(name));
}

/** Whether somebody said that this key may span owners. */
function spans({ stage, table }: Scene, unique: Unique): boolean {
  return stage.boundaries.some((boundary) =>
    boundary.spanning.some(
      (one) =>
        label(one.of) === label(table) &&
        one.columns.length === unique.columns.length &&
        one.columns.every((name) => unique.columns.includes(name)),
    ),
  );
}

/** Keys whose values the server makes tell nothing that a person chose. */
function made(table: Target, unique: Unique): boolean {
  const time = /^(timestamp|date)/;
  return unique.columns.every((name) => {
    const column = table.columns.find((one) => one.name === name);
    return column !== undefined && (column.selfMade || column.type === 'uuid' || time.test(column.type));
  });
}

interface Trying {
  readonly attack: 'foreign key' | 'existence' | 'upsert';
  readonly statement: string;
  readonly judge: (seen: Seen) => string | undefined | Promise<string | undefined>;
}

async function trying({ stage, crew, target, viewer }: Scene, one: Trying): Promise<void> {
  await attempt(stage, {
    object: label(target),
    attack: one.attack,
    crew,
    state: stateOf(viewer),
    settings: settingsOf(stage, viewer),
    statements: [one.statement, 'SET CONSTRAINTS ALL IMMEDIATE'],
    judge: one.judge,
  });
}
