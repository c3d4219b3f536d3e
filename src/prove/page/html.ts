// The only place where text becomes HTML.
import { visible, visibleLines } from '../visible.ts';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** HTML that is safe to put into a page as it is. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

// Templates are written to be read; a page of many thousand cells is not made of spaces.
const INDENT = /\s*\n\s*/g;

type Part = Html | string | number | undefined | false | readonly Part[];

/** HTML from a template: whatever is put in is escaped, unless it is {@link Html} itself. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const tight = texts.map((text) => text.replaceAll(INDENT, '\n'));
  return new Html(tight.map((text, at) => (at === 0 ? text : put(parts[at - 1]) + text)).join(''));
}

/** Statements keep their lines. */
export function lines(text: string): Html {
  return new Html(escaped(visibleLines(text)));
}

/** Text whose long names may be broken after a dot or an underscore, and are copied whole all the same. */
export function names(text: string): Html {
  return new Html(escaped(visibleLines(text)).replaceAll(/(?<=\w)[._](?=\w)/g, '$&<wbr>'));
}

function put(part: Part): string {
  if (part instanceof Html) return part.text;
  if (part === undefined || part === false) return '';
  if (typeof part === 'string' || typeof part === 'number') return escaped(visible(String(part)));
  return part.map(put).join('');
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

/** A number with thousands apart and three places at most. */
export function figure(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 3 });
}
