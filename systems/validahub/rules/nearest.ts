// The allowed value a wrong one most likely meant: the same but for case, accents and spaces, or the only one
// within a quarter of its length in edits. Two equally near values are no answer.

/** The value found, and how sure that is: 0.95 for case, accents and spaces, less for each edit. */
export interface Nearest {
  readonly value: string;
  readonly confidence: number;
}

// Different wrong values remembered per rule; a catalogue repeats its mistakes.
const REMEMBERED = 10_000;

/** Prepares the search among `values`; the function it gives is pure and remembers its last answers. */
export function nearestIn(values: readonly string[]): (value: string) => Nearest | null {
  const folded = new Map<string, string[]>();
  for (const value of values) {
    const key = fold(value);
    folded.set(key, [...(folded.get(key) ?? []), value]);
  }
  const remembered = new Map<string, Nearest | null>();
  return (value) => {
    const known = remembered.get(value);
    if (known !== undefined) return known;
    const found = search(fold(value), folded);
    if (remembered.size >= REMEMBERED) remembered.clear();
    remembered.set(value, found);
    return found;
  };
}

function search(wanted: string, folded: ReadonlyMap<string, readonly string[]>): Nearest | null {
  const same = folded.get(wanted);
  if (same !== undefined) return only(same, 0.95);
  let limit = Math.floor(wanted.length / 4);
  let best: readonly string[] = [];
  for (const [key, values] of folded) {
    const distance = distanceWithin(wanted, key, limit);
    if (distance > limit) continue;
    best = distance < limit || best.length === 0 ? values : [...best, ...values];
    limit = distance;
  }
  return only(best, 0.9 * (1 - limit / Math.max(wanted.length, 1)));
}

function only(values: readonly string[], confidence: number): Nearest | null {
  const [value] = values;
  return value === undefined || values.length > 1 ? null : { value, confidence };
}

function fold(value: string): string {
  return value
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/\s*([>/|])\s*/g, '$1')
    .replace(/\s+/g, ' ')
    .trim();
}

// Levenshtein distance, given up (as limit + 1) as soon as it must be above the limit.
function distanceWithin(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    let least = i;
    for (let j = 1; j <= b.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (a.charCodeAt(i - 1) === b.charCodeAt(j - 1) ? 0 : 1);
      const cost = Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
      next.push(cost);
      least = Math.min(least, cost);
    }
    if (least > limit) return limit + 1;
    row = next;
  }
  return row[b.length] ?? limit + 1;
}
