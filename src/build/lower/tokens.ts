// A lexer for PostgreSQL's SQL, as far as finding the ends of statements needs one: it knows what is quoted, what is
// commented out and what is a word, and never what a statement means.
// Source of the rules: https://www.postgresql.org/docs/current/sql-syntax-lexical.html and psql's psqlscan.l.

/** A piece of SQL that is neither white space nor comment. Offsets count UTF-16 units from the start of the text. */
export interface Token {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'symbol';
  readonly start: number;
  readonly end: number;
}

/** Text whose end was looked for in vain. */
export interface Unterminated {
  readonly kind: 'unterminated';
  readonly what: 'string' | 'quoted name' | 'comment' | 'dollar-quoted string';
  readonly start: number;
}

const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y;
const NUMBER = /\d[\w.]*|\.\d\w*/y;
const SPACE = /\s+/y;
const LINE_COMMENT = /--[^\n\r]*/y;
const DOLLAR = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y;
const PLAIN_STRING = /'[^']*(?:''[^']*)*'/y;
// A string goes on after white space with a line break in it, and keeps its kind of quoting.
const ESCAPE_STRING = /'[^'\\]*(?:(?:''|\\[^])[^'\\]*)*'(?:\s*[\n\r]\s*'[^'\\]*(?:(?:''|\\[^])[^'\\]*)*')*/y;
const QUOTED = /"[^"]*(?:""[^"]*)*"/y;

/** Cuts SQL into tokens; stops with an {@link Unterminated} at a quotation or comment that never ends. */
export function* tokens(sql: string): Generator<Token | Unterminated> {
  let at = 0;
  while (at < sql.length) {
    const blank = match(SPACE, sql, at) ?? match(LINE_COMMENT, sql, at);
    if (blank !== undefined) {
      at = blank;
      continue;
    }
    const next = sql.startsWith('/*', at) ? comment(sql, at) : token(sql, at);
    if (typeof next === 'number') {
      at = next;
      continue;
    }
    yield next;
    if (next.kind === 'unterminated') return;
    at = next.end;
  }
}

function match(pattern: RegExp, sql: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(sql) ? pattern.lastIndex : undefined;
}

// Block comments nest, unlike the standard's.
function comment(sql: string, start: number): number | Unterminated {
  const edge = /\/\*|\*\//g;
  edge.lastIndex = start;
  let depth = 0;
  for (let found = edge.exec(sql); found !== null; found = edge.exec(sql)) {
    depth += found[0] === '/*' ? 1 : -1;
    if (depth === 0) return edge.lastIndex;
  }
  return { kind: 'unterminated', what: 'comment', start };
}

function token(sql: string, start: number): Token | Unterminated {
  const character = sql[start];
  if (character === "'") return quotation(PLAIN_STRING, { sql, start, from: start });
  if (character === '"') return quotation(QUOTED, { sql, start, from: start });
  if (character === '$') return dollar(sql, start);
  const prefixed = prefix(sql, start);
  if (prefixed !== undefined) return prefixed;
  const word = match(WORD, sql, start);
  if (word !== undefined) return { kind: 'word', start, end: word };
  const number = match(NUMBER, sql, start);
  if (number !== undefined) return { kind: 'number', start, end: number };
  return { kind: 'symbol', start, end: start + 1 };
}

// E'…' has backslash escapes; B'', X'', N'' and U&'' have none; U&"…" is a name.
function prefix(sql: string, start: number): Token | Unterminated | undefined {
  const head = sql.slice(start, start + 3).toLowerCase();
  if (head.startsWith("e'")) return quotation(ESCAPE_STRING, { sql, start, from: start + 1 });
  if (/^[bxn]'/.test(head)) return quotation(PLAIN_STRING, { sql, start, from: start + 1 });
  if (head === "u&'") return quotation(PLAIN_STRING, { sql, start, from: start + 2 });
  return head === 'u&"' ? quotation(QUOTED, { sql, start, from: start + 2 }) : undefined;
}

function quotation(
  pattern: RegExp,
  { sql, start, from }: { readonly sql: string; readonly start: number; readonly from: number },
): Token | Unterminated {
  const end = match(pattern, sql, from);
  const name = pattern === QUOTED;
  if (end === undefined) return { kind: 'unterminated', what: name ? 'quoted name' : 'string', start };
  return { kind: name ? 'quoted' : 'string', start, end };
}

function dollar(sql: string, start: number): Token | Unterminated {
  const open = match(DOLLAR, sql, start);
  if (open === undefined) return { kind: 'symbol', start, end: start + 1 };
  const tag = sql.slice(start, open);
  const close = sql.indexOf(tag, open);
  if (close === -1) return { kind: 'unterminated', what: 'dollar-quoted string', start };
  return { kind: 'string', start, end: close + tag.length };
}
