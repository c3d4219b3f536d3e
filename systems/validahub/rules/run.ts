// Runs a plan over rows as they stream by. The same rows and plan give the same result, however the rows
// arrive; memory is one batch, plus what global rules remember (see seen.ts).

import { HoldfastError } from 'holdfast';
import type { CatalogueRow, Column } from '../catalogue/row.ts';
import { prepareCheck, type Check } from './check.ts';
import { COMPILER_VERSION } from './checksum.ts';
import type { ReadField } from './condition.ts';
import { prepareFix, type Fix } from './fix.ts';
import { WHOLE_ROW } from './rule.ts';
import type { CompiledPlan, CompiledRule, Correction, Violation } from './rule.ts';

/** How a plan is run. */
export interface RunOptions {
  /** The columns of the file, in order, with their fields. */
  readonly columns: readonly Column[];
  /** Rows per batch. */
  readonly batchSize?: number;
  /** Longest value a correction may hold, in characters; a longer one is reported, not corrected. */
  readonly valueLimit?: number;
}

/** What {@link runRules} does when it is not told. The value limit is that of the correction log. */
export const RUN_DEFAULTS = { batchSize: 1_000, valueLimit: 1_000 } as const;

/** What one rule did in one batch. */
export interface RuleOutcome {
  readonly ruleId: string;
  /** Rows that did not keep the rule: corrected + pending + violations of this rule. */
  readonly broke: number;
  /** Rows a transform corrected. */
  readonly corrected: number;
  /** Rows with a proposal that waits for a decision. */
  readonly pending: number;
}

/** The result of one batch, rows in order. */
export interface RuleBatch {
  /** From 0. */
  readonly index: number;
  /** All rows of the batch, with what transforms changed. */
  readonly rows: readonly CatalogueRow[];
  readonly violations: readonly Violation[];
  readonly corrections: readonly Correction[];
  /** One entry for each rule of the plan, in the plan's order. */
  readonly outcomes: readonly RuleOutcome[];
  /** Rows with at least one violation of severity error. */
  readonly rowsWithErrors: number;
}

/**
 * Runs a plan, yielding one result per batch. Reads ahead no more than one batch. Stopping early closes `rows`.
 *
 * Within a row: global rules see the row as it came; then row rules run by precedence and id, each seeing what
 * transforms before it made of the row. A rule that fails on a row in an unforeseen way is reported on that
 * row, and all others go on.
 *
 * A rule on a field the file has no column for: `required` breaks on every row and conditions see it as absent;
 * transforms and suggestions, which have nowhere to write, are not run; any other rule holds. {@link absentFields}
 * lists such fields.
 *
 * @throws HoldfastError HF_PLAN_COMPILER when the plan was compiled by another compiler version.
 */
export async function* runRules(
  plan: CompiledPlan,
  rows: AsyncIterable<CatalogueRow> | Iterable<CatalogueRow>,
  options: RunOptions,
): AsyncGenerator<RuleBatch, void, undefined> {
  const runner = prepareRun(plan, options);
  const batchSize = options.batchSize ?? RUN_DEFAULTS.batchSize;
  let index = 0;
  let waiting: CatalogueRow[] = [];
  for await (const row of rows) {
    waiting.push(row);
    if (waiting.length < batchSize) continue;
    yield runner(waiting, index);
    index += 1;
    waiting = [];
  }
  if (waiting.length > 0) yield runner(waiting, index);
}

/** Fields that rules of the plan ask for and the file has no column for, in the plan's order. */
export function absentFields(plan: CompiledPlan, columns: readonly Column[]): string[] {
  const present = new Set(columns.map((column) => column.field));
  return [...new Set(plan.rules.map((rule) => rule.field))].filter((field) => !present.has(field));
}

interface PreparedRule {
  readonly rule: CompiledRule;
  readonly column: number | undefined;
  readonly check: Check;
  readonly fix: Fix | null;
}

interface Counters {
  broke: number;
  corrected: number;
  pending: number;
}

interface BatchInProgress {
  readonly violations: Violation[];
  readonly corrections: Correction[];
  readonly counters: Counters[];
  readonly valueLimit: number;
}

function prepareRun(
  plan: CompiledPlan,
  options: RunOptions,
): (rows: CatalogueRow[], index: number) => RuleBatch {
  if (plan.compiler !== COMPILER_VERSION) {
    throw new HoldfastError({
      code: 'HF_PLAN_COMPILER',
      subject: `rule plan ${plan.checksum.slice(0, 12)}`,
      what: `It was compiled by version ${plan.compiler}, this is version ${COMPILER_VERSION}.`,
      fix: 'Compile the rules again with compileRules.',
    });
  }
  const positions = new Map(options.columns.map((column) => [column.field, column.index]));
  const rules = plan.rules.map((rule): PreparedRule => ({
    rule,
    column: positions.get(rule.field),
    check: prepareCheck(rule),
    fix: rule.action === 'assert' ? null : prepareFix(rule),
  }));
  const valueLimit = options.valueLimit ?? RUN_DEFAULTS.valueLimit;
  return (rows, index) => {
    const counters = rules.map((): Counters => ({ broke: 0, corrected: 0, pending: 0 }));
    const batch: BatchInProgress = { violations: [], corrections: [], counters, valueLimit };
    const corrected = rows.map((row) => runRow(row, { rules, positions }, batch));
    const outcomes = rules.map(({ rule }, i) => ({ ruleId: rule.id, ...(counters[i] as Counters) }));
    const { violations, corrections } = batch;
    return { index, rows: corrected, violations, corrections, outcomes, rowsWithErrors: erring(violations) };
  };
}

interface Prepared {
  readonly rules: readonly PreparedRule[];
  readonly positions: ReadonlyMap<string, number>;
}

function runRow(row: CatalogueRow, prepared: Prepared, batch: BatchInProgress): CatalogueRow {
  reportIssues(row, batch);
  let cells: readonly string[] = row.cells;
  const read: ReadField = (field) => {
    const position = prepared.positions.get(field);
    return position === undefined ? undefined : (cells[position] ?? '');
  };
  for (const [i, rule] of prepared.rules.entries()) {
    const fixed = runRule(rule, { row, read, counters: batch.counters[i] as Counters }, batch);
    if (fixed === null || rule.column === undefined) continue;
    cells = cells.with(rule.column, fixed);
  }
  return cells === row.cells ? row : { ...row, cells };
}

interface RowAtHand {
  readonly row: CatalogueRow;
  readonly read: ReadField;
  readonly counters: Counters;
}

// The new value when a transform made one, else null.
function runRule(prepared: PreparedRule, at: RowAtHand, batch: BatchInProgress): string | null {
  if (prepared.column === undefined && prepared.fix !== null) return null;
  const value = at.read(prepared.rule.field) ?? '';
  const brokeBefore = at.counters.broke;
  try {
    if (prepared.check(value, at.read, at.row.recordNumber)) return null;
    at.counters.broke += 1;
    const correction = correct(prepared, { ...at, value }, batch.valueLimit);
    if (correction === null) {
      batch.violations.push(violationOf(prepared, at, batch.valueLimit));
      return null;
    }
    batch.corrections.push(correction);
    at.counters[correction.status === 'applied' ? 'corrected' : 'pending'] += 1;
    return correction.status === 'applied' ? correction.correctedValue : null;
  } catch (error) {
    batch.violations.push(failureOf(prepared, { at, error }, batch.valueLimit));
    at.counters.broke = brokeBefore + 1;
    return null;
  }
}

// A correction must make its own rule hold and must fit the log; anything else stays a violation.
function correct(
  prepared: PreparedRule,
  at: RowAtHand & { readonly value: string },
  valueLimit: number,
): Correction | null {
  const { rule, column, check, fix } = prepared;
  if (fix === null || column === undefined) return null;
  const fixed = fix(at.value, at.read);
  if (fixed === null || fixed.value === at.value) return null;
  if (at.value.length > valueLimit || fixed.value.length > valueLimit) return null;
  const readFixed: ReadField = (field) => (field === rule.field ? fixed.value : at.read(field));
  if (!check(fixed.value, readFixed, at.row.recordNumber)) return null;
  const transform = rule.action === 'transform';
  return {
    recordNumber: at.row.recordNumber,
    line: at.row.line,
    field: rule.field,
    ruleId: rule.id,
    severity: rule.severity,
    originalValue: at.value,
    correctedValue: fixed.value,
    correctionType: fixed.type,
    method: transform ? 'automatic' : 'rule_based',
    confidence: fixed.confidence,
    status: transform ? 'applied' : 'pending',
  };
}

function violationOf(prepared: PreparedRule, at: RowAtHand, valueLimit: number): Violation {
  const { rule } = prepared;
  return {
    recordNumber: at.row.recordNumber,
    line: at.row.line,
    field: rule.field,
    ruleId: rule.id,
    severity: rule.severity,
    originalValue: prepared.column === undefined ? null : cut(at.read(rule.field) ?? '', valueLimit),
    message: rule.message,
  };
}

function failureOf(
  prepared: PreparedRule,
  failure: { readonly at: RowAtHand; readonly error: unknown },
  valueLimit: number,
): Violation {
  const reason = failure.error instanceof Error ? failure.error.message : String(failure.error);
  const message = cut(`The rule could not be run on this row: ${reason}`, 500);
  return { ...violationOf(prepared, failure.at, valueLimit), severity: 'error', message };
}

function reportIssues(row: CatalogueRow, batch: BatchInProgress): void {
  for (const issue of row.issues ?? []) {
    batch.violations.push({
      recordNumber: row.recordNumber,
      line: row.line,
      field: WHOLE_ROW,
      ruleId: issue.code,
      severity: issue.code === 'csv_row_width' ? 'error' : 'warning',
      originalValue: null,
      message: issue.message,
    });
  }
}

function erring(violations: readonly Violation[]): number {
  const records = new Set<number>();
  for (const violation of violations) {
    if (violation.severity === 'error') records.add(violation.recordNumber);
  }
  return records.size;
}

// Never between the two halves of a character.
function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const half = /[\uD800-\uDBFF]/.test(text.charAt(limit - 2));
  return `${text.slice(0, half ? limit - 2 : limit - 1)}…`;
}
