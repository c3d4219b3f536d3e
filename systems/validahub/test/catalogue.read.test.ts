import { createHash } from 'node:crypto';
import { writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { HoldfastError } from 'holdfast';
import { describe, expect, test } from 'vitest';
import { decodeWindows1252, Utf8Check } from '../catalogue/encoding.ts';
import { openCatalogue } from '../catalogue/index.ts';
import { cellsOf, readAll, upload } from './engine.ts';
import { seeded } from './random.ts';

describe('the delimiter', () => {
  test.each([',', ';', '|', '#', '\t'])('%j is found', async (delimiter) => {
    const text = [
      ['sku', 'title', 'price'],
      ['1', 'a, b; c', '1,50'],
      ['2', 'x | y # z', '2,50'],
    ]
      .map((cells) => cells.map((cell) => (/[,;|#]/.test(cell) ? `"${cell}"` : cell)).join(delimiter))
      .join('\n');
    expect(await cellsOf(text)).toEqual([
      ['1', 'a, b; c', '1,50'],
      ['2', 'x | y # z', '2,50'],
    ]);
  });

  test('commas in every row do not beat the semicolons of the header', async () => {
    expect(await cellsOf('sku;preço\n1;1,50\n2;2,50\n3;3,50\n')).toEqual([
      ['1', '1,50'],
      ['2', '2,50'],
      ['3', '3,50'],
    ]);
  });

  test('delimiters within quotes do not count', async () => {
    const text = 'a;b\n"1,1,1,1;x";2\n"2,2,2,2;y";3\n';
    expect(await cellsOf(text)).toEqual([
      ['1,1,1,1;x', '2'],
      ['2,2,2,2;y', '3'],
    ]);
  });

  test('a file of one column needs none', async () => {
    expect(await cellsOf('sku\n1\n""\n2\n')).toEqual([['1'], [''], ['2']]);
  });

  test('the caller can tell it', async () => {
    expect(await cellsOf('a,b;c\n1,2;3\n', { delimiter: ';' })).toEqual([['1,2', '3']]);
  });
});

describe('quotes', () => {
  test('as RFC 4180 has them: delimiters, line ends and quotes in a cell', async () => {
    const text = 'a,b\r\n"1,\r\n2","say ""hi"""\r\n3,4\r\n';
    const rows = await readAll(text);
    expect(rows.map((row) => [row.line, row.cells])).toEqual([
      [2, ['1,\r\n2', 'say "hi"']],
      [4, ['3', '4']],
    ]);
  });

  test('inside unquoted cells they are characters', async () => {
    expect(await cellsOf('a|b\n17" screen|5" disk\nx"|"y\n')).toEqual([
      ['17" screen', '5" disk'],
      ['x"', '"y'],
    ]);
  });

  test('a file whose cells begin with inch signs has no quoting', async () => {
    const text = 'sku|title|price\n1|"Foo|5\n2|"Bar|6\n3|plain|7\n';
    expect(await cellsOf(text)).toEqual([
      ['1', '"Foo', '5'],
      ['2', '"Bar', '6'],
      ['3', 'plain', '7'],
    ]);
    expect(await cellsOf(text, { quote: true })).toHaveLength(2);
  });

  test('one quote that never closes is told with its line before a row is read', async () => {
    await expect(cellsOf('a,b\n"x,y",1\n2,"open', { name: 'up.csv' })).rejects.toThrow(
      'catalogue up.csv, line 3: A quoted cell starts here and never ends. ' +
        'Close the quote, or write a quote inside a cell twice. [HF_CATALOGUE_QUOTE]',
    );
  });

  test('a record without end is told with its line', async () => {
    const text = `a,b\n1,2\n3,"${'x\n'.repeat(2_200_000)}"\n`;
    await expect(cellsOf(text)).rejects.toMatchObject({
      code: 'HF_CATALOGUE_RECORD',
      subject: 'catalogue catalogue, line 3',
    });
  });
});

describe('rows', () => {
  test('of the wrong width are read, with the reason and the line', async () => {
    const rows = await readAll('a,b,c\n1,2,3\n\n4\n5,6,7,8,9\n');
    expect(rows).toEqual([
      { recordNumber: 1, line: 2, cells: ['1', '2', '3'] },
      {
        recordNumber: 2,
        line: 4,
        cells: ['4', '', ''],
        width: 1,
        issues: [{ code: 'csv_row_width', message: 'The row has 1 cells, the header has 3.' }],
      },
      {
        recordNumber: 3,
        line: 5,
        cells: ['5', '6', '7'],
        extra: ['8', '9'],
        issues: [{ code: 'csv_row_width', message: 'The row has 5 cells, the header has 3.' }],
      },
    ]);
  });

  test('with NUL characters are read without them', async () => {
    expect(await readAll('a,b\n1\0,2\n')).toEqual([
      {
        recordNumber: 1,
        line: 2,
        cells: ['1', '2'],
        issues: [{ code: 'csv_nul_byte', message: 'The row held NUL characters; they were taken out.' }],
      },
    ]);
  });

  test('empty and blank lines are no rows, lines are counted all the same', async () => {
    const rows = await readAll('\n\na,b\n\n1,2\n   \n\n3,4\n\n');
    expect(rows.map((row) => [row.recordNumber, row.line])).toEqual([
      [1, 5],
      [2, 8],
    ]);
  });

  test.each(['\n', '\r\n', '\r'])('end with %j', async (newline) => {
    const catalogue = await upload(['a,b', '1,"x\ny"', '2,z'].join(newline));
    expect(catalogue.dialect.newline).toBe(newline);
    const cells = [];
    for await (const row of catalogue.rows()) cells.push(row.cells);
    await catalogue.close();
    expect(cells).toEqual([
      ['1', 'x\ny'],
      ['2', 'z'],
    ]);
  });

  test('the header may be repeated, empty, padded', async () => {
    const catalogue = await upload(' Title ,,title,Title\n1,2,3,4\n');
    await catalogue.close();
    expect(catalogue.columns.map((column) => [column.header, column.name, column.field])).toEqual([
      [' Title ', 'Title', 'title'],
      ['', 'column_2', 'column_2'],
      ['title', 'title_2', 'title_2'],
      ['Title', 'Title_3', 'Title_3'],
    ]);
  });
});

describe('encoding', () => {
  const text = 'título;preço\nCafé “forte” – 1€;1\n';

  test('UTF-8 with and without byte order mark', async () => {
    for (const mark of ['', '\uFEFF']) {
      const catalogue = await upload(mark + text);
      expect(catalogue.dialect).toMatchObject({ encoding: 'utf-8', bom: mark !== '' });
      expect(catalogue.columns[0]?.name).toBe('título');
      await catalogue.close();
    }
  });

  test('UTF-16 with byte order mark, both ways round', async () => {
    const little = Buffer.from(`\uFEFF${text}`, 'utf16le');
    const big = Buffer.from(little).swap16();
    for (const bytes of [little, big]) {
      const [row] = await readAll(bytes);
      expect(row?.cells).toEqual(['Café “forte” – 1€', '1']);
    }
  });

  test('windows-1252, also the signs that latin-1 lacks', async () => {
    const bytes = Buffer.from([...text].map((character) => WINDOWS[character] ?? character.charCodeAt(0)));
    expect(await cellsOf(bytes)).toEqual([['Café “forte” – 1€', '1']]);
    expect(decodeWindows1252(Buffer.from([0x80, 0x92, 0x9f, 0x81, 0xff]))).toBe('€’Ÿ\u0081ÿ');
  });

  test('one byte that is not UTF-8 decides, be it the last of a large file', async () => {
    const head = `a,b\n${'caf\u00e9,x\n'.repeat(150_000)}`;
    const broken = Buffer.concat([Buffer.from(head), Buffer.from([0x78, 0x2c, 0xe9])]);
    const catalogue = await upload(broken);
    expect(catalogue.dialect.encoding).toBe('windows-1252');
    await catalogue.close();
    const whole = await upload(head);
    expect(whole.dialect.encoding).toBe('utf-8');
    await whole.close();
  });

  test('UTF-8 is recognised wherever the chunks are cut', () => {
    const random = seeded(3);
    const bytes = Buffer.from('aé€👕z'.repeat(20));
    for (let i = 0; i < 500; i += 1) {
      const check = new Utf8Check();
      for (let at = 0; at < bytes.length;) {
        const next = at + 1 + random.below(5);
        check.push(bytes.subarray(at, next));
        at = next;
      }
      expect(check.valid).toBe(true);
    }
    for (const wrong of [[0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0x80]]) {
      const check = new Utf8Check();
      for (const byte of [0x61, ...wrong]) check.push(Buffer.from([byte]));
      expect(check.valid).toBe(false);
    }
  });
});

// Code points above latin-1 that the text above uses, in windows-1252.
const WINDOWS: Readonly<Record<string, number>> = { '“': 0x93, '”': 0x94, '–': 0x96, '€': 0x80 };

function* brokenOff(): Generator<Buffer> {
  yield Buffer.from('a,b\n');
  throw new Error('The line was cut.');
}

// What is left in the temporary folder when all tests are done fails the run.
describe('the file', () => {
  test('has the SHA-256 and size of its bytes', async () => {
    const bytes = Buffer.from('\uFEFFa,b\r\n1,2');
    const catalogue = await upload(bytes);
    await catalogue.close();
    expect(catalogue.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(catalogue.size).toBe(bytes.length);
  });

  test('can be read again and is gone after close', async () => {
    const catalogue = await upload('a,b\n1,2\n');
    for (const _ of [1, 2]) {
      const rows = [];
      for await (const row of catalogue.rows()) rows.push(row);
      expect(rows).toHaveLength(1);
    }
    await catalogue.close();
    await expect(catalogue.rows().next()).rejects.toMatchObject({ code: 'HF_CATALOGUE_CHANGED' });
  });

  test('must not change while it is open', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'changed-'));
    const path = join(folder, 'x.csv');
    await writeFile(path, 'a,b\n1,2\n');
    const catalogue = await openCatalogue(path);
    await writeFile(path, 'a,b\n1,2\n3,4\n');
    await expect(catalogue.rows().next()).rejects.toThrow(
      'catalogue x.csv: The file was changed after it was opened.',
    );
    await rm(folder, { recursive: true });
  });

  test('must exist and have a header', async () => {
    for (const path of ['/nowhere/x.csv', tmpdir()]) {
      await expect(openCatalogue(path)).rejects.toMatchObject({ code: 'HF_CATALOGUE_MISSING' });
    }
    for (const content of ['', '\n\n', '\uFEFF']) {
      await expect(upload(content)).rejects.toMatchObject({ code: 'HF_CATALOGUE_EMPTY' });
    }
    expect(await cellsOf('a,b')).toEqual([]);
  });

  test('that fails while it is uploaded leaves nothing behind', async () => {
    await expect(openCatalogue(Readable.from(brokenOff()))).rejects.toMatchObject({
      code: 'HF_CATALOGUE_UPLOAD',
    });
  });

  test('may hold any bytes: it is read, or refused with a code', async () => {
    const random = seeded(41);
    const bytes = [
      0x00, 0x0a, 0x0d, 0x22, 0x23, 0x2c, 0x3b, 0x61, 0x7c, 0x80, 0xc3, 0xa9, 0xef, 0xbb, 0xbf, 0xfe, 0xff,
    ];
    let read = 0;
    for (let i = 0; i < 300; i += 1) {
      const content = Buffer.from(Array.from({ length: 1 + random.below(60) }, () => random.pick(bytes)));
      const found = await readAll(content).catch((error: unknown) => {
        expect(error).toBeInstanceOf(HoldfastError);
        return null;
      });
      if (found === null) continue;
      read += 1;
      expect(found.map((row) => row.recordNumber)).toEqual(found.map((_, at) => at + 1));
      expect(found.some((row) => row.cells.some((cell) => cell.includes('\0')))).toBe(false);
    }
    expect(read).toBeGreaterThan(100);
  });
});
