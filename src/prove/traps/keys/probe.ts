// Whether a CHECK can refuse anything: the planner is asked, no row is read and nothing is run.
import type { TrapContext } from '../check.ts';

/**
 * Whether the planner shows that an expression is never false. A CHECK refuses a row only when it is: NULL passes. The row
 * comes from a function whose result is not known, so that nothing of the table (NOT NULL, the CHECK itself) helps.
 * @param row what stands after FROM and gives the columns that the expression names
 * @see https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-CHECK-CONSTRAINTS
 */
export async function neverFalse(
  query: TrapContext['query'],
  row: string,
  expression: string,
): Promise<boolean> {
  const lines = await query<{ 'QUERY PLAN': string }>(
    `EXPLAIN (COSTS OFF) SELECT 1 FROM ${row} WHERE NOT ${expression}`,
  );
  return lines.some((line) => neverHolds(line['QUERY PLAN']));
}

/** `x <> ALL ('{a,b,NULL}')` is never true either, and the planner leaves it as it is. */
function neverHolds(line: string): boolean {
  if (line.includes('One-Time Filter: false')) return true;
  const unequal = /^\s*Filter: .*<> ALL \('(\{.*\})'::/.exec(line)?.[1];
  if (unequal === undefined) return false;
  const bare = unequal.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""');
  return /[{,]NULL[,}]/.test(bare) && !/ OR /.test(line.replace(unequal, ''));
}
