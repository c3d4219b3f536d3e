// One row, until PostgreSQL takes it: each refusal says what to do otherwise.
import { SQLSTATE, isSqlstate, sqlstateOf } from '../../server/index.ts';
import { ident, qualified } from '../../sql.ts';
import type { Reference, Table } from './catalogue.ts';
import { draft, type Draft, type Order, type Shifts } from './draft.ts';
import { columnsIn } from './expression.ts';
import type { Filling, Made } from './filling.ts';

/** How often a row is tried. */
const ATTEMPTS = 24;
/** How often a row is tried that is made for what one of its columns holds: other rows are there already. */
const ATTEMPTS_AT_EDGES = 6;
/** How often one constraint may refuse in a row. */
const SAME = 8;

/** What became of a row. */
export type Outcome =
  | { readonly made: Made; readonly open: readonly Reference[]; readonly note?: string }
  | { readonly made: undefined; readonly why: string; readonly full: boolean };

/**
 * Inserts one row.
 * @param last triggers may be passed over where they refuse every row that was tried
 * @returns the row as it is in the table, or PostgreSQL's last error; `full`: the keys leave no room for it
 */
export async function insert(filling: Filling, order: Order, last: boolean): Promise<Outcome> {
  let shifts: Shifts = { picks: 0, choices: 0, turns: new Map() };
  let refusal: Refusal = { why: 'no value could be made for it', full: false, byTrigger: false };
  let same = 0;
  const most = order.edge === undefined ? ATTEMPTS : ATTEMPTS_AT_EDGES;
  for (let attempt = 0; attempt < most; attempt += 1) {
    const drafted = await draft(filling, order, shifts);
    if (drafted.missing.length > 0 || (drafted.dangling && !last)) {
      return { made: undefined, why: waits(drafted), full: false };
    }
    const tried = await attemptOnce(filling, order, drafted);
    if (tried.made !== undefined) return { made: tried.made, open: drafted.open, ...noteOf(drafted) };
    same = keyOf(tried.refusal.error) === keyOf(refusal.error) ? same + 1 : 0;
    refusal = tried.refusal;
    const slow = isSqlstate(refusal.error, SQLSTATE.queryCanceled);
    if (refusal.full || slow || (same >= SAME && !refusal.byTrigger)) break;
    shifts = next(shifts, { refusal, attempt, table: order.table });
  }
  if (last && refusal.byTrigger) return passingTriggers(filling, order);
  return { made: undefined, why: refusal.why, full: refusal.full };
}

function keyOf(error: unknown): string {
  return `${sqlstateOf(error) ?? ''} ${(error as { constraint?: string } | undefined)?.constraint ?? ''}`;
}

function noteOf(drafted: Draft): { note?: string } {
  return drafted.dangling
    ? { note: 'made before the rows it refers to, which refer to it, with triggers off' }
    : {};
}

function waits({ open, missing }: Draft): string {
  const tables = missing.length > 0 ? missing : open.map(({ to }) => to);
  return `there is no row in ${[...new Set(tables)].join(', ')} to refer to`;
}

interface Refusal {
  readonly why: string;
  readonly full: boolean;
  readonly byTrigger: boolean;
  readonly error?: unknown;
  readonly columns?: readonly string[];
}

async function attemptOnce(
  filling: Filling,
  order: Order,
  drafted: Draft,
): Promise<{ made: Made } | { made: undefined; refusal: Refusal }> {
  const { table } = order;
  try {
    const row = drafted.dangling
      ? await asReplica(filling, () => write(filling, table, drafted))
      : await write(filling, table, drafted);
    if (row !== undefined) return { made: filling.made(table, order.world, row) };
    return {
      made: undefined,
      refusal: { why: 'a trigger or a rule drops every row', full: false, byTrigger: true },
    };
  } catch (error) {
    return { made: undefined, refusal: refusalOf(error, { table, drafted, filling }) };
  }
}

type Written = Readonly<Record<string, string | null>>;

async function write(filling: Filling, table: Table, drafted: Draft): Promise<Written | undefined> {
  const names = [...drafted.values.keys()];
  const columns = names.map((name) => ident(name)).join(', ');
  const values = names.map((_, at) => `$${at + 1}`).join(', ');
  const what =
    names.length === 0 ? 'DEFAULT VALUES' : `(${columns}) ${overriding(table, names)}VALUES (${values})`;
  const sql = `INSERT INTO ${qualified(table.of)} ${what}`;
  const [row] = await filling.ask<Written>(`${sql} RETURNING ${filling.returning(table)}`, [
    ...drafted.values.values(),
  ]);
  return row;
}

function overriding(table: Table, names: readonly string[]): string {
  return table.columns.some((column) => column.always && names.includes(column.name))
    ? 'OVERRIDING SYSTEM VALUE '
    : '';
}

/** Runs without triggers, those of references included. */
async function asReplica<T>(filling: Filling, work: () => Promise<T>): Promise<T> {
  await filling.ask('SET session_replication_role = replica');
  try {
    return await work();
  } finally {
    await filling.ask('SET session_replication_role = origin');
  }
}

async function passingTriggers(filling: Filling, order: Order): Promise<Outcome> {
  let why = '';
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const drafted = await draft(filling, order, {
      picks: attempt,
      choices: 0,
      turns: new Map(order.table.columns.map(({ name }) => [name, attempt * 3])),
    });
    try {
      const row = await asReplica(filling, () => write(filling, order.table, drafted));
      if (row === undefined) break;
      const note = 'its triggers refuse every row that was tried, so they were off';
      return { made: filling.made(order.table, order.world, row), open: drafted.open, note };
    } catch (error) {
      why = messageOf(error);
    }
  }
  return { made: undefined, why, full: false };
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const state = sqlstateOf(error);
  return state === undefined ? message : `${message} (SQLSTATE ${state})`;
}

function refusalOf(
  error: unknown,
  given: { readonly table: Table; readonly drafted: Draft; readonly filling: Filling },
): Refusal {
  const why = messageOf(error);
  const columns = columnsOf(error, given.table);
  const unique = isSqlstate(error, SQLSTATE.uniqueViolation, SQLSTATE.exclusionViolation);
  // Another row of the same owner has the same name in these.
  const bound = (name: string): boolean =>
    given.drafted.values.has(name) && given.filling.owners.classOf(given.table.id, name) !== undefined;
  const full = unique && columns.length > 0 && columns.every(bound);
  const state = sqlstateOf(error) ?? '';
  return { why, full, byTrigger: !/^(22|23)/.test(state), error, columns };
}

/** The columns of the key or the column a refusal is about. */
function columnsOf(error: unknown, table: Table): readonly string[] {
  const { constraint, column, detail } = error as { constraint?: string; column?: string; detail?: string };
  const names = table.columns.map(({ name }) => name);
  if (column !== undefined) return [column];
  const key = table.keys.find(({ name }) => name === constraint);
  if (key !== undefined)
    return key.columns ?? columnsIn(key.definition.replace(/^.*? USING \w+ /, ''), names);
  const rule = table.rules.find(({ name }) => name === constraint);
  if (rule !== undefined) return columnsIn(rule.expression, names);
  const said = /^Key \((.*?)\)=\(/.exec(detail ?? '')?.[1];
  return said === undefined ? [] : columnsIn(said, names);
}

/** What to do otherwise. */
function next(
  shifts: Shifts,
  after: { readonly refusal: Refusal; readonly attempt: number; readonly table: Table },
): Shifts {
  const { refusal, attempt, table } = after;
  const columns = refusal.columns ?? [];
  const turned = (names: readonly string[]): ReadonlyMap<string, number> => {
    const turns = new Map(shifts.turns);
    for (const name of names) turns.set(name, (turns.get(name) ?? 0) + 1);
    return turns;
  };
  if (isSqlstate(refusal.error, SQLSTATE.uniqueViolation, SQLSTATE.exclusionViolation)) {
    return { picks: shifts.picks + 1, choices: shifts.choices + (attempt % 2), turns: turned(columns) };
  }
  if (isSqlstate(refusal.error, SQLSTATE.foreignKeyViolation)) return { ...shifts, picks: shifts.picks + 1 };
  if (isSqlstate(refusal.error, SQLSTATE.checkViolation)) {
    return {
      picks: shifts.picks + 1,
      choices: shifts.choices + (attempt % 2),
      turns: attempt % 3 === 2 ? turned(columns) : shifts.turns,
    };
  }
  const all = attempt % 5 === 4 ? table.columns.map(({ name }) => name) : [];
  return { picks: shifts.picks + (attempt % 2), choices: shifts.choices + 1, turns: turned(all) };
}
