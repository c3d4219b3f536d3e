// holdfast archive: what has left the tables of a definition, asked with SQL, and brought back.
import { label, type RelationName, type TaskContext } from '../../define/index.ts';
import { HoldfastError } from '../../error.ts';
import { withTask } from '../../keep/index.ts';
import { ledgerDefaults } from '../../ledger/index.ts';
import { qualified } from '../../sql.ts';
import { holds, placeHold, releaseHold } from '../../traits/index.ts';
import { type Shelf, type ShelvedPart, shelvesOf } from '../../traits/retention/shelf.ts';
import { withArchived } from '../archived-rows.ts';
import { askDuckdb, type Answer, duckdb } from '../ask-duckdb.ts';
import { askPostgres } from '../ask-postgres.ts';
import { type Command, EXIT, flag, type Invocation, text } from '../command.ts';
import { holdOf, sayHolds } from '../holds.ts';
import { badRange, instant } from '../instant.ts';
import { columns, counted, progress, say } from '../output.ts';
import { targetHelp, targetOptions } from '../target.ts';
import { type Planned, withTarget } from '../with-plan.ts';

const STRANGER = 'not in the ledger';
const ENGINES = ['duckdb', 'postgres'];
/** Schema of restored tables where none is named: no definition has it, so nothing of it is drift. */
const RESTORED = 'restored';

/** `holdfast archive list | query | restore | hold | holds | release`. */
export const archiveCommand: Command = {
  name: 'archive',
  summary: 'list what has left the tables, ask it with SQL, or bring it back',
  usage:
    "list [DEFINITION] | query 'SELECT …' [DEFINITION] | restore RELATION [DEFINITION] --from DAY --to DAY | hold NAME [DEFINITION] --why TEXT | holds [DEFINITION] | release NAME [DEFINITION]",
  options: {
    ...targetOptions,
    verify: { type: 'boolean' },
    engine: { type: 'string' },
    from: { type: 'string' },
    to: { type: 'string' },
    into: { type: 'string' },
    'into-live': { type: 'boolean' },
    tenant: { type: 'string' },
    table: { type: 'string' },
    why: { type: 'string' },
  },
  help: {
    ...targetHelp,
    verify:
      'list: read every file again, compare it with its manifest, and look for files the ledger does not know',
    engine: 'query: duckdb or postgres; default: DuckDB where @duckdb/node-api is installed',
    from: 'restore, hold: the first day or instant, ISO; a day begins at midnight UTC',
    to: 'restore, hold: the day or instant after the last row',
    into: `restore: the table to make, schema.name; default: a name for the range in schema ${RESTORED}`,
    'into-live': 'restore: whole parts back into the table itself, held there until the hold is released',
    tenant: 'hold: whose rows; default every tenant',
    table: 'hold: rows of which table, schema.name; default every table with a retention',
    why: 'hold: the case, for whoever finds the hold in years',
  },
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const [what, ...rest] = invocation.positionals;
  if (what === 'list') return onTarget(invocation, rest[0], async (at) => list(invocation, at));
  const [asked, definition] = rest;
  if (what === 'query' && asked !== undefined)
    return onTarget(invocation, definition, async (at) => query(invocation, at, asked));
  if (what === 'restore' && asked !== undefined)
    return onTarget(invocation, definition, async (at) => restore(invocation, at, asked));
  if (what === 'holds') return onTarget(invocation, rest[0], async (at) => listHolds(invocation, at));
  if (what === 'hold' && asked !== undefined)
    return onTarget(invocation, definition, async (at) => hold(invocation, at, asked));
  if (what === 'release' && asked !== undefined)
    return onTarget(invocation, definition, async (at) => release(invocation, at, asked));
  invocation.terminal.err.write(`holdfast archive ${archiveCommand.usage}\n`);
  return EXIT.usage;
}

type At = Omit<Planned, 'plan'>;

async function onTarget(
  invocation: Invocation,
  definition: string | undefined,
  work: (at: At) => Promise<number>,
): Promise<number> {
  return withTarget({ ...invocation, positionals: definition === undefined ? [] : [definition] }, work);
}

async function inTask<T>(
  invocation: Invocation,
  { loaded, place }: At,
  { leading, work }: { readonly leading: boolean; readonly work: (context: TaskContext) => Promise<T> },
): Promise<T> {
  const line = progress(invocation.terminal);
  const options = {
    trait: 'retention',
    leading,
    now: invocation.now(),
    signal: invocation.signal,
    tell: (said: string) => line.show(said),
  };
  return withTask(loaded.definition, place.url, options, work).finally(() => line.end());
}

interface Listed {
  readonly shelf: Shelf;
  readonly part: ShelvedPart;
  readonly checked?: string;
}

async function list(invocation: Invocation, at: At): Promise<number> {
  const shelves = shelvesOf(at.loaded.definition);
  const found = await inTask(invocation, at, {
    leading: false,
    work: async (context) => {
      if (!(await hasPieces(context))) return [];
      const pieces = await context.pieces.list();
      const parts = shelves.flatMap((shelf) => shelf.parts(pieces).map((part) => ({ shelf, part })));
      if (!flag(invocation, 'verify')) return parts;
      const checked: Listed[] = [];
      for (const one of parts) checked.push({ ...one, checked: await check(context, one) });
      for (const shelf of shelves)
        for (const part of await shelf.strangers(pieces)) checked.push({ shelf, part, checked: STRANGER });
      return checked;
    },
  });
  if (flag(invocation, 'json')) say(invocation.terminal, JSON.stringify(found.map(machine), null, 2));
  else show(invocation, found);
  return found.some((one) => 'checked' in one && one.checked !== 'fine') ? EXIT.failed : EXIT.done;
}

/** A database that was never kept, or only by a release before jobs, has no pieces in its ledger. */
async function hasPieces(context: TaskContext): Promise<boolean> {
  const [row] = await context.session.query<{ there: boolean }>(
    'SELECT pg_catalog.to_regclass($1) IS NOT NULL AS there',
    [qualified({ schema: ledgerDefaults.schema, name: 'piece' })],
  );
  return row?.there === true;
}

async function kept<T>(context: TaskContext, work: () => Promise<T>): Promise<T> {
  if (await hasPieces(context)) return work();
  throw new HoldfastError({
    code: 'HF_ARCHIVE_UNKNOWN',
    subject: 'this database',
    what: 'nothing was ever archived here.',
    fix: 'Name the database that the keeper keeps with --url.',
  });
}

async function check(context: TaskContext, { shelf, part }: Listed): Promise<string> {
  if (!('receipt' in part.place) || shelf.files === undefined) return 'fine';
  try {
    await shelf.files.verify(context, part.place.receipt);
    return 'fine';
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'HoldfastError') throw error;
    return `${(error as HoldfastError).code} ${(error as HoldfastError).what}`;
  }
}

function show(invocation: Invocation, found: readonly Listed[]): void {
  const { terminal } = invocation;
  if (found.length === 0) {
    say(terminal, 'nothing has left the tables of this definition');
    return;
  }
  const rows = found.map((one) => {
    const { shelf, part, checked } = one;
    return [
      label(shelf.of),
      `${part.from === null ? 'oldest' : day(part.from)} to ${day(part.to)}`,
      part.rows === undefined ? 'still coming' : counted(part.rows, 'row'),
      part.bytes === undefined ? '' : size(part.bytes),
      whereOf(one),
      part.held ? 'held' : part.until === null ? 'for ever' : `until ${day(part.until)}`,
      checked ?? (part.verifiedAt === undefined ? '' : `verified ${day(part.verifiedAt)}`),
    ];
  });
  for (const line of columns(rows)) say(terminal, line);
}

function whereOf({ shelf, part }: Listed): string {
  return 'table' in part.place
    ? `table ${label(part.place.table)}`
    : `${shelf.files?.shown ?? ''}/${part.place.receipt.path}`;
}

function machine(one: Listed): Record<string, unknown> {
  const { part, shelf, checked } = one;
  return {
    relation: label(shelf.of),
    from: part.from?.toISOString() ?? null,
    to: part.to.toISOString(),
    rows: part.rows ?? null,
    bytes: part.bytes ?? null,
    in: 'table' in part.place ? 'schema' : 'files',
    where: whereOf(one),
    state: part.state,
    until: part.until?.toISOString() ?? null,
    held: part.held,
    verifiedAt: part.verifiedAt?.toISOString() ?? null,
    ...(checked !== undefined && { checked }),
  };
}

async function query(invocation: Invocation, at: At, statement: string): Promise<number> {
  const engine = text(invocation, 'engine');
  if (engine !== undefined && !ENGINES.includes(engine)) throw noEngine(engine);
  const library = engine === 'postgres' ? undefined : await duckdb(invocation.cwd);
  if (engine === 'duckdb' && library === undefined) throw noDuckdb();
  const shelves = shelvesOf(at.loaded.definition);
  const answer = await inTask(invocation, at, {
    leading: false,
    work: async (context) =>
      kept(context, async () =>
        withArchived(context, { shelves, statement }, async (tables) =>
          library === undefined
            ? askPostgres({ tables, statement, model: at.loaded.definition.model, url: at.place.url })
            : askDuckdb(library, tables, statement),
        ),
      ),
  });
  print(invocation, answer);
  return EXIT.done;
}

function print(invocation: Invocation, answer: Answer): void {
  const { terminal } = invocation;
  if (flag(invocation, 'json')) {
    const rows = answer.rows.map((row) =>
      Object.fromEntries(answer.columns.map((name, at) => [name, row[at] ?? null])),
    );
    say(terminal, JSON.stringify(rows, null, 2));
    return;
  }
  const cells = answer.rows.map((row) => row.map(cell));
  for (const line of columns([answer.columns, ...cells])) say(terminal, line);
  say(terminal, `(${counted(answer.rows.length, 'row')})`);
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

async function restore(invocation: Invocation, at: At, relation: string): Promise<number> {
  const shelf = shelvesOf(at.loaded.definition).find((one) => label(one.of) === relation);
  if (shelf === undefined) throw noShelf(relation, shelvesOf(at.loaded.definition));
  const range = { from: instant(invocation, 'from'), to: instant(invocation, 'to') };
  if (range.from >= range.to) throw badRange('--to', 'it is not after --from.');
  return flag(invocation, 'into-live')
    ? intoLive(invocation, at, { shelf, range })
    : intoTable(invocation, at, { shelf, range });
}

interface Wanted {
  readonly shelf: Shelf;
  readonly range: { readonly from: Date; readonly to: Date };
}

async function intoTable(invocation: Invocation, at: At, { shelf, range }: Wanted): Promise<number> {
  const into = targetOf(invocation, { shelf, range });
  const done = await inTask(invocation, at, {
    leading: false,
    work: async (context) => kept(context, async () => shelf.restore(context, { ...range, into })),
  });
  if (flag(invocation, 'json'))
    say(invocation.terminal, JSON.stringify({ ...done, table: label(done.table) }));
  else
    say(
      invocation.terminal,
      `${counted(done.rows, 'row')} of ${label(shelf.of)} restored into ${label(done.table)}; drop it when you are done: it holds every tenant's rows`,
    );
  return EXIT.done;
}

async function intoLive(invocation: Invocation, at: At, { shelf, range }: Wanted): Promise<number> {
  const done = await inTask(invocation, at, {
    leading: true,
    work: async (context) => kept(context, async () => shelf.putBack(context, range)),
  });
  if (flag(invocation, 'json')) say(invocation.terminal, JSON.stringify(done));
  else {
    say(
      invocation.terminal,
      `${counted(done.rows, 'row')} in ${counted(done.parts, 'part')} are back in ${label(shelf.of)}, and out of its archive`,
    );
    for (const id of done.holds)
      say(
        invocation.terminal,
        `held by '${id}': holdfast archive release lets the next retention run take them again`,
      );
  }
  return EXIT.done;
}

async function listHolds(invocation: Invocation, at: At): Promise<number> {
  sayHolds(invocation, await inTask(invocation, at, { leading: false, work: holds }));
  return EXIT.done;
}

async function hold(invocation: Invocation, at: At, id: string): Promise<number> {
  const request = holdOf(invocation, id);
  const work = async (context: TaskContext) => placeHold(context, request);
  sayHolds(invocation, [await inTask(invocation, at, { leading: false, work })]);
  return EXIT.done;
}

async function release(invocation: Invocation, at: At, id: string): Promise<number> {
  await inTask(invocation, at, {
    leading: false,
    work: async (context) => kept(context, async () => releaseHold(context, id)),
  });
  if (flag(invocation, 'json')) say(invocation.terminal, JSON.stringify({ released: id }));
  else say(invocation.terminal, `'${id}' is released: what it held leaves with the next retention run`);
  return EXIT.done;
}

function targetOf(invocation: Invocation, { shelf, range }: Wanted): RelationName {
  const named = text(invocation, 'into');
  if (named === undefined) {
    const bounds = [range.from, range.to].map((one) => day(one).replaceAll('-', ''));
    return { schema: RESTORED, name: `${shelf.of.name.slice(0, 40)}_${bounds.join('_')}` };
  }
  const [schema, name, ...more] = named.split('.');
  if (schema !== undefined && name !== undefined && more.length === 0 && schema !== '' && name !== '')
    return { schema, name };
  throw badRange('--into', 'it is no schema.name.');
}

function day(at: Date): string {
  const iso = at.toISOString();
  return iso.endsWith('T00:00:00.000Z') ? iso.slice(0, 10) : iso;
}

function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [left, unit] = [bytes, 0];
  while (left >= 1000 && unit < units.length - 1) [left, unit] = [left / 1000, unit + 1];
  return `${left < 10 && unit > 0 ? left.toFixed(1) : Math.round(left)} ${units[unit]}`;
}

function noShelf(relation: string, shelves: readonly Shelf[]): HoldfastError {
  const known = shelves.map((one) => label(one.of)).join(', ');
  return new HoldfastError({
    code: 'HF_ARCHIVE_UNKNOWN',
    subject: `table ${relation}`,
    what: 'the definition keeps no archive of it.',
    fix: known === '' ? 'No retention of this definition has an archive.' : `Name one of ${known}.`,
  });
}

function noEngine(engine: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_ARCHIVE_ENGINE',
    subject: '--engine',
    what: `${JSON.stringify(engine)} is no engine.`,
    fix: `Name one of ${ENGINES.join(', ')}.`,
  });
}

function noDuckdb(): HoldfastError {
  return new HoldfastError({
    code: 'HF_ARCHIVE_ENGINE',
    subject: 'archive query',
    what: '@duckdb/node-api is not installed here.',
    fix: 'npm install @duckdb/node-api, or leave out --engine: PostgreSQL answers too.',
  });
}
