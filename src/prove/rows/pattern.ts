// Texts that fit a regular expression of the kind that checks are made of: classes, groups, alternatives, repetitions.

const WORD = 'abcdefghijklmnopqrstuvwxyz';
const CLASSES: Readonly<Record<string, string>> = {
  d: '0123456789',
  w: `${WORD}0123456789_`,
  s: ' ',
  D: WORD,
  W: '-',
  S: WORD,
};
const POSIX: Readonly<Record<string, string>> = {
  alpha: WORD,
  digit: '0123456789',
  alnum: `${WORD}0123456789`,
  lower: WORD,
  upper: WORD.toUpperCase(),
  space: ' ',
  xdigit: '0123456789abcdef',
  punct: '-_.',
};
const ANY = `${WORD}0123456789`;
/** How often what may be repeated without end is repeated beyond the least. */
const SPARE = 6;

/**
 * Makes a text that should fit a pattern.
 * @param pattern a POSIX regular expression as PostgreSQL reads it
 * @param next gives the next number of a row of random ones, from 0 up to 2^32
 * @returns undefined where the pattern holds something this does not read; whether the text fits, PostgreSQL says
 */
export function textFor(pattern: string, next: () => number): string | undefined {
  const reader = new Reader(pattern, next);
  const text = reader.alternatives();
  return reader.ended() ? text : undefined;
}

class Reader {
  readonly #pattern: string;
  readonly #next: () => number;
  #at = 0;

  constructor(pattern: string, next: () => number) {
    this.#pattern = pattern;
    this.#next = next;
  }

  ended(): boolean {
    return this.#at >= this.#pattern.length;
  }

  alternatives(): string {
    const choices = [this.#sequence()];
    while (this.#take('|')) choices.push(this.#sequence());
    return choices[this.#next() % choices.length] ?? '';
  }

  #sequence(): string {
    let text = '';
    while (!this.ended() && !'|)'.includes(this.#peek())) {
      const start = this.#at;
      const piece = this.#atom();
      const [least, most] = this.#repetition();
      const end = this.#at;
      const times = least + (most > least ? this.#next() % (most - least + 1) : 0);
      if (times > 0) text += piece;
      for (let turn = 1; turn < times; turn += 1) {
        this.#at = start;
        text += this.#atom();
      }
      this.#at = end;
      if (this.#at === start) this.#at = this.#pattern.length + 1;
    }
    return text;
  }

  #atom(): string {
    const character = this.#peek();
    this.#at += 1;
    if (character === '^' || character === '$') return '';
    if (character === '.') return this.#oneOf(ANY);
    if (character === '[') return this.#oneOf(this.#bracket());
    if (character === '(') return this.#group();
    if (character !== '\\') return character;
    const escaped = this.#peek();
    this.#at += 1;
    if ('mMyYAZ'.includes(escaped)) return '';
    return CLASSES[escaped] === undefined ? escaped : this.#oneOf(CLASSES[escaped]);
  }

  #group(): string {
    if (this.#pattern.startsWith('?:', this.#at)) this.#at += 2;
    const ahead = this.#pattern[this.#at] === '?';
    if (ahead) this.#at += this.#pattern[this.#at + 1] === '<' ? 3 : 2;
    const text = this.alternatives();
    this.#take(')');
    return ahead ? '' : text;
  }

  #bracket(): string {
    const not = this.#take('^');
    let characters = '';
    for (let first = true; !this.ended() && (first || this.#peek() !== ']'); first = false) {
      const named = /^\[:(\w+):\]/.exec(this.#pattern.slice(this.#at));
      if (named !== null) {
        characters += POSIX[named[1] ?? ''] ?? '';
        this.#at += named[0].length;
        continue;
      }
      characters += this.#span();
    }
    this.#take(']');
    return not ? [...ANY].filter((one) => !characters.includes(one)).join('') : characters;
  }

  #span(): string {
    const from = this.#bracketed();
    const range = this.#peek() === '-' && this.#pattern[this.#at + 1] !== ']' && from.length === 1;
    if (!range) return from;
    this.#at += 1;
    const to = this.#bracketed();
    let span = '';
    const last = Math.min(to.codePointAt(0) ?? 0, (from.codePointAt(0) ?? 0) + 128);
    for (let code = from.codePointAt(0) ?? 0; code <= last; code += 1) span += String.fromCodePoint(code);
    return span;
  }

  #bracketed(): string {
    const character = this.#peek();
    this.#at += 1;
    if (character !== '\\') return character;
    const escaped = this.#peek();
    this.#at += 1;
    return CLASSES[escaped] ?? escaped;
  }

  #repetition(): readonly [number, number] {
    const range = this.#range();
    this.#take('?');
    return range;
  }

  #range(): readonly [number, number] {
    if (this.#take('*')) return [0, SPARE];
    if (this.#take('+')) return [1, SPARE];
    if (this.#take('?')) return [0, 1];
    const counted = /^\{(\d+)(,?)(\d*)\}/.exec(this.#pattern.slice(this.#at));
    if (counted === null) return [1, 1];
    this.#at += counted[0].length;
    const least = Number(counted[1]);
    if (counted[2] === '') return [least, least];
    return [least, counted[3] === '' ? least + SPARE : Number(counted[3])];
  }

  #oneOf(characters: string): string {
    return characters[this.#next() % Math.max(1, characters.length)] ?? '';
  }

  #peek(): string {
    return this.#pattern[this.#at] ?? '';
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at += 1;
    return true;
  }
}
