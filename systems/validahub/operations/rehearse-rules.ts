// What rules would make of values, without a file.
import { runRules } from '../rules/run.ts';
import type { CompiledPlan } from '../rules/rule.ts';

/**
 * Which values of a field the rules change by themselves. Each value is tried as a row of that one column, so a rule that
 * asks for other fields sees them as absent.
 */
export async function changedBy(
  plan: CompiledPlan,
  field: string,
  values: readonly string[],
): Promise<readonly boolean[]> {
  const columns = [{ index: 0, header: field, name: field, field }];
  const rows = values.map((value, index) => ({ recordNumber: index + 1, line: index + 2, cells: [value] }));
  const changed: boolean[] = [];
  for await (const batch of runRules(plan, rows, { columns })) {
    for (const row of batch.rows) changed.push(row.cells[0] !== values[changed.length]);
  }
  return changed;
}
