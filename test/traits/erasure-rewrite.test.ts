// --rewrite leaves no byte of a subject in any data file of the database, or says who keeps PostgreSQL from it.
import { Client } from 'pg';
import { expect, onTestFinished } from 'vitest';
import { test } from '../cluster/index.ts';
import { runJob } from '../../src/keep/index.ts';
import type { HoldfastError } from '../../src/error.ts';
import { deadly } from './erasure-deadly.ts';
import { clockAt, erasing, leftOf, markOf, openHouse, type Standing, TODAY } from './erasure-stand.ts';

const BASIS = 'LGPD art. 18 VI';
/** Transactions of other tests on the same server end in their own time. */
const PATIENCE = 40;

/** Relations of the database, PostgreSQL's own too, in whose files a text stands, dead or alive. */
async function filesWith({ db }: Pick<Standing, 'db'>, text: string): Promise<readonly string[]> {
  await db.query('CHECKPOINT');
  const rows = await db.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c
     WHERE c.relkind IN ('r', 'm', 'i', 't') AND pg_relation_filepath(c.oid) LIKE 'base/%'
       AND position(convert_to($1, 'UTF8') IN pg_read_binary_file(pg_relation_filepath(c.oid), 0, 100000000, true)) > 0
     ORDER BY 1`,
    [text],
  );
  return rows.map((row) => row.name);
}

const later = (minutes: number): Date => new Date(TODAY.getTime() + minutes * 60_000);

function rewriting(house: Standing, subject: string, now = TODAY) {
  return erasing(
    house,
    (context) => house.eraser.erase(context, { subject, basis: BASIS, rewrite: true }),
    now,
  );
}

/** As {@link rewriting}, again and again while somebody else's transaction is in the way. */
async function rewritten(house: Standing, subject: string, now = TODAY) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await rewriting(house, subject, now);
    } catch (error) {
      if ((error as { code?: string }).code !== 'HF_ERASURE_WAITING' || tries >= PATIENCE) throw error;
    }
  }
}

/** A session with an open transaction, until it is told to end. */
async function holding(url: string, sql: string): Promise<() => Promise<void>> {
  const client = new Client(url);
  await client.connect();
  onTestFinished(() => client.end().catch(() => undefined));
  await client.query(sql);
  return async () => void (await client.query('ROLLBACK'));
}

const nameOf = (url: string): string => new URL(url).pathname.slice(1);

const refused = async (work: Promise<unknown>): Promise<HoldfastError> =>
  work.then(
    () => expect.fail('It was carried out.'),
    (error: unknown) => error as HoldfastError,
  );

test('no byte of it is in any file of the database', async ({ db }) => {
  const house = await openHouse(db, 'house_bytes');
  const mark = markOf('acmeco', 3);
  const before = await filesWith(house, mark);
  expect(before).toEqual(
    expect.arrayContaining([
      'house_bytes.users',
      'house_bytes.visits_y2026m03',
      'house_bytes_archive.visits_y2026m01',
      'pg_largeobject',
      'pg_statistic',
    ]),
  );
  expect(await rewritten(house, 'person:acmeco/3')).toMatchObject({ state: 'erased', left: [] });
  expect(await filesWith(house, mark)).toEqual([]);
});

test('who may still see its rows is named, and nothing is called erased until they end', async ({ db }) => {
  const other = await db.another();
  const house = await openHouse(await db.another(), 'house_seen', { people: 3 });
  const url = house.db.url;
  const ways = [
    // VACUUM FULL reads by a snapshot that is as old as a write in any database: tried, it copies the rows.
    { person: 1, at: other.url, sql: 'BEGIN; SELECT pg_current_xact_id()', where: nameOf(other.url) },
    { person: 2, at: url, sql: 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1', where: nameOf(url) },
  ];
  for (const { person, at, sql, where } of ways) {
    const mark = markOf('acmeco', person);
    const subject = `person:acmeco/${person}`;
    const end = await holding(at, sql);
    const error = await refused(rewriting(house, subject));
    expect(error.code).toBe('HF_ERASURE_WAITING');
    expect(error.message).toMatch(new RegExp(`process \\d+ of database ${where}`));
    const open = await erasing(house, (context) => house.eraser.requests(context));
    expect(open.filter((one) => one.state === 'erasing')).toHaveLength(1);
    expect(await leftOf(house, mark)).toEqual([]);
    await end();
    await rewritten(house, subject);
    expect(await filesWith(house, mark)).toEqual([]);
  }
});

test('the job goes on with it, after everybody else has had a turn', async ({ db }) => {
  const house = await openHouse(await db.another(), 'house_turn', { people: 3 });
  const end = await holding(house.db.url, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
  await refused(rewriting(house, 'person:acmeco/1'));
  await erasing(house, (context) =>
    house.eraser.register(context, { subject: 'person:birdco/1', basis: BASIS }),
  );
  const run = await runJob(house.definition, house.db.url, 'erasure', { clock: clockAt(TODAY) });
  expect(run).toMatchObject({ state: 'failed' });
  expect(run.error).toContain('HF_ERASURE_WAITING');
  const states = async () =>
    (await erasing(house, (context) => house.eraser.requests(context)))
      .map((one) => `${one.state} ${one.rewrite}`)
      .sort();
  expect(await states()).toEqual(['erased false', 'erasing true']);
  await end();
  for (let tries = 1; (await states()).includes('erasing true') && tries < PATIENCE; tries += 1)
    await runJob(house.definition, house.db.url, 'erasure', { clock: clockAt(TODAY) });
  expect(await states()).toEqual(['erased false', 'erased true']);
  expect(await filesWith(house, markOf('acmeco', 1))).toEqual([]);
});

test('asked for later, it takes what the first erasure left in pages, and what the ledger said', async ({
  db,
}) => {
  const told: string[] = [];
  const house = await openHouse(await db.another(), 'house_later', {
    people: 3,
    erasing: { caches: { search: async (subject) => ({ entries: told.push(subject.key) }) } },
  });
  const mark = markOf('acmeco', 2);
  await house.db.query(
    `UPDATE holdfast.job SET last_error = 'mail to ${mark}@example.org bounced' WHERE name = 'rollup'`,
  );
  await erasing(house, (context) =>
    house.eraser.erase(context, { subject: 'person:acmeco/2', basis: BASIS }),
  );
  expect(await filesWith(house, mark)).toEqual(
    expect.arrayContaining(['holdfast.job', 'house_later.visits_y2026m03']),
  );
  const comeBack = async (): Promise<void> => {
    const client = new Client(house.db.url);
    await client.connect();
    await client.query('SET session_replication_role = replica');
    await client.query(`INSERT INTO house_later.orders VALUES ('acmeco', 77, 2, '${mark}')`);
    await client.end();
    const run = await runJob(house.definition, house.db.url, 'erasure', { clock: clockAt(TODAY) });
    expect(run).toMatchObject({ state: 'done', rows: 1 });
  };
  // A row that came back meanwhile does not make it forget where the others were.
  await comeBack();
  await rewritten(house, 'person:acmeco/2');
  expect(await filesWith(house, mark)).toEqual([]);
  expect(told.length).toBeGreaterThan(0);
  // From then on only what a row came back to is written anew: nobody may use a table meanwhile.
  const files = async () =>
    house.db.query<{ orders: string; visits: string }>(
      `SELECT pg_relation_filenode('house_later.orders') AS orders, pg_relation_filenode('house_later.visits_y2026m03') AS visits`,
    );
  const [before] = await files();
  for (let tries = 1; tries <= PATIENCE; tries += 1) {
    const done = await comeBack().then(
      () => true,
      () => false,
    );
    if (done) break;
  }
  const [after] = await files();
  expect(after?.orders).not.toBe(before?.orders);
  expect(after?.visits).toBe(before?.visits);
});

test('beside 32 writers, and a second that asks for the same', { timeout: 300_000 }, async ({ db }) => {
  const house = await openHouse(await db.another(), 'house_busy', { people: 3 });
  let [written, number] = [0, 100_000];
  const stop = new AbortController();
  const writer = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      number += 1;
      const id = number;
      await house.db.query(
        `INSERT INTO house_busy.visits VALUES ('birdco', $1, '2026-04-20 00:00+00', 1, 'another')`,
        [id],
      );
      written += 1;
    }
  };
  const writers = Array.from({ length: 32 }, writer);
  const all = Promise.all(writers);
  all.catch(() => undefined);
  try {
    const both = await Promise.all([
      rewritten(house, 'person:acmeco/2'),
      rewritten(house, 'person:acmeco/2'),
    ]);
    expect(both.map((one) => one.state)).toEqual(['erased', 'erased']);
  } finally {
    stop.abort();
    await all;
  }
  expect(written).toBeGreaterThan(32);
  expect(await house.db.query(`SELECT count(*)::int AS n FROM house_busy.visits WHERE id >= 100000`)).toEqual(
    [{ n: written }],
  );
  expect(await filesWith(house, markOf('acmeco', 2))).toEqual([]);
});

test('killed while everything is written anew, it goes on', { timeout: 900_000 }, async ({ db }) => {
  const house = await openHouse(await db.another(), 'house_torn', { people: 5 });
  const from = /^VACUUM \(FULL\)/;
  const counter = deadly({ from });
  await rewritten(house, 'person:acmeco/1');
  const total = counter.statements();
  counter.disarm();
  expect(total).toBeGreaterThan(20);
  const hows = ['before', 'within', 'after'] as const;
  // The first, some in between, the last of a request that has less to write.
  for (const [number, at] of [1, Math.floor(total / 3), Math.floor(total / 2)].entries()) {
    const subject = `person:acmeco/${number + 2}`;
    const trap = deadly({ at, from, ...(hows[number] && { how: hows[number] }) });
    await expect(rewritten(house, subject, later(number * 40 + 40))).rejects.toThrow();
    trap.disarm();
    const ended = await rewritten(house, subject, later(number * 40 + 60));
    expect(ended).toMatchObject({ state: 'erased', left: [] });
    expect(await filesWith(house, markOf('acmeco', number + 2))).toEqual([]);
  }
});
