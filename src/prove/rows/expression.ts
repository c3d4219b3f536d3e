// What an expression, as PostgreSQL deparses it, says of the columns in it. Nothing is decided here: what is found are
// suggestions, which PostgreSQL judges.

const LITERAL = /E?'((?:[^']|'')*)'/g;
const NUMBER = /(?<![\w."'])-?\d+(?:\.\d+)?(?![\w"'])/g;
const PATTERN = /(?:!?~\*?|SIMILAR TO)\s+(?:E)?'((?:[^']|'')*)'/g;
const LIKE = /(?<!!)~~\*?\s+'((?:[^']|'')*)'/g;

/** The columns, of those given, that an expression mentions. */
export function columnsIn(expression: string, names: Iterable<string>): readonly string[] {
  const bare = expression.replaceAll(LITERAL, "''");
  const words = new Set<string>();
  for (const match of bare.matchAll(/"((?:[^"]|"")+)"|([a-z_\u0080-\uffff][\w$\u0080-\uffff]*)/gi)) {
    words.add(match[1] === undefined ? (match[2] ?? '').toLowerCase() : match[1].replaceAll('""', '"'));
  }
  return [...names].filter((name) => words.has(name));
}

/** An expression about one column, as one about another. */
export function renamed(expression: string, column: string, as: string): string {
  const quoted = `"${as.replaceAll('"', '""')}"`;
  const name = column.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return expression.replaceAll(
    new RegExp(`('(?:[^']|'')*')|"${name}"|(?<![\\w."])${name}(?![\\w"])`, 'g'),
    (found: string, text: string | undefined) => (text === undefined ? quoted : found),
  );
}

/** The texts an expression compares with. */
export function textsIn(expression: string): readonly string[] {
  return unique([...expression.matchAll(LITERAL)].map((match) => (match[1] ?? '').replaceAll("''", "'")));
}

/** The numbers in an expression. */
export function numbersIn(expression: string): readonly number[] {
  const plain = expression.replaceAll(/'(-?\d+(?:\.\d+)?)'::/g, ' $1 ');
  return unique([...plain.replaceAll(LITERAL, "''").matchAll(NUMBER)].map((match) => Number(match[0])));
}

/** The regular expressions a text is held against. */
export function patternsIn(expression: string): readonly string[] {
  return unique(
    [...expression.matchAll(PATTERN)].map((match) =>
      (match[1] ?? '').replaceAll("''", "'").replaceAll('\\\\', '\\'),
    ),
  );
}

/** Texts that fit the LIKE patterns in an expression. */
export function likesIn(expression: string, fill: string): readonly string[] {
  return unique(
    [...expression.matchAll(LIKE)].map((match) =>
      (match[1] ?? '').replaceAll("''", "'").replaceAll('%', fill).replaceAll('_', 'a'),
    ),
  );
}

/** An expression that gives a column's value: `version = major || '.' || minor`. */
export interface Equation {
  readonly column: string;
  readonly gives: string;
}

/**
 * Equations that must hold for a rule to hold: a column on one side, an expression of other columns on the other.
 * @param expression as PostgreSQL deparses it, every operand in brackets of its own
 */
export function equationsIn(expression: string, names: readonly string[]): readonly Equation[] {
  return split(expression, ' AND ').flatMap((conjunct) => {
    const sides = split(conjunct, ' = ');
    if (sides.length !== 2) return [];
    const [left = '', right = ''] = sides;
    return [
      { column: bare(left), gives: right },
      { column: bare(right), gives: left },
    ].filter(({ column, gives }) => {
      const used = columnsIn(gives, names);
      return names.includes(column) && used.length > 0 && !used.includes(column);
    });
  });
}

/** Parts between a separator that stands in no brackets and no text, brackets around the whole taken off. */
function split(expression: string, separator: string): readonly string[] {
  const text = unwrapped(expression);
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === "'") quoted = !quoted;
    if (quoted) continue;
    if (character === '(' || character === '[') depth += 1;
    if (character === ')' || character === ']') depth -= 1;
    if (depth > 0 || !text.startsWith(separator, at)) continue;
    parts.push(text.slice(from, at));
    from = at + separator.length;
  }
  return [...parts, text.slice(from)];
}

function unwrapped(expression: string): string {
  const text = expression.trim();
  return text.startsWith('(') && closing(text) === text.length - 1 ? unwrapped(text.slice(1, -1)) : text;
}

/** Where the bracket that a text begins with is closed. */
function closing(text: string): number {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === "'") quoted = !quoted;
    if (quoted) continue;
    if (text[at] === '(') depth += 1;
    if (text[at] === ')') depth -= 1;
    if (depth === 0) return at;
  }
  return -1;
}

/** A column under brackets and casts. */
function bare(side: string): string {
  const text = unwrapped(
    side.trim().replace(/(::(?:[\w.]+|"[^"]+")(?: varying)?(?:\(\d+(?:,\d+)?\))?)+$/, ''),
  );
  return /^"(.*)"$/.exec(text)?.[1]?.replaceAll('""', '"') ?? text;
}

function unique<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values)];
}
