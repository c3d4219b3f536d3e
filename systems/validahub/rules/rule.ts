// The rule language. A rule says what must hold for one field (type + params), what to do when it does not
// (action), and in which order (precedence, then id). Rules are plain JSON: they are stored as they stand.

import type { Mapping } from '../catalogue/row.ts';

export const RULE_TYPES = [
  'required',
  'format',
  'length',
  'range',
  'enum',
  'pattern',
  'dependency',
  'business',
  'composite',
] as const;
export type RuleType = (typeof RULE_TYPES)[number];

export const SEVERITIES = ['error', 'warning', 'info'] as const;
export type Severity = (typeof SEVERITIES)[number];

/**
 * `assert` reports, `transform` corrects the row at once, `suggest` proposes a correction for a person to
 * decide. A transform or suggestion that cannot make the rule hold is reported like an assert.
 */
export const ACTIONS = ['assert', 'transform', 'suggest'] as const;
export type Action = (typeof ACTIONS)[number];

export const SCOPES = ['row', 'global'] as const;
export type Scope = (typeof SCOPES)[number];

/** Marketplace channels a rule set can be for. */
export const CHANNELS = [
  'mercado_livre',
  'mercado_livre_classic',
  'mercado_livre_premium',
  'magalu',
  'amazon_br',
  'amazon_mx',
  'shopee',
  'b2w',
  'via_varejo',
  'carrefour',
  'custom',
] as const;

/** One marketplace channel. */
export type Channel = (typeof CHANNELS)[number];

/** Kinds of correction. */
export const CORRECTION_TYPES = [
  'value_replacement',
  'normalization',
  'default_fill',
  'format',
  'truncation',
  'removal',
] as const;
export type CorrectionType = (typeof CORRECTION_TYPES)[number];

/** A rule as a person or another system writes it. Defaults: severity error, action assert, precedence 500. */
export interface Rule {
  /** `^[a-z][a-z0-9_]{2,63}$`, once in a rule set. */
  readonly id: string;
  readonly type: RuleType;
  /** A canonical field or a column name, 1 to 100 characters. */
  readonly field: string;
  readonly severity?: Severity;
  /** What a catalogue manager reads, 1 to 500 characters. */
  readonly message: string;
  readonly action?: Action;
  /** 1 runs first, 1000 last; equal ones run in the order of their ids. */
  readonly precedence?: number;
  readonly scope?: Scope;
  /** Depends on {@link Rule.type}; see the reference in `compile.ts`. */
  readonly params?: Readonly<Record<string, unknown>>;
  /** Steps that make the value right, in order. Asked for by transform and suggest, refused by assert. */
  readonly fix?: readonly FixStep[];
  /** 0..1, instead of the confidence computed from the steps. */
  readonly confidence?: number;
}

/** One step of a correction; each is a pure function of the value and the row. */
export type FixStep =
  | { readonly step: 'trim' | 'collapse_spaces' | 'lower' | 'upper' | 'title_case' | 'strip_html' }
  | { readonly step: 'digits' | 'remove' | 'check_digit' | 'nearest' }
  | { readonly step: 'truncate_words'; readonly max: number }
  | { readonly step: 'decimal'; readonly places?: number; readonly locale?: 'auto' | 'pt' | 'en' }
  | { readonly step: 'date'; readonly order?: 'dmy' | 'mdy' }
  | { readonly step: 'pad_left'; readonly length: number; readonly with?: string }
  | { readonly step: 'default'; readonly value: string }
  | { readonly step: 'copy'; readonly field: string }
  | { readonly step: 'replace'; readonly map: Readonly<Record<string, string>> }
  | { readonly step: 'replace_pattern'; readonly pattern: string; readonly with: string };

/** A rule after compilation: every default is filled in, `params` are checked. JSON-safe. */
export interface CompiledRule {
  readonly id: string;
  readonly type: RuleType;
  readonly field: string;
  readonly severity: Severity;
  readonly message: string;
  readonly action: Action;
  readonly precedence: number;
  readonly scope: Scope;
  readonly params: Readonly<Record<string, unknown>>;
  readonly fix: readonly FixStep[];
  readonly confidence: number | null;
}

/** The execution plan, JSON-safe: what `rule_versions.compiled` holds. */
export interface CompiledPlan {
  readonly compiler: number;
  readonly checksum: string;
  readonly mapping: Mapping;
  /** Global rules first, then by precedence, then by id. */
  readonly rules: readonly CompiledRule[];
}

/** Why a rule was refused. */
export interface RuleError {
  /** The rule's id when it has a readable one, else null. */
  readonly ruleId: string | null;
  /** Position in the list of rules from 0; -1 for the list or the mapping as a whole. */
  readonly index: number;
  /** Where in the rule: `params.pattern`. */
  readonly path: string;
  readonly message: string;
  /** Line in the rule file, from 1, when the rules came from text. */
  readonly line?: number;
}

/** What a rule (or the reader) found and nobody corrected: a row of `job_violations`. */
export interface Violation {
  readonly recordNumber: number;
  readonly line: number;
  /** The rule's field; `(row)` when the row as a whole is meant. */
  readonly field: string;
  /** A rule's id, or the code of a {@link import('../catalogue/row.ts').RowIssue}. */
  readonly ruleId: string;
  readonly severity: Severity;
  /** The value the rule saw, cut at the value limit; null when the file has no such column. */
  readonly originalValue: string | null;
  readonly message: string;
}

/** A value changed by a transform, or proposed by a suggestion: a row of `correction_logs`. */
export interface Correction {
  readonly recordNumber: number;
  readonly line: number;
  readonly field: string;
  readonly ruleId: string;
  readonly severity: Severity;
  /** The value the rule saw: earlier transforms of the same row have already been made. */
  readonly originalValue: string;
  /** Never equal to {@link Correction.originalValue}. */
  readonly correctedValue: string;
  readonly correctionType: CorrectionType;
  /** `automatic` for transform, `rule_based` for suggest. */
  readonly method: 'automatic' | 'rule_based';
  /** 0..1, four decimals. */
  readonly confidence: number;
  /** `applied` for transform (the row already holds it), `pending` for suggest (the row does not). */
  readonly status: 'applied' | 'pending';
}

/** The field name of violations that concern a row as a whole. */
export const WHOLE_ROW = '(row)';
