// Finds values that satisfy a table's rules together. PostgreSQL judges: every rule is asked about every combination of
// candidates, in one query.
import type { CatalogueQuery } from '../../define/trait.ts';
import { ident } from '../../sql.ts';
import { baseOf } from './candidates.ts';
import type { Column, Rule, Type } from './catalogue.ts';
import { columnsIn, equationsIn, type Equation } from './expression.ts';

/** Combinations asked about at once. */
const MOST = 20_000;
/** Combinations asked about one by one where a rule fails on some of them. */
const MOST_SINGLY = 300;
const SOLUTIONS = 8;

type Values = readonly (string | null)[];

/** One row's columns as far as they are known. */
export interface Problem {
  readonly columns: readonly Column[];
  readonly rules: readonly Rule[];
  /** Columns that may still be chosen, with what for. */
  readonly free: ReadonlyMap<string, Values>;
  readonly fixed: ReadonlyMap<string, string | null>;
  /** Which of the solutions is wanted, from 0. */
  readonly shift: number;
  /**
   * Which candidates were taken for an earlier row, by the columns of a group. They are taken again unasked: candidates
   * of one table stand in one order, and an INSERT judges in the end. Absent: every group is asked about.
   */
  readonly memory?: Map<string, readonly number[]>;
}

/**
 * Chooses values for the free columns that rules mention.
 * @param query runs statements that change nothing
 * @returns the values chosen; a column whose rules no combination satisfies gets its first candidate
 */
export async function solve(
  query: CatalogueQuery,
  problem: Problem,
  types: ReadonlyMap<number, Type>,
): Promise<ReadonlyMap<string, string | null>> {
  const chosen = new Map<string, string | null>();
  for (const group of groups(problem)) {
    const known = recalled(problem, group);
    if (known !== undefined) {
      for (const [name, value] of known) chosen.set(name, value);
      continue;
    }
    const narrowed = await narrow(query, { ...problem, ...group, equations: [], types });
    const names = group.names.filter((name) => !narrowed.has(name) || (narrowed.get(name)?.length ?? 0) > 0);
    const free = new Map([...problem.free, ...narrowed]);
    const found = await solveGroup(query, {
      ...problem,
      ...group,
      names,
      free,
      equations: equationsOf(problem, group),
      types,
    });
    for (const [name, value] of found) chosen.set(name, value);
    remember(problem, group, found);
  }
  return chosen;
}

function recalled(problem: Problem, group: Group): ReadonlyMap<string, string | null> | undefined {
  const places = problem.memory?.get(group.names.join('\n'));
  if (places === undefined) return undefined;
  const values = group.names.map((name, at) => (problem.free.get(name) ?? [])[places[at] ?? 0]);
  if (values.includes(undefined)) return undefined;
  return new Map(group.names.map((name, at) => [name, values[at] ?? null]));
}

/** What an equation gives is among no candidates: such a group is asked about each time. */
function remember(problem: Problem, group: Group, found: ReadonlyMap<string, string | null>): void {
  const places = group.names.map((name) => (problem.free.get(name) ?? []).indexOf(found.get(name) ?? null));
  if (!places.includes(-1)) problem.memory?.set(group.names.join('\n'), places);
}

interface Group {
  readonly rules: readonly Rule[];
  readonly names: readonly string[];
}

/** A group of a problem, ready to be asked about. */
interface Question extends Problem, Group {
  /** Columns that others give. */
  readonly equations: readonly Equation[];
  readonly types: ReadonlyMap<number, Type>;
}

/** Rules that share a free column are solved together. */
function groups(problem: Problem): readonly Group[] {
  let found: Group[] = [];
  for (const rule of problem.rules) {
    const mentioned = mentionedBy(rule, problem.columns).filter((name) => problem.free.has(name));
    if (mentioned.length === 0) continue;
    const touching = found.filter((group) => group.names.some((name) => mentioned.includes(name)));
    found = [
      ...found.filter((group) => !touching.includes(group)),
      {
        rules: [...touching.flatMap((group) => group.rules), rule],
        names: [...new Set([...touching.flatMap((group) => group.names), ...mentioned])],
      },
    ];
  }
  return found;
}

/** The columns in a rule; a generated one stands for those it is made of, too. */
function mentionedBy(rule: Rule, columns: readonly Column[]): readonly string[] {
  const names = columns.map(({ name }) => name);
  return columnsIn(rule.expression, names).flatMap((name) => {
    const generated = columns.find((column) => column.name === name)?.generated;
    return generated == null ? [name] : [name, ...columnsIn(generated, names)];
  });
}

/** Equations in an order in which each is given only by what is known before it. */
function equationsOf(problem: Problem, group: Group): readonly Equation[] {
  const names = problem.columns.map(({ name }) => name);
  let waiting = group.rules
    .flatMap((rule) => equationsIn(rule.expression, names))
    .filter(
      (one, at, all) =>
        group.names.includes(one.column) && all.findIndex(({ column }) => column === one.column) === at,
    );
  const placed: Equation[] = [];
  while (waiting.length > 0) {
    const columns = waiting.map(({ column }) => column);
    const next = waiting.find(({ gives }) => columnsIn(gives, columns).length === 0);
    if (next === undefined) waiting = waiting.slice(1);
    else {
      placed.push(next);
      waiting = waiting.filter((one) => one !== next);
    }
  }
  return placed;
}

/** For each column, the candidates that satisfy the rules about it alone. */
async function narrow(query: CatalogueQuery, question: Question): Promise<ReadonlyMap<string, Values>> {
  const narrowed = new Map<string, Values>();
  if (question.names.length === 1 && question.rules.length < 2) return narrowed;
  for (const name of question.names) {
    const rules = question.rules.filter((rule) =>
      mentionedBy(rule, question.columns).every((one) => one === name),
    );
    if (rules.length === 0) continue;
    const list = question.free.get(name) ?? [];
    const alone = { ...question, rules, names: [name] };
    const rows = await ask(query, alone, { lists: [list], most: list.length });
    if (rows.length > 0)
      narrowed.set(
        name,
        rows.map((row) => row[0] ?? null),
      );
  }
  return narrowed;
}

async function solveGroup(
  query: CatalogueQuery,
  question: Question,
): Promise<ReadonlyMap<string, string | null>> {
  const names = question.names.filter((name) => !question.equations.some(({ column }) => column === name));
  const given = question.equations.map(({ column }) => column);
  const lists = trimmed(names.map((name) => question.free.get(name) ?? [null]));
  const rows = await ask(query, { ...question, names }, { lists, most: SOLUTIONS });
  const row = rows[question.shift % Math.max(1, rows.length)];
  const first = [...names, ...given].map((name, at): [string, string | null] => [
    name,
    (lists[at] ?? question.free.get(name) ?? [])[0] ?? null,
  ]);
  return new Map(row === undefined ? first : [...names, ...given].map((name, at) => [name, row[at] ?? null]));
}

/** Combinations that satisfy the rules, those of the first candidates first; with what the equations then give. */
async function ask(
  query: CatalogueQuery,
  question: Question,
  given: { readonly lists: readonly Values[]; readonly most: number },
): Promise<readonly Values[]> {
  const fixed = [...question.fixed.values()];
  const sql = questionSql(question, given.lists.length);
  const one = async (lists: readonly Values[], most: number): Promise<readonly Values[]> =>
    (await query<{ values: Values }>(`${sql} LIMIT ${most}`, [...lists, ...fixed])).map(
      ({ values }) => values,
    );
  try {
    return await one(given.lists, given.most);
  } catch {
    // A rule may fail on values it was not made for: a text that is no number.
    const found: Values[] = [];
    for (const combination of combinations(given.lists).slice(0, MOST_SINGLY)) {
      found.push(
        ...(await one(
          combination.map((value) => [value]),
          1,
        ).catch(() => [])),
      );
      if (found.length === given.most) break;
    }
    return found;
  }
}

/** Combinations near the first candidates first. */
function combinations(lists: readonly Values[]): readonly Values[] {
  let all: { values: Values; cost: number }[] = [{ values: [], cost: 0 }];
  for (const list of lists) {
    all = all.flatMap((one) =>
      list.map((value, at) => ({ values: [...one.values, value], cost: one.cost + at })),
    );
    all = all.sort((a, b) => a.cost - b.cost).slice(0, MOST_SINGLY * 4);
  }
  return all.map(({ values }) => values);
}

/** Candidates dropped from the longest lists until there are not too many combinations; NULL stays. */
function trimmed(lists: readonly Values[]): readonly Values[] {
  const sizes = lists.map((list) => list.length);
  while (sizes.reduce((a, b) => a * b, 1) > MOST) {
    const longest = sizes.indexOf(Math.max(...sizes));
    sizes[longest] = Math.max(1, (sizes[longest] ?? 1) - 1);
  }
  return lists.map((list, at) => {
    const kept = list.slice(0, sizes[at]);
    return list.includes(null) && !kept.includes(null) && kept.length > 1
      ? [...kept.slice(0, -1), null]
      : kept;
  });
}

/** `names` lists are the first parameters, fixed values follow. Columns that number themselves are not known yet: NULL. */
function questionSql(question: Question, lists: number): string {
  const { names, columns, fixed, rules, equations } = question;
  const used = new Set([
    ...rules.flatMap((rule) => mentionedBy(rule, columns)),
    ...equations.flatMap(({ gives }) =>
      columnsIn(
        gives,
        columns.map(({ name }) => name),
      ),
    ),
    ...names,
  ]);
  const inUse = columns.filter((column) => used.has(column.name));
  const given = new Map(equations.map(({ column, gives }) => [column, gives]));
  const stored = inUse.filter((column) => column.generated === null && !given.has(column.name));
  const fixedNames = [...fixed.keys()];
  const source = (name: string): string => {
    if (names.includes(name)) return `r${names.indexOf(name)}.v`;
    return fixedNames.includes(name)
      ? `$${lists + fixedNames.indexOf(name) + 1}::pg_catalog.text`
      : 'NULL::pg_catalog.text';
  };
  const cast = (column: Column): string => castOf(column, question.types);
  const from = [
    ...names.map(
      (_, at) => `pg_catalog.unnest($${at + 1}::pg_catalog.text[]) WITH ORDINALITY AS r${at} (v, o)`,
    ),
    lateral('stored', [
      'true AS "hf none"',
      ...stored.map((column) => `(${source(column.name)})::${cast(column)} AS ${ident(column.name)}`),
    ]),
    ...equations.map(({ column, gives }, at) => {
      const type = columns.find(({ name }) => name === column);
      return lateral(`given${at}`, [
        `(${gives})::${type === undefined ? 'text' : cast(type)} AS ${ident(column)}`,
      ]);
    }),
    ...inUse
      .filter((column) => column.generated !== null)
      .map((column, at) =>
        lateral(`generated${at}`, [`(${column.generated ?? ''}) AS ${ident(column.name)}`]),
      ),
  ];
  const result = [
    ...names.map((_, at) => `r${at}.v`),
    ...equations.map(({ column }) => `${ident(column)}::pg_catalog.text`),
  ];
  const places = names.map((_, at) => `r${at}.o`);
  const order = names.length === 0 ? '1' : [places.join(' + '), ...places].join(', ');
  const all = [
    ...rules.map(({ expression }) => `((${expression}) IS NOT FALSE)`),
    ...unused(fixedNames.length, lists),
  ];
  // In a CASE, which the planner neither takes apart nor makes estimates of: some expressions fail even at that.
  return `SELECT ARRAY[${result.join(', ')}]::pg_catalog.text[] AS values FROM ${from.join(' CROSS JOIN ')}
    WHERE CASE WHEN ${all.join(' AND ')} THEN true ELSE false END ORDER BY ${order}`;
}

function lateral(name: string, columns: readonly string[]): string {
  return `LATERAL (SELECT ${columns.join(', ')}) ${name}`;
}

/** Parameters must all be spoken of, or PostgreSQL does not know their type. */
function unused(count: number, before: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `($${before + at + 1}::pg_catalog.text IS NULL OR true)`);
}

/** Under its domains: a value a domain refuses is then a rule not satisfied, no error. */
function castOf(column: Column, types: ReadonlyMap<number, Type>): string {
  const domain = types.get(column.type)?.kind === 'd';
  return `${domain ? (baseOf(column, types).type?.sql ?? column.sql) : column.sql}${column.collate}`;
}
