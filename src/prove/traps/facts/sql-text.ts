// Text of functions as words: what is a comment, what stands in quotes, what is a name. One tokenizer for every check that
// reads a function's text, as PostgreSQL's own scanner splits it.

/** A word, a quoted name, a quoted string, a number, a sign, a comment or white space, as it stands in the text. */
export interface Token {
  readonly kind: 'word' | 'name' | 'text' | 'number' | 'sign' | 'comment' | 'space';
  readonly text: string;
  /** Where it begins in the text. */
  readonly at: number;
}

const LETTER = String.raw`A-Za-z_\u0080-\uffff`;
// A dollar that follows a letter belongs to the name. E'' knows \'; the others end at the first quote that is not doubled.
const TOKEN = new RegExp(
  String.raw`(--[^\n\r]*|/\*)|(\s+)|(\$((?:[${LETTER}][${LETTER}0-9]*)?)\$|[eE]'(?:[^'\\]|''|\\[\s\S])*(?:'|$)|(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*(?:'|$))|((?:[uU]&)?"(?:[^"]|"")*(?:"|$))|([${LETTER}][${LETTER}0-9$]*)|(\d[\w.]*)|(?:::|:=|\|\||[<>]=|<>|!=|->>?|[\s\S])`,
  'y',
);

/**
 * A text as tokens; put together they are the text again. Block comments nest, and what is not closed goes to the end.
 * @see https://www.postgresql.org/docs/current/sql-syntax-lexical.html
 */
export function tokens(text: string): readonly Token[] {
  return [...tokensFrom(text, 0)];
}

/** One token after the other, so that who has seen enough can stop. */
function* tokensFrom(text: string, from: number): Generator<Token> {
  for (let at = from; at < text.length;) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    const [whole = '', comment, space, quoted, tag, name, word, number] = match ?? [];
    const kind =
      word !== undefined
        ? 'word'
        : space !== undefined
          ? 'space'
          : quoted !== undefined
            ? 'text'
            : comment !== undefined
              ? 'comment'
              : name !== undefined
                ? 'name'
                : number !== undefined
                  ? 'number'
                  : 'sign';
    const end =
      comment === '/*'
        ? endOfComment(text, at)
        : tag !== undefined
          ? endOfDollars(text, at, `$${tag}$`)
          : at + Math.max(whole.length, 1);
    yield { kind, text: text.slice(at, end), at };
    at = end;
  }
}

function endOfDollars(text: string, at: number, quote: string): number {
  const close = text.indexOf(quote, at + quote.length);
  return close < 0 ? text.length : close + quote.length;
}

function endOfComment(text: string, at: number): number {
  const edge = /\/\*|\*\//g;
  edge.lastIndex = at;
  let depth = 0;
  for (let found = edge.exec(text); found !== null; found = edge.exec(text)) {
    depth += found[0] === '/*' ? 1 : -1;
    if (depth === 0) return edge.lastIndex;
  }
  return text.length;
}

/** The text with comments taken out; what stands in quotes is left alone. */
export function withoutComments(text: string): string {
  return tokens(text)
    .map((token) => (token.kind === 'comment' ? ' ' : token.text))
    .join('');
}

/** The text with every quoted string emptied to `''`; quoted names stay. */
export function withoutText(text: string): string {
  return tokens(text)
    .map((token) => (token.kind === 'text' ? "''" : token.text))
    .join('');
}

/** What stands in quotes, without them: statements handed to EXECUTE among it. */
export function texts(text: string): readonly string[] {
  return tokens(text).flatMap((token) => (token.kind === 'text' ? inside(token.text) : []));
}

/**
 * Where a pattern is found beginning in code: not in a comment and not in a quoted string, though it may go on over one.
 * Comments between are white space to it.
 * @param pattern global
 */
export function matchesInCode(text: string, pattern: RegExp): readonly RegExpExecArray[] {
  const quiet = new Set<number>();
  let blank = '';
  for (const { kind, text: piece, at } of tokens(text)) {
    blank += kind === 'comment' ? piece.replaceAll(/[^\n]/g, ' ') : piece;
    if (kind !== 'text' && kind !== 'comment') continue;
    // A pattern may begin with the quote itself.
    for (let inner = kind === 'text' ? 1 : 0; inner < piece.length; inner += 1) quiet.add(at + inner);
  }
  return [...blank.matchAll(pattern)].filter(({ index }) => !quiet.has(index));
}

/** The text with each match of {@link matchesInCode} replaced. */
export function replacedInCode(
  text: string,
  pattern: RegExp,
  by: (match: RegExpExecArray) => string,
): string {
  const out: string[] = [];
  let at = 0;
  for (const match of matchesInCode(text, pattern)) {
    out.push(text.slice(at, match.index), by(match));
    at = match.index + match[0].length;
  }
  return [...out, text.slice(at)].join('');
}

/**
 * What stands in the brackets that open at a place, split at its commas, brackets and quotes told apart.
 * @param open where the opening bracket stands
 * @returns undefined where it is not closed
 */
export function argumentsAt(
  text: string,
  open: number,
): { readonly parts: readonly string[]; readonly end: number } | undefined {
  const parts = [''];
  let depth = 0;
  for (const token of tokensFrom(text, open)) {
    if (/^[([]$/.test(token.text)) depth += 1;
    if (/^[)\]]$/.test(token.text)) depth -= 1;
    if (depth === 0)
      return { parts: parts.length === 1 && parts[0]?.trim() === '' ? [] : parts, end: token.at + 1 };
    if (token.at === open) continue;
    if (token.text === ',' && depth === 1) parts.push('');
    else parts[parts.length - 1] += token.kind === 'comment' ? ' ' : token.text;
  }
  return undefined;
}

/** A call that stands in code. */
export interface Call {
  /** Absent: found by the search path. */
  readonly schema?: string;
  readonly name: string;
  readonly parts: readonly string[];
  /** Where it begins, its schema included, and what follows its closing bracket. */
  readonly at: number;
  readonly end: number;
}

/**
 * Calls of functions by name, with their arguments as written.
 * @param names a pattern without groups that count: `gen_salt|crypt`
 */
export function callsOf(text: string, names: string): readonly Call[] {
  const pattern = new RegExp(String.raw`(?<![\w$".])(?:(${NAME})\s*\.\s*)?(?<![\w$"])(${names})\s*\(`, 'gi');
  return matchesInCode(text, pattern).flatMap(({ 0: whole, 1: schema, 2: name = '', index }) => {
    const within = argumentsAt(text, index + whole.length - 1);
    if (within === undefined) return [];
    const call = { name: name.toLowerCase(), parts: within.parts, at: index, end: within.end };
    return schema === undefined ? [call] : [{ ...call, schema: folded(schema) }];
  });
}

/** The text with something put in before the closing brackets of calls. */
export function withArgument(text: string, calls: readonly Call[], argument: string): string {
  return calls
    .toSorted((a, b) => b.end - a.end)
    .reduce((now, { end }) => `${now.slice(0, end - 1)}${argument}${now.slice(end - 1)}`, text);
}

/** A name in a text: `schema` where one is written before it. */
export interface Named {
  readonly schema?: string;
  readonly name: string;
}

const NAME = String.raw`(?:"(?:[^"]|"")+"|[a-z_\u0080-\uffff][\w$\u0080-\uffff]*)`;
const QUALIFIED = String.raw`(${NAME})(?:\s*\.\s*(${NAME}))?`;
// ONLY stands between the keyword and the name. After FROM and JOIN, what opens brackets is a function.
const RELATION = new RegExp(
  String.raw`\b(?:(?:insert\s+into|merge\s+into|update|table|truncate)\s+(?:only\s+|table\s+|if\s+(?:not\s+)?exists\s+)*${QUALIFIED}|(?:from|join)\s+(?:only\s+)?${QUALIFIED}(?![\w$"]|\s*[.(]))`,
  'gi',
);
// FROM that names no relation.
const NO_RELATION =
  /\bdistinct\s+from\b|\b(?:extract|substring|trim|overlay)\s*\((?:[^()]|\([^()]*\))*?\bfrom\b/gi;
const CALL = new RegExp(String.raw`(?<![\w$".]\s*\.\s*|[\w$".])${QUALIFIED}\s*\(`, 'gi');

/**
 * What stands in a text where a relation is named (FROM, JOIN, INSERT INTO, UPDATE, TABLE, TRUNCATE), in its order. Names
 * of common table expressions and keywords (FOR UPDATE OF) are among them: ask the catalogue which are relations.
 * @param code text without comments and strings
 */
export function relationsNamed(code: string): readonly Named[] {
  const clean = code.replaceAll(NO_RELATION, (found) => found.replace(/from$/i, ','));
  return [...clean.matchAll(RELATION)].map(([, written, below, read = '', part]) =>
    written === undefined ? named(read, part) : named(written, below),
  );
}

/**
 * What a text calls with brackets, in its order; keywords that take brackets are among them.
 * @param code text without comments and strings
 */
export function callsNamed(code: string): readonly Named[] {
  return [...code.matchAll(CALL)].map(([, first = '', second]) => named(first, second));
}

function named(first: string, second: string | undefined): Named {
  return second === undefined ? { name: folded(first) } : { schema: folded(first), name: folded(second) };
}

// As PostgreSQL reads a name: small letters unless it is quoted.
function folded(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase();
}

/** What a quoted string holds. */
export function inside(quoted: string): string {
  const dollar = new RegExp(String.raw`^\$(?:[${LETTER}][${LETTER}0-9]*)?\$`).exec(quoted)?.[0];
  if (dollar !== undefined) return quoted.slice(dollar.length, -dollar.length);
  const from = quoted.indexOf("'") + 1;
  return quoted.slice(from, -1).replaceAll("''", "'");
}
