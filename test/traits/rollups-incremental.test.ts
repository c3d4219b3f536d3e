// Incremental rollups on a server: what is noted, added up, closed and refused.
import { describe, expect } from 'vitest';
import type { TaskContext } from '../../src/define/job.ts';
import type { HoldfastError } from '../../src/error.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { maintain, runJob } from './keeping.ts';
import { differences, NOW, openTill, session, type Till } from './rollups-stand.ts';
import { asTenant, refusal, sessionAs, settle } from './stand.ts';

let opened: Promise<Till> | undefined;
const till = (db: TestDatabase): Promise<Till> => (opened ??= openTill(db));

/** Brings both tables up to date as the keeper does; gives what each task said. */
async function settled(db: TestDatabase, at = NOW): ReturnType<typeof runJob> {
  const { definition } = await till(db);
  const { session: maintenance } = await maintain(db, { now: at });
  return runJob(definition, 'rollup', { session: maintenance, now: at });
}

/** Calls the leaving face of every trait, as whoever takes rows away does. */
async function leave(
  db: TestDatabase,
  { of = 'sales', column = 'at', ...range }: { from: Date | null; to: Date; of?: string; column?: string },
) {
  const { definition } = await till(db);
  const { session: maintenance } = await maintain(db, { now: NOW });
  const context = { model: definition.model, now: NOW, session: maintenance } as TaskContext;
  const faces = definition.traits.map((trait) =>
    trait.leaving?.({ schema: 'till', name: of }, { column, ...range }),
  );
  const calls = faces.filter((face) => face !== undefined);
  for (const call of calls) await call(context);
  return calls.length;
}

test('what statements of every kind change is added up, and equals a full count', async ({ db }) => {
  const { definition } = await till(db);
  const client = await session(db);
  const same = async (): Promise<void> => {
    await settled(db);
    const wrong = await differences((sql) => client.query(sql), definition);
    expect(Object.entries(wrong).filter(([subject]) => subject.startsWith('table'))).toEqual([]);
  };
  await client.query(`INSERT INTO till.sales (tenant_id, id, at, shop_id, item, price)
    SELECT CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END, n, timestamptz '2026-11-01 00:00Z' + n * interval '1 hour', n % 4 + 1,
      CASE WHEN n % 11 = 0 THEN NULL ELSE 'item ' || n % 3 END, CASE WHEN n % 7 = 0 THEN NULL ELSE n % 5 END
    FROM generate_series(1, 200) n`);
  await same();
  const [first] = await db.query('SELECT sum(n)::int AS rows FROM till.days');
  expect(first).toEqual({ rows: 200 - 18 });
  await client.query(`UPDATE till.sales SET price = price + 0.5, note = 'x' WHERE id % 3 = 0`);
  await same();
  await client.query(`UPDATE till.sales SET at = at - interval '20 days', item = 'moved' WHERE id % 5 = 0`);
  await same();
  await client.query(`DELETE FROM till.sales WHERE id % 4 = 0`);
  await same();
  await client.query(`INSERT INTO till.sales (tenant_id, id, at, shop_id, item, price)
    VALUES ('b', 1, '2026-11-01 01:00Z', 2, 'item 1', 9), ('b', 1000, '2026-12-01 01:00Z', 2, 'new', 9)
    ON CONFLICT (tenant_id, id, at) DO UPDATE SET price = excluded.price`);
  await same();
  await client.query(`MERGE INTO till.sales t USING (SELECT generate_series(1, 20) AS id) s ON t.id = s.id
    WHEN MATCHED AND t.id % 3 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET price = 77
    WHEN NOT MATCHED THEN INSERT (tenant_id, id, at, shop_id, item, price) VALUES ('a', s.id, '2026-10-20Z', 1, 'merged', 1)`);
  await same();
  await client.query(`WITH gone AS (DELETE FROM till.sales WHERE id % 7 = 0 RETURNING *)
    INSERT INTO till.sales SELECT tenant_id, id + 10000, at, shop_id, 'put back', price, 'test' FROM gone`);
  await same();
  await client.query(`BEGIN; INSERT INTO till.sales VALUES ('a', 5000, '2026-11-02Z', 1, 'never', 1); SAVEPOINT s;
    UPDATE till.sales SET price = 1; ROLLBACK TO s; DELETE FROM till.sales WHERE id = 5000; COMMIT`);
  await same();
  await client.query(`BEGIN; UPDATE till.sales SET price = 2; ROLLBACK`);
  expect((await db.query('SELECT count(*)::int AS n FROM till.days_pending'))[0]).toEqual({ n: 0 });
  await client.query('TRUNCATE till.sales_y2026m11');
  await same();
  await client.query('TRUNCATE till.sales');
  await same();
  expect(
    await db.query(
      'SELECT * FROM till.days UNION ALL SELECT NULL, hash, NULL, NULL, n, NULL, total, NULL, NULL, NULL FROM till.items',
    ),
  ).toEqual([]);
});

test('a MERGE that inserts and then updates is added up, or refused where the server mixes its rows up', async ({
  db,
}) => {
  await till(db);
  await db.query(`TRUNCATE till.sales; INSERT INTO till.sales VALUES ('a', 2, '2026-11-02Z', 1, 'tea', 5)`);
  const client = await session(db);
  await client.query('SET enable_hashjoin = off; SET enable_mergejoin = off');
  const merged = await client
    .query(`MERGE INTO till.sales t USING (VALUES (1), (2)) v(id) ON t.id = v.id
      WHEN MATCHED THEN UPDATE SET price = 9
      WHEN NOT MATCHED THEN INSERT VALUES ('a', v.id, '2026-11-03Z', 1, 'milk', 1)`)
    .then(() => 'merged')
    .catch((error: { code: string }) => error.code);
  await settled(db);
  const [milk, tea] = [
    { item: 'milk', total: 1 },
    { item: 'tea', total: merged === 'merged' ? 9 : 5 },
  ];
  expect(await db.query(`SELECT item, total::int FROM till.days ORDER BY 1`)).toEqual(
    merged === 'merged' ? [milk, tea] : [tea],
  );
  expect(['merged', 'ZH014']).toContain(merged);
  // A key that really changes is no such mix-up, nor is a row that moves to another partition.
  await client.query(`UPDATE till.sales SET id = id + 1; UPDATE till.sales SET at = at - interval '1 month'`);
  await settled(db);
  expect((await db.query(`SELECT count(*)::int AS n FROM till.days WHERE day < '2026-11-01'`))[0]).toEqual({
    n: merged === 'merged' ? 2 : 1,
  });
});

test('its full count can be asked of other relations, joined ones too, and spells equal sums alike', async ({
  db,
}) => {
  const { definition } = await till(db);
  const [sum] = definition.traits.flatMap((trait) => trait.promises?.(definition.model).sums ?? []);
  expect(sum?.reads).toEqual([
    { schema: 'till', name: 'sales' },
    { schema: 'till', name: 'shops' },
  ]);
  const asked = sum?.recomputed(({ name }) => `"book"."${name}"`) ?? '';
  expect(asked).toContain('FROM "book"."sales" AS source\n    JOIN "book"."shops" AS shop ON shop.tenant_id');
  expect(asked).not.toContain('till');
  await db.query(
    `TRUNCATE till.sales; INSERT INTO till.sales VALUES ('a', 1, '2026-11-01Z', 1, 'x', NULL), ('a', 2, '2026-11-01Z', 1, 'x', 1.10)`,
  );
  await settled(db);
  await db.query('DELETE FROM till.sales WHERE id = 2');
  await settled(db);
  const text = (query: string) => db.query(`SELECT ROW(r.*)::text AS row FROM (${query}) r`);
  expect(await text(sum?.kept ?? '')).toEqual(await text(sum?.recomputed((of) => `till.${of.name}`) ?? ''));
});

const SALES = `INSERT INTO till.sales (tenant_id, id, at, shop_id, item, price) VALUES
  ('a', 1, '2026-10-01 10:00Z', 1, 'tea', 1), ('a', 2, '2026-10-01 23:59:59Z', 1, 'tea', 3),
  ('b', 3, '2026-10-02 00:00Z', 2, 'tea', 5), ('a', 4, '2026-11-02 00:00Z', 1, 'tea', 7)`;
const DAYS = `SELECT tenant_id AS t, day::text, n, total::float8 AS total, median::float8 AS median FROM till.days ORDER BY 1, 2`;
const ITEMS = `SELECT tenant_id AS t, item, n::int, total::float8 AS total, first_at, last_at FROM till.items ORDER BY 1, 2`;

describe('before rows leave', () => {
  test('their sums are closed: deleting the rows changes nothing, and what comes late is added', async ({
    db,
  }) => {
    await till(db);
    await db.query('TRUNCATE till.sales');
    await settled(db);
    await db.query(SALES);
    // Nothing was brought up to date yet: closing does it first.
    const range = { from: new Date('2026-10-01T00:00:00Z'), to: new Date('2026-11-01T00:00:00Z') };
    expect(await leave(db, range)).toBe(2);
    expect(await leave(db, range)).toBe(2);
    await db.query(`DELETE FROM till.sales WHERE at < '2026-11-01Z'`);
    await settled(db);
    const closed = [
      { t: 'a', day: '2026-10-01', n: 2, total: 4, median: 2 },
      { t: 'a', day: '2026-11-02', n: 1, total: 7, median: 7 },
      { t: 'b', day: '2026-10-02', n: 1, total: 5, median: 5 },
    ];
    expect(await db.query(DAYS)).toEqual(closed);
    expect(await db.query(ITEMS)).toMatchObject([
      { t: 'a', item: 'tea', n: 3, total: 11, last_at: new Date('2026-11-02T00:00:00Z') },
      { t: 'b', item: 'tea', n: 1, total: 5, first_at: new Date('2026-10-02T00:00:00Z') },
    ]);
    await db.query(`INSERT INTO till.sales VALUES ('a', 9, '2026-10-01 11:00Z', 1, 'tea', 10)`);
    const outcome = await settled(db);
    expect(outcome['rollup till.days']).toEqual({
      rows: 1,
      what: '1 touched rows stand for a time that is closed: sums only',
    });
    expect(await db.query(DAYS)).toEqual([{ ...closed[0], n: 3, total: 14 }, ...closed.slice(1)]);
    await db.query(`DELETE FROM till.sales WHERE id = 9; UPDATE till.sales SET price = 8 WHERE id = 4`);
    await settled(db);
    expect((await db.query(DAYS))[0]).toMatchObject({ n: 3, total: 14 });
    // Outside what is closed a deleted row is taken off as ever.
    await db.query('DELETE FROM till.sales WHERE id = 4');
    await settled(db);
    expect(await db.query(DAYS)).toHaveLength(2);
    expect(
      await db.query(`SELECT late::int, closed::text FROM till.rollup_state WHERE rollup = 'days'`),
    ).toEqual([{ late: 1, closed: '{["2026-10-01 00:00:00+00","2026-11-01 00:00:00+00")}' }]);
  });

  test('rows put back from an archive are not counted again, unless an application says they are', async ({
    db,
  }) => {
    const { roles } = await till(db);
    const client = await session(db);
    const before = await db.query(DAYS);
    const back = "SELECT set_config('holdfast.put_back', 'on', true)";
    await client.query(
      `BEGIN; ${back}; ${SALES.replace(`, ('a', 4, '2026-11-02 00:00Z', 1, 'tea', 7)`, '')}; COMMIT`,
    );
    await settled(db);
    expect(await db.query(DAYS)).toEqual(before);
    await leave(db, { from: new Date('2026-10-01T00:00:00Z'), to: new Date('2026-11-01T00:00:00Z') });
    await db.query(`DELETE FROM till.sales WHERE at < '2026-11-01Z'`);
    await settled(db);
    expect(await db.query(DAYS)).toEqual(before);
    const app = await sessionAs(db, roles.app);
    await asTenant(app, 'a', back);
    await app.query(
      `BEGIN; ${back}; SET LOCAL app.tenant = 'a'; INSERT INTO till.sales VALUES ('a', 9, '2026-10-01 11:00Z', 1, 'tea', 0); COMMIT`,
    );
    await settled(db);
    expect((await db.query<{ n: number }>(DAYS))[0]?.n).toBe(4);
    await db.query('DELETE FROM till.sales WHERE id = 9');
  });

  test('by another column than the rollup goes by they may not leave', async ({ db }) => {
    await till(db);
    const to = new Date('2026-10-01T00:00:00Z');
    await expect(leave(db, { from: null, to, column: 'sold_at' })).rejects.toMatchObject({
      code: 'HF_ROLLUP_LEAVING',
      what: 'rows leave till.sales by sold_at, and the rollup goes by at; they stay, or it would forget them.',
    });
    expect(await leave(db, { from: null, to, of: 'shops' })).toBe(0);
  });

  test('a partition that is detached takes nothing with it', async ({ db }) => {
    await till(db);
    await db.query(`INSERT INTO till.sales VALUES ('a', 50, '2026-12-05Z', 1, 'ice', 4)`);
    await leave(db, { from: new Date('2026-12-01T00:00:00Z'), to: new Date('2027-01-01T00:00:00Z') });
    await db.query(
      'ALTER TABLE till.sales DETACH PARTITION till.sales_y2026m12; DROP TABLE till.sales_y2026m12',
    );
    await settled(db);
    expect(await db.query(`SELECT n FROM till.days WHERE item = 'ice'`)).toEqual([{ n: 1 }]);
    expect(await db.query(`SELECT n::int FROM till.items WHERE item = 'ice'`)).toEqual([{ n: 1 }]);
    await settle(db, (await till(db)).definition, NOW);
  });
});

describe('whoever works with it', () => {
  test('the application reads its own rows, asks how old they are, brings them up to date, and does nothing else', async ({
    db,
  }) => {
    const { roles } = await till(db);
    const app = await sessionAs(db, roles.app);
    await asTenant(app, 'b', `INSERT INTO till.sales VALUES ('b', 70, '2026-11-03Z', 1, 'own', 4)`);
    await asTenant(app, 'b', 'SELECT FROM till.days_settle()');
    expect(await asTenant(app, 'b', `SELECT n FROM till.days WHERE item = 'own'`)).toEqual([{ n: 1 }]);
    expect(await asTenant(app, 'a', `SELECT n FROM till.days WHERE item = 'own'`)).toEqual([]);
    await settled(db, NOW);
    expect(
      await asTenant(
        app,
        'a',
        `SELECT rollup, refreshed_at FROM till.rollup_age WHERE rollup <> 'best' ORDER BY 1`,
      ),
    ).toEqual([
      { rollup: 'days', refreshed_at: NOW },
      { rollup: 'items', refreshed_at: NOW },
    ]);
    for (const denied of [
      'SELECT FROM till.days_pending',
      `INSERT INTO till.days_pending VALUES ('a', 'x', 'y', '2026-11-01', 1, 1, 1)`,
      'DELETE FROM till.items_pending',
      'SELECT FROM till.rollup_state',
      'SELECT FROM till.items_settle()',
      `SELECT FROM till.days_settle(now(), '(,)')`,
      'SELECT FROM till.days_rebuild()',
      'UPDATE till.days SET n = 100',
    ]) {
      expect(await refusal(asTenant(app, 'a', denied)), denied).toMatchObject({ code: '42501' });
    }
    // What fails names no row: it may be another tenant's.
    await asTenant(app, 'b', `INSERT INTO till.sales VALUES ('b', 73, '2026-11-03Z', 1, 'secret', 4)`);
    await db.query(`ALTER TABLE till.days ADD CONSTRAINT none CHECK (item <> 'secret') NOT VALID`);
    const failing = await refusal(asTenant(app, 'a', 'SELECT FROM till.days_settle()'));
    await db.query('ALTER TABLE till.days DROP CONSTRAINT none');
    expect(JSON.stringify(failing)).not.toContain('secret');
    expect(failing).toEqual({
      code: '23514',
      message: 'till.days could not be brought up to date',
      hint: 'The keeper logs the whole error when it does the same.',
    });
  });

  test('a maintenance session without a tenant, and a replica that fires no triggers', async ({ db }) => {
    const { roles } = await till(db);
    const client = await session(db);
    await client.query(`SET ROLE "${roles.system}"`);
    await client.query(`INSERT INTO till.sales VALUES ('b', 71, '2026-11-03Z', 1, 'kept', 4)`);
    await client.query(`RESET ROLE; SET session_replication_role = replica`);
    await client.query(`INSERT INTO till.sales VALUES ('b', 72, '2026-11-03Z', 1, 'kept', 4)`);
    await client.query('DELETE FROM till.sales WHERE id = 72');
    await settled(db);
    expect(await db.query(`SELECT n FROM till.days WHERE item = 'kept'`)).toEqual([{ n: 1 }]);
  });

  test('writers never wait for each other, for a keeper or behind one', async ({ db }) => {
    await till(db);
    const [one, other, keeper] = [await session(db), await session(db), await session(db)];
    for (const client of [one, other, keeper]) await client.query('SET lock_timeout = 200; BEGIN');
    await one.query(`INSERT INTO till.sales VALUES ('a', 80, '2026-11-04Z', 1, 'same', 1)`);
    await other.query(`INSERT INTO till.sales VALUES ('a', 81, '2026-11-04Z', 1, 'same', 1)`);
    await keeper.query('SELECT FROM till.days_settle()');
    await one.query(`INSERT INTO till.sales VALUES ('a', 82, '2026-11-04Z', 1, 'same', 1)`);
    await one.query('COMMIT');
    await keeper.query('COMMIT');
    await settled(db);
    expect(await db.query(`SELECT n FROM till.days WHERE item = 'same'`)).toEqual([{ n: 2 }]);
    await other.query('COMMIT');
    await settled(db);
    expect(await db.query(`SELECT n FROM till.days WHERE item = 'same'`)).toEqual([{ n: 3 }]);
  });

  test('a key that no index of the queue could hold, and a NULL in it', async ({ db }) => {
    await till(db);
    const long = 'x'.repeat(2000);
    await db.query(`INSERT INTO till.sales VALUES ('a', 90, '2026-11-05Z', 1, $1, 1)`, [long]);
    await db.query(`INSERT INTO till.sales VALUES ('a', 91, '2026-11-05Z', 1, NULL, 1)`);
    await settled(db);
    expect(await db.query(`SELECT n FROM till.days WHERE day = '2026-11-05'`)).toEqual([{ n: 1 }]);
  });
});

test('what waits, what came late and how old it is are measured', async ({ db }) => {
  const { definition } = await till(db);
  await settled(db);
  await db.query('VACUUM till.days_pending');
  const { session: maintenance } = await maintain(db, { now: NOW });
  const writer = await session(db);
  await writer.query(`INSERT INTO till.sales
    SELECT 'a', 2000 + n, '2026-11-10Z', 1, 'item ' || n, 1 FROM generate_series(1, 30) n`);
  await writer.query('SELECT pg_stat_force_next_flush()');
  const now = new Date(NOW.getTime() + 90_000);
  const days = definition.measures.collectors[1]?.watched;
  const value = async (metric: string): Promise<number | undefined> => {
    const samples = await days?.collect({
      model: definition.model,
      query: maintenance.query,
      now,
      pieces: [],
    });
    return samples?.find((one) => one.metric === `holdfast_rollup_${metric}`)?.value;
  };
  expect(await value('age_seconds')).toBe(90);
  expect(await value('budget_seconds')).toBe(3600);
  expect(await value('late_total')).toBe(2);
  // The server's estimate: another session's count may come later than this one's.
  expect(await value('pending_rows')).toBeGreaterThanOrEqual(30);
});

describe('the first run', () => {
  test('counts what is there, once, and waits for nobody', async ({ db }) => {
    const { definition } = await till(db);
    expect(await settle(db, definition, NOW)).toEqual([]);
    await db.query(`DELETE FROM till.rollup_state WHERE rollup = 'items'; TRUNCATE till.items`);
    const writer = await session(db);
    await writer.query(`BEGIN; INSERT INTO till.sales VALUES ('a', 95, '2026-11-06Z', 1, 'open', 1)`);
    const [there] = await db.query<{ n: number }>('SELECT count(*)::int AS n FROM till.sales');
    await settled(db);
    expect(await db.query('SELECT sum(n)::int AS n FROM till.items')).toEqual([there]);
    await writer.query('COMMIT');
    await settled(db);
    const wrong = await differences((sql) => writer.query(sql), definition);
    expect(wrong['table till.items']).toBeUndefined();
  });

  test('is done again where a figure is computed otherwise, and not over rows of another hand', async ({
    db,
  }) => {
    await till(db);
    await db.query(
      `UPDATE till.rollup_state SET meaning = 'other' WHERE rollup = 'items'; UPDATE till.items SET n = 99`,
    );
    await settled(db);
    expect(await db.query(`SELECT FROM till.items WHERE n = 99`)).toEqual([]);
    await db.query(`DELETE FROM till.rollup_state WHERE rollup = 'items'`);
    const { ['rollup till.items']: refused } = await settled(db);
    expect(refused).toMatchObject({
      code: 'HF_ROLLUP_FOREIGN_ROWS',
      what: 'table till.items holds rows that no rollup put there.',
      fix: 'Empty it first; the rollup fills it from the rows it sums up.',
    });
    await db.query('TRUNCATE till.items');
    await settled(db);
  });

  test('is not done again once rows have left: it says how to go on', async ({ db }) => {
    await till(db);
    await leave(db, { from: new Date('2026-10-01T00:00:00Z'), to: new Date('2026-11-01T00:00:00Z') });
    await db.query(`UPDATE till.rollup_state SET meaning = 'other' WHERE rollup = 'days'`);
    const { ['rollup till.days']: refused } = await settled(db);
    expect(refused).toMatchObject({ code: 'HF_ROLLUP_FORGETS' });
    const [, how] = /^To go on with the sums as they are: (.*)$/.exec((refused as HoldfastError).fix) ?? [];
    await db.query(how ?? '');
    expect((await settled(db))['rollup till.days']).toEqual({ rows: 0 });
  });
});
