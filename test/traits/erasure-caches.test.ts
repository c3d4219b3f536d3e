// What remembers rows outside of their tables: a process that listens, and caches outside the database. Rows go first, then
// these; a cache that fails keeps the erasure open, and no kill in between loses it.
import { Client } from 'pg';
import { expect, onTestFinished } from 'vitest';
import type { Forget, ForgottenSubject } from '../../src/define/index.ts';
import { runJob } from '../../src/keep/index.ts';
import { onErased } from '../../src/use/index.ts';
import type { ErasedNews } from '../../src/use/index.ts';
import { test } from '../cluster/index.ts';
import { deadly } from './erasure-deadly.ts';
import { clockAt, erasing, openHouse, type Standing, TODAY } from './erasure-stand.ts';
import { refusal } from './stand.ts';

const BASIS = 'LGPD art. 18 VI';

interface FakeCache {
  readonly forget: Forget;
  /** Whom it was asked for, each time. */
  readonly asked: ForgottenSubject[];
  /** What it holds: one entry a person. */
  readonly entries: Set<string>;
  /** How often it fails before it works. */
  failing: number;
  /** Asked before it forgets. */
  look: () => Promise<void>;
}

function cacheOf(...entries: readonly string[]): FakeCache {
  const cache: FakeCache = {
    asked: [],
    entries: new Set(entries),
    failing: 0,
    look: async () => undefined,
    forget: async (subject) => {
      cache.asked.push(subject);
      await cache.look();
      if (cache.failing > 0) {
        cache.failing -= 1;
        throw new Error(`no answer about ${subject.key}`);
      }
      return { entries: cache.entries.delete(`${subject.within}/${subject.key}`) ? 1 : 0 };
    },
  };
  return cache;
}

const later = (minutes: number): Date => new Date(TODAY.getTime() + minutes * 60_000);

function erase(house: Standing, subject: string, now = TODAY) {
  return erasing(house, (context) => house.eraser.erase(context, { subject, basis: BASIS }), now);
}

/** The texts of the ledger about erasures. */
async function ledgerOf({ db }: Standing): Promise<string> {
  const [row] = await db.query<{ all: string | null }>(
    `SELECT string_agg(p::text, ' ') AS all FROM holdfast.piece p WHERE trait = 'erasure'`,
  );
  return row?.all ?? '';
}

test('processes are told and caches asked once the rows are gone, and their answers are in the report', async ({
  db,
}) => {
  const [search, pages] = [cacheOf('acmeco/2'), cacheOf()];
  const house = await openHouse(db, 'house_caches', {
    people: 2,
    erasing: { caches: { 'search index': search.forget, pages: pages.forget } },
  });
  const preview = await erasing(house, (context) => house.eraser.preview(context, 'person:acmeco/2'));
  expect(preview.caches).toEqual(['search index', 'pages']);
  expect(search.asked).toEqual([]);
  let rows = -1;
  search.look = async () => {
    const [row] = await db.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM house_caches.users WHERE tenant_id = 'acmeco' AND id = 2`,
    );
    rows = row?.n ?? -1;
  };
  // One that fails twice is asked a third time.
  search.failing = 2;
  const request = await erase(house, 'person:acmeco/2');
  expect(rows).toBe(0);
  expect(search.asked).toEqual([1, 2, 3].map(() => ({ subject: 'person', key: '2', within: 'acmeco' })));
  expect(pages.asked).toHaveLength(1);
  expect(request).toMatchObject({ state: 'erased', forgotten: ['search index', 'pages'] });
  expect(request).not.toHaveProperty('open');
  expect(request.counts.filter(({ place }) => place.startsWith('cache'))).toEqual([
    { place: 'cache search index', rows: 0, entries: 1 },
    { place: 'cache pages', rows: 0, entries: 0 },
  ]);
  // The key was needed for the caches alone, and is nowhere any more.
  expect(await ledgerOf(house)).not.toContain('acmeco');
  // A process that remembers a row is told, and gives it out no more; again after it could not hear.
  const remembered = new Map<string, string>();
  const news: ErasedNews[] = [];
  const ear = await onErased(
    house.db.url,
    (one) => {
      news.push(one);
      remembered.clear();
    },
    { retryMs: 10 },
  );
  onTestFinished(() => ear.close());
  const mail = async (): Promise<string | undefined> => {
    const known = remembered.get('acmeco/1');
    if (known !== undefined) return known;
    const [row] = await db.query<{ email: string }>(
      `SELECT email FROM house_caches.users WHERE tenant_id = 'acmeco' AND id = 1`,
    );
    if (row !== undefined) remembered.set('acmeco/1', row.email);
    return row?.email;
  };
  expect(await mail()).toContain('@example.org');
  await erase(house, 'person:acmeco/1');
  await expect.poll(() => news.length, { timeout: 5_000, interval: 10 }).toBe(1);
  expect(news).toEqual([{ why: 'erased', definition: 'house_caches', subject: 'person' }]);
  expect(await mail()).toBeUndefined();
  await db.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast listening' AND datname = current_database()`,
  );
  await expect.poll(() => news.length, { timeout: 5_000, interval: 10 }).toBe(3);
  expect(news.slice(1)).toEqual([{ why: 'missed' }, { why: 'missed' }]);
});

test('a cache that fails keeps the erasure open; the job asks it again, though no row has the key any more', async ({
  db,
}) => {
  const [search, pages] = [cacheOf('acmeco/1', 'acmeco/2'), cacheOf('acmeco/2')];
  const house = await openHouse(await db.another(), 'house_failing', {
    people: 3,
    erasing: { caches: { search: search.forget, pages: pages.forget } },
  });
  pages.failing = 3;
  expect(await refusal(erase(house, 'person:acmeco/2'))).toEqual({
    code: 'HF_ERASURE_CACHE',
    message:
      'cache pages: a person is gone from the database and may not be from it: it failed 3 times. See that it can be reached; the request stays open, and the job or the same command asks it again. [HF_ERASURE_CACHE]',
  });
  const requests = () => erasing(house, (context) => house.eraser.requests(context));
  expect(await requests()).toMatchObject([{ state: 'erasing', forgotten: ['search'] }]);
  expect((await requests())[0]).not.toHaveProperty('open');
  expect(await ledgerOf(house)).toContain('acmeco');
  // While it fails, others are erased, and the job says that it failed.
  pages.failing = 3;
  await erasing(house, (context) =>
    house.eraser.register(context, { subject: 'person:acmeco/1', basis: BASIS }),
  );
  const failed = await runJob(house.definition, house.db.url, 'erasure', { clock: clockAt(later(30)) });
  expect(failed.state).toBe('failed');
  expect(failed.error).toContain('HF_ERASURE_CACHE');
  expect(failed.error).not.toContain('no answer');
  const states = async () => (await requests()).map((one) => one.state).sort();
  expect(await states()).toEqual(['erased', 'erasing']);
  const run = await runJob(house.definition, house.db.url, 'erasure', { clock: clockAt(later(60)) });
  expect(run).toMatchObject({ state: 'done' });
  expect(await states()).toEqual(['erased', 'erased']);
  expect([...search.entries, ...pages.entries]).toEqual([]);
  // It had forgotten already, and was not asked twice for the same.
  expect(search.asked.filter(({ key }) => key === '2')).toHaveLength(1);
  expect(await ledgerOf(house)).not.toContain('acmeco');
  // Rows that come back may have come back into caches too.
  search.entries.add('acmeco/2');
  const client = new Client(house.db.url);
  await client.connect();
  await client.query('SET session_replication_role = replica');
  await client.query(`INSERT INTO house_failing.visits VALUES ('acmeco', 77, '2026-04-20', 2, 'back')`);
  await client.end();
  expect(
    await runJob(house.definition, house.db.url, 'erasure', { clock: clockAt(later(90)) }),
  ).toMatchObject({
    state: 'done',
    rows: 1,
  });
  expect([...search.entries]).toEqual([]);
});

test('a cache that never answers is given up, and holds up neither the keeper nor other caches', async ({
  db,
}) => {
  const pages = cacheOf('acmeco/1');
  const given: AbortSignal[] = [];
  const mute: Forget = async (_, signal) => {
    given.push(signal);
    return new Promise(() => undefined);
  };
  const house = await openHouse(await db.another(), 'house_mute', {
    people: 2,
    erasing: { caches: { pages: pages.forget, mute }, cacheAnswerMs: 15 },
  });
  expect(await refusal(erase(house, 'person:acmeco/1'))).toMatchObject({ code: 'HF_ERASURE_CACHE' });
  expect(given.map(({ aborted }) => aborted)).toEqual([true, true, true]);
  expect([...pages.entries]).toEqual([]);
  const run = await runJob(house.definition, house.db.url, 'erasure', { clock: clockAt(later(30)) });
  expect(run.state).toBe('failed');
  expect(given).toHaveLength(6);
});

test(
  'killed at any statement from the first cache on: each is asked at least once',
  { timeout: 900_000 },
  async ({ db }) => {
    const all = Number(process.env['HOLDFAST_KILLS'] ?? 3) > 3;
    const [search, pages] = [cacheOf(), cacheOf()];
    const caches = { search: search.forget, pages: pages.forget };
    const people = all ? 40 : 4;
    const house = await openHouse(await db.another(), 'house_cut', { people, erasing: { caches } });
    let begun = 0;
    const since = (): boolean => search.asked.length > begun;
    const counter = deadly({ since });
    await erase(house, 'person:acmeco/1', later(1));
    const total = counter.statements();
    counter.disarm();
    expect(total).toBeGreaterThan(people);
    const points = Array.from({ length: people - 1 }, (_, at) =>
      all ? at + 1 : 1 + Math.round((at * 11) / (people - 2)),
    );
    for (const [number, at] of points.entries()) {
      const key = String(number + 2);
      for (const cache of [search, pages]) cache.entries.add(`acmeco/${key}`);
      begun = search.asked.length;
      const trap = deadly({ at, since, how: at % 2 === 0 ? 'before' : 'after' });
      await expect(erase(house, `person:acmeco/${key}`, later(at * 40))).rejects.toThrow();
      trap.disarm();
      // The command that was killed cannot be called again by whoever does not know the key; the job can.
      let run = { state: '' };
      for (let tries = 1; tries <= 5 && run.state !== 'done'; tries += 1)
        run = await runJob(house.definition, house.db.url, 'erasure', {
          clock: clockAt(later(at * 40 + tries * 5)),
        });
      expect({ at, run: run.state }).toEqual({ at, run: 'done' });
      expect({ at, left: [...search.entries, ...pages.entries] }).toEqual({ at, left: [] });
      expect(await ledgerOf(house)).not.toContain('acmeco');
    }
  },
);
