// Text that came from a database, fit to be shown: whoever names objects there must not be able to move a terminal's
// cursor, or to make a statement read otherwise than it runs (https://trojansource.codes).

const NOT_SHOWN =
  // oxlint-disable-next-line no-control-regex -- these are what it is for
  /[\u0000-\u001F\u007F-\u009F\u061C\u200B\u200E\u200F\u2028-\u202E\u2060\u2066-\u2069\uFEFF\p{Surrogate}]/gu;

/** A text in one line: a new line is shown as `⏎`, other characters that cannot be seen as `⟨U+202E⟩`. */
export function visible(text: string): string {
  return text.replaceAll(NOT_SHOWN, (character) => shown(character));
}

/** The same with its line ends and tabs left as they are: for statements. */
export function visibleLines(text: string): string {
  const lines = text.replaceAll('\r\n', '\n');
  return lines.replaceAll(NOT_SHOWN, (character) =>
    character === '\n' || character === '\t' ? character : shown(character),
  );
}

function shown(character: string): string {
  if (character === '\n') return ' ⏎ ';
  if (character === '\t') return ' ';
  const code = character.codePointAt(0) ?? 0;
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
}
