// The rules against files whose faults were counted by others (SOURCES.md beside the data). Files that are not
// there are skipped, plainly.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  categoryPaths,
  mappingFrom,
  openCatalogue,
  suggestMapping,
  writeCatalogue,
} from '../catalogue/index.ts';
import { loadRules, loadRulesFile, ReportBuilder, runRules, type RuleFile } from '../rules/index.ts';
import { cellsOf, runAll, table, upload } from './engine.ts';

const DATA = fileURLToPath(new URL('../../../../shared/data/validahub/', import.meta.url));
const RULES = fileURLToPath(new URL('real/', import.meta.url));

/** Rows each rule broke on, by rule id. */
async function broke(rules: RuleFile, data: string): Promise<Record<string, number>> {
  const catalogue = await openCatalogue(`${DATA}${data}`, { mapping: rules.mapping });
  const builder = new ReportBuilder(rules.plan, catalogue);
  for await (const batch of runRules(rules.plan, catalogue.rows(), { columns: catalogue.columns })) {
    builder.add(batch);
  }
  await catalogue.close();
  const { rows, rules: found } = builder.report();
  return { rows, ...Object.fromEntries(found.map((rule) => [rule.ruleId, rule.broke])) };
}

/** A test of a file that says when the file is missing. */
function onFile(file: string, name: string, run: () => Promise<void>): void {
  test.skipIf(!existsSync(`${DATA}${file}`))(
    `${name}${existsSync(`${DATA}${file}`) ? '' : ` (skipped: ../shared/data/validahub/${file} is not there)`}`,
    run,
  );
}

describe('counts made outside this project', () => {
  onFile('openfacts/openfoodfacts-1000.csv', 'Open Food Facts', async () => {
    const rules = await loadRulesFile(`${RULES}openfacts.yaml`);
    expect(await broke(rules, 'openfacts/openfoodfacts-1000.csv')).toEqual({
      rows: 1_000,
      check_digit: 3,
      no_name: 14,
      no_brand: 86,
      no_category: 164,
      error_tag: 115,
    });
  });

  onFile('openfacts/openbeautyfacts-1000.csv', 'Open Beauty Facts', async () => {
    const rules = await loadRulesFile(`${RULES}openfacts.yaml`);
    expect(await broke(rules, 'openfacts/openbeautyfacts-1000.csv')).toMatchObject({
      rows: 1_000,
      check_digit: 123,
      no_name: 138,
      no_brand: 229,
      no_category: 516,
    });
  });

  onFile('listings/D8_walmart.csv', 'Walmart listings', async () => {
    const rules = await loadRulesFile(`${RULES}listings.yaml`);
    expect(await broke(rules, 'listings/D8_walmart.csv')).toMatchObject({
      rows: 2_554,
      no_brand: 133,
      no_model: 164,
      no_price: 0,
      price_zero: 64,
      title_long: 846,
    });
  });

  onFile('listings/D8_amazon.csv', 'Amazon listings', async () => {
    const rules = await loadRulesFile(`${RULES}listings.yaml`);
    expect(await broke(rules, 'listings/D8_amazon.csv')).toMatchObject({
      rows: 22_074,
      no_price: 2_860,
      no_model: 6_300,
      title_long: 12_303,
      title_repeated: 159,
    });
  });
});

describe('files read whole', () => {
  const files: readonly (readonly [file: string, delimiter: string, rows: number])[] = [
    ['listings/D2_abt.csv', '|', 1_076],
    ['listings/D2_buy.csv', '|', 1_076],
    ['listings/D3_gp.csv', '#', 3_039],
    ['listings/D8_walmart.csv', '|', 2_554],
    ['openfacts/openfoodfacts-1000.csv', ',', 1_000],
  ];
  for (const [file, delimiter, count] of files) {
    onFile(file, `${file}: ${count} rows, ${delimiter}`, async () => {
      const catalogue = await openCatalogue(`${DATA}${file}`);
      expect(catalogue.dialect).toMatchObject({ delimiter, encoding: 'utf-8', bom: false });
      const cells: (readonly string[])[] = [];
      for await (const row of catalogue.rows()) {
        expect(row.issues).toBeUndefined();
        cells.push(row.cells);
      }
      expect(cells).toHaveLength(count);
      let text = '';
      for await (const chunk of writeCatalogue(catalogue, catalogue.rows(), { neutralise: false }))
        text += chunk;
      expect(await cellsOf(text)).toEqual(cells);
    });
  }
});

describe('the starter rules on real listings', () => {
  onFile('listings/D8_walmart.csv', 'correct once, and the corrected file needs no correction', async () => {
    const { plan } = await loadRulesFile(fileURLToPath(new URL('../rules.yaml', import.meta.url)));
    const unmapped = await openCatalogue(`${DATA}listings/D8_walmart.csv`);
    const catalogue = unmapped.mapped(mappingFrom(suggestMapping(unmapped.columns)));
    const first = await runAll(plan, catalogue.rows(), { columns: catalogue.columns });
    expect(first.corrections.filter((c) => c.status === 'applied').length).toBeGreaterThan(400);
    const corrected = first.batches.flatMap((batch) => batch.rows);
    let text = '';
    for await (const chunk of writeCatalogue(catalogue, corrected)) text += chunk;
    const reread = await upload(text);
    const again = reread.mapped(mappingFrom(suggestMapping(reread.columns)));
    const second = await runAll(plan, again.rows(), { columns: again.columns });
    await reread.close();
    expect(second.corrections.filter((c) => c.status === 'applied')).toEqual([]);
    expect(second.violations.length).toBe(first.violations.length);
  });
});

describe('Best Buy categories', () => {
  const file = 'bestbuy/categories.json';
  let paths: string[] = [];
  beforeAll(async () => {
    if (existsSync(`${DATA}${file}`))
      paths = categoryPaths(JSON.parse(await readFile(`${DATA}${file}`, 'utf8')));
  });

  onFile(file, 'make an enum rule that knows every path and the nearest one', async () => {
    const list: unknown = JSON.parse(await readFile(`${DATA}${file}`, 'utf8'));
    expect(list).toHaveLength(4_584);
    // Five paths stand there twice.
    expect(paths).toHaveLength(4_579);
    const { file: rules, errors } = loadRules(await readFile(`${RULES}categories.yaml`, 'utf8'), {
      'categories.json': paths,
    });
    expect(errors).toEqual([]);
    if (rules === null) return;
    const own = await runAll(rules.plan, ...rowsOf(paths));
    expect([own.violations, own.corrections]).toEqual([[], []]);
    const strange = [
      'gift ideas>weddings',
      'Gift Ideas > Weddigns',
      'Gift Ideas > Spaceships',
      'No such thing',
    ];
    const { violations, corrections } = await runAll(rules.plan, ...rowsOf(strange));
    expect(corrections.map((c) => [c.originalValue, c.correctedValue, c.confidence])).toEqual([
      ['gift ideas>weddings', 'Gift Ideas > Weddings', 0.95],
      ['Gift Ideas > Weddigns', 'Gift Ideas > Weddings', 0.8053],
    ]);
    expect(violations.map((v) => v.originalValue)).toEqual(['Gift Ideas > Spaceships', 'No such thing']);
  });
});

function rowsOf(
  values: readonly string[],
): [ReturnType<typeof table>['rows'], ReturnType<typeof table>['options']] {
  const { rows, options } = table(['category_path'], ...values.map((value) => [value]));
  return [rows, options];
}
