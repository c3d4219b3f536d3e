// Text of functions as words: what is a comment, what stands in quotes, what is a name. No parser: checks of a function's
// text look for a few words next to each other, and PostgreSQL keeps such bodies as text only.

/** The text with comments taken out; what stands in quotes is left alone. */
export function withoutComments(text: string): string {
  return pieces(text)
    .map((piece) => (piece.kind === 'comment' ? ' ' : piece.text))
    .join('');
}

/** The text with every quoted string emptied to `''`; quoted names stay. */
export function withoutText(text: string): string {
  return pieces(text)
    .map((piece) => (piece.kind === 'text' ? "''" : piece.text))
    .join('');
}

/** What stands in quotes, without them: statements handed to EXECUTE among it. */
export function texts(text: string): readonly string[] {
  return pieces(text).flatMap((piece) => (piece.kind === 'text' ? inside(piece.text) : []));
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

interface Piece {
  readonly kind: 'code' | 'comment' | 'text';
  readonly text: string;
}

// Dollar quotes first, so that a quote inside one opens nothing; block comments nest one deep at most in practice.
const PIECE =
  /(?<comment>--[^\n]*|\/\*(?:[^*]|\*(?!\/))*\*\/)|(?<text>\$(?<tag>[A-Za-z_]\w*)?\$[\s\S]*?\$\k<tag>\$|\b[eE]'(?:[^'\\]|''|\\[\s\S])*'|'(?:[^']|'')*')|(?<name>"(?:[^"]|"")*")/g;

function pieces(text: string): readonly Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(PIECE)) {
    if (match.index > at) found.push({ kind: 'code', text: text.slice(at, match.index) });
    const kind =
      match.groups?.['comment'] === undefined
        ? match.groups?.['text'] === undefined
          ? 'code'
          : 'text'
        : 'comment';
    found.push({ kind, text: match[0] });
    at = match.index + match[0].length;
  }
  if (at < text.length) found.push({ kind: 'code', text: text.slice(at) });
  return found;
}

function inside(quoted: string): string {
  const dollar = /^\$(?:[A-Za-z_]\w*)?\$/.exec(quoted)?.[0];
  if (dollar !== undefined) return quoted.slice(dollar.length, -dollar.length);
  const from = quoted.indexOf("'") + 1;
  return quoted.slice(from, -1).replaceAll("''", "'");
}
