// The statements of a PL/pgSQL body with what they stand in: branches, loops, blocks and their handlers. What is known is
// where a statement stands, not what it means.
import { inside, type Token, tokens } from './sql-text.ts';

/** What a statement stands in, and under which condition it is reached. */
export interface Around {
  readonly kind: 'block' | 'if' | 'case' | 'loop' | 'handler';
  /** Of a branch: its condition as written, `else` for the last; of a loop its head; of a handler the conditions it is for. */
  readonly when: string;
  /** Of a block: conditions that its handlers are for, in small letters; empty without handlers. */
  readonly catches: readonly string[];
}

/** One statement, without its semicolon and without comments. */
export interface Statement {
  readonly text: string;
  /** `head`: what is asked or run through before a branch or a loop is entered. */
  readonly kind: 'declaration' | 'head' | 'statement';
  /** From the outermost block inwards; the block itself is the first. */
  readonly within: readonly Around[];
}

type Open = { -readonly [key in keyof Around]: Around[key] } & { catches: string[] };

/**
 * Splits a body. SQL bodies are statements that stand in nothing.
 * @param text the body as it was written
 */
export function statementsOf(text: string, language: string): readonly Statement[] {
  const all = tokens(text).filter(({ kind }) => kind !== 'comment');
  return language === 'plpgsql' ? new Splitter(all).split() : plain(all);
}

function plain(all: readonly Token[]): readonly Statement[] {
  const split = new Splitter(all);
  const found: Statement[] = [];
  while (!split.done()) {
    const statement = split.until(';');
    if (statement !== '') found.push({ text: statement, kind: 'statement', within: [] });
  }
  return found;
}

class Splitter {
  readonly #tokens: readonly Token[];
  #at = 0;
  #stack: Open[] = [];
  #declaring = false;
  readonly #found: Statement[] = [];

  constructor(all: readonly Token[]) {
    this.#tokens = all;
  }

  done(): boolean {
    return this.#at >= this.#tokens.length;
  }

  split(): readonly Statement[] {
    while (!this.done()) this.#next();
    return this.#found;
  }

  #next(): void {
    const token = this.#tokens[this.#at] as Token;
    const word = token.kind === 'word' ? token.text.toLowerCase() : '';
    if (token.kind === 'space' || token.text === ';') this.#at += 1;
    else if (token.text === '<' || token.text === '<<') this.#label();
    else if (!this.#opens(word) && !this.#turns(word)) this.#statement();
  }

  // <<name>> before a block or a loop.
  #label(): void {
    while (!this.done() && this.#tokens[this.#at]?.text !== '>') this.#at += 1;
    while (this.#tokens[this.#at]?.text === '>') this.#at += 1;
  }

  #opens(word: string): boolean {
    if (word === 'declare') {
      this.#at += 1;
      this.#declaring = true;
    } else if (word === 'begin') {
      this.#at += 1;
      this.#declaring = false;
      this.#stack.push({ kind: 'block', when: '', catches: [] });
    } else if (this.#declaring) return false;
    else if (word === 'if') this.#push('if', 'then');
    else if (word === 'case') this.#push('case', 'when');
    else if (word === 'for' || word === 'foreach' || word === 'while' || word === 'loop')
      this.#push('loop', 'loop');
    else return false;
    return true;
  }

  #push(kind: 'if' | 'case' | 'loop', end: string): void {
    const head = this.until(end);
    const when = kind === 'if' ? head.replace(/^if\b\s*/i, '') : head;
    this.#add(when, 'head');
    this.#stack.push({ kind, when, catches: [] });
    // CASE … WHEN: the first branch's condition follows.
    if (kind === 'case') this.#branch('then');
  }

  #turns(word: string): boolean {
    const top = this.#stack.at(-1);
    if (this.#declaring || top === undefined) return false;
    if (word === 'end') {
      this.until(';');
      const closed = this.#stack.pop();
      if (closed?.kind === 'handler') this.#stack.pop();
    } else if ((word === 'elsif' || word === 'elseif') && top.kind === 'if') this.#branch('then');
    else if (word === 'else' && (top.kind === 'if' || top.kind === 'case')) {
      this.#at += 1;
      this.#stack[this.#stack.length - 1] = { ...top, when: 'else' };
    } else if (word === 'when' && (top.kind === 'case' || top.kind === 'handler')) this.#branch('then');
    else if (word === 'exception' && top.kind === 'block') {
      this.#at += 1;
      this.#stack.push({ kind: 'handler', when: '', catches: [] });
    } else return false;
    return true;
  }

  #branch(end: string): void {
    const when = this.until(end).replace(/^(?:elsif|elseif|when)\b\s*/i, '');
    const top = this.#stack.pop() as Open;
    if (top.kind !== 'handler') this.#add(when, 'head');
    this.#stack.push({ ...top, when });
    // Statements of the block hold the same list: they are caught by what comes after them.
    if (top.kind === 'handler') this.#stack.at(-2)?.catches.push(...when.toLowerCase().split(/\s+or\s+/));
  }

  #statement(): void {
    this.#add(this.until(';'), this.#declaring ? 'declaration' : 'statement');
  }

  #add(text: string, kind: Statement['kind']): void {
    if (text !== '') this.#found.push({ text, kind, within: [...this.#stack] });
  }

  /** What stands before a word or sign at this level; CASE expressions and brackets are passed over whole. */
  until(end: string): string {
    const from = this.#at;
    let depth = 0;
    for (; this.#at < this.#tokens.length; this.#at += 1) {
      const text = (this.#tokens[this.#at] as Token).text.toLowerCase();
      if (depth === 0 && text === end) break;
      if (text === '(' || text === '[' || (text === 'case' && this.#at > from)) depth += 1;
      if (text === ')' || text === ']' || (text === 'end' && this.#at > from && depth > 0)) depth -= 1;
      if (text === ';' && depth > 0) break;
    }
    const part = this.#tokens.slice(from, this.#at);
    this.#at += 1;
    return part
      .map(({ text }) => text)
      .join('')
      .trim();
  }
}

const EXECUTES =
  /^(?:return\s+query\s+execute|execute|for\s[\s\S]*?\bin\s+execute|open\s[\s\S]*?\bfor\s+execute)\b/i;

/**
 * Statements a body puts together and hands to EXECUTE, as far as they stand in its text: the quoted strings of the
 * expression, and those of the assignments to a variable that is executed. What is filled in is left out.
 */
export function executedTexts(statements: readonly Statement[]): readonly string[] {
  const found: string[] = [];
  const variables = new Set<string>();
  for (const { text } of statements) {
    const head = EXECUTES.exec(text)?.[0];
    if (head === undefined) continue;
    const expression = beforeUsing(text.slice(head.length));
    const [first, ...more] = expression.filter(({ kind }) => kind !== 'space');
    if (first !== undefined && first.kind === 'word' && more.length === 0)
      variables.add(first.text.toLowerCase());
    found.push(joined(expression));
  }
  for (const { text } of statements) {
    const assigned = /^([A-Za-z_][\w$]*)(?:\s+(?:constant\s+)?[A-Za-z][\w ]*)?\s*(?::=|=|\bdefault\b)/i.exec(
      text,
    );
    if (assigned !== null && variables.has((assigned[1] ?? '').toLowerCase()))
      found.push(joined(tokens(text.slice(assigned[0].length))));
  }
  return found.filter((text) => text.trim() !== '');
}

// EXECUTE sql INTO x USING y: values are no part of the statement.
function beforeUsing(text: string): readonly Token[] {
  const all = tokens(text);
  const end = all.findIndex(({ kind, text: word }) => kind === 'word' && /^(?:using|into|loop)$/i.test(word));
  return end < 0 ? all : all.slice(0, end);
}

// format('… %I …', name) and 'a' || name || 'b': what is written, with a blank where something is filled in. What stands
// behind the first argument of format is no part of the statement.
function joined(all: readonly Token[]): string {
  const written: string[] = [];
  let depth = 0;
  /** Depths at which brackets of format are open, and whether its first argument was taken. */
  const formats = new Map<number, boolean>();
  for (const [at, { kind, text }] of all.entries()) {
    if (text === '(') {
      depth += 1;
      const called = all.slice(0, at).findLast((token) => token.kind !== 'space')?.text;
      if (/^format$/i.test(called ?? '')) formats.set(depth, false);
    }
    if (kind === 'text' && ![...formats.values()].includes(true)) {
      written.push(inside(text));
      for (const open of formats.keys()) formats.set(open, true);
    }
    if (text === ')') {
      formats.delete(depth);
      depth -= 1;
    }
  }
  return written.join(' ');
}
