// Whether a text is well-formed XML of the kind a picture is: elements with quoted attributes, escaped text, one root.

/** What is wrong with it; nothing where it is well-formed. */
export function wellFormed(xml: string): string[] {
  const wrong: string[] = [];
  const open: string[] = [];
  let roots = 0;
  for (const [, tag, text] of xml.matchAll(/(<[^>]*>)|([^<]+)/g)) {
    if (text !== undefined) wrong.push(...inText(text, open.length > 0));
    if (tag === undefined) continue;
    const [, slash, name = '', attributes = '', empty] =
      /^<(\/?)([A-Za-z][\w:.-]*)((?:\s[^]*?)?)(\/?)>$/.exec(tag) ?? [];
    if (name === '') wrong.push(`no element: ${tag}`);
    else if (slash === '/') {
      const last = open.pop();
      if (last !== name) wrong.push(`</${name}> closes <${last ?? 'nothing'}>`);
      if (last !== name) break;
    } else {
      if (open.length === 0) roots += 1;
      if (roots > 1) wrong.push(`a second root ${tag}`);
      wrong.push(...inAttributes(tag, attributes));
      if (empty !== '/') open.push(name);
    }
  }
  if (wrong.length === 0 && open.length > 0) wrong.push(`<${open.at(-1)}> is never closed`);
  return wrong;
}

function inText(text: string, inside: boolean): string[] {
  if (!inside && text.trim() !== '') return [`text outside the root: ${JSON.stringify(text)}`];
  return bare(text);
}

function bare(text: string): string[] {
  const found = /&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-f]+);)/i.test(text)
    ? [`a bare & in ${JSON.stringify(text)}`]
    : [];
  // Control characters that no XML 1.0 may hold, not even escaped.
  return /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u.test(text)
    ? [...found, `a forbidden character in ${JSON.stringify(text)}`]
    : found;
}

function inAttributes(tag: string, attributes: string): string[] {
  const names: string[] = [];
  const rest = attributes.replaceAll(
    /\s+([A-Za-z_][\w:.-]*)="([^"<]*)"/g,
    (_, name: string, value: string) => {
      names.push(name, ...bare(value).map((one) => `!${one}`));
      return '';
    },
  );
  const wrong = names.filter((name) => name.startsWith('!')).map((name) => name.slice(1));
  if (rest.trim() !== '') wrong.push(`attribute without quotes in ${tag}`);
  const own = names.filter((name) => !name.startsWith('!'));
  if (new Set(own).size !== own.length) wrong.push(`an attribute twice in ${tag}`);
  return wrong;
}
