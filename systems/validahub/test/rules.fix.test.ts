import { describe, expect, test } from 'vitest';
import { parseDecimal, roundDecimal } from '../rules/decimal.ts';
import { truncateAtWord } from '../rules/fix.ts';
import { stripHtml } from '../rules/html.ts';
import { nearestIn } from '../rules/nearest.ts';
import { fixing, planOf, rule, runAll, table } from './engine.ts';
import { seeded } from './random.ts';

const normalized = (...fix: object[]): object => ({ type: 'format', params: { format: 'normalized' }, fix });

async function made(parts: object, value: string): Promise<object> {
  const { rows, options } = table(['title'], [value]);
  const { corrections } = await runAll(planOf([rule(parts)]), rows, options);
  const [first] = corrections;
  return { type: first?.correctionType, confidence: first?.confidence, method: first?.method };
}

describe('steps', () => {
  test('spaces and case', async () => {
    const values = ['  a\u00a0 b\t', 'ok', '   '];
    expect(await fixing(normalized({ step: 'collapse_spaces' }, { step: 'trim' }), values)).toEqual([
      'a b',
      null,
      '',
    ]);
    expect(await fixing(normalized({ step: 'upper' }), ['straße', 'A'])).toEqual(['STRASSE', null]);
    expect(await fixing(normalized({ step: 'lower' }), ['ÀB'])).toEqual(['àb']);
    expect(await fixing(normalized({ step: 'title_case' }), ['CAIXA DE SOM D’ÁGUA 2X1GB'])).toEqual([
      'Caixa de Som D’água 2x1gb',
    ]);
  });

  test('decimal', async () => {
    const price = {
      type: 'format',
      params: { format: 'decimal', separator: 'dot' },
      fix: [{ step: 'decimal' }],
    };
    const values = ['1.299,90', 'R$ 1,299.90', '10,5', '10.5', ' 49 ', '69.71 gbp', 'US$ 5', 'free', '1,234'];
    expect(await fixing(price, values)).toEqual([
      '1299.90',
      '1299.90',
      '10.5',
      null,
      '49',
      null,
      null,
      null,
      '1.234',
    ]);
    const whole = { ...price, fix: [{ step: 'decimal', locale: 'pt' }] };
    expect(await fixing(whole, ['1.299 BRL'])).toEqual(['1299']);
    const cents = {
      type: 'pattern',
      params: { pattern: String.raw`^\d+\.\d\d$` },
      fix: [{ step: 'decimal', places: 2 }],
    };
    expect(await fixing(cents, ['5', '1,005', '0,999', '12.00'])).toEqual(['5.00', '1.01', '1.00', null]);
  });

  test('date', async () => {
    const date = { type: 'format', params: { format: 'date' }, fix: [{ step: 'date' }] };
    const values = ['31/12/2024', '1.2.2024', '31-02-2024', '12/31/2024', '31/12/24', '2024-12-31'];
    expect(await fixing(date, values)).toEqual(['2024-12-31', '2024-02-01', null, null, null, null]);
  });

  test('a spreadsheet took the zeros of a barcode', async () => {
    const gtin = {
      type: 'format',
      params: { format: 'gtin' },
      fix: [{ step: 'digits' }, { step: 'pad_left', length: 13 }],
    };
    expect(await fixing(gtin, ['36000291452', '789.1000315507', '36000291453'])).toEqual([
      '0036000291452',
      '7891000315507',
      null,
    ]);
    const last = { type: 'format', params: { format: 'gtin' }, fix: [{ step: 'check_digit' }] };
    expect(await fixing(last, ['4006381333932', '4006381333931', 'x1'])).toEqual([
      '4006381333931',
      null,
      null,
    ]);
  });

  test('replace, replace_pattern, default, copy, remove', async () => {
    const replace = normalized({ step: 'replace', map: { R$: 'BRL' } });
    expect(await fixing(replace, ['R$', 'constructor', 'BRL'])).toEqual(['BRL', null, null]);
    const pattern = normalized({ step: 'replace_pattern', pattern: '(?i)free (\\w+)', with: '$1' });
    expect(await fixing(pattern, ['Free shipping now'])).toEqual(['shipping now']);
    const named = normalized({ step: 'replace_pattern', pattern: '(?<n>\\d+) reais', with: 'R$$ $<n>' });
    expect(await fixing(named, ['12 reais'])).toEqual(['R$ 12']);
    const fill = { type: 'required', fix: [{ step: 'default', value: 'BRL' }] };
    expect(await fixing(fill, ['', ' ', 'USD'])).toEqual(['BRL', 'BRL', null]);
    const remove = { type: 'pattern', params: { pattern: 'x', deny: true }, fix: [{ step: 'remove' }] };
    expect(await fixing(remove, ['axb', 'ab'])).toEqual(['', null]);
  });

  test('copy takes another field of the row, or fails', async () => {
    const plan = planOf([
      rule({ type: 'required', action: 'transform', fix: [{ step: 'copy', field: 'name' }] }),
    ]);
    const { rows, options } = table(['title', 'name'], ['', 'x'], ['', ' '], ['y', 'z']);
    const { cells, violations } = await runAll(plan, rows, options);
    expect(cells.map((c) => c[0])).toEqual(['x', '', 'y']);
    expect(violations.map((v) => v.recordNumber)).toEqual([2]);
  });

  test('nearest: case and accents first, then few edits, never a tie', async () => {
    const category = {
      type: 'enum',
      params: { values: ['Eletrônicos > TV', 'Eletrônicos > PC', 'Livros', 'Brinquedos'] },
      fix: [{ step: 'nearest' }],
    };
    const values = ['eletronicos>tv', 'Livro', 'Brinqedoss', 'Eletrônicos > XX', 'Carros', 'Livros'];
    expect(await fixing(category, values)).toEqual([
      'Eletrônicos > TV',
      'Livros',
      'Brinquedos',
      null,
      null,
      null,
    ]);
  });
});

describe('what a correction says of itself', () => {
  test('its type is the weightiest step that changed something, its confidence their product', async () => {
    const steps = { action: 'suggest', ...normalized({ step: 'strip_html' }, { step: 'lower' }) };
    expect(await made(steps, '<b>X</b>')).toEqual({
      type: 'normalization',
      confidence: 0.9405,
      method: 'rule_based',
    });
    const cut = {
      type: 'length',
      params: { max: 5 },
      fix: [{ step: 'trim' }, { step: 'truncate_words', max: 5 }],
    };
    expect(await made({ ...cut, action: 'transform' }, 'abc defg ')).toEqual({
      type: 'truncation',
      confidence: 0.8,
      method: 'automatic',
    });
    expect(await made({ ...cut, action: 'transform' }, 'abcde ')).toEqual({
      type: 'normalization',
      confidence: 1,
      method: 'automatic',
    });
    expect(await made({ ...cut, action: 'transform', confidence: 0.25 }, 'abcdef')).toMatchObject({
      confidence: 0.25,
    });
  });
});

test('the nearest value is the one a full search finds', () => {
  const random = seeded(23);
  const letters = ['a', 'b', 'c', 'é', ' '];
  for (let i = 0; i < 300; i += 1) {
    const values = Array.from({ length: 1 + random.below(6) }, () => random.text(letters, 26));
    const value = random.text(letters, 26);
    expect([value, values, nearestIn(values)(value)?.value ?? null]).toEqual([
      value,
      values,
      nearestByFullTable(value, values),
    ]);
  }
});

// The textbook table, without bounds.
function editDistance(a: string, b: string): number {
  const table = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const above = table[i - 1] as number[];
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (above[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(change, (above[j] as number) + 1, (row[j - 1] as number) + 1));
    }
    table.push(row);
  }
  return table[a.length]?.[b.length] as number;
}

const fold = (text: string): string => text.replaceAll('é', 'e').replace(/ +/g, ' ').trim();

function nearestByFullTable(value: string, values: readonly string[]): string | null {
  const ranked = [...new Set(values)]
    .map((other) => ({ other, distance: editDistance(fold(value), fold(other)) }))
    .sort((a, b) => a.distance - b.distance);
  const [first, second] = ranked;
  if (first === undefined || first.distance > Math.floor(fold(value).length / 4)) return null;
  return second?.distance === first.distance ? null : first.other;
}

describe('functions of text', () => {
  test('truncateAtWord cuts at a word, within a long word only if it must, and never splits a character', () => {
    expect(truncateAtWord('one two three', 13)).toBe('one two three');
    expect(truncateAtWord('one two three', 8)).toBe('one two');
    expect(truncateAtWord('one two three', 7)).toBe('one two');
    expect(truncateAtWord('one, two', 5)).toBe('one');
    expect(truncateAtWord('abcdefgh', 3)).toBe('abc');
    expect(truncateAtWord('👕👕👕', 2)).toBe('👕👕');
    expect(truncateAtWord('ae\u0301x', 2)).toBe('a');
  });

  test('truncateAtWord is never too long and never changes what it made', () => {
    const random = seeded(7);
    for (let i = 0; i < 2_000; i += 1) {
      const value = random.text(['a', 'bc', ' ', '  ', '-', '👕', 'e\u0301', ', '], 30);
      const max = 1 + random.below(20);
      const cut = truncateAtWord(value, max);
      expect(Array.from(cut).length).toBeLessThanOrEqual(max);
      expect(truncateAtWord(cut, max)).toBe(cut);
    }
  });

  test('stripHtml takes layers off until none is left', () => {
    expect(stripHtml('<p>a<br>b</p>')).toBe('a b');
    expect(stripHtml('x<script>alert("<b>")</script>y')).toBe('x y');
    expect(stripHtml('&lt;b&gt;bold&lt;/b&gt; &amp;amp; more')).toBe('bold & more');
    expect(stripHtml('5 &lt; 6 &copy; &#x41;&#0;')).toBe('5 < 6 &copy; A&#0;');
    expect(stripHtml('İ<script>x</script>İ')).toBe('İ İ');
    expect(stripHtml('<style>never closed')).toBe('never closed');
  });

  test('stripHtml stays fast on hostile text and gives up on endless layers', () => {
    const began = performance.now();
    for (const hostile of ['<a', '<script>', '&amp;', '<!--', '&#38;']) stripHtml(hostile.repeat(20_000));
    expect(stripHtml(`${'<a'.repeat(5_000)}${'>'.repeat(5_000)}`)).toBeNull();
    expect(performance.now() - began).toBeLessThan(3_000);
  });

  test('stripHtml done twice changes nothing', () => {
    const random = seeded(11);
    for (let i = 0; i < 2_000; i += 1) {
      const value = random.text(
        ['<b>', '</b>', '<', '>', '&lt;', '&amp;', 'amp;', 'x ', '&#60;', '&nbsp;'],
        12,
      );
      const once = stripHtml(value);
      if (once !== null) expect(stripHtml(once)).toBe(once);
    }
  });

  test('parseDecimal never goes through a float', () => {
    expect(parseDecimal('12345678901234567890,10')?.text).toBe('12345678901234567890.10');
    expect(parseDecimal('-0,00')?.text).toBe('0.00');
    expect(parseDecimal('007,5')?.text).toBe('7.5');
    expect(parseDecimal('1,234')).toEqual({ text: '1.234', ambiguous: true });
    expect(parseDecimal('1,23')).toEqual({ text: '1.23', ambiguous: false });
    expect(parseDecimal('1.234', 'pt')?.text).toBe('1234');
    for (const wrong of ['', '-', '.', ',5', '5.', '1,,2', '1.23.456', '--5', '1e3', '٣']) {
      expect(parseDecimal(wrong)).toBeNull();
    }
  });

  test('roundDecimal rounds half away from zero', () => {
    expect(roundDecimal('1.005', 2)).toBe('1.01');
    expect(roundDecimal('-1.005', 2)).toBe('-1.01');
    expect(roundDecimal('9.999', 2)).toBe('10.00');
    expect(roundDecimal('-0.001', 2)).toBe('0.00');
    expect(roundDecimal('2.5', 0)).toBe('3');
    expect(roundDecimal('7', 2)).toBe('7.00');
  });
});
