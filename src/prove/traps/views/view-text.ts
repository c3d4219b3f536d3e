// Parts of a view's query as PostgreSQL writes it: one output column a line, in the order of the view.

/**
 * The output columns a view is grouped by, in order.
 * @param definition what pg_get_viewdef gives
 * @returns undefined where it has no GROUP BY at its outermost level, or groups by something it does not show
 */
export function groupedColumns(definition: string): readonly string[] | undefined {
  const outer = outermost(definition);
  const grouping =
    /\bGROUP BY (.+?)(?=\s+(?:HAVING|ORDER BY|LIMIT|WINDOW|UNION|INTERSECT|EXCEPT)\b|;|$)/s.exec(outer.text);
  const selected = /^\s*SELECT (.+?)\s+FROM\b/s.exec(outer.text);
  if (grouping?.[1] === undefined || selected?.[1] === undefined) return undefined;
  if (/\b(UNION|INTERSECT|EXCEPT)\b/.test(outer.text)) return undefined;
  const shown = split(outer.restored(selected[1])).map(output);
  const wanted = split(outer.restored(grouping[1])).map(bare);
  const columns = wanted.map((expression) => shown.find((one) => one.expression === expression)?.name);
  return columns.every((name) => name !== undefined) ? columns : undefined;
}

// What stands in brackets is put aside, so that words in sub-selects are no words of the query itself.
function outermost(definition: string): { text: string; restored: (text: string) => string } {
  const inner: string[] = [];
  let text = '';
  let depth = 0;
  for (const [at, character] of [...definition].entries()) {
    if (character === '(') {
      if (depth === 0) inner.push('');
      depth += 1;
    }
    if (depth === 0) text += character;
    else inner[inner.length - 1] += character;
    if (character === ')') {
      depth -= 1;
      if (depth === 0) text += `⟨${inner.length - 1}⟩`;
    }
    if (at > MOST_CHARACTERS) break;
  }
  return {
    text,
    restored: (part) => part.replaceAll(/⟨(\d+)⟩/g, (_, index: string) => inner[Number(index)] ?? ''),
  };
}

const MOST_CHARACTERS = 200_000;

/** Splits at commas that stand in no brackets and no quotes. */
function split(list: string): readonly string[] {
  const parts: string[] = [''];
  let depth = 0;
  let quoted = false;
  for (const character of list) {
    if (character === "'") quoted = !quoted;
    if (!quoted && character === '(') depth += 1;
    if (!quoted && character === ')') depth -= 1;
    if (character === ',' && depth === 0 && !quoted) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.trim());
}

function output(item: string): { expression: string; name: string } {
  const named = /^(.*) AS ("(?:[^"]|"")+"|[\w$]+)$/s.exec(item);
  if (named !== null) return { expression: bare(named[1] ?? ''), name: unquoted(named[2] ?? '') };
  return { expression: bare(item), name: unquoted(/([\w$]+|"(?:[^"]|"")+")$/.exec(item)?.[1] ?? item) };
}

function bare(expression: string): string {
  const text = expression.trim().replaceAll(/\s+/g, ' ');
  return text.startsWith('(') && text.endsWith(')') && !text.slice(1, -1).includes(')')
    ? text.slice(1, -1)
    : text;
}

function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
