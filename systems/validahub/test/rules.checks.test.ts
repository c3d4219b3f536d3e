import { describe, expect, test } from 'vitest';
import { compileRules, renderReport, ReportBuilder } from '../rules/index.ts';
import { breaking, planOf, rule, runAll, table } from './engine.ts';

const format = (name: string, params: object = {}): object => ({
  type: 'format',
  params: { format: name, ...params },
});

/** Records that break global rules, run in batches of two. */
async function repeated(rules: object[], ...lines: string[][]): Promise<number[]> {
  const { rows, options } = table(...lines);
  const { violations } = await runAll(planOf(rules), rows, { ...options, batchSize: 2 });
  return violations.map((v) => v.recordNumber);
}

function unique(params: object = {}): object {
  return rule({ type: 'business', scope: 'global', params: { check: 'unique', ...params } });
}

describe('values that break a rule', () => {
  test('required', async () => {
    const values = ['x', '', '   ', '\u00a0', 'N/A', ' N/A '];
    expect(await breaking({ type: 'required' }, values)).toEqual(['', '   ', '\u00a0']);
    const params = { empty_values: ['N/A'] };
    expect(await breaking({ type: 'required', params }, values)).toEqual([
      '',
      '   ',
      '\u00a0',
      'N/A',
      ' N/A ',
    ]);
  });

  test('format gtin', async () => {
    const right = ['96385074', '036000291452', '4006381333931', '10012345000017', '', '  '];
    const wrong = [
      '96385075',
      '4006381333932',
      '400638133393',
      '4006381333931 ',
      '４00638133393',
      'abcdefgh',
    ];
    expect(await breaking(format('gtin'), [...right, ...wrong])).toEqual(wrong);
  });

  test('format ncm', async () => {
    const wrong = ['7701.10.00', '0001.00.00', '98010000', '8471301', '8471.3012'];
    expect(await breaking(format('ncm'), ['8471.30.12', '84713012', ...wrong])).toEqual(wrong);
  });

  test('format url and lists of them', async () => {
    const wrong = [
      'www.x.com',
      'ftp://x.com/a',
      'http://localhost/a',
      'https://a.com/x y',
      'javascript:alert(1)',
    ];
    expect(await breaking(format('url'), ['https://x.com/a.jpg', ...wrong])).toEqual(wrong);
    const lists = ['https://a.com/1 | https://a.com/2', 'https://a.com/1|x', 'https://a.com/1|'];
    expect(await breaking(format('url', { list: '|' }), lists)).toEqual(lists.slice(1));
  });

  test('format email', async () => {
    const wrong = ['a@b', 'a@@b.com', 'a..b@c.com', 'a b@c.com', '@c.com', `${'a'.repeat(65)}@c.com`];
    expect(await breaking(format('email'), ["o'neil+x@mail.example.com.br", ...wrong])).toEqual(wrong);
  });

  test('format currency, integer, date', async () => {
    expect(await breaking(format('currency'), ['BRL', 'brl', 'XXX', 'R$'])).toEqual(['brl', 'XXX', 'R$']);
    expect(await breaking(format('integer'), ['12', '-3', '1.0', '1e3'])).toEqual(['1.0', '1e3']);
    const dates = ['2024-02-29', '2023-02-29', '2024-13-01', '29/02/2024', '0001-01-01'];
    expect(await breaking(format('date'), dates)).toEqual(['2023-02-29', '2024-13-01', '29/02/2024']);
  });

  test('format decimal, with dot and comma', async () => {
    const values = ['10', '10.5', '10,5', '1.299,90', '1,299.90', 'R$ 10,50', '1.2.3', '10.5 gbp', '1,23,4'];
    expect(await breaking(format('decimal'), values)).toEqual(['1.2.3', '10.5 gbp', '1,23,4']);
    expect(await breaking(format('decimal', { separator: 'dot' }), ['10', '10.5', '10,5'])).toEqual(['10,5']);
    expect(await breaking(format('decimal', { separator: 'comma' }), ['10', '10.5', '10,5'])).toEqual([
      '10.5',
    ]);
  });

  test('format plain_text', async () => {
    const wrong = ['<b>x</b>', 'a&nbsp;b', 'a<br/>b', '&#39;'];
    expect(await breaking(format('plain_text'), ['5 < 6 & 7 > 3', 'AT&T', ...wrong])).toEqual(wrong);
  });

  test('length counts characters, not bytes or UTF-16 units', async () => {
    const values = ['abcde', 'abcdef', 'çãéíõ', '👕👕👕👕👕', '👕👕👕👕👕👕', 'ab', '👕'];
    expect(await breaking({ type: 'length', params: { max: 5 } }, values)).toEqual([
      'abcdef',
      '👕👕👕👕👕👕',
    ]);
    expect(await breaking({ type: 'length', params: { min: 2 } }, values)).toEqual(['👕']);
  });

  test('range, with bounds left out of it', async () => {
    const values = ['0', '0.0', '-1', '0,01', '1.000,00', '1000.01', 'free', ''];
    const params = { above: 0, max: 1_000 };
    expect(await breaking({ type: 'range', params }, values)).toEqual(['0', '0.0', '-1', '1000.01', 'free']);
  });

  test('enum', async () => {
    const params = { values: ['Gift Ideas > Him', 'TV'] };
    const values = ['TV', 'tv', 'Gift Ideas>Him', 'Gift Ideas > Her'];
    expect(await breaking({ type: 'enum', params }, values)).toEqual(values.slice(1));
    const loose = { ...params, separator: '>', ignore_case: true };
    expect(await breaking({ type: 'enum', params: loose }, values)).toEqual(['Gift Ideas > Her']);
  });

  test('pattern, found anywhere unless anchored, and denied', async () => {
    const values = ['abc', 'xabcx', 'ABC'];
    expect(await breaking({ type: 'pattern', params: { pattern: 'abc' } }, values)).toEqual(['ABC']);
    expect(await breaking({ type: 'pattern', params: { pattern: '^abc$' } }, values)).toEqual([
      'xabcx',
      'ABC',
    ]);
    const deny = { pattern: 'abc', ignore_case: true, deny: true };
    expect(await breaking({ type: 'pattern', params: deny }, values)).toEqual(values);
  });

  test('a pattern that hangs other engines takes no time', async () => {
    const began = performance.now();
    const value = `${'a'.repeat(20_000)}!`;
    expect(await breaking({ type: 'pattern', params: { pattern: '^(a+)+$' } }, [value])).toHaveLength(1);
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

describe('rules over several fields', () => {
  test('dependency', async () => {
    const plan = planOf([
      rule({
        type: 'dependency',
        params: { when: { field: 'price', above: 100 }, must: { field: 'gtin', is: 'present' } },
      }),
    ]);
    const { rows, options } = table(
      ['price', 'gtin', 'title'],
      ['101', '', 'a'],
      ['101', '1', 'b'],
      ['99', '', 'c'],
    );
    const { violations } = await runAll(plan, rows, options);
    expect(violations.map((v) => v.recordNumber)).toEqual([1]);
  });

  test('composite: all, any, not, equals, in, matches, a bound on another field', async () => {
    const condition = {
      all: [
        {
          any: [
            { field: 'unit', in: ['kg', 'g'] },
            { field: 'unit', equals: 'un' },
          ],
        },
        { not: { field: 'title', matches: '^test' } },
        { field: 'price', min: { field: 'cost' }, below: 500 },
      ],
    };
    const { rows, options } = table(
      ['title', 'unit', 'price', 'cost'],
      ['a', 'kg', '10', '10'],
      ['b', 'un', '499,99', '1'],
      ['c', 'lb', '10', '1'],
      ['test', 'g', '10', '1'],
      ['d', 'g', '10', '11'],
      ['e', 'g', '500', '1'],
      ['f', 'g', '', '1'],
    );
    const { violations } = await runAll(
      planOf([rule({ type: 'composite', params: condition })]),
      rows,
      options,
    );
    expect(violations.map((v) => v.recordNumber)).toEqual([3, 4, 5, 6, 7]);
  });

  test('business compare, with a factor; sides that are empty are not compared', async () => {
    const params = { check: 'compare', op: '<=', other: 'list_price', factor: 0.9 };
    const plan = planOf([rule({ type: 'business', field: 'price', params })]);
    const { rows, options } = table(
      ['price', 'list_price'],
      ['90', '100'],
      ['90,01', '100'],
      ['', '100'],
      ['5', ''],
      ['x', '100'],
    );
    const { violations } = await runAll(plan, rows, options);
    expect(violations.map((v) => v.recordNumber)).toEqual([2, 5]);
  });
});

describe('global rules', () => {
  test('unique breaks on the second row of a value and on, over batches; empty values do not count', async () => {
    expect(await repeated([unique()], ['title'], ['a'], ['b'], ['a'], [''], [''], ['A'], ['a'])).toEqual([
      3, 7,
    ]);
    const loose = unique({ ignore_case: true, ignore_spaces: true });
    expect(await repeated([loose], ['title'], ['a b'], ['AB'], [' a B'])).toEqual([2, 3]);
  });

  test('unique within a group does not mix group and value', async () => {
    const lines = [
      ['title', 'shop'],
      ['a', 'x'],
      ['a', 'y'],
      ['a', 'x'],
      ['', 'x'],
    ];
    expect(await repeated([unique({ by: 'shop' })], ...lines)).toEqual([3]);
    expect(await repeated([unique({ by: 'shop' })], ['title', 'shop'], ['bc', 'a'], ['c', 'ab'])).toEqual([]);
  });

  test('consistent: rows of a group have the value of its first row', async () => {
    const one = rule({ type: 'business', scope: 'global', params: { check: 'consistent', by: 'gtin' } });
    const lines = [
      ['title', 'gtin'],
      ['a', '1'],
      ['b', '2'],
      ['a', '1'],
      ['c', '1'],
      ['b', '2'],
      ['z', ''],
      ['c', '1'],
    ];
    expect(await repeated([one], ...lines)).toEqual([4, 7]);
  });

  test('they see the row as it came, before any transform', async () => {
    const trim = rule({
      id: 'trimmed',
      type: 'format',
      action: 'transform',
      precedence: 1,
      params: { format: 'normalized' },
      fix: [{ step: 'trim' }],
    });
    expect(await repeated([unique(), trim], ['title'], ['a'], [' a'])).toEqual([]);
  });

  test('they start anew with every run', async () => {
    const plan = planOf([unique()]);
    const { rows, options } = table(['title'], ['a']);
    await runAll(plan, rows, options);
    expect((await runAll(plan, rows, options)).violations).toEqual([]);
  });
});

test('the report gives each rule its rows and cannot steer the terminal', async () => {
  const { plan } = compileRules([
    rule({ id: 'short', type: 'length', params: { max: 3 }, message: 'At most three characters, please.' }),
    rule({ id: 'kept', type: 'required' }),
    rule({ id: 'sku_missing', type: 'required', field: 'sku', severity: 'warning' }),
    rule({ id: 'no_column', type: 'length', field: 'brand', params: { max: 3 } }),
    rule({
      id: 'tidy',
      type: 'format',
      action: 'transform',
      precedence: 1,
      params: { format: 'normalized' },
      fix: [{ step: 'trim' }],
    }),
  ]);
  if (plan === null) throw new Error('The rules must compile.');
  const { rows, options } = table(['title'], ['\u001b[2Jabc\u202e'], [' ab '], ['abc']);
  const builder = new ReportBuilder(plan, {
    name: 'x.csv',
    sha256: 'f'.repeat(64),
    columns: options.columns,
  });
  const ragged = { ...rows[2], issues: [{ code: 'csv_row_width', message: 'The row has 2 cells.' }] };
  const { batches } = await runAll(plan, [rows[0], rows[1], ragged] as typeof rows, options);
  for (const batch of batches) builder.add(batch);
  const report = builder.report();
  expect(report).toMatchObject({
    rows: 3,
    rowsOk: 1,
    rowsWithErrors: 2,
    violations: 5,
    corrected: 1,
    pending: 0,
  });
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  expect(renderReport(report)).toBe(`x.csv: 3 rows, 5 rules
  1 without errors, 2 with errors
  1 values corrected, 0 wait for a decision, 5 to correct by hand
  rules: 1 kept by every row, 3 broken, 1 without a column to check

Rule         Severity  Broke  Corrected  To decide  By hand
-----------------------------------------------------------
tidy         error         1          1          0        0
short        error         1          0          0        1
sku_missing  warning       3          0          0        3

Notes
  1 row: The row has 2 cells. First on line 4.
  The file has no column for: brand, sku

tidy: Not right.
  line 3: " ab "
       -> "ab"

short: At most three characters, please.
  line 2: "·[2Jabc·"

sku_missing: Not right.
  the file has no column sku
`);
  const narrow = renderReport(report, 44);
  expect(narrow).not.toContain('Severity');
  expect(Math.max(...narrow.split('\n').map((line) => line.length))).toBeLessThanOrEqual(44);
});
