// `holdfast archive` as an operator types it: list, query by both engines, restore.
import { existsSync } from 'node:fs';
import { cp, mkdtemp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect, onTestFinished } from 'vitest';
import { askPostgres } from '../../src/cli/ask-postgres.ts';
import { main } from '../../src/cli/main.ts';
import type { Model } from '../../src/define/index.ts';
import { folder } from '../../src/traits/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { fill, openShop, sumOf, turn } from './retention-stand.ts';

const NOW = new Date('2026-05-15T01:00:00Z');
const SOURCE = JSON.stringify(import.meta.dirname).slice(1, -1);

test('lists, asks and restores', async ({ db }) => {
  const { root, cwd, holdfast } = await shop(db, 'shelf');
  const listed = await holdfast('list');
  expect(listed.code).toBe(0);
  expect(listed.out.replaceAll(/ +\d+(\.\d)? kB/g, ' N kB').replaceAll(root, 'ROOT')).toBe(
    [
      'shelf.events  2026-01-01 to 2026-02-01  62 rows N kB  ROOT/shelf/shelf.events/20260101T000000Z-20260201T000000Z  until 2028-03-02  verified 2026-05-15T01:00:00.000Z',
      'shelf.events  2026-02-01 to 2026-03-01  56 rows N kB  ROOT/shelf/shelf.events/20260201T000000Z-20260301T000000Z  until 2028-03-31  verified 2026-05-15T01:00:00.000Z',
      'shelf.events  2026-03-01 to 2026-04-01  62 rows N kB  ROOT/shelf/shelf.events/20260301T000000Z-20260401T000000Z  until 2028-05-01  verified 2026-05-15T01:00:00.000Z',
      '',
    ].join('\n'),
  );
  // A user's file loads the traits a second time, beside those of the command line.
  const own = `import { folder } from '${SOURCE}/../../src/traits/index.ts';
    import { shopOf } from '${SOURCE}/retention-stand.ts';
    export default shopOf('shelf', { online: '30 days', then: 'delete',
      archive: { to: 'files', table: 'shelf', for: '2 years', store: folder(${JSON.stringify(root)}) } });`;
  await writeFile(join(cwd, 'own.ts'), own);
  const machine = JSON.parse((await holdfast('list', 'own.ts', '--verify', '--json')).out) as object[];
  expect(machine).toHaveLength(3);
  expect(machine[0]).toMatchObject({
    relation: 'shelf.events',
    rows: 62,
    in: 'files',
    state: 'filed',
    checked: 'fine',
  });

  const sql = `SELECT tenant_id, count(*) AS rows, max(created_at) AS newest FROM shelf.events
    WHERE created_at >= timestamptz '2026-02-01 00:00:00+00' GROUP BY 1 ORDER BY 1`;
  const asked = await holdfast('query', sql, '--engine', 'postgres', '--json');
  expect(JSON.parse(asked.out)).toEqual([
    { tenant_id: 'a', rows: '80', newest: '2026-03-31 12:00:00+00' },
    { tenant_id: 'b', rows: '38', newest: '2026-03-29 12:00:00+00' },
  ]);
  const table = await holdfast(
    'query',
    'SELECT kind, id FROM shelf.events ORDER BY id LIMIT 1',
    '--engine',
    'postgres',
  );
  expect(table.out).toBe('kind  id\nk1    1\n(1 row)\n');
  const written = await holdfast('query', 'DELETE FROM shelf.events', '--engine', 'postgres');
  expect(written).toMatchObject({ code: 1 });
  expect(written.err).toContain('cannot execute DELETE in a read-only transaction');
  const two = await holdfast('query', 'COMMIT; DROP TABLE shelf.events', '--engine', 'postgres');
  expect(two.err).toContain('cannot insert multiple commands into a prepared statement');

  const restored = await holdfast('restore', 'shelf.events', '--from', '2026-03-01', '--to', '2026-03-11');
  expect(restored.out).toBe(
    "20 rows of shelf.events restored into restored.events_20260301_20260311; drop it when you are done: it holds every tenant's rows\n",
  );
  expect(await sumOf(db, ['restored.events_20260301_20260311'])).toMatchObject({ rows: 20 });
  const back = await holdfast(
    'restore',
    'shelf.events',
    '--from',
    '2026-03-01',
    '--to',
    '2026-03-02',
    '--into-live',
  );
  expect(back.err).toBe('');
  expect(back.out).toBe(
    [
      '62 rows in 1 part are back in shelf.events, and out of its archive',
      "held by 'restored shelf.events 2026-03-01T00:00:00.000Z': holdfast archive release lets the next retention run take them again",
      '',
    ].join('\n'),
  );
  expect(await sumOf(db, ['shelf.events'], `created_at < '2026-04-01 00:00+00'`)).toMatchObject({ rows: 62 });
  expect((await holdfast('list')).out.split('\n')).toHaveLength(3);

  const hold = 'restored shelf.events 2026-03-01T00:00:00.000Z';
  expect((await holdfast('release', hold)).out).toBe(
    `'${hold}' is released: what it held leaves with the next retention run\n`,
  );
  expect((await holdfast('release', hold)).err).toContain('HF_HOLD_UNKNOWN');

  await writeFile(
    join(root, 'shelf/shelf.events/20260101T000000Z-20260201T000000Z/rows-00001.parquet'),
    'torn',
  );
  const paths = ['20260201T000000Z-20260301T000000Z', '20200201T000000Z-20200301T000000Z'];
  const [known, stranger] = paths.map((path) => join(root, 'shelf/shelf.events', path));
  await cp(known ?? '', stranger ?? '', { recursive: true });
  const torn = await holdfast('list', '--verify');
  expect(torn.code).toBe(1);
  expect(torn.out).toContain('HF_ARCHIVE_DAMAGED it has 4 of');
  expect(torn.out).toMatch(/20200201T000000Z-20200301T000000Z +for ever +not in the ledger\n/);
});

test('DuckDB reads the same', async ({ db, skip }) => {
  const installed = [process.env['HOLDFAST_DUCKDB'], join(import.meta.dirname, '../..')]
    .filter((place) => place !== undefined)
    .map((place) => join(place, 'node_modules/@duckdb'))
    .find((place) => existsSync(place));
  if (installed === undefined) skip('@duckdb/node-api is not installed here');
  const { holdfast, cwd } = await shop(db, 'ducks');
  await mkdir(join(cwd, 'node_modules'));
  await symlink(installed ?? '', join(cwd, 'node_modules/@duckdb'));
  const sql = `SELECT tenant_id, count(*) AS n, max(created_at) AS newest FROM ducks.events GROUP BY 1 ORDER BY 1`;
  const [duck, postgres] = [
    await holdfast('query', sql, '--engine', 'duckdb'),
    await holdfast('query', sql, '--engine', 'postgres'),
  ];
  expect(duck.err).toBe('');
  expect(duck.out).toBe(postgres.out);
  expect((await holdfast('query', sql, '--json')).out).toContain('"newest": "2026-03-31 12:00:00+00"');
  const elsewhere = await holdfast(
    'query',
    `SELECT * FROM read_text('/etc/passwd'), ducks.events`,
    '--engine',
    'duckdb',
  );
  expect(elsewhere.err).toContain('HF_ARCHIVE_QUERY');
  expect(elsewhere.err).toContain('Permission Error');
});

test('a schema archive is asked under the table’s own name too', async ({ db }) => {
  const { holdfast } = await shop(db, 'drawer', { to: 'schema' });
  expect((await holdfast('list')).out).toContain('table archive.events_');
  const asked = await holdfast(
    'query',
    'SELECT count(*) FROM drawer.events',
    '--engine',
    'postgres',
    '--json',
  );
  expect(JSON.parse(asked.out)).toEqual([{ count: '180' }]);
});

test('a role that may not make databases is answered by a server of this machine', async ({ db }) => {
  const role = db.role('asker');
  await db.query(`CREATE ROLE "${role}" LOGIN PASSWORD 'for-the-test-only'`);
  const url = db.urlAs(role, 'for-the-test-only');
  const model = { enums: [{ schema: 'odd', name: 'state', values: ['open'] }] } as unknown as Model;
  const answer = await askPostgres({
    tables: [],
    statement: `SELECT 'open'::odd.state, 1 AS one`,
    model,
    url,
  });
  expect(answer).toEqual({ columns: ['state', 'one'], rows: [['open', 1]] });
});

test('where nothing was ever applied there is nothing to list', async ({ db }) => {
  const empty = await db.another();
  const { cwd } = await shop(db, 'blank');
  expect(await run(empty, cwd, ['list'])).toEqual({
    code: 0,
    out: 'nothing has left the tables of this definition\n',
    err: '',
  });
  expect((await run(empty, cwd, ['query', 'SELECT 1'])).err).toContain('nothing was ever archived here.');
});

test('what cannot be done is said', async ({ db }) => {
  const { holdfast } = await shop(db, 'words');
  const said = async (...args: string[]): Promise<string> => {
    const { code, err } = await holdfast(...args);
    return `${code} ${err.split('\n')[0]}`;
  };
  expect(await said('list', '--from')).toBe(
    "2 holdfast: Option '--from <value>' argument missing; see 'holdfast archive --help'",
  );
  expect(await said('shelve')).toMatch(/^2 holdfast archive list/);
  expect(await said('restore', 'words.notes', '--from', '2026-01-01', '--to', '2026-02-01')).toBe(
    '1 HF_ARCHIVE_UNKNOWN table words.notes',
  );
  expect(await said('restore', 'words.events', '--from', 'May', '--to', '2026-02-01')).toBe(
    '1 HF_ARCHIVE_RANGE --from',
  );
  expect(await said('restore', 'words.events', '--from', '2026-02-01', '--to', '2026-02-01')).toBe(
    '1 HF_ARCHIVE_RANGE --to',
  );
  expect(
    await said('restore', 'words.events', '--from', '2026-01-01', '--to', '2026-02-01', '--into', 'x'),
  ).toBe('1 HF_ARCHIVE_RANGE --into');
  expect(await said('restore', 'words.events', '--from', '2020-01-01', '--to', '2020-02-01')).toBe(
    '1 HF_ARCHIVE_NOTHING table words.events',
  );
  expect(await said('query', 'SELECT 1', '--engine', 'oracle')).toBe('1 HF_ARCHIVE_ENGINE --engine');
  expect(await said('query', 'SELEC', '--engine', 'postgres')).toBe('1 HF_ARCHIVE_QUERY the statement');
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A shop whose January to March have left, and the command line on it. */
async function shop(
  db: TestDatabase,
  name: string,
  how: { readonly to?: 'schema' | 'files' } = {},
): Promise<{ root: string; cwd: string; holdfast: (...args: string[]) => Promise<Ran> }> {
  const cwd = await mkdtemp(join(tmpdir(), 'holdfast-test-archive-'));
  onTestFinished(() => rm(cwd, { recursive: true, force: true }));
  const root = join(cwd, 'files');
  const to = how.to === 'schema' ? { to: 'schema' as const } : { to: 'files' as const, store: folder(root) };
  const { definition, table } = await openShop(db, name, {
    online: '30 days',
    archive: { ...to, table: name, for: '2 years' },
    then: 'delete',
  });
  await fill(db, table, { from: '2026-01-01T00:00Z', to: '2026-04-10T00:00Z' });
  await turn(db, definition, { now: NOW });
  Object.assign(globalThis, { [name]: definition });
  await writeFile(join(cwd, 'holdfast.ts'), `export default globalThis['${name}'];`);
  return { root, cwd, holdfast: async (...args) => run(db, cwd, args) };
}

async function run(db: TestDatabase, cwd: string, args: readonly string[]): Promise<Ran> {
  const said = { out: '', err: '' };
  const stream = (to: 'out' | 'err'): Writable =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        said[to] += chunk.toString();
        done();
      },
    });
  const code = await main({
    argv: ['archive', ...args],
    cwd,
    env: { DATABASE_URL: db.url },
    terminal: { out: stream('out'), err: stream('err'), colour: false, now: () => 0 },
    signal: new AbortController().signal,
    now: () => NOW,
  });
  return { code, ...said };
}
