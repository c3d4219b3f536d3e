// Every row of a database, and what became of it: the subject's went as was said, and nobody else's changed.
import { findTable, label, type RelationName, type RemovedRows } from '../../define/index.ts';
import { qualified } from '../../sql.ts';
import type { ArchivedRows } from './archives.ts';
import type { Ground } from './ground.ts';
import { keyValues, readRelations, ruleOf, theirs } from './relations.ts';
import type { Subject } from './subjects.ts';

/** The rows of one relation, or of the files of its archive. */
export interface Rows extends RelationName {
  /** As a report names it. */
  readonly place: string;
  /** They lie in files of its archive. */
  readonly filed: boolean;
  /** What becomes of the subject's; undefined: nothing is said of the table. */
  readonly rule: RemovedRows | undefined;
  /** Columns that tell rows apart; none: only all of them together. */
  readonly key: readonly string[];
  /** Figures over other rows: they move by themselves. */
  readonly moves: boolean;
  readonly theirs: readonly Values[];
  readonly others: readonly Values[];
}

type Values = Readonly<Record<string, unknown>>;

/** Reads every table, and the files of archives, apart from what the promises keep for themselves. */
export async function snapshot(
  ground: Ground,
  subject: Subject,
  archived: readonly ArchivedRows[],
): Promise<readonly Rows[]> {
  const { model } = ground.definition;
  const { tables, placeOf } = subject.removal;
  const all: Rows[] = [];
  for (const relation of await readRelations(ground)) {
    const table = findTable(model, relation);
    if (table?.internal === true) continue;
    const rule = ruleOf(model, tables, relation);
    const whose = rule === undefined ? 'false' : theirs(tables, rule, 't');
    const rows = await ground.query<{ row: Values; theirs: boolean }>(
      `SELECT pg_catalog.to_jsonb(t) AS row, ${whose} AS theirs FROM ${qualified(relation)} AS t`,
      rule === undefined ? [] : keyValues(subject),
    );
    all.push({
      schema: relation.schema,
      name: relation.name,
      place: placeOf(relation),
      filed: false,
      rule,
      key: relation.columns.filter((column) => column.primary).map((column) => column.name),
      moves: table?.derived === true || rule?.derived === true,
      theirs: rows.filter((one) => one.theirs).map((one) => one.row),
      others: rows.filter((one) => !one.theirs).map((one) => one.row),
    });
  }
  return [...all, ...archived.map((files) => filedRows(subject, files))];
}

function filedRows({ removal, key, within }: Subject, { of, place, rows }: ArchivedRows): Rows {
  const rule = removal.tables.find((one) => label(one.of) === label(of));
  const own = (row: Readonly<Record<string, string | null>>): boolean =>
    rule !== undefined &&
    rule.by.some((column) => row[column] === key) &&
    (rule.within === undefined || row[rule.within] === within);
  return {
    ...of,
    place,
    filed: true,
    rule,
    key: [],
    moves: false,
    theirs: rows.filter(own),
    others: rows.filter((row) => !own(row)),
  };
}

/** What became of the rows of one relation. */
export interface Change extends Pick<Rows, 'place' | 'rule' | 'moves'> {
  readonly deleted: number;
  readonly changed: number;
  readonly kept: number;
  /** Columns of the subject's rows that changed though nothing was said of them: a time of change, a revision. */
  readonly besides: readonly string[];
  /** Rows of others that are not as they were, or were not there; as a person finds them. */
  readonly others: readonly string[];
}

/** Compares two snapshots, relation by relation; what is only in the second is compared with nothing. */
export function compare(before: readonly Rows[], after: readonly Rows[]): readonly Change[] {
  const places = [...new Set([...before, ...after].map((one) => one.place))];
  return places.flatMap((place) => {
    const was = before.find((one) => one.place === place);
    const is = after.find((one) => one.place === place);
    const known = was ?? is;
    return known === undefined ? [] : [changeOf(was ?? { ...known, theirs: [], others: [] }, is)];
  });
}

function changeOf(was: Rows, is: Rows | undefined): Change {
  const left = new Bag([...(is?.theirs ?? []), ...(is?.others ?? [])]);
  const lost = was.others.filter((row) => !left.take(row));
  const kept = was.theirs.filter((row) => left.take(row));
  const open = was.theirs.filter((row) => !kept.includes(row));
  const columns = new Set(was.rule?.columns ?? []);
  const known = knownBy(was, columns);
  const besides = new Set<string>();
  let changed = 0;
  for (const row of open) {
    const now = left.takeLike((one) => known.every((name) => alike(row[name], one[name])));
    if (now === undefined) continue;
    changed += 1;
    for (const name of Object.keys(row))
      if (!columns.has(name) && !alike(row[name], now[name])) besides.add(name);
  }
  const strangers = left.rest();
  return {
    place: was.place,
    rule: was.rule,
    moves: was.moves,
    deleted: open.length - changed,
    changed,
    kept: kept.length,
    besides: [...besides],
    others: was.moves
      ? []
      : [
          ...lost.map((row) => `gone or changed: ${shown(was, row)}`),
          ...strangers.map((row) => `new: ${shown(was, row)}`),
        ],
  };
}

/** The columns that a row is known by when others have changed: its key, where no column of that may change itself; else all the rest. */
function knownBy(of: Rows, columns: ReadonlySet<string>): readonly string[] {
  const fixed = of.key.filter((name) => !columns.has(name));
  if (fixed.length > 0 && fixed.length === of.key.length) return fixed;
  const [row = {}] = of.theirs;
  return Object.keys(row).filter((name) => !columns.has(name));
}

function alike(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

const MOST_CHARACTERS = 200;

function shown({ key }: Rows, row: Values): string {
  const names = key.length > 0 ? key : Object.keys(row);
  const text = names.map((name) => `${name} ${JSON.stringify(row[name])}`).join(', ');
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)} …` : text;
}

/** Rows of which one at a time is taken. */
class Bag {
  readonly #rows = new Map<string, Values[]>();

  constructor(rows: readonly Values[]) {
    for (const row of rows) {
      const text = JSON.stringify(row);
      const same = this.#rows.get(text);
      if (same === undefined) this.#rows.set(text, [row]);
      else same.push(row);
    }
  }

  take(row: Values): boolean {
    return this.#rows.get(JSON.stringify(row))?.pop() !== undefined;
  }

  takeLike(is: (row: Values) => boolean): Values | undefined {
    for (const rows of this.#rows.values()) {
      const [row] = rows;
      if (row !== undefined && is(row)) return rows.pop();
    }
    return undefined;
  }

  rest(): readonly Values[] {
    return [...this.#rows.values()].flat();
  }
}
