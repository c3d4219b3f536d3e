// What every attack is given: the copy, its rows, its objects, and sessions to try with.
import { close } from '../../server/connection.ts';
import { label, type RelationName } from '../../define/model.ts';
import type { Accepted, Boundary } from '../../define/proof.ts';
import { ident, literal, qualified } from '../../sql.ts';
import { loginsBehind, textWith, valueIn } from '../boundary/index.ts';
import type { Copy } from '../copy/index.ts';
import type { Population, Row, World } from '../rows/index.ts';
import { Attacker, script, type Follow, type Logged, type Seen, type Settings } from './attacker.ts';
import type { Attack, Board } from './board.ts';
import { readRights, readRoutines, type Rights, type Routine, type Target } from './objects.ts';
import { toldAsPublic } from './public-rows.ts';
import { Witness, type Base } from './witness.ts';

/** Everything an attack needs. */
export interface Stage {
  readonly copy: Copy;
  readonly boundaries: readonly Boundary[];
  readonly population: Population;
  readonly witness: Witness;
  readonly board: Board;
  readonly targets: readonly Target[];
  readonly routines: readonly Routine[];
  readonly crews: readonly Crew[];
  /** Owners that try: the first and the last, so that a line drawn by order is crossed one way or the other. */
  readonly viewers: readonly World[];
  readonly checkpoint: () => void;
  readonly accepted: readonly Accepted[];
}

/** The sessions of one role. */
export interface Crew extends Logged {
  readonly rights: ReadonlyMap<number, Rights>;
  /** Used for everything that sets something. */
  readonly session: Attacker;
  /** Never sets the boundary's settings. */
  readonly fresh: Attacker;
  /** Relations, by label, on which the role has no right at all. */
  readonly rightless: ReadonlySet<string>;
  /** What was refused for want of any right, as `object attack`: the same check refuses it whatever the rows are. */
  readonly refused: Set<string>;
}

/** What {@link openStage} is given. */
export interface StageSource extends Pick<
  Stage,
  'copy' | 'boundaries' | 'population' | 'board' | 'checkpoint' | 'targets' | 'accepted'
> {
  readonly roles: readonly string[];
}

/** Reads the copy and opens two sessions for each role; `work` gets the stage, and sessions are ended whatever happens. */
export async function withStage<T>(source: StageSource, work: (stage: Stage) => Promise<T>): Promise<T> {
  const { copy, roles, population, boundaries } = source;
  const routines = await readRoutines(copy.query, roles);
  const clients: Awaited<ReturnType<Copy['login']>>[] = [];
  const login = async ({ role, through }: Logged): Promise<Attacker> => {
    const client = await copy.login(through ?? role);
    clients.push(client);
    if (through !== undefined) await client.query(`SET ROLE ${ident(role)}`);
    return new Attacker(role, client);
  };
  try {
    const crews: Crew[] = [];
    const behind = await loginsBehind(copy.query);
    for (const role of roles) {
      const rights = await readRights(copy.query, role);
      const rightless = new Set(source.targets.filter((one) => hasNone(rights.get(one.oid))).map(label));
      const through = behind.get(role);
      const logged = through === undefined ? { role } : { role, through };
      const sessions = { session: await login(logged), fresh: await login(logged) };
      crews.push({ ...logged, rights, ...sessions, rightless, refused: new Set() });
    }
    const { worlds } = population;
    const viewers =
      worlds.length < 2 ? worlds : [worlds[0], worlds.at(-1)].filter((one) => one !== undefined);
    const witness = new Witness(population, boundaries);
    return await work({ ...source, routines, crews, viewers, witness });
  } finally {
    await Promise.all(clients.map(close));
  }
}

function hasNone(rights: Rights | undefined): boolean {
  if (rights === undefined) return false;
  const columns = rights.select.length + rights.insert.length + rights.update.length;
  return columns === 0 && !rights.delete && !rights.truncate;
}

/** The settings of a session that works for an owner: the boundaries' own and what such a session carries besides. */
export function settingsOf(stage: Pick<Stage, 'boundaries' | 'witness'>, world: World): Settings {
  const settings: Record<string, string> = { ...world.settings };
  for (const one of stage.boundaries.flatMap((boundary) => boundary.carries ?? [])) {
    const value = stage.witness.rowsOf(one.of, world)[0]?.values[one.column];
    const text = settings[one.setting];
    const there = text === undefined ? undefined : valueIn(one, text);
    if (value != null && there === undefined) settings[one.setting] = textWith(one, value, text);
  }
  return settings;
}

/** The value of each setting of an owner's session, that in JSON by itself; undefined where it has none. */
export function spokenBy(
  stage: Pick<Stage, 'boundaries' | 'witness'>,
  world: World,
): readonly (string | undefined)[] {
  const settings = settingsOf(stage, world);
  return stage.boundaries.flatMap(spokenIn).map((one) => {
    const text = settings[one.setting];
    return text === undefined ? undefined : valueIn(one, text);
  });
}

/** Everything that a session of a boundary's owner says: who it is, what it has in common with others, what it carries. */
export function spokenIn(boundary: Boundary): readonly Pick<Boundary, 'setting' | 'within'>[] {
  return [boundary, ...(boundary.common ?? []), ...(boundary.carries ?? [])];
}

/** Names of all settings a session may carry. */
export function settingNames(boundaries: readonly Boundary[]): readonly string[] {
  return [...new Set(boundaries.flatMap(spokenIn).map(({ setting }) => setting))];
}

/** One attempt, and who makes it. */
export interface Try {
  readonly object: string;
  readonly attack: Attack;
  readonly crew: Crew;
  readonly state: string;
  readonly settings: Settings;
  readonly statements: readonly string[];
  /** What to run besides in the same transaction. */
  readonly follow?: Follow;
  /** What in the outcome is another owner's; undefined: nothing. */
  readonly judge: (seen: Seen) => string | undefined | Promise<string | undefined>;
  /** Use the session that never set anything. */
  readonly fresh?: boolean;
}

/** Attacks that, where they succeed, show that the session reached rows at all. */
const WRITES = new Set<Attack>(['side effect', 'call', 'update', 'delete', 'insert']);

const REFUSED: Seen = {
  error: { code: '42501', message: 'permission denied', detail: '' },
  results: [],
  notices: [],
  copied: '',
};

/** Makes an attempt and scores it; gives what the session saw. */
export async function attempt(stage: Stage, one: Try): Promise<Seen> {
  const session = one.fresh === true ? one.crew.fresh : one.crew.session;
  const refusal = `${one.object} ${one.attack}`;
  if (one.crew.refused.has(refusal)) return REFUSED;
  stage.board.tried(one.object, one.attack);
  const statements = [...one.statements];
  const { follow } = one;
  const noted = (first: Seen): readonly string[] => {
    const further = follow?.(first) ?? [];
    statements.push(...further);
    return further;
  };
  const seen = await session.attempt(one.settings, one.statements, follow === undefined ? undefined : noted);
  const rightless = one.crew.rightless.has(one.object) && one.attack !== 'SET ROLE';
  if (rightless && seen.error?.code === '42501') one.crew.refused.add(refusal);
  if (
    WRITES.has(one.attack) &&
    one.state.startsWith('setting of') &&
    seen.results.some(({ count }) => count > 0)
  )
    stage.board.saw = true;
  if (stage.board.knows(one.object, one.attack, one.crew.role)) return seen;
  const said = await one.judge(seen);
  if (said !== undefined && !toldAsPublic(stage, one)) {
    stage.board.cross({
      object: one.object,
      attack: one.attack,
      role: one.crew.role,
      state: one.state,
      sql: script(one.crew, one.settings, statements),
      said,
    });
  }
  return seen;
}

/** How a session that works for an owner is called. */
export function stateOf(world: World): string {
  return `setting of owner ${world.number}`;
}

/** What a result of this relation shows of others. */
export function seenThrough(
  stage: Stage,
  target: Target,
  by: { seen: Seen; viewer: World | undefined },
): string | undefined {
  for (const result of by.seen.results) {
    if (result.columns.length === 0) continue;
    const said =
      target.kind === 'v' || target.kind === 'm'
        ? stage.witness.inView(basesOf(stage, target), result, by.viewer)
        : stage.witness.inTable(target.root, result, by.viewer);
    if (said !== undefined) return said;
  }
  return undefined;
}

/** The tables a view is made from. */
export function basesOf(stage: Pick<Stage, 'targets'>, target: Target): readonly Base[] {
  const found = new Map<string, Base>();
  for (const one of stage.targets) {
    if (!target.bases.includes(one.oid) || one.kind === 'v' || one.kind === 'm') continue;
    found.set(label(one.root), {
      of: one.root,
      columns: one.columns.map((column) => column.name),
      keys: [...one.primaryKey, ...one.uniques.flatMap((unique) => unique.columns)],
    });
  }
  return [...found.values()];
}

/** The columns to read: those the role may, or all where it may none, so that the refusal is PostgreSQL's. */
export function readable(crew: Crew, target: Target): string {
  const may = crew.rights.get(target.oid)?.select ?? [];
  return may.length === 0 || may.length === target.columns.length ? '*' : may.map(ident).join(', ');
}

/** A condition that only this row meets. */
export function whereRow(target: Pick<Target, 'columns' | 'primaryKey' | 'uniques'>, row: Row): string {
  const usable = target.columns.filter((column) => column.comparable).map((column) => column.name);
  const unique = target.uniques.find((one) => one.columns.every((name) => row.values[name] != null));
  const key = target.primaryKey.length > 0 ? target.primaryKey : (unique?.columns ?? usable);
  return key
    .filter((name) => name in row.values)
    .map(
      (name) => `${ident(name)} ${row.values[name] == null ? 'IS NULL' : `= ${literal(row.values[name])}`}`,
    )
    .join(' AND ');
}

/** INSERT of a row with the given values. */
export function insertSql(into: RelationName, values: Readonly<Record<string, string | null>>): string {
  const names = Object.keys(values);
  const row = names.map((name) => (values[name] == null ? 'NULL' : literal(values[name])));
  return `INSERT INTO ${qualified(into)} (${names.map(ident).join(', ')}) OVERRIDING SYSTEM VALUE VALUES (${row.join(', ')})`;
}

/** Owner columns of one table, by the boundaries. */
export function ownerColumns(stage: Pick<Stage, 'boundaries'>, of: RelationName): readonly string[] {
  return stage.boundaries.flatMap((one) =>
    one.tables.filter((table) => label(table.of) === label(of)).map((table) => table.column),
  );
}

/** The table whose rows a target holds. */
export function rootOf(stage: Pick<Stage, 'targets'>, of: RelationName): Target | undefined {
  return stage.targets.find((one) => label(one) === label(of));
}
