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

function unique<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values)];
}
