// Rows of every kind of column go into Parquet and come back the same; others read the same from the file.
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { expect, onTestFinished } from 'vitest';
import { contentOf } from '../../src/traits/retention/files/content.ts';
import { folder } from '../../src/traits/retention/files/index.ts';
import { insertRows, tableSql } from '../../src/traits/retention/files/restore.ts';
import { EXACT_SQL } from '../../src/traits/retention/files/source.ts';
import { rowsOfPiece } from '../../src/traits/retention/files/verify.ts';
import { zstd } from '../../src/traits/retention/files/zstd.ts';
import { ident, literal } from '../../src/sql.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { contextOn, KINDS, ODD_SQL, random } from './archive-stand.ts';

const ROWS = Number(process.env['HOLDFAST_ARCHIVE_ROWS'] ?? 600);
const SEED = Number(process.env['HOLDFAST_SEED'] ?? 7);
const PIECE = {
  of: { schema: 'odd', name: 'every kind' },
  range: { column: 'at', from: new Date('2026-01-01T00:00:00Z'), to: new Date('2026-02-01T00:00:00Z') },
};

test('rows of every type come back exactly, whatever the sessions are set to', async ({ db }) => {
  await fill(db);
  const archive = folder(await place());
  const odd = `SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'sql_standard';
    SET extra_float_digits = -10; SET bytea_output = 'escape'; SET search_path = odd, public`;
  const context = await contextOn(db, { prepare: odd });
  const receipt = await archive.write(context, PIECE, PIECE.of);
  const manifest = await archive.verify(context, receipt, PIECE.of);
  expect(manifest.rows).toBe(ROWS);
  expect(manifest.min).toBe('2026-01-01 00:00:00.000001+00');

  const back = { schema: 'odd', name: 'restored' };
  await context.session.transaction(async (query) => {
    await query(EXACT_SQL);
    await query(tableSql(back, manifest.columns));
    const piece = { path: receipt.path, manifest, signal: context.signal };
    for await (const rows of rowsOfPiece(archive.store, piece))
      await insertRows(query, { table: back, columns: manifest.columns }, { rows });
  });
  expect(await differences(db)).toEqual({ lost: 0, added: 0 });
  // Equal is not the same: 1.10 and 1.1, -0 and 0. Their texts are compared too.
  const texts = `SELECT count(*)::int AS other FROM (SELECT t::text FROM odd."every kind" t EXCEPT ALL SELECT t::text FROM odd.restored t) d`;
  expect(await db.query(texts)).toEqual([{ other: 0 }]);
  const stored = Object.fromEntries(manifest.columns.map((column) => [column.name, column.stored]));
  expect(stored).toMatchObject({
    c_int8: 'int64',
    c_money_amount: 'decimal',
    c_wide: 'decimal',
    c_uuid: 'uuid',
    c_jsonb: 'json',
    c_tstz: 'timestamptz',
    c_domain: 'decimal',
    c_bytea: 'bytea',
  });
  // What Parquet has no exact form for is text: NaN among decimals, 24:00, infinite days, years after 294247.
  for (const name of [
    'c_with_nan',
    'c_time_24',
    'c_date_open',
    'c_tstz_last',
    'c_ts',
    'c_wider',
    'c_hundreds',
    'c_numeric',
  ])
    expect({ [name]: stored[name] }).toEqual({ [name]: 'text' });
});

test('hyparquet reads the values without us', async ({ db }) => {
  await db.query(
    `CREATE TABLE small (id bigint, at timestamptz, amount numeric(6,2), who uuid, body jsonb, note text)`,
  );
  await db.query(`INSERT INTO small VALUES
    (9007199254740993, '2026-01-05 10:00:00.123456+00', 12.50, '00000000-0000-0000-0000-0000000000aa', '{"a": [1, 2]}', ''),
    (2, '2026-01-06 10:00:00+00', -0.01, NULL, NULL, NULL)`);
  const root = await place();
  const archive = folder(root);
  const context = await contextOn(db);
  const receipt = await archive.write(context, PIECE, { schema: 'public', name: 'small' });
  const [file] = (await readdir(join(root, receipt.path))).filter((name) => name.endsWith('.parquet'));
  const buffer = await asyncBufferFromFile(join(root, receipt.path, file ?? ''));
  const { decompress } = await zstd();
  const metadata = await parquetMetadataAsync(buffer);
  expect(metadata.row_groups[0]?.columns[0]?.meta_data?.codec).toBe('ZSTD');
  expect(metadata.schema.find(({ name }) => name === 'at')?.logical_type).toEqual({
    type: 'TIMESTAMP',
    isAdjustedToUTC: true,
    unit: 'MICROS',
  });
  const rows = await parquetReadObjects({
    file: buffer,
    compressors: { ZSTD: (bytes) => decompress(bytes) },
  });
  expect(rows).toEqual([
    {
      id: 9007199254740993n,
      at: new Date('2026-01-05T10:00:00.123Z'),
      amount: 12.5,
      who: '00000000-0000-0000-0000-0000000000aa',
      body: { a: [1, 2] },
      note: '',
    },
    { id: 2n, at: new Date('2026-01-06T10:00:00.000Z'), amount: -0.01, who: null, body: null, note: null },
  ]);
});

test('DuckDB reads the values without us', async ({ db, skip }) => {
  const library = duckdbPath();
  if (library === undefined) skip('@duckdb/node-api is not installed here');
  const { DuckDBInstance } = (await import(pathToFileURL(library ?? '').href)) as DuckDb;
  await db.query(`CREATE TABLE seen (id bigint, at timestamptz, day date, amount numeric(30,4), who uuid, body jsonb,
    note text, data bytea, far timestamptz, moment time, ok boolean)`);
  await db.query(`INSERT INTO seen VALUES (9007199254740993, '2026-01-05 10:00:00.123456+00', '2024-02-29',
    12345678901234567890.0001, '00000000-0000-0000-0000-0000000000aa', '{"a": 1.10}', E'\\uFEFFx', '\\x00ff', 'infinity', '23:59:59.999999', true)`);
  const root = await place();
  const archive = folder(root);
  const context = await contextOn(db);
  const receipt = await archive.write(context, PIECE, { schema: 'public', name: 'seen' });
  const session = await (await DuckDBInstance.create(':memory:')).connect();
  onTestFinished(() => session.closeSync());
  const files = literal(join(root, receipt.path, '*.parquet'));
  const read = await session.runAndReadAll(`SELECT typeof(COLUMNS(*))::text FROM read_parquet(${files})`);
  expect(read.getRowsJson()[0]).toEqual([
    'BIGINT',
    'TIMESTAMP WITH TIME ZONE',
    'DATE',
    'DECIMAL(30,4)',
    'UUID',
    'JSON',
    'VARCHAR',
    'BLOB',
    'TIMESTAMP WITH TIME ZONE',
    'TIME',
    'BOOLEAN',
  ]);
  const values = await session.runAndReadAll(
    `SELECT id, epoch_us("at"), day, amount, who, body, unicode(note), hex(data), isinf(far), moment, ok FROM read_parquet(${files})`,
  );
  expect(values.getRowsJson()[0]).toEqual([
    '9007199254740993',
    '1767607200123456',
    '2024-02-29',
    '12345678901234567890.0001',
    '00000000-0000-0000-0000-0000000000aa',
    '{"a": 1.10}',
    65279,
    '00FF',
    true,
    '23:59:59.999999',
    true,
  ]);
});

test('the sum tells rows apart that look alike, and does not mind their order', () => {
  const columns = ['a', 'b'].map((name) => ({ name, type: 'text', stored: 'text' as const }));
  const sum = (...rows: (string | null)[][]): string =>
    contentOf([rows.map((row) => row[0] ?? null), rows.map((row) => row[1] ?? null)], columns, undefined).sum;
  expect(sum(['ab', 'c'])).not.toBe(sum(['a', 'bc']));
  expect(sum(['-', 'c'])).not.toBe(sum([null, 'c']));
  expect(sum(['', 'c'])).not.toBe(sum([null, 'c']));
  expect(sum(['a', 'b'], ['c', 'd'])).toBe(sum(['c', 'd'], ['a', 'b']));
  expect(sum(['a', 'b'], ['a', 'b'])).not.toBe(sum(['c', 'd'], ['c', 'd']));
});

interface DuckDb {
  readonly DuckDBInstance: {
    readonly create: (path: string) => Promise<{
      readonly connect: () => Promise<{
        readonly runAndReadAll: (sql: string) => Promise<{ readonly getRowsJson: () => unknown[][] }>;
        readonly closeSync: () => void;
      }>;
    }>;
  };
}

/** Where DuckDB's package is: the project's, or a folder named in HOLDFAST_DUCKDB. */
function duckdbPath(): string | undefined {
  const roots = [process.env['HOLDFAST_DUCKDB'], join(import.meta.dirname, '../..')];
  return roots
    .filter((root) => root !== undefined)
    .map((root) => join(root, 'node_modules/@duckdb/node-api/lib/index.js'))
    .find((path) => existsSync(path));
}

async function place(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-test-archive-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  return root;
}

async function fill(db: TestDatabase): Promise<void> {
  await db.query(ODD_SQL);
  const list = KINDS.map(({ name, type }) => `${ident(name)} ${type}`).join(', ');
  await db.query(`CREATE TABLE odd."every kind" (at timestamptz NOT NULL, dropped int, ${list})`);
  await db.query('ALTER TABLE odd."every kind" DROP COLUMN dropped');
  const next = random(SEED);
  const rows = Array.from({ length: ROWS }, (_, row) => {
    const values = KINDS.map(({ type, values }) => {
      if (next() < 0.15) return 'NULL';
      // Each value is there at least once, and the rest is chance.
      const value = row < values.length ? values[row] : values[Math.floor(next() * values.length)];
      return `${literal(value ?? '')}::${type}`;
    });
    return `('2026-01-01 00:00:00.000001+00'::timestamptz + interval '1 minute' * ${row}, ${values.join(', ')})`;
  });
  await db.query(`INSERT INTO odd."every kind" VALUES ${rows.join(',\n')}`);
}

async function differences(db: TestDatabase): Promise<{ lost: number; added: number } | undefined> {
  const list = KINDS.map(({ name, type }) =>
    ['json', 'xml'].includes(type) ? `${ident(name)}::text` : ident(name),
  ).join(', ');
  const side = (name: string): string => `SELECT at, ${list} FROM odd.${ident(name)}`;
  const [found] = await db.query<{ lost: number; added: number }>(`SELECT
    (SELECT count(*)::int FROM (${side('every kind')} EXCEPT ALL ${side('restored')}) l) AS lost,
    (SELECT count(*)::int FROM (${side('restored')} EXCEPT ALL ${side('every kind')}) a) AS added`);
  return found;
}
