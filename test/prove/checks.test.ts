// Every check of a replay sees what it is there for: rows are moved, lost, doubled and changed by hand.
import { describe, expect } from 'vitest';
import { database, job, type CatalogueQuery, type Residence, type Sum } from '../../src/define/index.ts';
import { bigint, pgSchema, text, timestamp } from 'drizzle-orm/pg-core';
import { Archive } from '../../src/prove/lapse/archive.ts';
import { bookRows, openBooks, type Booked } from '../../src/prove/lapse/book.ts';
import { checkHorizon, checkSum } from '../../src/prove/lapse/horizon.ts';
import { checkContent, checkResidence, type ResidenceScene } from '../../src/prove/lapse/residence.ts';
import { promisesOf } from '../../src/prove/lapse/promises.ts';
import { test } from '../cluster/index.ts';

const shop = pgSchema('shop');
const orders = shop.table('orders', {
  tenantId: text('tenant_id').notNull(),
  id: bigint('id', { mode: 'number' }).notNull(),
  at: timestamp('at', { withTimezone: true }).notNull(),
});
const { model } = database('shop', { tables: { orders } });
const of = { schema: 'shop', name: 'orders' };
const day = (text: string): Date => new Date(`2026-${text}T00:00:00Z`);
const NOW = day('06-01');

/** Online from 1 May, gone before 1 April; archived from 1 March, gone before 1 February. */
const residence: Residence = {
  of,
  column: 'at',
  job: 'retention',
  online: { keepsFrom: () => day('05-01'), clearsBefore: () => day('04-01') },
  archive: {
    keepsFrom: () => day('03-01'),
    clearsBefore: () => day('02-01'),
    parts: async () => [],
  },
};

let book: Booked;
let query: CatalogueQuery;

const scene = (): ResidenceScene => ({
  book,
  residence,
  parts: [{ name: 'archived', from: null, to: null, sql: 'shop.archived' }],
  now: NOW,
  ranAt: NOW,
});
const found = async (): Promise<string[]> => {
  const { findings } = await checkResidence(query, scene());
  return [...findings, ...(await checkContent(query, scene()))].map((one) => `${one.subject}: ${one.check}`);
};

describe('where rows are', () => {
  test.beforeEach(async ({ db }) => {
    query = (sql, values) => db.query(sql, values === undefined ? undefined : [...values]);
    await db.query(`DROP SCHEMA IF EXISTS shop CASCADE; DROP SCHEMA IF EXISTS holdfast_lapse CASCADE;
      CREATE SCHEMA shop;
      CREATE TABLE shop.orders (tenant_id text NOT NULL, id bigint NOT NULL, at timestamptz NOT NULL);
      CREATE TABLE shop.archived (LIKE shop.orders);
      INSERT INTO shop.orders SELECT CASE WHEN n % 2 = 0 THEN 'a' ELSE 'b' END, n, timestamptz '2026-01-01 12:00+00' + n * interval '1 day'
        FROM generate_series(0, 149) n`);
    const books = await openBooks({ query, model, relations: [{ of, column: 'at' }], tenant: 'tenant_id' });
    book = books[0]!;
    // As the promise has it: January is gone, February and March are archived, April and May are online.
    await db.query(`INSERT INTO shop.archived SELECT * FROM shop.orders WHERE at < '2026-04-01Z' AND at >= '2026-02-01Z';
      DELETE FROM shop.orders WHERE at < '2026-04-01Z'`);
  });

  test('nothing is found where everything is as promised, and the rows are counted', async () => {
    expect(await found()).toEqual([]);
    const { tally } = await checkResidence(query, scene());
    expect(tally).toEqual({
      online: 60,
      archived: 59,
      oldestOnline: new Date('2026-04-01T12:00:00Z'),
      oldestArchived: new Date('2026-02-01T12:00:00Z'),
      youngestLeft: new Date('2026-03-31T12:00:00Z'),
    });
  });

  test('a young row that left is early, though it is archived', async ({ db }) => {
    await db.query(`WITH gone AS (DELETE FROM shop.orders WHERE id = 140 RETURNING *)
      INSERT INTO shop.archived SELECT * FROM gone`);
    expect(await found()).toEqual(['table shop.orders, tenant a: no row leaves early']);
  });

  test('an old row that stayed is late, to the tenant', async ({ db }) => {
    await db.query(`WITH gone AS (DELETE FROM shop.archived WHERE id = 89 RETURNING *)
      INSERT INTO shop.orders SELECT * FROM gone`);
    expect(await found()).toEqual(['table shop.orders, tenant b: no row leaves late']);
  });

  test('before the job has run nothing is late', async ({ db }) => {
    await db.query(
      `WITH gone AS (DELETE FROM shop.archived RETURNING *) INSERT INTO shop.orders SELECT * FROM gone`,
    );
    const { findings } = await checkResidence(query, { ...scene(), ranAt: null });
    expect(findings).toEqual([]);
  });

  test('a row that is nowhere is lost', async ({ db }) => {
    await db.query(`DELETE FROM shop.archived WHERE id = 70`);
    expect(await found()).toEqual([
      'table shop.orders, tenant a: no row is lost or doubled',
      'table shop.orders: rows keep their content',
    ]);
  });

  test('a row in two places is doubled', async ({ db }) => {
    await db.query(`INSERT INTO shop.archived SELECT * FROM shop.orders WHERE id = 100`);
    expect(await found()).toEqual([
      'table shop.orders, tenant a: online + archived + deleted = inserted',
      'table shop.orders, tenant a: no row is lost or doubled',
      'table shop.orders: rows keep their content',
    ]);
  });

  test('a lost row and a doubled one do not make up for each other', async ({ db }) => {
    await db.query(
      `DELETE FROM shop.archived WHERE id = 70; INSERT INTO shop.archived SELECT * FROM shop.orders WHERE id = 100`,
    );
    expect(await found()).toEqual(['table shop.orders: rows keep their content']);
  });

  test('an archived row that should be gone is late', async ({ db }) => {
    await db.query(`INSERT INTO shop.archived VALUES ('a', 2, '2026-01-03 12:00Z')`);
    expect(await found()).toEqual(['table shop.orders, tenant a: no row is deleted late']);
  });

  test('a row that changed on its way is seen', async ({ db }) => {
    await db.query(`UPDATE shop.archived SET at = at + interval '1 microsecond' WHERE id = 80`);
    expect(await found()).toEqual(['table shop.orders: rows keep their content']);
  });

  test('a row whose tenant changed is missed by one and too many with the other', async ({ db }) => {
    await db.query(`UPDATE shop.archived SET tenant_id = 'b' WHERE id = 80`);
    expect((await found()).filter((one) => one.includes('lost or doubled')).sort()).toEqual([
      'table shop.orders, tenant a: no row is lost or doubled',
      'table shop.orders, tenant b: no row is lost or doubled',
    ]);
  });

  test('where nothing promises to let rows go, none may', async ({ db }) => {
    const { findings } = await checkResidence(query, { ...scene(), residence: undefined, parts: [] });
    expect(findings.map((one) => one.check)).toContain('no row leaves early');
    await db.query(`INSERT INTO shop.orders SELECT * FROM holdfast_lapse.row_1 WHERE at < '2026-04-01Z'`);
    const after = await checkResidence(query, { ...scene(), residence: undefined, parts: [] });
    expect(after.findings).toEqual([]);
  });

  test('the books follow what the traffic changes, and nothing before', async ({ db }) => {
    await db.query(
      `INSERT INTO shop.orders VALUES ('a', 200, '2026-06-01Z'); DELETE FROM shop.orders WHERE id IN (149, 100)`,
    );
    expect((await bookRows(query, [book], day('05-20'))).map((one) => one.rows)).toEqual([0]);
    const [kept] = await db.query<{ kept: boolean }>(
      `SELECT EXISTS (SELECT FROM holdfast_lapse.row_1 WHERE id = 100) AS kept`,
    );
    expect(kept).toEqual({ kept: true });
  });

  test('parts that are files are read once, and forgotten with the file', async ({ db }) => {
    let reads = 0;
    const archive = new Archive(query, book);
    const part = {
      name: 'file',
      from: null,
      to: null,
      grows: false,
      rows: {
        read: async function* () {
          reads += 1;
          for (const row of await db.query<{ row: Record<string, string> }>(
            `SELECT to_jsonb(a) AS row FROM (SELECT tenant_id, id::text, at::text FROM shop.archived) a`,
          ))
            yield row.row;
        },
      },
    };
    for (const _ of [1, 2]) {
      const parts = await archive.open([part]);
      expect((await checkResidence(query, { ...scene(), parts })).findings).toEqual([]);
      expect(await checkContent(query, { ...scene(), parts })).toEqual([]);
    }
    expect(reads).toBe(1);
    await archive.open([]);
    expect(
      await db.query(
        `SELECT FROM pg_class WHERE relname LIKE '%part%' AND relnamespace = 'holdfast_lapse'::regnamespace`,
      ),
    ).toEqual([]);
  });

  test('kept figures that differ from a full recomputation are shown', async ({ db }) => {
    await db.query(
      `CREATE TABLE shop.sums AS SELECT tenant_id, count(*) AS n FROM holdfast_lapse.row_1 GROUP BY 1`,
    );
    const sum: Sum = {
      subject: 'table shop.sums',
      job: 'rollup',
      kept: 'SELECT tenant_id, n FROM shop.sums',
      of: 'ever',
      reads: [of],
      recomputed: (source) => `SELECT tenant_id, count(*) AS n FROM ${source(of)} GROUP BY 1`,
    };
    expect(await checkSum(query, sum, [book])).toEqual([]);
    await db.query(`UPDATE shop.sums SET n = n + 1 WHERE tenant_id = 'a'`);
    expect(await checkSum(query, sum, [book])).toEqual([
      {
        check: 'kept figures equal a full recomputation',
        subject: 'table shop.sums',
        expected: '1 rows that are not there, such as (a,75)',
        found: '1 rows in their place, such as (a,76)',
      },
    ]);
    const present = await checkSum(query, { ...sum, of: 'present' }, [book]);
    expect(present).toHaveLength(1);
  });
});

describe('room ahead', () => {
  const horizon = {
    of,
    column: 'at',
    job: 'partitions',
    places: async () => [],
    reachesTo: () => day('09-01'),
    leastMs: 31 * 86_400_000,
  };
  const places = [6, 7, 8].map((month) => ({
    name: `m${month}`,
    from: new Date(Date.UTC(2026, month - 1)),
    to: new Date(Date.UTC(2026, month)),
  }));

  test('enough is enough', () => {
    expect(checkHorizon({ horizon, places, now: NOW, ranAt: NOW })).toEqual({
      findings: [],
      headroomMs: 92 * 86_400_000,
    });
  });

  test('a gap ends the room there is, and less than is promised is found', () => {
    const { findings } = checkHorizon({ horizon, places: [places[0]!, places[2]!], now: NOW, ranAt: NOW });
    expect(findings).toEqual([
      {
        check: 'there is room ahead',
        subject: 'table shop.orders',
        expected: 'room for 31.0 days from 2026-06-01T00:00:00.000Z',
        found: '30.0 days, to 2026-07-01T00:00:00.000Z',
      },
      {
        check: 'room is made as promised',
        subject: 'table shop.orders',
        expected: 'room to 2026-09-01T00:00:00.000Z once job partitions has run',
        found: 'to 2026-07-01T00:00:00.000Z',
      },
    ]);
  });
});

const made = (...promised: { trait: string; by: Residence }[]) =>
  promisesOf(
    database('shop', {
      tables: { orders },
      jobs: [job('retention', { schedule: { cron: '0 1 * * *' } }, { sql: 'SELECT 1' })],
      traits: promised.map(({ trait, by }) => ({ name: trait, promises: () => ({ residences: [by] }) })),
    }),
  );

describe('the promises of a definition', () => {
  test('are gathered with the trait they come from, each relation once', () => {
    const { residences, relations } = made({ trait: 'one', by: residence }, { trait: 'two', by: residence });
    expect(residences.map((one) => one.trait)).toEqual(['one', 'two']);
    expect(relations).toEqual([{ of, column: 'at' }]);
  });

  test('are refused where a replay could not hold anything against them', () => {
    expect(() => made()).toThrow(
      'definition shop: it promises nothing about time, so a replay would show nothing. Add partitions, retention or rollups to its traits. [HF_LAPSE_NOTHING]',
    );
    expect(() => made({ trait: 'one', by: { ...residence, job: 'gone' } })).toThrow(
      'definition shop: a promise of trait one hangs on job gone, and the definition has no such job. Give the job a schedule, or the trait the name of one that has. [HF_LAPSE_JOB]',
    );
    expect(() =>
      made({ trait: 'one', by: residence }, { trait: 'two', by: { ...residence, column: 'id' } }),
    ).toThrow(
      'table shop.orders: its promises count time by different columns (at and id), and a replay knows one. Range its partitions and its retention by the same column. [HF_LAPSE_COLUMN]',
    );
  });
});
