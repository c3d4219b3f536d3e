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
  const candidates = new Map<string, Candidate>();
  for (const value of new Set(values)) {
    const key = fold(value);
    const known = candidates.get(key);
    candidates.set(key, { key, values: [...(known?.values ?? []), value], letters: letterCounts(key) });
  }
  const remembered = new Map<string, Nearest | null>();
  return (value) => {
    const known = remembered.get(value);
    if (known !== undefined) return known;
    const found = search(fold(value), candidates);
    if (remembered.size >= REMEMBERED) remembered.clear();
    remembered.set(value, found);
    return found;
  };
}

/** Allowed values that are the same but for case, accents and spaces. */
interface Candidate {
  readonly key: string;
  readonly values: readonly string[];
  readonly letters: Uint16Array;
}

function search(wanted: string, candidates: ReadonlyMap<string, Candidate>): Nearest | null {
  const same = candidates.get(wanted);
  if (same !== undefined) return only(same.values, 0.95);
  const letters = letterCounts(wanted);
  let limit = Math.floor(wanted.length / 4);
  let best: readonly string[] = [];
  for (const { key, values, letters: others } of candidates.values()) {
    if (Math.abs(key.length - wanted.length) > limit || fewestEdits(letters, others) > limit) continue;
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

const BUCKETS = 32;

function letterCounts(text: string): Uint16Array {
  const counts = new Uint16Array(BUCKETS);
  for (let i = 0; i < text.length; i += 1) {
    const bucket = text.charCodeAt(i) % BUCKETS;
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  return counts;
}

// An edit takes away at most one letter too many and adds at most one too few: a bound that costs little.
function fewestEdits(a: Uint16Array, b: Uint16Array): number {
  let more = 0;
  let fewer = 0;
  for (let i = 0; i < BUCKETS; i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference > 0) more += difference;
    else fewer -= difference;
  }
  return Math.max(more, fewer);
}

// Levenshtein distance, given up (as limit + 1) as soon as it must be above the limit. Only the band of the table
// that can stay within the limit is filled in.
function distanceWithin(a: string, b: string, limit: number): number {
  const beyond = limit + 1;
  let row = new Uint16Array(b.length + 1).map((_, j) => Math.min(j, beyond));
  let next = new Uint16Array(b.length + 1);
  for (let i = 1; i <= a.length; i += 1) {
    const from = Math.max(1, i - limit);
    const to = Math.min(b.length, i + limit);
    next.fill(beyond);
    if (i <= limit) next[0] = i;
    let least = next[0] ?? beyond;
    for (let j = from; j <= to; j += 1) {
      const change = (row[j - 1] ?? beyond) + (a.charCodeAt(i - 1) === b.charCodeAt(j - 1) ? 0 : 1);
      const cost = Math.min(change, (row[j] ?? beyond) + 1, (next[j - 1] ?? beyond) + 1, beyond);
      next[j] = cost;
      least = Math.min(least, cost);
    }
    if (least > limit) return beyond;
    [row, next] = [next, row];
  }
  return row[b.length] ?? beyond;
}
