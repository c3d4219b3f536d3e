// JSON objects with the keys that a rule asks for: `body ? 'v'`, `body ->> 'kind' = 'note'`, `jsonb_typeof(body -> 'n')`.
import { textsIn } from './expression.ts';

const KEY = /(?:\?|->>?)\s*E?'((?:[^']|'')+)'/g;
const KEYS = /\?[&|]\s*ARRAY\[([^\]]*)\]/g;
const TYPED = /jsonb?_typeof\(+[^()]*->\s*'([^']+)'::text\)+\s*=\s*'(\w+)'/g;
const MOST = 40;

/**
 * Objects with every key the rules mention, in the order to try them: of the types they ask for, of one type each, and with
 * each text they compare with. None where they mention no key. Pure.
 * @param rules as PostgreSQL deparses them
 * @param mark a text that is the row's own
 */
export function objectsFor(rules: string, mark: string): readonly string[] {
  const lists = [...rules.matchAll(KEYS)].flatMap((match) => textsIn(match[1] ?? ''));
  const keys = [...new Set([...[...rules.matchAll(KEY)].map((match) => plain(match[1] ?? '')), ...lists])];
  if (keys.length === 0) return [];
  const samples: Readonly<Record<string, unknown>> = {
    string: mark,
    number: 1,
    boolean: true,
    object: {},
    array: [],
  };
  const types = new Map([...rules.matchAll(TYPED)].map((match) => [plain(match[1] ?? ''), match[2] ?? '']));
  const asked = Object.fromEntries(keys.map((key) => [key, samples[types.get(key) ?? 'string'] ?? mark]));
  const uniform = Object.values(samples).map((value) => Object.fromEntries(keys.map((key) => [key, value])));
  const words = textsIn(rules).filter((text) => !keys.includes(text) && !(text in samples));
  const worded = keys.flatMap((key) => words.map((word) => ({ ...asked, [key]: word })));
  const all = [asked, ...worded, ...uniform].map((one) => JSON.stringify(one));
  return [...new Set(all)].slice(0, MOST);
}

function plain(text: string): string {
  return text.replaceAll("''", "'");
}
