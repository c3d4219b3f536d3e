// Patterns run on RE2: matching time grows with the length of the value only, so a rule somebody writes can
// never hang a job. What RE2 cannot do that way (lookaround, backreferences) is refused when it is compiled.

import { RE2JS } from 're2js';

/** Longest pattern accepted, in characters. */
export const PATTERN_LIMIT = 1_000;

// Instructions of the compiled program; matching costs at most this many steps per character.
const PROGRAM_LIMIT = 1_000;

/** Longest value a pattern looks at, in characters: about a second of the slowest pattern accepted. */
export const MATCH_LIMIT = 100_000;

/** A compiled pattern, or why it was refused. */
export type PatternResult =
  | { readonly pattern: RE2JS; readonly error: null }
  | { readonly pattern: null; readonly error: string };

/**
 * Compiles a pattern to RE2.
 * @param source RE2 syntax. It matches anywhere in the value unless it is anchored with ^ and $.
 */
export function compilePattern(source: string, ignoreCase = false): PatternResult {
  if (source.length > PATTERN_LIMIT) {
    return { pattern: null, error: `is longer than ${PATTERN_LIMIT} characters.` };
  }
  try {
    const pattern = RE2JS.compile(source, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
    if (pattern.programSize() > PROGRAM_LIMIT) {
      return { pattern: null, error: 'is too large: make its repetition counts smaller.' };
    }
    return { pattern, error: null };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { pattern: null, error: `cannot run in linear time or is not a pattern: ${reason}` };
  }
}

/**
 * Whether the pattern is found in the value.
 * @throws Error for a value longer than {@link MATCH_LIMIT}; the run reports it on the row.
 */
export function found(pattern: RE2JS, value: string): boolean {
  return pattern.test(withinLimit(value));
}

/** The value with every match replaced; `$1` and `$<name>` stand for groups. Throws as {@link found} does. */
export function replaced(pattern: RE2JS, value: string, replacement: string): string {
  return pattern.matcher(withinLimit(value)).replaceAll(replacement);
}

function withinLimit(value: string): string {
  if (value.length <= MATCH_LIMIT) return value;
  throw new RangeError(`The value has more than ${MATCH_LIMIT} characters.`);
}
