// A piece is written whole or not at all, in a folder and in a bucket, and what became of its bytes is always seen.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, mkdtemp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, vi } from 'vitest';
import { folder, s3 } from '../../src/traits/retention/files/index.ts';
import { folderStore } from '../../src/traits/retention/files/folder-store.ts';
import { piecePath } from '../../src/traits/retention/files/place.ts';
import type { Store } from '../../src/traits/retention/files/index.ts';
import type { ArchiveFiles } from '../../src/traits/retention/port.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { contextOn } from './archive-stand.ts';

const SOURCE = { schema: 'public', name: 'orders_2026_01' };
const PIECE = {
  of: { schema: 'public', name: 'orders' },
  range: {
    column: 'created_at',
    from: new Date('2026-01-01T00:00:00Z'),
    to: new Date('2026-02-01T00:00:00Z'),
  },
};
const ROWS = 5_000;
const PATH = 'shop/public.orders/20260101T000000Z-20260201T000000Z';

describe('in a folder', () => {
  test('writes data files and a manifest that only their owner may read', async ({ db }) => {
    await fill(db);
    const root = await place();
    const archive = folder(root);
    const context = await contextOn(db);
    const receipt = await archive.write(context, PIECE, SOURCE);
    expect(receipt).toMatchObject({ path: PATH, rows: ROWS });
    expect(await readdir(join(root, PATH))).toEqual(['manifest.json', 'rows-00001.parquet']);
    for (const name of await readdir(join(root, PATH)))
      expect((await stat(join(root, PATH, name))).mode & 0o777).toBe(0o600);
    for (const path of ['shop', 'shop/public.orders', PATH])
      expect((await stat(join(root, path))).mode & 0o777).toBe(0o700);
    const text = await readFile(join(root, PATH, 'manifest.json'));
    expect(createHash('sha256').update(text).digest('hex')).toBe(receipt.manifest);
    const manifest = await archive.verify(context, receipt, SOURCE);
    expect(manifest).toMatchObject({
      format: 'holdfast-archive/1',
      definition: 'shop',
      relation: PIECE.of,
      range: { column: 'created_at', from: '2026-01-01T00:00:00.000Z', to: '2026-02-01T00:00:00.000Z' },
      rows: ROWS,
      min: '2026-01-01 00:00:00.000001+00',
      files: [{ name: 'rows-00001.parquet', rows: ROWS, bytes: receipt.bytes }],
    });
    expect(await archive.list('shop')).toEqual([{ path: PATH, receipt, manifest }]);
    expect(await archive.list('another')).toEqual([]);
    // The same again is no second copy; other rows under the same name are refused.
    expect(await archive.write(context, PIECE, SOURCE)).toEqual(receipt);
    await db.query(`UPDATE orders_2026_01 SET total = total + 1 WHERE id = 1`);
    await expect(archive.write(context, PIECE, SOURCE)).rejects.toMatchObject({ code: 'HF_ARCHIVE_TAKEN' });
    await archive.remove(receipt);
    expect(await readdir(root)).toEqual([]);
    await archive.remove(receipt);
  });

  test('sees every kind of damage before anything may be dropped', async ({ db }) => {
    const root = await place();
    const archive = folder(root);
    const context = await contextOn(db);
    await fill(db);
    const receipt = await archive.write(context, PIECE, SOURCE);
    const other = await archive.write(context, { ...PIECE, serial: 1 }, SOURCE);
    expect(other.path).toBe(`${PATH}-1`);
    const [data, manifest] = ['rows-00001.parquet', 'manifest.json'].map((name) => join(root, PATH, name));
    const whole = await readFile(data ?? '');
    const written = await readFile(manifest ?? '');
    const check = async (source?: typeof SOURCE): Promise<string> =>
      archive.verify(context, receipt, source).then(
        () => 'fine',
        (error: { code: string; what: string }) => `${error.code} ${error.what}`,
      );
    expect(await check(SOURCE)).toBe('fine');

    const flipped = Buffer.from(whole);
    flipped[1000] = (flipped[1000] ?? 0) ^ 1;
    await writeFile(data ?? '', flipped);
    expect(await check()).toBe('HF_ARCHIVE_DAMAGED its bytes are not those that were written.');
    await writeFile(data ?? '', whole);
    await truncate(data ?? '', whole.length - 1);
    expect(await check()).toBe(`HF_ARCHIVE_DAMAGED it has ${whole.length - 1} of ${whole.length} bytes.`);
    await rm(data ?? '');
    expect(await check()).toBe('HF_ARCHIVE_MISSING the file is gone.');
    await writeFile(data ?? '', whole);
    await copyFile(join(root, other.path, 'manifest.json'), manifest ?? '');
    expect(await check()).toBe('HF_ARCHIVE_DAMAGED its manifest is not the one that was written.');
    await writeFile(manifest ?? '', '{"format":"holdfast-archive/1"}');
    expect(await check()).toBe('HF_ARCHIVE_DAMAGED its manifest cannot be read.');
    await rm(manifest ?? '');
    expect(await check()).toBe('HF_ARCHIVE_MISSING the piece has no manifest.');
    await writeFile(manifest ?? '', written);
    expect(await check(SOURCE)).toBe('fine');
  });

  test('a file of another piece, with a manifest that owns it, is not taken for the rows of the table', async ({
    db,
  }) => {
    const root = await place();
    const archive = folder(root);
    const context = await contextOn(db);
    await fill(db);
    const receipt = await archive.write(context, PIECE, SOURCE);
    const check = async (): Promise<unknown> => archive.verify(context, receipt, SOURCE);
    await db.query(`UPDATE orders_2026_01 SET note = 'changed' WHERE id = 17`);
    await expect(check()).rejects.toMatchObject({ code: 'HF_ARCHIVE_DIFFERS' });
    await db.query(`UPDATE orders_2026_01 SET note = NULL WHERE id = 17`);
    await db.query(
      `INSERT INTO orders_2026_01 (id, tenant_id, created_at, total) VALUES (0, 'a', '2026-01-31', 1)`,
    );
    await expect(check()).rejects.toMatchObject({
      code: 'HF_ARCHIVE_DIFFERS',
      what: `table public.orders_2026_01 holds rows ${ROWS + 1}, its manifest says ${ROWS}.`,
    });
    await db.query(`DELETE FROM orders_2026_01 WHERE id = 0`);
    await db.query(`ALTER TABLE orders_2026_01 ALTER COLUMN total TYPE numeric(14,3)`);
    await expect(check()).rejects.toMatchObject({ code: 'HF_ARCHIVE_DIFFERS' });
  });

  test('files without a manifest are what a cut-off run left, and are replaced', async ({ db }) => {
    await fill(db);
    const root = await place();
    await mkdir(join(root, PATH), { recursive: true });
    await writeFile(join(root, PATH, 'rows-00001.parquet'), 'half a file');
    await writeFile(join(root, PATH, 'rows-00002.parquet'), 'another');
    await writeFile(join(root, PATH, '.rows-00003.parquet.abc.draft'), 'a draft');
    const archive = folder(root);
    const context = await contextOn(db);
    expect(await archive.list('shop')).toEqual([]);
    const receipt = await archive.write(context, PIECE, SOURCE);
    await archive.verify(context, receipt, SOURCE);
    expect(await readdir(join(root, PATH))).toEqual(['manifest.json', 'rows-00001.parquet']);
  });

  test('rows outside the range, a missing column and an empty table', async ({ db }) => {
    await fill(db);
    const archive = folder(await place());
    const context = await contextOn(db);
    await db.query(
      `INSERT INTO orders_2026_01 (id, tenant_id, created_at, total) VALUES (0, 'a', '2026-02-01', 1)`,
    );
    await expect(archive.write(context, PIECE, SOURCE)).rejects.toMatchObject({ code: 'HF_ARCHIVE_SOURCE' });
    const wrong = { ...PIECE, range: { ...PIECE.range, column: 'no_such' } };
    await expect(archive.write(context, wrong, SOURCE)).rejects.toMatchObject({
      code: 'HF_ARCHIVE_SOURCE',
      what: 'it has no column no_such, which says how old a row is.',
    });
    await expect(archive.write(context, PIECE, { ...SOURCE, name: 'none' })).rejects.toMatchObject({
      code: 'HF_ARCHIVE_SOURCE',
    });
    await db.query('TRUNCATE orders_2026_01');
    const receipt = await archive.write(context, PIECE, SOURCE);
    expect(await archive.verify(context, receipt, SOURCE)).toMatchObject({ rows: 0, min: null, files: [] });
  });

  test('forced row security is an error, not an empty archive', async ({ db }) => {
    await fill(db);
    const owner = db.role('archivist');
    await db.query(`CREATE ROLE "${owner}"; GRANT CREATE, USAGE ON SCHEMA public TO "${owner}";
      ALTER TABLE orders_2026_01 OWNER TO "${owner}"; ALTER TABLE orders_2026_01 ENABLE ROW LEVEL SECURITY;
      ALTER TABLE orders_2026_01 FORCE ROW LEVEL SECURITY`);
    onTestFinished(() =>
      db.query(`DROP TABLE orders_2026_01; DROP OWNED BY "${owner}"`).then(() => undefined),
    );
    const context = await contextOn(db, { prepare: `SET ROLE "${owner}"` });
    await expect(folder(await place()).write(context, PIECE, SOURCE)).rejects.toThrow(
      'query would be affected by row-level security policy',
    );
  });

  test('stops between batches when it is told to', async ({ db }) => {
    await fill(db);
    const stop = new AbortController();
    stop.abort();
    const context = await contextOn(db, { signal: stop.signal });
    const root = await place();
    await expect(folder(root).write(context, PIECE, SOURCE)).rejects.toMatchObject({ code: 'HF_ABORTED' });
    expect(await folder(root).list('shop')).toEqual([]);
  });

  test('partitions of a partition are read, large rows too', async ({ db }) => {
    await db.query(`CREATE TABLE parts (id int, created_at timestamptz, body text) PARTITION BY LIST (id);
      CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1); CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
      ALTER TABLE parts_1 ALTER COLUMN body SET STORAGE EXTERNAL;
      INSERT INTO parts SELECT 1 + n % 2, '2026-01-02', repeat(md5(n::text), 20000) FROM generate_series(1, 60) n`);
    const context = await contextOn(db);
    const archive = folder(await place());
    const receipt = await archive.write(context, PIECE, { schema: 'public', name: 'parts' });
    const manifest = await archive.verify(context, receipt, { schema: 'public', name: 'parts' });
    expect(manifest).toMatchObject({ rows: 60, min: '2026-01-02 00:00:00.000000+00' });
    await db.query('DROP TABLE parts');
  });
});

test('names of any kind are names of files and lead nowhere', async ({ db }) => {
  const path = (schema: string, name: string): string =>
    piecePath('my/def', { ...PIECE, of: { schema, name } });
  expect(path('..', '../../etc')).toBe(
    'my%2Fdef/%2E%2E.%2E%2E%2F%2E%2E%2Fetc/20260101T000000Z-20260201T000000Z',
  );
  expect(path('Shop', 'orders')).not.toBe(path('shop', 'orders'));
  expect(path('a.b', 'c')).not.toBe(path('a', 'b.c'));
  const long = 'é'.repeat(31);
  for (const part of path(long, `${long.slice(1)}x`).split('/')) expect(part.length).toBeLessThan(255);
  expect(path(long, 'a')).not.toBe(path(`${long.slice(1)}x`, 'a'));
  await db.query(`CREATE SCHEMA "../up"; CREATE TABLE "../up"."a/b" (id int, created_at timestamptz)`);
  await db.query(`INSERT INTO "../up"."a/b" VALUES (1, '2026-01-02')`);
  const root = await place();
  const of = { schema: '../up', name: 'a/b' };
  const archive = folder(join(root, 'inner'));
  const receipt = await archive.write(await contextOn(db), { ...PIECE, of }, of);
  expect(await readdir(root)).toEqual(['inner']);
  expect((await archive.list('shop')).map(({ manifest }) => manifest.relation)).toEqual([of]);
  await archive.remove(receipt);
  await expect(archive.remove({ path: '../..' })).rejects.toMatchObject({ code: 'HF_ARCHIVE_STORE' });
});

/** Before and after each verb that writing a piece asks of its store; the default takes those around the two files. */
const MOMENTS =
  process.env['HOLDFAST_ARCHIVE_KILLS'] === 'all'
    ? Array.from({ length: 10 }, (_, at) => at + 1)
    : [8, 9, 10];

test('a process killed at any moment of writing leaves no piece or a whole one', async ({ db }) => {
  await fill(db, 20_000);
  const root = await place();
  const archive = folder(root);
  const context = await contextOn(db);
  const seen: string[] = [];
  for (const moment of MOMENTS) {
    const env = { ...process.env, ARCHIVE_URL: db.url, ARCHIVE_ROOT: root, ARCHIVE_MOMENT: String(moment) };
    const child = spawn(
      process.execPath,
      ['node_modules/jiti/lib/jiti-cli.mjs', 'test/traits/archive-child.ts'],
      {
        env,
        stdio: 'inherit',
      },
    );
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    const left = await archive.list('shop');
    seen.push(
      `${moment} ${signal ?? code} ${left.filter(({ manifest }) => manifest.serial === moment).length}`,
    );
    const receipt = await archive.write(context, { ...PIECE, serial: moment }, SOURCE);
    expect(await archive.verify(context, receipt, SOURCE)).toMatchObject({ rows: 20_000, serial: moment });
    expect(await readdir(join(root, receipt.path))).toEqual(['manifest.json', 'rows-00001.parquet']);
  }
  // The manifest is there from the last moment on, and not before.
  expect(seen).toEqual(MOMENTS.map((moment) => `${moment} SIGKILL ${moment === 10 ? 1 : 0}`));
});

describe('in a bucket', () => {
  test('writes, verifies, lists, refuses to overwrite and removes', async ({ db }) => {
    await fill(db);
    const { archive, url } = await bucket();
    const context = await contextOn(db);
    expect(await archive.list('shop')).toEqual([]);
    const receipt = await archive.write(context, PIECE, SOURCE);
    const manifest = await archive.verify(context, receipt, SOURCE);
    expect(manifest).toMatchObject({ rows: ROWS, files: [{ name: 'rows-00001.parquet' }] });
    expect(await archive.list('shop')).toEqual([{ path: PATH, receipt, manifest }]);
    expect(await archive.write(context, PIECE, SOURCE)).toEqual(receipt);
    const odd = { ...PIECE, of: { schema: 'Odd "%"', name: 'naïve ~ name' } };
    const other = await archive.write(context, odd, SOURCE);
    await archive.verify(context, other, SOURCE);
    expect(await archive.list('shop')).toHaveLength(2);
    expect(archive.shown).toBe(url);

    await replaced(archive.store, `${PATH}/rows-00001.parquet`, Buffer.from('x'));
    await expect(archive.verify(context, receipt)).rejects.toMatchObject({ code: 'HF_ARCHIVE_DAMAGED' });
    await archive.store.remove(`${PATH}/rows-00001.parquet`);
    await expect(archive.verify(context, receipt)).rejects.toMatchObject({ code: 'HF_ARCHIVE_MISSING' });
    await archive.remove(receipt);
    await archive.remove(receipt);
    await archive.remove(other);
    expect(await archive.list('shop')).toEqual([]);
  });

  test.skipIf(process.platform !== 'linux')('refuses a folder that cannot be made', async () => {
    const file = await folderStore('/proc/holdfast-nowhere/archive')
      .draft('shop/one.parquet')
      .catch((e: unknown) => e);
    expect(file).toMatchObject({ code: 'HF_ARCHIVE_STORE' });
  });

  test('says what S3 refuses without the keys', async ({ db }) => {
    await fill(db);
    const { archive, url } = await bucket();
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'not-the-key');
    const refused = await archive.list('shop').catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: 'HF_ARCHIVE_STORE',
      subject: `archive ${url}`,
      what: 'it could not list shop: it answered 403 InvalidAccessKeyId.',
    });
    expect(JSON.stringify(refused) + String((refused as Error).stack)).not.toMatch(/S3RVER|not-the-key/);
    const missing = s3({ bucket: `${new URL(url).origin}/no-such-bucket` });
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'S3RVER');
    await expect(missing.list('shop')).rejects.toMatchObject({ code: 'HF_ARCHIVE_STORE' });
    await expect(s3({ bucket: 'http://127.0.0.1:9/b' }).list('shop')).rejects.toMatchObject({
      code: 'HF_ARCHIVE_STORE',
    });
    vi.stubEnv('AWS_ACCESS_KEY_ID', '');
    await expect(s3({ bucket: url }).list('shop')).rejects.toMatchObject({
      code: 'HF_ARCHIVE_CREDENTIALS',
      what: 'AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not set in the environment.',
    });
  });

  test('an address with credentials, or none, is refused', () => {
    for (const address of [
      'https://key:secret@host/bucket',
      'ftp://host/bucket',
      'bucket',
      'https://host/b?token=1',
    ])
      expect(() => s3({ bucket: address })).toThrow('the archive’s bucket');
  });
});

test('a store never overwrites, and the same bytes again are fine', async ({ db: _db }) => {
  const root = await place();
  const store = folderStore(root);
  const put = async (bytes: string): Promise<void> => {
    const draft = await store.draft('a/b');
    await writeFile(draft.file, bytes);
    await store.put('a/b', draft).finally(draft.done);
  };
  await put('one');
  await put('one');
  await expect(put('two')).rejects.toMatchObject({ code: 'HF_ARCHIVE_TAKEN' });
  expect(await readFile(join(root, 'a/b'), 'utf8')).toBe('one');
  expect(await readdir(join(root, 'a'))).toEqual(['b']);
});

async function fill(db: TestDatabase, rows = ROWS): Promise<void> {
  await db.query(`DROP TABLE IF EXISTS orders_2026_01;
    CREATE TABLE orders_2026_01 (id bigint PRIMARY KEY, tenant_id text NOT NULL, created_at timestamptz NOT NULL,
      total numeric(12,2) NOT NULL, note text, body jsonb);
    INSERT INTO orders_2026_01 (id, tenant_id, created_at, total, body)
    SELECT n, 't' || n % 7, timestamptz '2026-01-01 00:00:00.000001+00' + (n - 1) * interval '8 seconds', n / 100.0,
           jsonb_build_object('n', n, 'tags', ARRAY['a', 'b'])
    FROM generate_series(1, ${rows}) n`);
}

async function place(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-test-archive-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  return root;
}

async function replaced(store: Store, path: string, bytes: Buffer): Promise<void> {
  await store.remove(path);
  const draft = await store.draft(path);
  await writeFile(draft.file, bytes);
  await store.put(path, draft);
}

interface Rver {
  readonly run: () => Promise<{ readonly port: number }>;
  readonly close: () => Promise<void>;
}

/** An S3 server in this process, on a free port, with one bucket. */
async function bucket(): Promise<{ archive: ArchiveFiles; url: string }> {
  const S3rver = createRequire(import.meta.url)('s3rver') as new (options: object) => Rver;
  const directory = await place();
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory,
    configureBuckets: [{ name: 'shop-archive' }],
  });
  const { port } = await server.run();
  onTestFinished(() => server.close());
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'S3RVER');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'S3RVER');
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const url = `http://127.0.0.1:${port}/shop-archive`;
  return { archive: s3({ bucket: url, region: 'us-east-1', prefix: 'holdfast/' }), url };
}
