// What a run found, rule by rule: as a value for programs, and as text for the person who uploaded the file.

import type { CatalogueRow, Column } from '../catalogue/row.ts';
import { absentFields, type RuleBatch } from './run.ts';
import type { Action, CompiledPlan, Severity } from './rule.ts';

/** One row a rule broke on. */
export interface Example {
  readonly recordNumber: number;
  readonly line: number;
  readonly value: string | null;
  /** What it was, or would be, corrected to. */
  readonly correctedValue: string | null;
}

/** What one rule did in the whole file. */
export interface RuleReport {
  readonly ruleId: string;
  readonly field: string;
  readonly severity: Severity;
  readonly action: Action;
  readonly message: string;
  /** Rows that did not keep the rule: corrected + pending + open. */
  readonly broke: number;
  /** Rows a transform corrected. */
  readonly corrected: number;
  /** Rows with a proposal that waits for a decision. */
  readonly pending: number;
  /** Rows somebody has to correct by hand. */
  readonly open: number;
  /** The first few rows, at most {@link EXAMPLES}. */
  readonly examples: readonly Example[];
}

/** Rows the reader found something wrong with, before any rule. */
export interface IssueReport {
  readonly code: string;
  readonly rows: number;
  readonly firstLine: number;
  readonly message: string;
}

/** The result of a run. The same file and plan give the same report. */
export interface Report {
  readonly file: string;
  readonly sha256: string;
  readonly checksum: string;
  readonly rows: number;
  /** Rows without a violation of severity error, counting corrected values as right. */
  readonly rowsOk: number;
  readonly rowsWithErrors: number;
  readonly violations: number;
  /** Values corrected by transforms. */
  readonly corrected: number;
  /** Proposals that wait for a decision. */
  readonly pending: number;
  /** In the plan's order, rules that nothing broke included. */
  readonly rules: readonly RuleReport[];
  readonly issues: readonly IssueReport[];
  /** Fields rules ask for that the file has no column for. */
  readonly absentFields: readonly string[];
}

/** Examples kept for each rule. */
export const EXAMPLES = 3;

/** Gathers a report from batches as they come; memory does not grow with the file. */
export class ReportBuilder {
  readonly #plan: CompiledPlan;
  readonly #file: { readonly name: string; readonly sha256: string; readonly columns: readonly Column[] };
  readonly #rules: Map<string, { broke: number; corrected: number; pending: number; examples: Example[] }>;
  readonly #issues = new Map<string, { rows: number; firstLine: number; message: string }>();
  #rows = 0;
  #rowsWithErrors = 0;
  #violations = 0;

  constructor(
    plan: CompiledPlan,
    file: { readonly name: string; readonly sha256: string; readonly columns: readonly Column[] },
  ) {
    this.#plan = plan;
    this.#file = file;
    this.#rules = new Map(
      plan.rules.map((rule) => [rule.id, { broke: 0, corrected: 0, pending: 0, examples: [] }]),
    );
  }

  /** Adds one batch of {@link import('./run.ts').runRules}; batches in order. */
  add(batch: RuleBatch): void {
    this.#rows += batch.rows.length;
    this.#rowsWithErrors += batch.rowsWithErrors;
    this.#violations += batch.violations.length;
    for (const outcome of batch.outcomes) {
      const rule = this.#rules.get(outcome.ruleId);
      if (rule === undefined) continue;
      rule.broke += outcome.broke;
      rule.corrected += outcome.corrected;
      rule.pending += outcome.pending;
    }
    for (const found of batch.corrections) {
      this.#example(found.ruleId, { ...found, value: found.originalValue });
    }
    for (const found of batch.violations) {
      this.#example(found.ruleId, { ...found, value: found.originalValue, correctedValue: null });
    }
    for (const row of batch.rows) this.#addIssues(row);
  }

  /** The report on everything added so far. */
  report(): Report {
    const rules = this.#plan.rules.map((rule): RuleReport => {
      const found = this.#rules.get(rule.id) ?? { broke: 0, corrected: 0, pending: 0, examples: [] };
      const { id: ruleId, field, severity, action, message } = rule;
      const open = found.broke - found.corrected - found.pending;
      return { ruleId, field, severity, action, message, ...found, open, examples: [...found.examples] };
    });
    return {
      file: this.#file.name,
      sha256: this.#file.sha256,
      checksum: this.#plan.checksum,
      rows: this.#rows,
      rowsOk: this.#rows - this.#rowsWithErrors,
      rowsWithErrors: this.#rowsWithErrors,
      violations: this.#violations,
      corrected: rules.reduce((sum, rule) => sum + rule.corrected, 0),
      pending: rules.reduce((sum, rule) => sum + rule.pending, 0),
      rules,
      issues: [...this.#issues].map(([code, issue]) => ({ code, ...issue })),
      absentFields: absentFields(this.#plan, this.#file.columns),
    };
  }

  #example(ruleId: string, found: Example): void {
    const examples = this.#rules.get(ruleId)?.examples;
    if (examples === undefined || examples.length >= EXAMPLES) return;
    const { recordNumber, line, value, correctedValue } = found;
    examples.push({ recordNumber, line, value, correctedValue });
  }

  #addIssues(row: CatalogueRow): void {
    for (const { code, message } of row.issues ?? []) {
      const issue = this.#issues.get(code) ?? { rows: 0, firstLine: row.line, message };
      issue.rows += 1;
      this.#issues.set(code, issue);
    }
  }
}
