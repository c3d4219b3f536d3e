// The steps a correction is made of. Each is a pure function of the value and the row; the confidence of a
// correction is the product of its steps', and its type is the weightiest thing a step did.

import { checkDigit } from '../catalogue/barcode.ts';
import { isEmpty, type ReadField } from './condition.ts';
import { parseDecimal, roundDecimal, type DecimalLocale } from './decimal.ts';
import { isIsoDate } from './formats.ts';
import { stripHtml } from './html.ts';
import { nearestIn } from './nearest.ts';
import { compilePattern, replaced } from './pattern.ts';
import type { CompiledRule, CorrectionType, FixStep } from './rule.ts';

/** What a fix makes of a value. */
export interface Fixed {
  readonly value: string;
  readonly type: CorrectionType;
  /** 0..1, four decimals. */
  readonly confidence: number;
}

/** A prepared fix: null when a step cannot say what the value should be. */
export type Fix = (value: string, read: ReadField) => Fixed | null;

interface StepResult {
  readonly value: string;
  readonly confidence: number;
}

type Step = (value: string, read: ReadField) => StepResult | null;

/** Prepares the steps of a compiled rule, in order. The result is a function without side effects. */
export function prepareFix(rule: CompiledRule): Fix {
  const steps = rule.fix.map((step) => ({ type: STEP_TYPES[step.step], run: prepareStep(step, rule) }));
  return (original, read) => {
    let value = original;
    let confidence = 1;
    let type: CorrectionType = 'normalization';
    for (const step of steps) {
      const result = step.run(value, read);
      if (result === null) return null;
      if (result.value === value) continue;
      value = result.value;
      confidence *= result.confidence;
      if (WEIGHT[step.type] > WEIGHT[type]) type = step.type;
    }
    return { value, type, confidence: rounded(rule.confidence ?? confidence) };
  };
}

const STEP_TYPES: Readonly<Record<FixStep['step'], CorrectionType>> = {
  trim: 'normalization',
  collapse_spaces: 'normalization',
  lower: 'normalization',
  upper: 'normalization',
  title_case: 'normalization',
  strip_html: 'normalization',
  digits: 'format',
  decimal: 'format',
  date: 'format',
  pad_left: 'format',
  check_digit: 'value_replacement',
  nearest: 'value_replacement',
  replace: 'value_replacement',
  replace_pattern: 'value_replacement',
  default: 'default_fill',
  copy: 'default_fill',
  truncate_words: 'truncation',
  remove: 'removal',
};

const WEIGHT: Readonly<Record<CorrectionType, number>> = {
  normalization: 0,
  format: 1,
  value_replacement: 2,
  default_fill: 3,
  truncation: 4,
  removal: 5,
};

function prepareStep(step: FixStep, rule: CompiledRule): Step {
  switch (step.step) {
    case 'nearest':
      return prepareNearest(rule);
    case 'decimal':
      return (value) => fixDecimal(value, step.locale ?? 'auto', step.places);
    case 'date':
      return (value) => fixDate(value, step.order ?? 'dmy');
    case 'truncate_words':
      return (value) => sure(truncateAtWord(value, step.max), 0.8);
    case 'pad_left':
      return (value) => sure(value === '' ? '' : value.padStart(step.length, step.with ?? '0'), 0.9);
    case 'default':
      return (value) => sure(isEmpty(value) ? step.value : value, 0.6);
    case 'copy':
      return (value, read) => (isEmpty(value) ? copied(read(step.field)) : sure(value, 1));
    case 'replace':
      return (value) => sure(Object.hasOwn(step.map, value) ? (step.map[value] ?? value) : value, 0.95);
    case 'replace_pattern':
      return prepareReplacePattern(step);
    default:
      return SIMPLE_STEPS[step.step];
  }
}

type SimpleStep = Exclude<
  FixStep['step'],
  | 'nearest'
  | 'decimal'
  | 'date'
  | 'truncate_words'
  | 'pad_left'
  | 'default'
  | 'copy'
  | 'replace'
  | 'replace_pattern'
>;

const SIMPLE_STEPS: Readonly<Record<SimpleStep, Step>> = {
  trim: (value) => sure(value.trim(), 1),
  collapse_spaces: (value) => sure(value.replace(/[\s\u200B]+/g, ' '), 1),
  lower: (value) => sure(value.toLowerCase(), 0.99),
  upper: (value) => sure(value.toUpperCase(), 0.99),
  title_case: (value) => sure(titleCase(value), 0.9),
  strip_html: (value) => {
    const text = stripHtml(value);
    return text === null ? null : sure(text, 0.95);
  },
  digits: (value) => sure(value.replace(/\D+/g, ''), 0.9),
  remove: () => sure('', 0.5),
  check_digit: (value) => {
    const body = value.slice(0, -1);
    const digit = checkDigit(body);
    return digit === null ? null : sure(body + digit, 0.5);
  },
};

function sure(value: string, confidence: number): StepResult {
  return { value, confidence };
}

function copied(value: string | undefined): StepResult | null {
  return value === undefined || isEmpty(value) ? null : sure(value, 0.7);
}

function prepareNearest(rule: CompiledRule): Step {
  const nearest = nearestIn(rule.params['values'] as readonly string[]);
  return (value) => nearest(value);
}

function prepareReplacePattern(step: Extract<FixStep, { readonly step: 'replace_pattern' }>): Step {
  const { pattern } = compilePattern(step.pattern);
  return (value) => (pattern === null ? null : sure(replaced(pattern, value, step.with), 0.9));
}

function fixDecimal(value: string, locale: DecimalLocale, places: number | undefined): StepResult | null {
  if (isEmpty(value)) return sure(value, 1);
  const decimal = parseDecimal(value, locale);
  if (decimal === null) return null;
  const text = places === undefined ? decimal.text : roundDecimal(decimal.text, places);
  const lost = Number(text) !== Number(decimal.text);
  return sure(text, (decimal.ambiguous ? 0.7 : 0.99) * (lost ? 0.9 : 1));
}

// Two-digit years are refused: nothing in the value says which century was meant.
function fixDate(value: string, order: 'dmy' | 'mdy'): StepResult | null {
  const text = value.trim();
  if (isIsoDate(text)) return sure(text, 1);
  const match = /^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})$/.exec(text);
  if (match === null) return null;
  const [first = '', second = '', year = ''] = match.slice(1).map((part) => part.padStart(2, '0'));
  const iso = order === 'dmy' ? `${year}-${second}-${first}` : `${year}-${first}-${second}`;
  return isIsoDate(iso) ? sure(iso, Number(first) <= 12 && Number(second) <= 12 ? 0.8 : 0.95) : null;
}

/**
 * Cuts at the last space that leaves at most `max` characters (code points); a first word longer than that is
 * cut within, never between a letter and its combining marks. Punctuation left at the end goes too.
 */
export function truncateAtWord(value: string, max: number): string {
  const characters = Array.from(value);
  if (characters.length <= max) return value;
  let at = max;
  while (at > 0 && !/\s/.test(characters[at] ?? '')) at -= 1;
  if (at === 0) {
    at = max;
    while (at > 1 && /[\p{M}\u200D]/u.test(characters[at] ?? '')) at -= 1;
  }
  const cut = characters.slice(0, at).join('').trimEnd();
  const clean = cut.replace(/[\s,;:/|&–—-]{1,20}$/u, '');
  return clean === '' ? cut : clean;
}

const SMALL_WORDS: ReadonlySet<string> = new Set(
  'a o e as os de da do das dos em no na com para por y el la los las del con of and the for with in'.split(
    ' ',
  ),
);

function titleCase(value: string): string {
  let first = true;
  return value.replace(/[\p{L}\p{N}'’]+/gu, (word) => {
    const lower = word.toLowerCase();
    const small = !first && SMALL_WORDS.has(lower);
    first = false;
    if (small) return lower;
    const [initial = '', ...rest] = Array.from(lower);
    return initial.toUpperCase() + rest.join('');
  });
}

function rounded(confidence: number): number {
  return Math.round(Math.min(1, Math.max(0, confidence)) * 10_000) / 10_000;
}
