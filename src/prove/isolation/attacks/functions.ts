// Attacks through functions: called with one's own and another owner's values, and with objects planted in their path.
import type { RelationName } from '../../../define/model.ts';
import { ident, literal, qualified } from '../../../sql.ts';
import { calls } from '../../boundary/comparisons.ts';
import { valueIn } from '../../boundary/index.ts';
import type { World } from '../../rows/index.ts';
import { opening, type Seen } from '../attacker.ts';
import { changesToOthers } from '../inspector.ts';
import type { Column, Routine } from '../objects.ts';
import { answersByRow } from './answers.ts';
import { attempt, settingNames, settingsOf, stateOf, type Crew, type Stage } from '../stage.ts';

/** How a function is called in the matrix. */
export function routineLabel(routine: Routine): string {
  return routine.signature;
}

/** Calls every function that a role may execute, with its own values and with another owner's. */
export async function attackFunctions(stage: Stage): Promise<void> {
  const outside = reachingOut(stage.routines);
  for (const routine of stage.routines.filter((one) => !one.trigger)) {
    stage.checkpoint();
    if (outside.has(routine)) {
      tellNotCalled(stage, routine);
      continue;
    }
    for (const crew of stage.crews) {
      if (!routine.executors.includes(crew.role)) {
        stage.board.tried(routineLabel(routine), 'call');
        continue;
      }
      for (const viewer of stage.viewers) await callAs({ stage, crew, routine }, viewer);
    }
  }
}

const OUTSIDE =
  /\bdblink\w*\s*\(|\bhttp(_get|_post|_put|_delete|_patch)?\s*\(|\bnet\.http|\baws_\w+\.|\b(TO|FROM)\s+PROGRAM\b|\bpg_(read|write)_(binary_)?file|\blo_(im|ex)port\b|\bcron\./i;

/** Functions that reach past the database, by themselves or by one that they call: a rollback would not take it back. */
export function reachingOut(routines: readonly Routine[]): ReadonlySet<Routine> {
  return withCallers(routines, (one) => one.untrusted || OUTSIDE.test(one.body));
}

/** Routines of which something is true, and those that call one of them, however deep. */
export function withCallers(
  routines: readonly Routine[],
  is: (routine: Routine) => boolean,
): ReadonlySet<Routine> {
  const found = new Set(routines.filter(is));
  for (const one of found) {
    for (const other of routines) if (!found.has(other) && calls(other.body, one.name)) found.add(other);
  }
  return found;
}

function tellNotCalled(stage: Stage, routine: Routine): void {
  if (routine.executors.length === 0) return;
  stage.board.say({
    subject: routineLabel(routine),
    severity: routine.definer ? 'warning' : 'info',
    what: 'it was not called: it reaches past the database, and no rollback takes that back. Nothing is shown about it.',
    fix: 'Read it: whom it lets do what, and whether it filters by the setting.',
  });
}

/** One function, one role. */
export interface Call {
  readonly stage: Stage;
  readonly crew: Crew;
  readonly routine: Routine;
}

async function callAs(call: Call, viewer: World): Promise<void> {
  const { stage, routine } = call;
  const victim = stage.population.worlds.find((world) => world !== viewer);
  if (victim === undefined) return;
  const theirs = argumentsFrom(stage, { routine, world: victim });
  const own = argumentsFrom(stage, { routine, world: viewer });
  for (const given of [...theirs, ...own, ...crafted(routine, own[0] ?? [])]) {
    const seen = await calling(call, { viewer, victim, given, ofVictim: theirs.includes(given) });
    if (given.length <= 1 && seen.error === undefined)
      await leftBehind(call, { statement: callSql(routine, given), victim });
  }
}

interface Calling {
  readonly viewer: World;
  readonly victim: World;
  readonly given: readonly (string | null)[];
  /** The values are the other owner's. */
  readonly ofVictim: boolean;
}

async function calling({ stage, crew, routine }: Call, one: Calling): Promise<Seen> {
  const { viewer, victim, given } = one;
  const statement = callSql(routine, given);
  const settings = settingsOf(stage, viewer);
  const sent = [...given.filter((value) => value !== null), ...Object.values(settings)];
  const object = routineLabel(routine);
  return attempt(stage, {
    object,
    attack: 'call',
    crew,
    state: stateOf(viewer),
    settings,
    statements: routine.cursors ? [statement, CURSORS] : [statement],
    ...(routine.cursors ? { follow: fetchAll } : {}),
    judge: async (seen) => {
      const said = shownBy(stage, { seen, viewer, sent });
      if (said !== undefined || (seen.error !== undefined && seen.error.code !== 'P0001')) return said;
      const changes = { role: crew.role, settings, statements: [statement], viewer };
      const changed = seen.error === undefined ? await changesToOthers(stage, changes) : undefined;
      if (changed !== undefined && meant(stage, object, changed)) return undefined;
      if (changed !== undefined || !routine.definer || stage.board.crossed(object, 'call')) return changed;
      const told = await answersByRow(stage, { session: crew.session, routine, settings, statement, victim });
      if (told === undefined || (one.ofVictim && given.length > 0)) return told;
      stage.board.tell(object, 'call');
      stage.board.say({
        subject: object,
        severity: 'warning',
        what: `it runs as ${routine.owner}, and ${told}.`,
        fix: 'Make sure that what it sums up may be known to every owner, or filter by the setting inside it.',
      });
      return undefined;
    },
  });
}

/** A cursor that a function leaves open reads on with the function's rights, whoever fetches from it. */
const CURSORS = 'SELECT name FROM pg_catalog.pg_cursors';

function fetchAll(first: Seen): readonly string[] {
  const open = first.results.at(-1)?.rows ?? [];
  return open.flatMap(([name]) => (name == null || name === '' ? [] : [`FETCH ALL FROM ${ident(name)}`]));
}

/** A change that somebody said is meant is told, with the reason. */
function meant(stage: Stage, object: string, changed: string): boolean {
  const found = stage.accepted.find((one) => one.subject === undefined || one.subject === object);
  if (found === undefined) return false;
  stage.board.tell(object, 'call');
  stage.board.say({
    subject: object,
    severity: 'info',
    what: `${changed}. It is meant: ${found.because}.`,
    fix: 'Nothing, while the reason holds.',
  });
  return true;
}

const CRAFTED = ['%', '', "' OR true --", "%' OR true --", "') OR true --"];

/** Values that a careless body takes for everybody's: none, patterns, and text that ends a quotation. */
function crafted(routine: Routine, own: readonly (string | null)[]): readonly (readonly (string | null)[])[] {
  if (routine.arguments.length === 0) return [];
  const texts = routine.arguments.map(({ type }) => type === 'text' || type.startsWith('character'));
  const none = routine.arguments.map(() => null);
  if (!texts.includes(true)) return [none];
  return [none, ...CRAFTED.map((value) => own.map((mine, at) => (texts[at] === true ? value : mine)))];
}

/** A value of another owner's row that the session did not send itself. */
export function shownBy(
  stage: Stage,
  { seen, viewer, sent }: { seen: Seen; viewer: World; sent: readonly string[] },
): string | undefined {
  for (const result of seen.results) {
    for (const target of stage.targets) {
      const names = new Set(target.columns.map((column) => column.name));
      const alike = result.columns.length > 1 && result.columns.every((name) => names.has(name));
      const said =
        alike && target.kind !== 'v' ? stage.witness.inTable(target.root, result, viewer) : undefined;
      if (said !== undefined) return said;
    }
  }
  return stage.witness.inSeen(seen, { viewer, given: sent });
}

/** A function that sets the owner for the whole session leaves it to whoever uses the connection next. */
async function leftBehind(
  { stage, crew, routine }: Call,
  by: { statement: string; victim: World },
): Promise<void> {
  if (!/set_config|\bSET\s+(SESSION\s+)?[a-z]/i.test(routine.body)) return;
  const names = settingNames(stage.boundaries);
  if (!names.some((name) => routine.body.includes(name))) return;
  const read = names.map((name) => `pg_catalog.current_setting(${literal(name)}, true)`).join(', ');
  stage.board.tried(routineLabel(routine), 'next request');
  await crew.session.run(`BEGIN; ${by.statement}; COMMIT`);
  const seen = await crew.session.run(`SELECT ${read}`);
  await crew.session.run(names.map((name) => `RESET ${name.split('.').map(ident).join('.')}`).join('; '));
  const left = seen.results[0]?.rows[0]?.find((value) => value !== null && value !== '');
  if (left === undefined || left === null) return;
  stage.board.cross({
    object: routineLabel(routine),
    attack: 'next request',
    role: crew.role,
    state: 'after a transaction of another request on the same connection',
    sql: [opening(crew), 'BEGIN;', `${by.statement};`, 'COMMIT;', `SELECT ${read};`].join('\n'),
    said: `the next request works for ${left}: the setting outlived its transaction`,
  });
}

/** CALL or SELECT with values as untyped literals cast to the parameter's type. */
export function callSql(routine: Routine, given: readonly (string | null)[]): string {
  const list = given.map((value, at) => {
    const type = routine.arguments[at]?.type ?? 'text';
    return value === null ? `NULL::${type}` : `${literal(value)}::${type}`;
  });
  const call = `${qualified(routine)}(${list.join(', ')})`;
  return routine.kind === 'p' ? `CALL ${call}` : `SELECT * FROM ${call} AS called`;
}

const MOST_TRIES = 4;

/**
 * Values of an owner for a function's parameters: the owner's own setting for one named like an owner column, the column
 * of the same name without prefix, a key of the table that the name speaks of, a column that the body compares the
 * parameter with, else any value of that type.
 */
export function argumentsFrom(
  stage: Stage,
  { routine, world }: { routine: Routine; world: World },
): readonly (readonly (string | null)[])[] {
  const lists = routine.arguments.map(({ name, type }, at) =>
    valuesFor(stage, { name, type, world, compared: comparedWith(routine, { name, at }) }),
  );
  if (lists.length === 0) return [[]];
  const longest = Math.min(MOST_TRIES, Math.max(...lists.map((list) => list.length), 1));
  return Array.from({ length: longest }, (_, at) =>
    lists.map((list) => list[at % Math.max(1, list.length)] ?? null),
  );
}

/** Columns, by their bare names, that stand beside the parameter in a comparison of the body. */
function comparedWith(
  { body, name: routine }: Routine,
  { name, at }: { name: string; at: number },
): ReadonlySet<string> {
  const names = [
    `\\$${at + 1}`,
    ...(/^\w+$/.test(name) ? [`(?:${routine.replaceAll(/\W/g, '.')}\\.)?${name}`] : []),
  ];
  const parameter = `(?:${names.join('|')})(?![\\w.])`;
  const beside = new RegExp(
    `(\\w+)"?\\)?(?:::\\w+)?\\s*(?:=|~~|LIKE)\\s*\\(?${parameter}|(?<![\\w.])${parameter}(?:::\\w+)?\\s*=\\s*(?:\\w+\\.)?"?(\\w+)`,
    'gi',
  );
  return new Set([...body.matchAll(beside)].map((match) => (match[1] ?? match[2] ?? '').toLowerCase()));
}

function valuesFor(
  stage: Stage,
  {
    name,
    type,
    world,
    compared,
  }: { name: string; type: string; world: World; compared: ReadonlySet<string> },
): readonly (string | null)[] {
  const bare = name.replace(/^(p|in|arg|v|_)_?/i, '').toLowerCase() || name.toLowerCase();
  const owners = stage.boundaries.flatMap((one) =>
    one.tables.some(({ column }) => [name, bare, `${bare}_id`].includes(column)) || bare.includes(one.name)
      ? [valueIn(one, world.settings[one.setting] ?? '') ?? null]
      : [],
  );
  const found: { value: string; weight: number }[] = [];
  for (const target of stage.targets) {
    if (target.partition || !['r', 'p'].includes(target.kind)) continue;
    const row = stage.witness.rowsOf(target, world)[0];
    for (const column of row === undefined ? [] : target.columns) {
      const value = row?.values[column.name];
      if (value == null || !fits(column.type, type) || isBearer(target, column)) continue;
      const singular = target.name.replace(/s$/, '');
      const weight =
        (column.name === name || column.name === bare ? 4 : 0) +
        (compared.has(column.name) ? 3 : 0) +
        (target.primaryKey.includes(column.name) && [`${singular}_id`, singular].includes(bare) ? 5 : 0) +
        (target.primaryKey.includes(column.name) ? 1 : 0);
      found.push({ value, weight });
    }
  }
  found.sort((left, right) => right.weight - left.weight);
  const all = [...owners.filter((value) => value !== null), ...found.map(({ value }) => value)];
  if (all.length > 0) return [...new Set(all)].slice(0, MOST_TRIES);
  return [DEFAULTS.get(type) ?? null];
}

const BEARER = /[._](token|secret|otp|nonce)(_|$)|(invit|verif|reset|recover)\w*[._]code$/i;

/** A text that a function of the server makes, or that is called a secret: who knows it is meant to be let in. */
function isBearer(table: RelationName, { name, type, selfMade }: Column): boolean {
  return plain(type) === 'text' && (selfMade || BEARER.test(`${table.name}.${name}`));
}

const DEFAULTS: ReadonlyMap<string, string> = new Map([
  ['integer', '1'],
  ['bigint', '1'],
  ['smallint', '1'],
  ['boolean', 'true'],
  ['text', '%'],
  ['character varying', '%'],
]);

const NUMBERS = new Set(['smallint', 'integer', 'bigint', 'numeric']);

/** Types alike enough that a value of the one reads as the other. */
function fits(column: string, parameter: string): boolean {
  const [left, right] = [plain(column), plain(parameter)];
  return left === right || (NUMBERS.has(left) && NUMBERS.has(right));
}

function plain(type: string): string {
  return type.replace(/\(.*\)/, '').replace(/^(character varying|text)$/, 'text');
}
