// SQL text cut into single statements, by psql's rules: a semicolon ends one unless it stands in parentheses or in the
// body of a routine written as BEGIN ATOMIC … END.
import { HoldfastError } from '../../error.ts';
import { type Token, tokens, type Unterminated } from './tokens.ts';

/** One statement, without the comments around it and without its semicolon. */
export interface SqlText {
  readonly sql: string;
  /** Line it starts on, from 1. */
  readonly line: number;
  /** Its words, names and symbols in capitals as written, quotations as they are; for looking at its kind. */
  readonly words: readonly string[];
}

/**
 * Cuts SQL into statements.
 * @param text one file's content
 * @param file its name, for messages
 * @throws HoldfastError HF_SQL_UNTERMINATED where a quotation, comment or routine body never ends, HF_SQL_META at a
 *   command of psql, which no server understands
 */
export function splitSql(text: string, file: string): SqlText[] {
  const statements: SqlText[] = [];
  let current: Token[] = [];
  let depth = { parentheses: 0, atomic: 0 };
  const finish = (): void => {
    if (current.length > 0) statements.push(statement(text, current));
    current = [];
    depth = { parentheses: 0, atomic: 0 };
  };
  for (const token of tokens(text)) {
    if (token.kind === 'unterminated') throw unterminated(text, file, token);
    const word = text.slice(token.start, token.end);
    if (token.kind === 'symbol' && word === '\\') throw meta(text, file, token);
    if (word === ';' && depth.parentheses === 0 && depth.atomic === 0) {
      finish();
      continue;
    }
    current.push(token);
    if (token.kind === 'symbol' || token.kind === 'word')
      depth = deeper(depth, word.toLowerCase(), isRoutine(text, current));
  }
  if (depth.atomic > 0) throw openBody(text, file, current[0] as Token);
  finish();
  return statements;
}

/** The line of an offset, from 1. */
export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split(/\r\n|\n|\r/).length;
}

interface Depth {
  readonly parentheses: number;
  readonly atomic: number;
}

function deeper(depth: Depth, word: string, routine: boolean): Depth {
  if (word === '(') return { ...depth, parentheses: depth.parentheses + 1 };
  if (word === ')') return { ...depth, parentheses: Math.max(0, depth.parentheses - 1) };
  if (!routine || depth.parentheses > 0) return depth;
  if (word === 'begin' || (word === 'case' && depth.atomic > 0))
    return { ...depth, atomic: depth.atomic + 1 };
  return word === 'end' && depth.atomic > 0 ? { ...depth, atomic: depth.atomic - 1 } : depth;
}

function isRoutine(text: string, current: readonly Token[]): boolean {
  const head = current.slice(0, 4).map((token) => text.slice(token.start, token.end).toLowerCase());
  return /^create (or replace )?(function|procedure)\b/.test(head.join(' '));
}

function statement(text: string, current: readonly Token[]): SqlText {
  const first = current[0] as Token;
  const last = current[current.length - 1] as Token;
  return {
    sql: text.slice(first.start, last.end),
    line: lineOf(text, first.start),
    words: current.map((token) => {
      const word = text.slice(token.start, token.end);
      return token.kind === 'word' ? word.toUpperCase() : word;
    }),
  };
}

function unterminated(text: string, file: string, { what, start }: Unterminated): HoldfastError {
  return new HoldfastError({
    code: 'HF_SQL_UNTERMINATED',
    subject: `${file}:${lineOf(text, start)}`,
    what: `a ${what} starts here and never ends.`,
    fix: 'Close it.',
  });
}

function openBody(text: string, file: string, { start }: Token): HoldfastError {
  return new HoldfastError({
    code: 'HF_SQL_UNTERMINATED',
    subject: `${file}:${lineOf(text, start)}`,
    what: 'the body of the routine that starts here has BEGIN ATOMIC and no END.',
    fix: 'Close it with END.',
  });
}

function meta(text: string, file: string, { start }: Token): HoldfastError {
  const command = /^\\\S*/.exec(text.slice(start))?.[0] ?? '\\';
  return new HoldfastError({
    code: 'HF_SQL_META',
    subject: `${file}:${lineOf(text, start)}`,
    what: `${command} is a command of psql, which no server understands.`,
    fix: 'Take it out; files are found by the globs of `sql`, and names carry their schema.',
  });
}
