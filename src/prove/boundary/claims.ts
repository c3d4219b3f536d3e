// Settings that hold JSON with more than one value in it: what is read out of them, and texts that have it.
import type { Boundary } from '../../define/proof.ts';

/** A setting, and the keys that lead to the value inside it; none: the setting's text is the value. */
export type Spoken = Pick<Boundary, 'setting' | 'within'>;

// What may stand between the setting and the operator: ends of calls, NULLIF's and COALESCE's other value, casts.
const STEP =
  /^(?:[\s,)]|''|'\{\}'|::"?(?:pg_catalog\.)?(?:text|character varying|varchar|jsonb?)"?|\bAS "?\w+"?)*(->>?|#>>?)\s*E?'([^']*)'(?:::text(?:\[\])?)?/i;

/**
 * The keys by which `->`, `->>`, `#>` and `#>>` go into JSON, read from the text behind it.
 * @returns the keys from the outermost, and how long the text is that says them; no keys where it is not JSON
 */
export function keysAfter(sql: string): { readonly keys: readonly string[]; readonly length: number } {
  const keys: string[] = [];
  let length = 0;
  for (let match = STEP.exec(sql); match !== null; match = STEP.exec(sql.slice(length))) {
    const [all, operator = '', name = ''] = match;
    keys.push(...(operator.startsWith('#') ? name.replaceAll(/^\{|\}$/g, '').split(',') : [name]));
    length += all.length;
    if (operator.endsWith('>>')) break;
  }
  return { keys, length };
}

/** A setting's text with a value in it: JSON that keeps what else `text` holds, or the value alone. Pure. */
export function textWith({ within = [] }: Spoken, value: string | null, text = ''): string {
  if (within.length === 0) return value ?? '';
  return JSON.stringify(put(objectOf(text), within, value));
}

/** The value in a setting's text; undefined where there is none. Pure. */
export function valueIn({ within = [] }: Spoken, text: string): string | undefined {
  if (within.length === 0) return text;
  let at: unknown = objectOf(text);
  for (const key of within) at = isObject(at) ? at[key] : undefined;
  return typeof at === 'string' ? at : undefined;
}

/** How a setting is called, for people: `request.jwt.claims, in it app_metadata.tenant_id`. */
export function spokenName({ setting, within = [] }: Spoken): string {
  return within.length === 0 ? setting : `${setting}, in it ${within.join('.')}`;
}

function put(
  into: Readonly<Record<string, unknown>>,
  [key = '', ...rest]: readonly string[],
  value: string | null,
): Readonly<Record<string, unknown>> {
  if (rest.length === 0) return { ...into, [key]: value };
  const inner = into[key];
  return { ...into, [key]: put(isObject(inner) ? inner : {}, rest, value) };
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const found: unknown = JSON.parse(text);
    return isObject(found) ? found : {};
  } catch {
    return {};
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
