// Attacks the line between owners on a copy of a database with synthetic rows, and says for each attempt what it gave.
import type { Accepted, Boundary } from '../../define/proof.ts';
import { HoldfastError } from '../../error.ts';
import { label } from '../../define/model.ts';
import { drawnBy, guessBoundaries, type Drawn, type Guess } from '../boundary/index.ts';
import { withCopy, type Copy } from '../copy/index.ts';
import { populate, type Population } from '../rows/index.ts';
import { adopted } from './adopt.ts';
import { standingAlike, type Stand } from './alike.ts';
import { attackFunctions, routineLabel } from './attacks/functions.ts';
import { attackLeftovers } from './attacks/leftovers.ts';
import { attackByPlanting } from './attacks/planted.ts';
import { attackReads } from './attacks/read.ts';
import { attackStanding, DATABASE, sequencesOf } from './attacks/standing.ts';
import { attackWrites } from './attacks/write.ts';
import { ATTACKS, Board } from './board.ts';
import { fillPartitions } from './fill.ts';
import { merged, runsOf, type Run, type RunResult } from './runs.ts';
import { readRoutines, readTargets } from './objects.ts';
import type { Cell, Isolation, IsolationOptions, Told } from './result.ts';
import { reread } from './reread.ts';
import { withStage, type Stage } from './stage.ts';
import { tellStanding } from './tell.ts';

const WORLDS = 2;
const MOST_ROLES = 8;

/**
 * Attacks isolation. The target is only read; the attempts run on a copy of its structure with rows of two owners, each
 * as the role's own login, each in a transaction that is rolled back. What is refused for want of a right has held.
 * Owners that have a part of their name in common are attacked in a run of their own, on a copy of its own.
 * @throws HoldfastError what {@link withCopy} throws; HF_INTERRUPTED when `signal` was aborted
 */
export async function proveIsolation(options: IsolationOptions): Promise<Isolation> {
  const started = performance.now();
  const first = await onCopy(options, async (copy) => {
    const { boundaries, said, undrawn } = await linesOf(copy, options);
    const [run = [], ...others] = runsOf(boundaries);
    const result = await attackCopy({ copy, boundaries: run, options });
    return { boundaries, said, undrawn, others, run: { boundaries: run, result } };
  });
  const others: Run[] = [];
  for (const boundaries of first.others) {
    const done = [first.run, ...others].reduce((sum, { result }) => sum + result.tried, 0);
    const result = await onCopy(options, async (copy) => attackCopy({ copy, boundaries, options, done }));
    others.push({ boundaries, result });
  }
  const { boundaries, said, undrawn, run } = first;
  const why = undrawn === undefined ? {} : { undrawn };
  const result = merged(run, others);
  const told = [...result.told, ...goneOf(options.accepted ?? [], result.objects)];
  return { ...result, ...why, told, boundaries, said, durationMs: Math.round(performance.now() - started) };
}

/** Functions that are said to be meant and are not there. */
function goneOf(accepted: readonly Accepted[], objects: readonly string[]): readonly Told[] {
  return accepted.flatMap(({ code, subject }) =>
    code !== 'isolation' || subject === undefined || objects.includes(subject)
      ? []
      : {
          subject,
          severity: 'info',
          what: 'it is accepted, and no function of that name is there.',
          fix: 'Take it out of what is accepted.',
        },
  );
}

async function onCopy<T>(options: IsolationOptions, work: (copy: Copy) => Promise<T>): Promise<T> {
  const { url, scratchUrl, now, signal, onProgress } = options;
  return withCopy(
    {
      url,
      now,
      ...(scratchUrl === undefined ? {} : { scratchUrl }),
      ...(signal === undefined ? {} : { signal }),
      ...(onProgress === undefined ? {} : { onProgress }),
    },
    work,
  );
}

async function linesOf(
  copy: Copy,
  { boundaries, hints = {} }: IsolationOptions,
): Promise<Guess & Pick<Isolation, 'undrawn'>> {
  if (boundaries !== undefined && boundaries.length > 0) return { boundaries, said: [] };
  const guess = await guessBoundaries(copy.query, hints);
  const drawn = await drawnBy(copy.query);
  const told = hints.column !== undefined || hints.setting !== undefined;
  if (told || drawn === 'setting' || guess.boundaries.length === 0) return guess;
  return { boundaries: [], said: UNDRAWN[drawn].said, undrawn: UNDRAWN[drawn].line };
}

const UNDRAWN: Readonly<Record<Exclude<Drawn, 'setting'>, { line: string; said: readonly string[] }>> = {
  nothing: {
    line: 'nothing in the database keeps owners apart: no table is under row security',
    said: [
      'No table is under row security, and no view or function compares a column with a session setting.',
      'Whatever role the application logs in as reads and writes the rows of every owner it holds rights on; only the WHERE of each statement keeps them apart. There is no line to attack.',
      'Traps found (HT101) names the tables. --column and --setting attack it all the same.',
    ],
  },
  login: {
    line: 'policies ask who logged in, and each owner has a role of its own: that is not attacked',
    said: [
      'Policies compare with current_user or session_user and with no session setting: each owner has a role of its own. The copy has the roles, but not the rows that say which role is whose.',
    ],
  },
};

/** A copy, and what is known of it. */
export interface CopyAttack {
  readonly copy: Copy;
  readonly boundaries: readonly Boundary[];
  readonly options: Pick<IsolationOptions, 'seed' | 'signal' | 'onProgress' | 'accepted'>;
  /** Attempts that other runs made before, for who watches. */
  readonly done?: number;
}

async function attackCopy({ copy, boundaries, options, done = 0 }: CopyAttack): Promise<RunResult> {
  const present = await presentRoles(copy, [...new Set(boundaries.flatMap((one) => one.roles))]);
  const standing = await standingAlike(copy.query, present);
  const stands = standing.slice(0, MOST_ROLES);
  const roles = stands.map(({ role }) => role);
  const nothing: Population = { worlds: [], empty: [], shared: [], notes: [] };
  const population =
    boundaries.length === 0
      ? nothing
      : await populate(copy, {
          boundaries,
          worlds: WORLDS,
          seed: options.seed ?? 1,
          ...(options.signal === undefined ? {} : { signal: options.signal }),
        });
  const objects = await objectsOf(copy);
  const board = new Board(objects);
  sayOfRoles(board, { stands, passed: standing.slice(MOST_ROLES) });
  const checkpoint = (): void => {
    if (options.signal?.aborted === true) throw aborted();
    options.onProgress?.({ proof: 'isolation', doing: 'attacking', done: done + board.attempts });
  };
  if (population.worlds.length >= 2 && roles.length > 0) {
    const targets = await readTargets(copy.query);
    const accepted = (options.accepted ?? []).filter(({ code }) => code === 'isolation');
    const rows = await reread(copy, { population, targets });
    const all = adopted({ population: rows, targets, boundaries });
    await withStage(
      { copy, boundaries, population: all, board, checkpoint, roles, targets, accepted },
      attackAll,
    );
  }
  return {
    roles,
    attacks: ATTACKS,
    objects,
    cells: shownCells(board, population),
    crossings: board.crossings,
    told: board.told,
    empty: population.empty,
    left: copy.left,
    notes: population.notes,
    saw: board.saw,
    tried: board.attempts,
    versionNumber: copy.versionNumber,
  };
}

async function attackAll(stage: Stage): Promise<void> {
  await fillPartitions(stage);
  await stage.copy.pool.query('ANALYZE');
  await attackReads(stage);
  await attackWrites(stage);
  await attackFunctions(stage);
  await attackByPlanting(stage);
  await attackStanding(stage);
  await attackLeftovers(stage);
  await tellStanding(stage);
}

/** A table without rows holds whatever is tried: its cells say nothing, unless one was crossed all the same. */
function shownCells(board: Board, population: Population): Cell[] {
  const empty = new Set(population.empty.map(({ of }) => label(of)));
  return board
    .cells()
    .map((cell) =>
      empty.has(cell.object) && cell.outcome === 'held' ? { ...cell, outcome: 'none' as const } : cell,
    );
}

async function objectsOf(copy: Copy): Promise<string[]> {
  const targets = await readTargets(copy.query);
  const routines = await readRoutines(copy.query, []);
  const sequences = await sequencesOf({ copy });
  return [
    ...targets.map(label),
    ...routines.filter((one) => !one.trigger).map(routineLabel),
    ...sequences.map((one) => `sequence ${label(one)}`),
    DATABASE,
  ];
}

/** Which roles others stand for, and which were not tried at all. */
function sayOfRoles(
  board: Board,
  { stands, passed }: { stands: readonly Stand[]; passed: readonly Stand[] },
): void {
  for (const { role, others } of stands.filter((one) => one.others.length > 0)) {
    board.say({
      subject: `role ${role}`,
      severity: 'info',
      what: `it was tried for ${others.join(', ')} as well: they hold the same rights, memberships and settings, so what is said of it holds of ${others.length === 1 ? 'both' : 'all'}.`,
      fix: 'Nothing; where one of them is to be told apart, grant it something of its own.',
    });
  }
  if (passed.length === 0) return;
  board.say({
    subject: 'roles',
    severity: 'warning',
    what: `${MOST_ROLES} roles were tried; not tried were ${passed.flatMap(({ role, others }) => [role, ...others]).join(', ')}.`,
    fix: 'Name the roles to try; roles that hold the same are tried as one.',
  });
}

async function presentRoles(copy: Copy, roles: readonly string[]): Promise<readonly string[]> {
  const rows = await copy.query<{ name: string }>(
    'SELECT rolname::pg_catalog.text AS name FROM pg_catalog.pg_roles WHERE rolname = ANY ($1)',
    [roles],
  );
  return roles.filter((role) => rows.some((row) => row.name === role));
}

function aborted(): HoldfastError {
  return new HoldfastError({
    code: 'HF_INTERRUPTED',
    subject: 'the proof of isolation',
    what: 'it was stopped before it was finished; the database was not changed.',
    fix: 'Run it again.',
  });
}
