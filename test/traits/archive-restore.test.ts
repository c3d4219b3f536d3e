// What left a table comes back: into a table of its own, or into the table itself, once and not twice, whatever is killed.
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import type { Definition } from '../../src/define/index.ts';
import type { TaskContext } from '../../src/define/job.ts';
import {
  type ArchiveFiles,
  folder,
  holds,
  releaseHold,
  shelvesOf,
  type Shelf,
} from '../../src/traits/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { fill, openShop, states, sumOf, turn, type Turn, withContext } from './retention-stand.ts';

const NOW = new Date('2026-05-15T01:00:00Z');
const MARCH = { from: new Date('2026-03-01T00:00:00Z'), to: new Date('2026-04-01T00:00:00Z') };
const ALL = { from: new Date('2026-01-01T00:00:00Z'), to: new Date('2026-05-01T00:00:00Z') };

describe('into a table of its own', () => {
  test('a range out of files: exactly its rows, every one compared', async ({ db }) => {
    const { definition, table, root } = await filed(db, 'own');
    expect(await states(db, definition)).toEqual([
      '2026-01-01T00:00:00.000Z filed archive 62',
      '2026-02-01T00:00:00.000Z filed archive 56',
      '2026-03-01T00:00:00.000Z filed archive 62',
    ]);
    expect(await readdir(join(root, 'own/own.events'))).toHaveLength(3);
    const range = { from: new Date('2026-02-10T00:00:00Z'), to: new Date('2026-03-05T12:00:00Z') };
    const into = { schema: 'restored', name: 'some' };
    const done = await inContext(db, definition, async (context, shelf) =>
      shelf.restore(context, { ...range, into }),
    );
    expect(done).toEqual({ table: into, rows: 47, parts: 2 });
    const [bounds] = await db.query(
      `SELECT min(created_at) AS low, max(created_at) AS high FROM restored.some`,
    );
    expect(bounds).toEqual({ low: range.from, high: new Date('2026-03-05T00:00:00Z') });
    expect((await sumOf(db, [table])).rows).toBe(before.rows - 180);
    // Nobody but the owner reads it, whatever default privileges say.
    expect(
      await db.query(`SELECT relrowsecurity FROM pg_class WHERE oid = 'restored.some'::regclass`),
    ).toEqual([{ relrowsecurity: true }]);
    await expect(
      inContext(db, definition, async (context, shelf) => shelf.restore(context, { ...range, into })),
    ).rejects.toMatchObject({ code: 'HF_ARCHIVE_TARGET' });
    const none = { from: new Date('2020-01-01T00:00:00Z'), to: new Date('2020-02-01T00:00:00Z') };
    await expect(
      inContext(db, definition, async (context, shelf) => shelf.restore(context, { ...none, into })),
    ).rejects.toMatchObject({ code: 'HF_ARCHIVE_NOTHING' });
    const everything = { schema: 'restored', name: 'all' };
    await inContext(db, definition, async (context, shelf) =>
      shelf.restore(context, { ...ALL, into: everything }),
    );
    expect(await sumOf(db, [table, 'restored.all'])).toEqual(before);
  });

  test('a damaged file makes no table', async ({ db }) => {
    const { definition, root } = await filed(db, 'torn');
    const folderOf = join(root, 'torn/torn.events/20260301T000000Z-20260401T000000Z');
    await writeFile(join(folderOf, 'rows-00001.parquet'), 'not what was written');
    const into = { schema: 'restored', name: 'torn' };
    await expect(
      inContext(db, definition, async (context, shelf) => shelf.restore(context, { ...ALL, into })),
    ).rejects.toMatchObject({ code: 'HF_ARCHIVE_DAMAGED' });
    await expect(
      inContext(db, definition, async (context, shelf) => shelf.putBack(context, MARCH)),
    ).rejects.toMatchObject({ code: 'HF_ARCHIVE_DAMAGED' });
    expect(await db.query(`SELECT to_regclass('restored.torn') AS made`)).toEqual([{ made: null }]);
    expect(await states(db, definition)).toContain('2026-03-01T00:00:00.000Z filed archive 62');
  });

  test('a range out of the archive’s schema', async ({ db }) => {
    const { definition, table } = await shelved(db, 'inschema');
    const into = { schema: 'restored', name: 'inschema' };
    const done = await inContext(db, definition, async (context, shelf) =>
      shelf.restore(context, { ...ALL, into }),
    );
    expect(done).toEqual({ table: into, rows: 180, parts: 3 });
    expect(await sumOf(db, [table, 'restored.inschema'])).toEqual(before);
  });
});

test('a file that arrives damaged drops no row, and the next run writes it anew', async ({ db }) => {
  const root = await place();
  const whole = folder(root);
  let torn = 0;
  const store: ArchiveFiles = {
    ...whole,
    write: async (context, piece, source) => {
      const receipt = await whole.write(context, piece, source);
      if (torn === 0) {
        torn += 1;
        await truncate(join(root, receipt.path, 'rows-00001.parquet'), 100);
      }
      return receipt;
    },
  };
  const { definition, table } = await openShop(db, 'arriving', {
    online: '30 days',
    archive: { to: 'files', store, table: 'arriving', for: '2 years' },
    then: 'delete',
  });
  await fill(db, table, { from: '2026-01-01T00:00Z', to: '2026-04-10T00:00Z' });
  const start = await sumOf(db, [table]);
  await expect(turn(db, definition, { now: NOW })).rejects.toMatchObject({
    code: 'HF_RETENTION_STUCK',
    what: expect.stringContaining('HF_ARCHIVE_DAMAGED') as string,
  });
  expect(await states(db, definition)).toEqual([
    '2026-01-01T00:00:00.000Z filing archive 62',
    '2026-02-01T00:00:00.000Z filed archive 56',
    '2026-03-01T00:00:00.000Z filed archive 62',
  ]);
  expect((await sumOf(db, [table, 'archive.arriving'])).rows).toBe(start.rows - 118);
  await turn(db, definition, { now: NOW });
  expect((await states(db, definition))[0]).toBe('2026-01-01T00:00:00.000Z filed archive 62');
  const into = { schema: 'restored', name: 'arriving' };
  await inContext(db, definition, async (context, shelf) => shelf.restore(context, { ...ALL, into }));
  expect(await sumOf(db, [table, 'restored.arriving'])).toEqual(start);
});

describe('into the table itself', () => {
  test('files: rows are in the table and out of the archive, and stay until the hold is released', async ({
    db,
  }) => {
    const { definition, table, root } = await filed(db, 'live');
    const done = await inContext(db, definition, async (context, shelf) => shelf.putBack(context, MARCH));
    const id = 'restored live.events 2026-03-01T00:00:00.000Z';
    expect(done).toEqual({ rows: 62, parts: 1, holds: [id] });
    expect(await readdir(join(root, 'live/live.events'))).toHaveLength(2);
    expect(await rowsOf(db, table, MARCH)).toBe(62);
    await turn(db, definition, { now: NOW });
    await turn(db, definition, { now: new Date('2026-06-20T01:00:00Z') });
    expect(await rowsOf(db, table, MARCH)).toBe(62);
    await withContext({ now: NOW, url: db.url, definition }, async (context) => {
      expect(await holds(context)).toMatchObject([{ id, from: MARCH.from, to: MARCH.to }]);
      await releaseHold(context, id);
    });
    await turn(db, definition, { now: NOW });
    expect(await rowsOf(db, table, MARCH)).toBe(0);
    expect(await states(db, definition)).toContain('2026-03-01T00:00:00.000Z 1 filed archive 62');
    const into = { schema: 'restored', name: 'live' };
    await inContext(db, definition, async (context, shelf) => shelf.restore(context, { ...ALL, into }));
    expect((await sumOf(db, ['restored.live'], `created_at < '2026-04-01+00'`)).rows).toBe(180);
  });

  test('a partition in the archive’s schema is attached again, no row copied', async ({ db }) => {
    const { definition, table } = await shelved(db, 'again');
    const file = `SELECT pg_relation_filenode(format('%I.%I', detail->'table'->>'schema', detail->'table'->>'name')::regclass) AS node
      FROM holdfast.piece WHERE definition = 'again' AND piece LIKE '2026-03-01%' AND state <> 'held'`;
    const [stored] = await db.query(file);
    const done = await inContext(db, definition, async (context, shelf) => shelf.putBack(context, MARCH));
    expect(done).toMatchObject({ rows: 62, parts: 1 });
    expect(await db.query(file)).toEqual([stored]);
    expect(await rowsOf(db, table, MARCH)).toBe(62);
    expect(await sumOf(db, [table, 'archive.events'])).toEqual(before);
    await turn(db, definition, { now: NOW });
    expect(await rowsOf(db, table, MARCH)).toBe(62);
    await db.query(`INSERT INTO ${table} (tenant_id, created_at) VALUES ('a', '2026-03-09 00:00:01+00')`);
  });

  test('rows of a plain table, out of files and out of the schema', async ({ db }) => {
    for (const to of ['files', 'schema'] as const) {
      const name = `plain_${to}`;
      const store = to === 'files' ? { store: folder(await place()) } : {};
      const { definition, table } = await openShop(db, name, {
        of: 'notes',
        online: '30 days',
        archive: { to, ...store, table: name, for: '2 years' },
        then: 'delete',
      });
      await fill(db, table, { from: '2026-01-01T00:00Z', to: '2026-05-10T00:00Z' });
      const start = await sumOf(db, [table]);
      await turn(db, definition, { now: NOW });
      expect(await rowsOf(db, table, MARCH)).toBe(0);
      expect(
        await inContext(db, definition, async (context, shelf) => shelf.putBack(context, ALL)),
      ).toMatchObject({
        rows: expect.any(Number) as number,
      });
      expect(await sumOf(db, [table])).toEqual(start);
      expect(await sumOf(db, [`archive.${name}`])).toMatchObject({ rows: 0 });
      await turn(db, definition, { now: NOW });
      expect(await sumOf(db, [table])).toEqual(start);
    }
  });

  test('a row that is there with other values refuses the part whole', async ({ db }) => {
    const { definition, table } = await filed(db, 'clash');
    await db.query(
      `CREATE TABLE clash.events_other PARTITION OF ${table} FOR VALUES FROM ('2026-03-01 00:00+00') TO ('2026-04-01 00:00+00')`,
    );
    await db.query(`INSERT INTO ${table} (tenant_id, id, created_at, kind) OVERRIDING SYSTEM VALUE
      SELECT tenant_id, id, created_at, 'changed' FROM (VALUES ('a', 119, timestamptz '2026-03-01 00:00+00'), ('b', 119, '2026-03-01 00:00+00')) v (tenant_id, id, created_at)`);
    await expect(
      inContext(db, definition, async (context, shelf) => shelf.putBack(context, MARCH)),
    ).rejects.toMatchObject({ code: 'HF_ARCHIVE_CONFLICT' });
    expect(await rowsOf(db, table, MARCH)).toBe(2);
    expect(await states(db, definition)).toContain('2026-03-01T00:00:00.000Z filed archive 62');
  });

  test('columns that changed since are refused by name', async ({ db }) => {
    const { definition, table } = await filed(db, 'drifted');
    await db.query(`ALTER TABLE ${table} RENAME COLUMN kind TO sort`);
    await expect(
      inContext(db, definition, async (context, shelf) => shelf.putBack(context, MARCH)),
    ).rejects.toMatchObject({
      code: 'HF_ARCHIVE_COLUMNS',
      what: 'archived rows have kind text, which it has not or not so any more.',
    });
  });
});

describe('killed before any statement', () => {
  for (const to of ['files', 'schema'] as const)
    test(`${to}: the next call goes on, no row is lost or doubled`, async ({ db }) => {
      const name = `cut_${to}`;
      const { definition, table } = await (to === 'files' ? filed(db, name) : shelved(db, name));
      let [at, cuts, so] = [1 + (SEED % STRIDE), 0, await standing(db, definition, table)];
      while (!(await cutAt(db, definition, at))) {
        cuts += 1;
        const rows = (await sumOf(db, await tablesOf(db, definition, table))).rows;
        expect({ at, rows: rows + (await filedRows(db, definition)) }).toEqual({ at, rows: before.rows });
        // What was committed is not done again, so the numbers begin anew.
        const now = await standing(db, definition, table);
        at = now === so ? at + STRIDE : 1 + (SEED % STRIDE);
        so = now;
      }
      expect(cuts).toBeGreaterThan(20 / STRIDE);
      expect(await rowsOf(db, table, MARCH)).toBe(62);
      await turn(db, definition, { now: NOW });
      expect(await rowsOf(db, table, MARCH)).toBe(62);
    });
});

// Every third statement by default; HOLDFAST_ARCHIVE_KILLS=all cuts before each.
const STRIDE = process.env['HOLDFAST_ARCHIVE_KILLS'] === 'all' ? 1 : 3;
const SEED = Number(process.env['HOLDFAST_SEED'] ?? 0);

let before: Awaited<ReturnType<typeof sumOf>>;

/** A shop whose January to March lie in files. */
async function filed(
  db: TestDatabase,
  name: string,
): Promise<{ definition: Definition; table: string; root: string }> {
  const root = await place();
  const opened = await openShop(db, name, {
    online: '30 days',
    archive: { to: 'files', store: folder(root), table: name, for: '2 years' },
    then: 'delete',
  });
  await aged(db, opened);
  return { ...opened, root };
}

/** A shop whose January to March lie in the archive's schema. */
async function shelved(db: TestDatabase, name: string): Promise<{ definition: Definition; table: string }> {
  const table = name === 'again' ? {} : { table: name };
  const opened = await openShop(db, name, {
    online: '30 days',
    archive: { to: 'schema', ...table, for: '2 years' },
    then: 'delete',
  });
  await aged(db, opened);
  return opened;
}

async function aged(db: TestDatabase, opened: { definition: Definition; table: string }): Promise<void> {
  const months = ['01', '02', '03', '04', '05'];
  for (const month of months) {
    const bounds = `FROM ('2026-${month}-01 00:00+00') TO ('2026-${month}-01 00:00+00'::timestamptz + interval '1 month')`;
    await db
      .query(
        `CREATE TABLE IF NOT EXISTS ${opened.table}_y2026m${month} PARTITION OF ${opened.table} FOR VALUES ${bounds}`,
      )
      .catch(() => undefined);
  }
  await fill(db, opened.table, { from: '2026-01-01T00:00Z', to: '2026-05-10T00:00Z' });
  before = await sumOf(db, [opened.table]);
  await turn(db, opened.definition, { now: NOW });
}

async function inContext<T>(
  db: TestDatabase,
  definition: Definition,
  work: (context: TaskContext, shelf: Shelf) => Promise<T>,
): Promise<T> {
  return withContext({ now: NOW, url: db.url, definition }, async (context) =>
    work(context, shelfOf(definition)),
  );
}

function shelfOf(definition: Definition): Shelf {
  const [shelf] = shelvesOf(definition);
  if (shelf === undefined) throw new Error('the definition has no archive');
  return shelf;
}

/** Puts March back in a session that ends before the statement of that number; true when there is nothing left to do. */
async function cutAt(db: TestDatabase, definition: Definition, at: number): Promise<boolean> {
  let cut = false;
  const how: Turn = {
    now: NOW,
    before: (_sql, number, client) => {
      if (number !== at) return;
      cut = true;
      (client as unknown as { connection: { stream: { destroy: () => void } } }).connection.stream.destroy();
    },
  };
  const work = withContext({ ...how, url: db.url, definition }, async (context) =>
    shelfOf(definition).putBack(context, MARCH),
  );
  const said = await work.then(
    () => 'done',
    (error: { code?: string }) => error.code,
  );
  if (!cut && said !== 'done' && said !== 'HF_ARCHIVE_NOTHING') throw new Error(`stopped by ${said}`);
  return !cut;
}

/** What has been committed so far: states, holds and partitions. */
async function standing(db: TestDatabase, definition: Definition, table: string): Promise<string> {
  const rows = await db.query(
    `SELECT piece, state FROM holdfast.piece WHERE definition = $1 UNION ALL
     SELECT inhrelid::regclass::text, 'partition' FROM pg_inherits WHERE inhparent IN ($2::regclass, to_regclass($3))
     ORDER BY 1, 2`,
    [definition.name, table, `archive.${definition.name}`],
  );
  return JSON.stringify(rows);
}

/** Every table that holds rows of a shop: partitions of the table, and those the ledger knows. */
async function tablesOf(db: TestDatabase, definition: Definition, table: string): Promise<readonly string[]> {
  const rows = await db.query<{ name: string }>(
    `SELECT format('%I.%I', detail->'table'->>'schema', detail->'table'->>'name') AS name FROM holdfast.piece
     WHERE definition = $1 AND state IN ('archived', 'receiving') UNION
     SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = $2::regclass`,
    [definition.name, table],
  );
  return rows.map(({ name }) => name);
}

async function filedRows(db: TestDatabase, definition: Definition): Promise<number> {
  const [row] = await db.query<{ rows: number }>(
    `SELECT coalesce(sum((detail->>'rows')::int), 0)::int AS rows FROM holdfast.piece
     WHERE definition = $1 AND state = 'filed'`,
    [definition.name],
  );
  return row?.rows ?? 0;
}

async function rowsOf(db: TestDatabase, table: string, range: typeof MARCH): Promise<number> {
  const where = `created_at >= '${range.from.toISOString()}' AND created_at < '${range.to.toISOString()}'`;
  return (await sumOf(db, [table], where)).rows;
}

async function place(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-test-archive-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  return root;
}
