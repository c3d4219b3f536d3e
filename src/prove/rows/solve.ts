// Finds values that satisfy a table's rules together. PostgreSQL judges: every rule is asked about every combination of
// candidates, in one query.
import type { CatalogueQuery } from '../../define/trait.ts';
import { ident } from '../../sql.ts';
import type { Column, Rule, Type } from './catalogue.ts';
import { baseOf } from './candidates.ts';
import { columnsIn } from './expression.ts';

/** Combinations asked about at once. */
const MOST = 20_000;
/** Combinations asked about one by one where a rule fails on some of them. */
const MOST_SINGLY = 200;
const SOLUTIONS = 8;

/** One row's columns as far as they are known. */
export interface Problem {
  readonly columns: readonly Column[];
  readonly rules: readonly Rule[];
  /** Columns that may still be chosen, with what for. */
  readonly free: ReadonlyMap<string, readonly (string | null)[]>;
  readonly fixed: ReadonlyMap<string, string | null>;
  /** Which of the solutions is wanted, from 0. */
  readonly shift: number;
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
    const found = await solveGroup(query, { ...problem, ...group, types });
    for (const [name, value] of found) chosen.set(name, value);
  }
  return chosen;
}

interface Group {
  readonly rules: readonly Rule[];
  readonly names: readonly string[];
}

/** Rules that share a free column are solved together. */
function groups(problem: Problem): readonly Group[] {
  const names = problem.columns.map(({ name }) => name);
  let found: Group[] = [];
  for (const rule of problem.rules) {
    const mentioned = withSources(columnsIn(rule.expression, names), problem.columns).filter((name) =>
      problem.free.has(name),
    );
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

/** A generated column stands for the columns it is made of. */
function withSources(mentioned: readonly string[], columns: readonly Column[]): readonly string[] {
  const names = columns.map(({ name }) => name);
  return mentioned.flatMap((name) => {
    const generated = columns.find((column) => column.name === name)?.generated;
    return generated == null ? [name] : [name, ...columnsIn(generated, names)];
  });
}

type GroupProblem = Problem & Group & { readonly types: ReadonlyMap<number, Type> };

async function solveGroup(
  query: CatalogueQuery,
  problem: GroupProblem,
): Promise<ReadonlyMap<string, string | null>> {
  const lists = trimmed(problem.names.map((name) => problem.free.get(name) ?? [null]));
  const first = new Map(problem.names.map((name, at) => [name, lists[at]?.[0] ?? null]));
  const sql = questionSql(problem, lists.length);
  const fixed = [...problem.fixed.values()];
  try {
    const rows = await query<{ values: (string | null)[] }>(sql, [...lists, ...fixed]);
    const row = rows[problem.shift % Math.max(1, rows.length)];
    return row === undefined ? first : named(problem.names, row.values);
  } catch {
    const found = await solveSingly(query, { sql, lists, fixed });
    return found === undefined ? first : named(problem.names, found);
  }
}

function named(
  names: readonly string[],
  values: readonly (string | null)[],
): ReadonlyMap<string, string | null> {
  return new Map(names.map((name, at) => [name, values[at] ?? null]));
}

/** A rule may fail on values it was not made for: a text that is no number. */
async function solveSingly(
  query: CatalogueQuery,
  given: {
    readonly sql: string;
    readonly lists: readonly (readonly (string | null)[])[];
    readonly fixed: readonly (string | null)[];
  },
): Promise<readonly (string | null)[] | undefined> {
  for (const combination of combinations(given.lists).slice(0, MOST_SINGLY)) {
    const rows = await query<{ values: (string | null)[] }>(given.sql, [
      ...combination.map((value) => [value]),
      ...given.fixed,
    ]).catch(() => []);
    if (rows.length > 0) return combination;
  }
  return undefined;
}

/** Combinations near the first candidates first. */
function combinations(
  lists: readonly (readonly (string | null)[])[],
): readonly (readonly (string | null)[])[] {
  let all: { values: (string | null)[]; cost: number }[] = [{ values: [], cost: 0 }];
  for (const list of lists) {
    all = all.flatMap((one) =>
      list.map((value, at) => ({ values: [...one.values, value], cost: one.cost + at })),
    );
    all = all.sort((a, b) => a.cost - b.cost).slice(0, MOST);
  }
  return all.map(({ values }) => values);
}

/** Candidates dropped from the longest lists until there are not too many combinations. */
function trimmed(lists: readonly (readonly (string | null)[])[]): readonly (readonly (string | null)[])[] {
  const sizes = lists.map((list) => list.length);
  const product = (): number => sizes.reduce((a, b) => a * b, 1);
  while (product() > MOST) {
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

/** `free` lists are the first parameters, fixed values follow. Columns that number themselves are not known yet: NULL. */
function questionSql(problem: GroupProblem, lists: number): string {
  const { names, columns, fixed, rules, types } = problem;
  const all = columns.map(({ name }) => name);
  const used = new Set(rules.flatMap((rule) => withSources(columnsIn(rule.expression, all), columns)));
  const fixedNames = [...fixed.keys()];
  const source = (column: Column): string => {
    const at = names.indexOf(column.name);
    if (at >= 0) return `r${at}.v`;
    const fixedAt = fixedNames.indexOf(column.name);
    return fixedAt >= 0 ? `$${lists + fixedAt + 1}::pg_catalog.text` : 'NULL::pg_catalog.text';
  };
  const stored = columns
    .filter((column) => used.has(column.name) && column.generated === null)
    .map((column) => `(${source(column)})::${castOf(column, types)} AS ${ident(column.name)}`);
  const generated = columns
    .filter((column) => used.has(column.name) && column.generated !== null)
    .map((column) => `(${column.generated ?? ''}) AS ${ident(column.name)}`);
  const from = names.map(
    (_, at) => `pg_catalog.unnest($${at + 1}::pg_catalog.text[]) WITH ORDINALITY AS r${at} (v, o)`,
  );
  const unused = fixedNames
    .map((_, at) => `$${lists + at + 1}::pg_catalog.text IS NULL`)
    .map((part) => `(${part} OR true)`);
  const where = [...rules.map((rule) => `((${rule.expression}) IS NOT FALSE)`), ...unused];
  return `SELECT ARRAY[${names.map((_, at) => `r${at}.v`).join(', ')}]::pg_catalog.text[] AS values
    FROM ${from.join(' CROSS JOIN ')}
    CROSS JOIN LATERAL (SELECT ${stored.length === 0 ? '1 AS hf_none' : stored.join(', ')}) stored
    ${generated.length === 0 ? '' : `CROSS JOIN LATERAL (SELECT ${generated.join(', ')}) generated`}
    WHERE ${where.join(' AND ')}
    ORDER BY ${names.map((_, at) => `r${at}.o`).join(' + ')} LIMIT ${SOLUTIONS}`;
}

/** Under its domains: a value a domain refuses is then a rule not satisfied, no error. */
function castOf(column: Column, types: ReadonlyMap<number, Type>): string {
  return types.get(column.type)?.kind === 'd' ? (baseOf(column, types).type?.sql ?? column.sql) : column.sql;
}
