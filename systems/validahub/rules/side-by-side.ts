// What another version of the rules would have made of the same rows. It only looks: nothing of it is applied.
import type { RuleBatch } from './run.ts';

/** What two versions made of one cell. */
export interface CellDifference {
  readonly recordNumber: number;
  readonly field: string;
  /** The value after the corrections of the version in force. */
  readonly current: string;
  readonly shadow: string;
}

/** What a rule did under one version. */
export interface RuleCounts {
  readonly broke: number;
  readonly corrected: number;
  readonly pending: number;
}

/** Everything that differs between two runs over the same rows; adds up over any number of jobs. */
export interface SideBySide {
  readonly jobs: number;
  readonly rows: number;
  /** Rows with another value, another violation or another proposal. */
  readonly rowsThatDiffer: number;
  readonly rowsWithErrors: { readonly current: number; readonly shadow: number };
  /** What each rule did, by id; null where a version has no such rule. */
  readonly rules: Readonly<Record<string, { current: RuleCounts | null; shadow: RuleCounts | null }>>;
  /** The first cells that differ. */
  readonly examples: readonly CellDifference[];
}

/** Cells that are kept as examples. */
export const SIDE_EXAMPLES = 20;

/** Nothing compared yet. */
export const NOTHING_COMPARED: SideBySide = {
  jobs: 0,
  rows: 0,
  rowsThatDiffer: 0,
  rowsWithErrors: { current: 0, shadow: 0 },
  rules: {},
  examples: [],
};

/** Compares two batches of the same rows; `fields` are the columns' fields in file order. Counts no job. */
export function compareBatches(current: RuleBatch, shadow: RuleBatch, fields: readonly string[]): SideBySide {
  const cells = differentCells({ current, shadow }, fields);
  const records = new Set(cells.map((cell) => cell.recordNumber));
  for (const record of differentFindings(current, shadow)) records.add(record);
  return {
    jobs: 0,
    rows: current.rows.length,
    rowsThatDiffer: records.size,
    rowsWithErrors: { current: current.rowsWithErrors, shadow: shadow.rowsWithErrors },
    rules: rulesOf(current, shadow),
    examples: cells.slice(0, SIDE_EXAMPLES),
  };
}

function differentCells(
  of: { readonly current: RuleBatch; readonly shadow: RuleBatch },
  fields: readonly string[],
): CellDifference[] {
  return of.current.rows.flatMap((row, at) =>
    row.cells.flatMap((value, column) => {
      const other = of.shadow.rows[at]?.cells[column] ?? '';
      if (value === other) return [];
      return [{ recordNumber: row.recordNumber, field: fields[column] ?? '', current: value, shadow: other }];
    }),
  );
}

/** Records of which the two say different things, whatever their values became. */
function differentFindings(current: RuleBatch, shadow: RuleBatch): Set<number> {
  const said = findings(current);
  const others = findings(shadow);
  const records = new Set<number>();
  for (const [key, record] of said) if (!others.has(key)) records.add(record);
  for (const [key, record] of others) if (!said.has(key)) records.add(record);
  return records;
}

function findings(batch: RuleBatch): Map<string, number> {
  const found = new Map<string, number>();
  for (const { recordNumber, ruleId, severity } of batch.violations)
    found.set(JSON.stringify([recordNumber, ruleId, severity]), recordNumber);
  for (const { recordNumber, ruleId, correctedValue, status } of batch.corrections)
    found.set(JSON.stringify([recordNumber, ruleId, correctedValue, status]), recordNumber);
  return found;
}

function rulesOf(current: RuleBatch, shadow: RuleBatch): SideBySide['rules'] {
  const before = countsOf(current);
  const after = countsOf(shadow);
  const ids = [...new Set([...before.keys(), ...after.keys()])].sort();
  return Object.fromEntries(
    ids.map((id) => [id, { current: before.get(id) ?? null, shadow: after.get(id) ?? null }]),
  );
}

function countsOf(batch: RuleBatch): Map<string, RuleCounts> {
  return new Map(
    batch.outcomes.map(({ ruleId, broke, corrected, pending }) => [ruleId, { broke, corrected, pending }]),
  );
}

/** Two comparisons as one. */
export function together(a: SideBySide, b: SideBySide): SideBySide {
  const ids = [...new Set([...Object.keys(a.rules), ...Object.keys(b.rules)])].sort();
  return {
    jobs: a.jobs + b.jobs,
    rows: a.rows + b.rows,
    rowsThatDiffer: a.rowsThatDiffer + b.rowsThatDiffer,
    rowsWithErrors: {
      current: a.rowsWithErrors.current + b.rowsWithErrors.current,
      shadow: a.rowsWithErrors.shadow + b.rowsWithErrors.shadow,
    },
    rules: Object.fromEntries(
      ids.map((id) => [
        id,
        {
          current: sum(a.rules[id]?.current ?? null, b.rules[id]?.current ?? null),
          shadow: sum(a.rules[id]?.shadow ?? null, b.rules[id]?.shadow ?? null),
        },
      ]),
    ),
    examples: [...a.examples, ...b.examples].slice(0, SIDE_EXAMPLES),
  };
}

function sum(a: RuleCounts | null, b: RuleCounts | null): RuleCounts | null {
  if (a === null || b === null) return a ?? b;
  return {
    broke: a.broke + b.broke,
    corrected: a.corrected + b.corrected,
    pending: a.pending + b.pending,
  };
}
