// The rule engine of ValidaHub: pure functions of rules and rows, no database.

export { compileRules, RULE_DEFAULTS, RULES_LIMIT, type Compilation } from './compile.ts';
export { checksum, COMPILER_VERSION } from './checksum.ts';
export {
  compatibility,
  type Compatibility,
  type CompatibilityLevel,
  type RuleChange,
} from './compatibility.ts';
export {
  errorText,
  loadRules,
  loadRulesFile,
  RULE_FILE_DEFAULTS,
  type LoadedRules,
  type RuleFile,
  type ValueLists,
} from './load.ts';
export { renderReport, REPORT_WIDTH } from './render.ts';
export {
  EXAMPLES,
  ReportBuilder,
  type Example,
  type IssueReport,
  type Report,
  type RuleReport,
} from './report.ts';
export {
  compareBatches,
  NOTHING_COMPARED,
  together,
  type CellDifference,
  type RuleCounts,
  type SideBySide,
} from './side-by-side.ts';
export {
  absentFields,
  RUN_DEFAULTS,
  runRules,
  type RuleBatch,
  type RuleOutcome,
  type RunOptions,
} from './run.ts';
export {
  ACTIONS,
  CORRECTION_TYPES,
  RULE_TYPES,
  SCOPES,
  SEVERITIES,
  WHOLE_ROW,
  type Action,
  type CompiledPlan,
  type CompiledRule,
  type Correction,
  type CorrectionType,
  type FixStep,
  type Rule,
  type RuleError,
  type RuleType,
  type Scope,
  type Severity,
  type Violation,
} from './rule.ts';
