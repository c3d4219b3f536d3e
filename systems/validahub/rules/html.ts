// Takes markup out of a text, layer by layer until nothing is left to take out, so that a text that was escaped
// twice does not come back as markup, and doing it again changes nothing.

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['nbsp', ' '],
]);

const TAG = /<\/?[a-z!][^<>]*>/gi;
// A sign that was escaped several times: `&amp;amp;` and its numeric forms.
const ESCAPED_AMPERSAND = /&(?:(?:amp|#0{0,6}38|#x0{0,6}26);)+/gi;
const SCRIPT = { open: /<script\b/, close: /<\/script>/ };
const STYLE = { open: /<style\b/, close: /<\/style>/ };
const ENTITY = /&(?:([a-z]{2,8})|#(\d{1,7})|#x([\da-f]{1,6}));/gi;

// Layers of escaping or of tags within tags that are taken off; a text with more is not read as a text.
const LAYERS = 10;

/**
 * The text without tags, script and style contents, and with entities written out; null when it is nested so
 * deeply that it is no text a person wrote. Block tags and line breaks leave a space, unknown entities stay.
 * Time is linear in the length of the text.
 */
export function stripHtml(value: string): string | null {
  if (!/[<&]/.test(value)) return value;
  let before = value;
  for (let layer = 0; layer < LAYERS; layer += 1) {
    const after = stripOnce(before);
    if (after === before) return after;
    before = after;
  }
  return null;
}

function stripOnce(value: string): string {
  const visible = withoutElement(withoutElement(value, SCRIPT), STYLE);
  const text = visible.replace(TAG, (tag) => (/^<\/?(?:b|i|em|strong|span|a|u)\b/i.test(tag) ? '' : ' '));
  const plain = text.replace(ESCAPED_AMPERSAND, '&').replace(ENTITY, entityText);
  return plain === value ? value : plain.replace(/[ \t]+/g, ' ').trim();
}

function entityText(entity: string, ...groups: (string | undefined)[]): string {
  const [name, decimal, hex] = groups;
  if (name !== undefined) return ENTITIES.get(name.toLowerCase()) ?? entity;
  return characterOf(Number.parseInt(decimal ?? hex ?? '', decimal === undefined ? 16 : 10)) ?? entity;
}

function withoutElement(value: string, element: { readonly open: RegExp; readonly close: RegExp }): string {
  let kept = '';
  let at = 0;
  for (;;) {
    const start = indexFrom(element.open, value, at);
    const end = start < 0 ? -1 : indexFrom(element.close, value, start);
    if (end < 0) return at === 0 ? value : kept + value.slice(at);
    kept += `${value.slice(at, start)} `;
    at = value.indexOf('>', end) + 1;
  }
}

function indexFrom(pattern: RegExp, value: string, from: number): number {
  const search = new RegExp(pattern.source, 'gi');
  search.lastIndex = from;
  return search.exec(value)?.index ?? -1;
}

// NUL and surrogates are no characters a database text can hold.
function characterOf(code: number): string | null {
  const valid = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return valid ? String.fromCodePoint(code) : null;
}
