import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { columnsOf, type CatalogueRow } from '../catalogue/index.ts';
import { errorText, loadRules, loadRulesFile, type CompiledPlan } from '../rules/index.ts';
import { runAll, table } from './engine.ts';
import { seeded, type Random } from './random.ts';

const STARTER = fileURLToPath(new URL('../rules.yaml', import.meta.url));

const told = (text: string): string[] => loadRules(text).errors.map(errorText);

describe('a rule file', () => {
  const TEXT = `
name: Shop
channel: magalu
version: 1.2.0
mapping:
  Título: title
rules:
  - id: title_needed
    type: required
    field: title
    message: The title is missing.
  - id: category_known
    type: enum
    field: category_path
    message: The category is not known.
    params: { values_from: categories.txt }
`;

  test('gives the set, its rules with lists filled in, and their plan', () => {
    const { file, errors } = loadRules(TEXT, { 'categories.txt': ['A', 'B'] });
    expect(errors).toEqual([]);
    expect(file).toMatchObject({
      name: 'Shop',
      channel: 'magalu',
      version: '1.2.0',
      mapping: { Título: 'title' },
    });
    expect(file?.rules[1]?.params).toEqual({ values: ['A', 'B'] });
    expect(file?.plan.rules.map((rule) => rule.id)).toEqual(['category_known', 'title_needed']);
  });

  test('tells every error with its line, in the order of lines', () => {
    expect(
      told(`name: Shop
chanel: magalu
version: 1.2
rules:
  - id: title_needed
    type: required
    field: title
    message: The title is missing.
    precedence: 0
  - id: title_short
    type: length
    field: title
    message: Too long.
    params:
      max: 60
      min: many
  - id: title_short
    type: pattern
    field: title
    message: Looks ahead.
    params: { pattern: '(?=x)' }
  - id: brand_known
    type: enum
    field: brand
    message: Unknown.
    params: { values_from: brands.txt }
`),
    ).toEqual([
      'line 2: chanel is not known; a rule file has name, channel, version, mapping, rules.',
      'line 3: version must be a version such as 1.0.0, in quotes if YAML would read a number.',
      'line 9: rule title_needed: precedence must be a whole number from 1 to 1000.',
      'line 16: rule title_short: params.min must be a whole number from 0.',
      'line 17: rule title_short: id is the id of an earlier rule.',
      'line 26: rule brand_known: params.values_from names the list brands.txt, which is not there.',
    ]);
  });

  test('that is no YAML, or no map, or a bomb of aliases, is refused', () => {
    expect(told('rules:\n  - id: a\n - id: b\n')[0]).toMatch(/^line 3: /);
    expect(told('a: 1\na: 2\n')[0]).toMatch(/^line 2: Map keys must be unique/);
    expect(told('- 1\n')).toEqual([
      'line 1: The file must hold a map with name, channel, version, mapping and rules.',
    ]);
    const bomb = Array.from(
      { length: 12 },
      (_, i) => `a${i}: &a${i} [${i === 0 ? '1' : `*a${i - 1},`.repeat(9)}]`,
    );
    expect(told(bomb.join('\n'))).toHaveLength(1);
    expect(told('name: x\n')).toEqual(['line 1: rules must be a list with at least one rule.']);
  });

  test('on disk brings the lists beside it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rules-'));
    try {
      const path = join(folder, 'rules.yaml');
      await writeFile(path, TEXT);
      await expect(loadRulesFile(path)).rejects.toMatchObject({ code: 'HF_RULES_FILE' });
      await writeFile(join(folder, 'categories.txt'), 'A\r\n\r\n B \n');
      expect((await loadRulesFile(path)).rules[1]?.params).toEqual({ values: ['A', 'B'] });
      await writeFile(path, TEXT.replace('type: required', 'type: needed'));
      await expect(loadRulesFile(path)).rejects.toThrow(
        'rule file rules.yaml: It has 1 error: line 9: rule title_needed: type must be one of required, format,',
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

const FIELDS = [
  'sku',
  'gtin',
  'title',
  'description',
  'brand',
  'price_brl',
  'currency',
  'ncm',
  'weight_kg',
  'images',
];
const WORDS = [
  'TV',
  ' ',
  '  ',
  'LED',
  '50"',
  '<b>',
  '&amp;',
  'frete grátis',
  'FREE SHIPPING',
  'ção',
  '!',
  '👕',
  '\t',
  ', ',
];
const VALUES: Readonly<Record<string, (random: Random, record: number) => string>> = {
  sku: (random, record) => random.pick([`S${record}`, ` S${record} `, 'S1', '']),
  gtin: (random) =>
    random.pick(['4006381333931', '4006381333932', '789-1000-31550-7', '36000291452', '', 'none']),
  title: (random) => random.text(WORDS, 14),
  description: (random) => random.text(WORDS, 40),
  brand: (random) => random.pick(['Sony', ' Sony  Corp ', 'N/A', '', 'SONY']),
  price_brl: (random) => random.pick(['10', '1.299,90', 'R$ 5,00', '0', '-1', 'US$ 5', '', '1,234']),
  currency: (random) => random.pick(['BRL', 'brl', ' R$', '', 'real', 'XYZ']),
  ncm: (random) => random.pick(['8471.30.12', '1012100', '84713012', 'x', '']),
  weight_kg: (random) => random.pick(['0,5', '500 g', '1200', '']),
  images: (random) => random.pick(['https://a.com/1.jpg', 'https://a.com/1|x', '']),
};

function chanceCatalogue(seed: number, count: number): ReturnType<typeof table> {
  const random = seeded(seed);
  const lines = Array.from({ length: count }, (_, i) =>
    FIELDS.map((field) => VALUES[field]?.(random, i + 1) ?? ''),
  );
  return table(FIELDS, ...lines);
}

describe('the starter rules', () => {
  test('are written in the language: all ids, messages and mappings are in order', async () => {
    const file = await loadRulesFile(STARTER);
    expect(file.rules.length).toBeGreaterThan(30);
    expect(new Set(file.rules.map((rule) => rule.type))).toEqual(
      new Set(['required', 'format', 'length', 'range', 'pattern', 'dependency', 'business', 'composite']),
    );
  });

  test('correct a catalogue once: what they corrected, they leave alone', async () => {
    const { plan } = await loadRulesFile(STARTER);
    for (let seed = 1; seed <= 12; seed += 1) {
      const { rows, options } = chanceCatalogue(seed, 150);
      const first = await runAll(plan, rows, options);
      const applied = first.corrections.filter((correction) => correction.status === 'applied');
      expect(applied.length).toBeGreaterThan(50);
      const second = await runAll(plan, again(first.cells), options);
      expect(second.corrections.filter((correction) => correction.status === 'applied')).toEqual([]);
      expect(second.cells).toEqual(first.cells);
    }
  });

  test('give the same for the same rows, however they arrive', async () => {
    const { plan } = await loadRulesFile(STARTER);
    const { rows, options } = chanceCatalogue(77, 400);
    const whole = await runAll(plan, rows, options);
    for (const batchSize of [1, 7, 399, 1_000]) {
      const other = await runAll(plan, trickle(rows), { ...options, batchSize });
      expect([other.cells, other.violations, other.corrections]).toEqual([
        whole.cells,
        whole.violations,
        whole.corrections,
      ]);
    }
    const stored = JSON.parse(JSON.stringify(plan)) as CompiledPlan;
    expect(await runAll(stored, rows, options)).toEqual(whole);
  });

  test('corrections say what happened: replaying them gives the corrected rows', async () => {
    const { plan } = await loadRulesFile(STARTER);
    const { rows, options } = chanceCatalogue(5, 300);
    const { cells, corrections } = await runAll(plan, rows, options);
    const replayed = rows.map((row) => [...row.cells]);
    const positions = new Map(columnsOf(FIELDS).map((column) => [column.field, column.index]));
    for (const { recordNumber, field, originalValue, correctedValue, status } of corrections) {
      expect(correctedValue).not.toBe(originalValue);
      const row = replayed[recordNumber - 1] ?? [];
      const at = positions.get(field) ?? -1;
      if (status !== 'applied') continue;
      expect(row[at]).toBe(originalValue);
      row[at] = correctedValue;
    }
    expect(replayed).toEqual(cells);
  });
});

function again(cells: readonly (readonly string[])[]): CatalogueRow[] {
  return cells.map((row, i) => ({ recordNumber: i + 1, line: i + 2, cells: row }));
}

async function* trickle(rows: readonly CatalogueRow[]): AsyncGenerator<CatalogueRow> {
  for (const row of rows) yield row;
}
