// The parts of an index as PostgreSQL writes them: keys with their operator class and order, and the arms of a predicate.
import type { Index } from '../facts/indexes.ts';

/** The keys of an index, each with its operator class, collation and order where they are not the default. */
export function keysOf({ definition, method }: Index): readonly string[] {
  const start = definition.indexOf(` USING ${method} (`) + ` USING ${method} (`.length;
  return split(definition.slice(start), (text, at) => text[at] === ',');
}

/** What a predicate demands together: `(a IS NULL) AND b` gives `a IS NULL` and `b`. */
export function armsOf(predicate: string): readonly string[] {
  return split(bare(predicate), (text, at) => text.startsWith(' AND ', at)).map((arm) =>
    bare(arm.replace(/^AND /, '')),
  );
}

/** Pieces between separators that stand in no bracket and no quotes; a bracket that closes nothing ends the text. */
function split(text: string, separates: (text: string, at: number) => boolean): readonly string[] {
  const pieces: string[] = [];
  let [depth, from, at] = [0, 0, 0];
  for (; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === "'" || sign === '"') at = closing(text, at, sign);
    else if (sign === '(' || sign === '[') depth += 1;
    else if (sign === ')' || sign === ']') depth -= 1;
    if (depth < 0) break;
    if (depth > 0 || !separates(text, at)) continue;
    pieces.push(text.slice(from, at).trim());
    from = at + 1;
  }
  return [...pieces, text.slice(from, at).trim()];
}

// A doubled quote closes and opens again, which comes to the same.
function closing(text: string, at: number, quote: string): number {
  const end = text.indexOf(quote, at + 1);
  return end === -1 ? text.length : end;
}

/** Without brackets around the whole. */
function bare(text: string): string {
  const inner = text.trim();
  if (!inner.startsWith('(') || !inner.endsWith(')')) return inner;
  const [first = '', ...more] = split(inner.slice(1), () => false);
  return more.length === 0 && first.length === inner.length - 2 ? bare(first) : inner;
}
