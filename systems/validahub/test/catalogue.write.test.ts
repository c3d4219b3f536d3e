import { describe, expect, test } from 'vitest';
import {
  categoryPaths,
  checkDigit,
  columnsOf,
  isFormula,
  isGtin,
  mappingErrors,
  mappingFrom,
  patchRows,
  suggestMapping,
  writeCatalogue,
  type CatalogueRow,
  type Dialect,
  type Patch,
} from '../catalogue/index.ts';
import { readAll, table, upload } from './engine.ts';
import { seeded } from './random.ts';

const DIALECT: Dialect = { delimiter: ',', quote: true, encoding: 'utf-8', bom: false, newline: '\n' };

async function written(
  header: readonly string[],
  rows: readonly CatalogueRow[],
  how: Partial<Dialect> & { readonly neutralise?: boolean } = {},
): Promise<string> {
  const { neutralise = true, ...dialect } = how;
  const catalogue = { columns: columnsOf(header), dialect: { ...DIALECT, ...dialect } };
  let text = '';
  for await (const chunk of writeCatalogue(catalogue, rows, { neutralise })) text += chunk;
  return text;
}

describe('writing', () => {
  test('keeps columns, order, delimiter, line end and mark, and quotes what needs it', async () => {
    const { rows } = table([' Título ', 'b'], ['x;y', 'a "b"'], ['l1\nl2', 'plain, text']);
    const text = await written([' Título ', 'b'], rows, { delimiter: ';', newline: '\r\n', bom: true });
    expect(text).toBe('\uFEFF Título ;b\r\n"x;y";"a ""b"""\r\n"l1\nl2";plain, text\r\n');
  });

  test('a file that was not UTF-8 gets a mark, so that spreadsheets read the accents', async () => {
    expect(await written(['a'], [], { encoding: 'windows-1252' })).toBe('\uFEFFa\n');
  });

  test('ragged rows keep their width, unless something was filled in behind their end', async () => {
    const rows: CatalogueRow[] = [
      { recordNumber: 1, line: 2, cells: ['1', '', ''], width: 1 },
      { recordNumber: 2, line: 3, cells: ['1', '', 'BRL'], width: 1 },
      { recordNumber: 3, line: 4, cells: ['1', '2', '3'], extra: ['4'] },
    ];
    expect(await written(['a', 'b', 'c'], rows)).toBe('a,b,c\n1\n1,,BRL\n1,2,3,4\n');
  });

  test('formulas become text; numbers stay numbers', async () => {
    const dangerous = [
      '=1+1',
      '+cmd|x',
      '-2+3',
      '@SUM(A1)',
      '\t=1',
      '\r=1',
      '＝1',
      '+55 11 9999',
      '-',
      '--1',
    ];
    const harmless = ['-5.2', '+10', '-1.299,90', 'a=1', "'=1", ' =1', ''];
    expect(dangerous.filter((cell) => !isFormula(cell))).toEqual([]);
    expect(harmless.filter(isFormula)).toEqual([]);
    const { rows } = table(['=h'], ['=1+1'], ['-5.2'], ['=A1,B1']);
    expect(await written(['=h'], rows)).toBe("'=h\n'=1+1\n-5.2\n\"'=A1,B1\"\n");
    expect(await written(['=h'], rows, { neutralise: false })).toBe('=h\n=1+1\n-5.2\n"=A1,B1"\n');
  });

  test('writing what was written changes nothing', async () => {
    const { rows } = table(['a', 'b'], ['=1', '-x'], ['\t', '@']);
    const once = await written(['a', 'b'], rows);
    const again = await readAll(once, { delimiter: ',' });
    expect(await written(['a', 'b'], again)).toBe(once);
  });

  test('large catalogues come in several chunks', async () => {
    const { rows } = table(['a'], ...Array.from({ length: 20_000 }, (_, i) => [`value ${i}`]));
    let chunks = 0;
    for await (const _ of writeCatalogue({ columns: columnsOf(['a']), dialect: DIALECT }, rows)) chunks += 1;
    expect(chunks).toBeGreaterThan(2);
  });
});

describe('what was written is read again', () => {
  const PIECES = [
    'a',
    'ç',
    '👕',
    ' ',
    '"',
    '""',
    ',',
    ';',
    '|',
    '#',
    '\t',
    '\n',
    '\r\n',
    "'",
    '=',
    '-1',
    'x y',
  ];
  const delimiters: readonly Dialect['delimiter'][] = [',', ';', '|', '#', '\t'];

  test('parse(write(rows)) = rows, for any cells, delimiter and line end', async () => {
    const random = seeded(2_024);
    for (let i = 0; i < 250; i += 1) {
      const width = 1 + random.below(5);
      const header = Array.from({ length: width }, (_, c) => `column ${c}`);
      const data = Array.from({ length: random.below(12) }, () =>
        header.map(() => random.text(PIECES, 8).replaceAll('\0', '')),
      );
      const how = {
        delimiter: random.pick(delimiters),
        newline: random.pick(['\n', '\r\n'] as const),
        bom: random.below(2) === 1,
        neutralise: false,
      };
      const text = await written(header, table(header, ...data).rows, how);
      const read = await readAll(text, { delimiter: how.delimiter, quote: true });
      expect({ i, cells: read.map((row) => row.cells) }).toEqual({ i, cells: data });
      expect(read.every((row) => row.issues === undefined)).toBe(true);
    }
  });

  test('and the dialect is found again from the text alone', async () => {
    const random = seeded(99);
    const words = ['a', 'bê', ' ', '17" ', ',', ';', '|', '#', '\n'];
    for (let i = 0; i < 120; i += 1) {
      const header = ['sku', 'title', 'price', 'brand'];
      const data = Array.from({ length: 3 + random.below(20) }, (_, r) => [
        `s${r}`,
        `t${random.text(words, 6)}`,
        `${random.below(999)},90`,
        'marca',
      ]);
      const delimiter = random.pick(delimiters);
      const text = await written(header, table(header, ...data).rows, { delimiter });
      const catalogue = await upload(text);
      const cells: (readonly string[])[] = [];
      for await (const row of catalogue.rows()) cells.push(row.cells);
      await catalogue.close();
      expect({ i, delimiter: catalogue.dialect.delimiter, cells }).toEqual({ i, delimiter, cells: data });
    }
  });
});

async function patched(patches: Patch[]): Promise<[cells: (readonly string[])[], skipped: number]> {
  const { rows, options } = table(['title', 'brand'], [' a ', 'x'], ['b', 'y'], ['c', 'z']);
  const cells: (readonly string[])[] = [];
  let skipped = 0;
  async function* source(): AsyncGenerator<CatalogueRow> {
    yield* rows;
  }
  for await (const result of patchRows(options.columns, source(), patches)) {
    cells.push(result.row.cells);
    skipped += result.skipped.length;
  }
  return [cells, skipped];
}

function patch(recordNumber: number, originalValue: string, correctedValue: string): Patch {
  return { recordNumber, field: 'title', originalValue, correctedValue };
}

describe('corrections put in afterwards', () => {
  test('chained ones follow each other', async () => {
    expect(await patched([patch(1, ' a ', 'a'), patch(1, 'a', 'A'), patch(3, 'c', 'C')])).toEqual([
      [
        ['A', 'x'],
        ['b', 'y'],
        ['C', 'z'],
      ],
      0,
    ]);
  });

  test('one whose value is no longer there is skipped and said so', async () => {
    const [cells, skipped] = await patched([
      patch(1, 'a', 'A'),
      { ...patch(2, 'b', 'B'), field: 'sku' },
      patch(9, 'q', 'Q'),
    ]);
    expect(cells[0]).toEqual([' a ', 'x']);
    expect(skipped).toBe(2);
  });
});

describe('columns', () => {
  test('an explicit mapping wins over a name; case and accents do not matter', () => {
    const columns = columnsOf(['Título', 'brand', 'Fabricante', 'Cor'], {
      titulo: 'title',
      FABRICANTE: 'brand',
    });
    expect(columns.map((column) => column.field)).toEqual(['title', 'brand (column)', 'brand', 'Cor']);
  });

  test('no two columns get one field', () => {
    const columns = columnsOf(['Titulo', 'Título', 'título'], { Título: 'title' });
    expect(columns.map((column) => column.field)).toEqual(['Titulo', 'title', 'título_2']);
  });

  test('suggestions name each field once, the surest column first', () => {
    const columns = columnsOf([
      'Nome do produto',
      'Descrição',
      'EAN',
      'Cor',
      'nome',
      'preço',
      'Código de barras',
    ]);
    const suggestions = suggestMapping(columns);
    expect(suggestions.map((s) => [s.column, s.field, s.confidence])).toEqual([
      ['Descrição', 'description', 0.95],
      ['EAN', 'gtin', 0.95],
      ['nome', 'title', 0.95],
      ['preço', 'price_brl', 0.95],
    ]);
    expect(mappingFrom([{ column: 'a', field: 'sku', confidence: 0.6 }, ...suggestions.slice(0, 1)])).toEqual(
      {
        Descrição: 'description',
      },
    );
  });

  test('a mapping is checked', () => {
    expect(mappingErrors({ a: 'title', b: 'brand' })).toEqual([]);
    expect(mappingErrors(['title'])).toEqual([['mapping', 'must map column names to fields.']]);
    expect(mappingErrors({ ' ': 'title' })).toEqual([['mapping. ', 'must name a column.']]);
  });
});

test('check digits of every length', () => {
  expect(checkDigit('400638133393')).toBe('1');
  expect(checkDigit('9638507')).toBe('4');
  expect(checkDigit('12a')).toBeNull();
  expect(checkDigit('')).toBeNull();
  const random = seeded(5);
  for (const length of [8, 12, 13, 14]) {
    for (let i = 0; i < 200; i += 1) {
      const body = Array.from({ length: length - 1 }, () => random.below(10)).join('');
      const right = body + checkDigit(body);
      expect(isGtin(right)).toBe(true);
      const at = random.below(length);
      const other = String((Number(right[at]) + 1 + random.below(9)) % 10);
      expect(isGtin(right.slice(0, at) + other + right.slice(at + 1))).toBe(false);
    }
  }
});

test('category lists', () => {
  const list = [
    { path: [{ name: 'A' }, { name: ' B ' }] },
    { path: [{ name: 'A' }, { name: null }] },
    { path: [{ name: 'A' }] },
  ];
  expect(categoryPaths(list)).toEqual(['A > B', 'A']);
  expect(() => categoryPaths([{ name: 'A' }])).toThrow('category list: Entry 1 has no path.');
  expect(() => categoryPaths({})).toThrow('HF_CATEGORY_LIST');
});
