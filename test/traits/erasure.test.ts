// A person and a tenant are erased from every place their rows lie; nobody else's row changes, and neither comes back.
import { EventEmitter, once } from 'node:events';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { describe, expect, onTestFinished } from 'vitest';
import { afterRestore, runJob, withTask } from '../../src/keep/index.ts';
import { erasersOf, folder, placeHold, releaseHold, shelvesOf } from '../../src/traits/index.ts';
import { test } from '../cluster/index.ts';
import {
  clockAt,
  erasing,
  houseOf,
  leftOf,
  markOf,
  openHouse,
  othersSum,
  ownFolder,
  type Standing,
  TODAY,
} from './erasure-stand.ts';
import { refusal } from './stand.ts';

/** Transactions of each writer for somebody else; those for the subject write until they were refused five times. */
const TURNS = 60;
const BASIS = 'LGPD art. 18 VI';

function erase(house: Standing, subject: string) {
  return erasing(house, (context) => house.eraser.erase(context, { subject, basis: BASIS }));
}

/** Statements in one session of its own. */
async function session(house: Pick<Standing, 'db'>): Promise<Client> {
  const client = new Client(house.db.url);
  client.on('error', () => undefined);
  await client.connect();
  onTestFinished(() => client.end().catch(() => undefined));
  return client;
}

describe('what goes', () => {
  test('a person: rows, archives in tables and files, statistics, large objects', async ({ db }) => {
    const house = await openHouse(db, 'house_person');
    const mark = markOf('acmeco', 2);
    const before = await leftOf(house, mark);
    for (const place of ['orders', 'items', 'comments', 'users', 'visits_y2026m03', 'events_y2026m03'])
      expect(before.map((one) => one.split(' ')[0])).toContain(`house_person.${place}`);
    expect(before.join(' ')).toMatch(
      /pg_largeobject 1.*pg_stats.*rows of house_person\/house_person\.events/,
    );
    const others = await othersSum(house, { tenant: 'acmeco', person: 2 });
    const [comments] = await house.db.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM house_person.comments WHERE tenant_id = 'acmeco' AND author_id = 2",
    );
    const preview = await erasing(house, (context) => house.eraser.preview(context, 'person:acmeco/2'));
    const request = await erase(house, 'person:acmeco/2');
    // What was shown is what went, place by place.
    const rows = (list: typeof preview.places): string[] =>
      list
        .filter((one) => one.rows > 0)
        .map((one) => `${one.place} ${one.rows} ${one.files ?? ''}`)
        .sort();
    expect(rows(request.counts)).toEqual(rows(preview.places));
    expect(request).toMatchObject({ subject: 'person', state: 'erased', basis: BASIS, left: [] });
    expect(request.dueAt).toEqual(new Date('2026-05-30T04:00:00Z'));
    expect(await leftOf(house, mark)).toEqual([]);
    expect(await othersSum(house, { tenant: 'acmeco', person: 2 })).toBe(others);
    expect(
      await house.db.query(
        "SELECT DISTINCT author_id, author_name, body, count(*)::int AS n FROM house_person.comments WHERE author_name = 'somebody' GROUP BY 1, 2, 3",
      ),
    ).toEqual([{ author_id: null, author_name: 'somebody', body: null, n: comments?.n }]);
    const [pseudonyms] = await house.db.query<{ names: number; rows: number }>(
      "SELECT count(DISTINCT detail)::int AS names, count(*)::int AS rows FROM house_person.events WHERE detail ~ '^erased_[0-9a-f]{16}$' AND user_id = 0",
    );
    expect(pseudonyms?.names).toBe(1);
    expect(pseudonyms?.rows).toBeGreaterThan(0);
  });

  test('a tenant: its rows of every table, and of the sums over them', async ({ db }) => {
    const other = await db.another();
    const house = await openHouse(other, 'house_tenant');
    const others = await othersSum(house, { tenant: 'acmeco' });
    const sums = `SELECT * FROM house_tenant.days WHERE tenant_id = 'birdco' ORDER BY day`;
    const before = await house.db.query(sums);
    const request = await erase(house, 'tenant:acmeco');
    const places = request.counts.map((one) => one.place);
    for (const table of [
      'tenants',
      'users',
      'orders',
      'items',
      'comments',
      'visits',
      'events',
      'audit',
      'days',
    ])
      expect(places).toContain(`table house_tenant.${table}`);
    expect(places).toEqual(
      expect.arrayContaining([
        'archive table house_tenant_archive.visits',
        'archive files of house_tenant.events',
      ]),
    );
    expect(await leftOf(house, 'acmeco')).toEqual([]);
    expect(await othersSum(house, { tenant: 'acmeco' })).toBe(others);
    expect(await house.db.query(sums)).toEqual(before);
    expect(await house.db.query('SELECT tenant_id FROM house_tenant.totals')).toEqual([
      { tenant_id: 'birdco' },
    ]);
    // The archive's books are what it holds, and its files are whole.
    const verified = await withTask(
      house.definition,
      house.db.url,
      { trait: 'retention', leading: false, clock: clockAt(TODAY) },
      async (context) => {
        const pieces = await context.pieces.list();
        const parts = shelvesOf(house.definition).flatMap((shelf) => shelf.parts(pieces));
        const files = folder(house.root);
        for (const { place } of parts) if ('receipt' in place) await files.verify(context, place.receipt);
        for (const { place, rows } of parts) {
          if (!('table' in place)) continue;
          const [row] = await context.session.query<{ n: number }>(
            `SELECT count(*)::int AS n FROM ${place.table.schema}.${place.table.name}`,
          );
          expect(rows).toBe(row?.n);
        }
        return parts.length;
      },
    );
    expect(verified).toBe(4);
    expect(await refusal(erase(house, 'tenant:nobody'))).toMatchObject({ code: 'HF_ERASURE_NOTHING' });
    // PostgreSQL keeps the statistics of a table that has no rows any more; an erasure does not.
    await other.query(`CREATE TABLE seen (word text); INSERT INTO seen SELECT 'secret' FROM generate_series(1, 100);
      ANALYZE seen; DELETE FROM seen`);
    await other.query('VACUUM (ANALYZE) seen');
    expect(
      await other.query(`SELECT most_common_vals::text AS vals FROM pg_stats WHERE tablename = 'seen'`),
    ).toEqual([{ vals: '{secret}' }]);
    await erase(house, 'tenant:birdco');
    expect(await leftOf(house, 'birdco')).toEqual([]);
    // Rows of one table that come back past every trigger, without the sums over them, go like any others.
    const client = await session(house);
    await client.query('SET session_replication_role = replica');
    await client.query(
      `INSERT INTO house_tenant.visits VALUES ('acmeco', 77, '2026-04-20', 2, 'back from a dump of one table')`,
    );
    expect(await runJob(house.definition, house.db.url, 'erasure', { clock: clockAt(TODAY) })).toMatchObject({
      state: 'done',
    });
    expect(await leftOf(house, 'acmeco')).toEqual([]);
  });
});

function visit(tenant: string, user: number): string {
  return `INSERT INTO house_barrier.visits VALUES ('${tenant}', ${90_000 + user}, timestamptz '2026-04-20 00:00+00', ${user}, 'x')`;
}

describe('who is let through', () => {
  test('no new row of an erased subject is written, and every other is', async ({ db }) => {
    const house = await openHouse(await db.another(), 'house_barrier', { people: 2 });
    await erase(house, 'person:acmeco/2');
    const write = (sql: string): Promise<unknown> => house.db.query(sql);
    for (const sql of [
      visit('acmeco', 2),
      `INSERT INTO house_barrier.users VALUES ('acmeco', 2, 'again@example.org')`,
      `UPDATE house_barrier.orders SET user_id = 2 WHERE tenant_id = 'acmeco' AND user_id = 1`,
    ])
      expect(await refusal(write(sql))).toMatchObject({
        code: 'ZH020',
        message: expect.stringContaining('it names a person that was erased') as string,
      });
    await write(visit('acmeco', 1));
    await write(visit('birdco', 2));
    await write(`UPDATE house_barrier.orders SET note = 'changed' WHERE tenant_id = 'acmeco'`);
    // Nobody learns from the register who is in it: it has digests, and the salt lies where only its owner reads it.
    const [row] = await house.db.query<{ all: string }>(
      `SELECT (SELECT string_agg(e::text, ' ') FROM house_barrier.holdfast_erased e)
         || (SELECT string_agg(p::text, ' ') FROM holdfast.piece p WHERE trait = 'erasure') AS all`,
    );
    expect(row?.all).not.toContain('acmeco');
    // Rows that got past the triggers go with the next run of the job.
    const client = await session(house);
    await client.query('SET session_replication_role = replica');
    await client.query(
      `INSERT INTO house_barrier.visits VALUES ('acmeco', 77, '2026-04-20', 2, '${markOf('acmeco', 2)}')`,
    );
    const run = await runJob(house.definition, house.db.url, 'erasure', { clock: clockAt(TODAY) });
    expect(run).toMatchObject({ state: 'done', rows: 1 });
    expect(await leftOf(house, markOf('acmeco', 2))).toEqual([]);
    const idle = await runJob(house.definition, house.db.url, 'erasure', { clock: clockAt(TODAY) });
    expect(idle).toMatchObject({ state: 'done', rows: 0 });
    // Texts of the ledger that name a subject are taken out.
    const mark = markOf('acmeco', 1);
    await house.db.query(
      `UPDATE holdfast.job SET last_error = 'mail to ${mark}@example.org bounced' WHERE name = 'rollup';`,
    );
    await house.db.query(
      `UPDATE holdfast.job_run SET error = 'no "${mark} Silva"', tasks = jsonb_build_array(jsonb_build_object('what', $1::text), 'fine') WHERE job = 'refresh'`,
      [`said "${mark} Silva"`],
    );
    await erase(house, 'person:acmeco/1');
    expect(await leftOf(house, mark)).toEqual([]);
    expect(await house.db.query(`SELECT last_error FROM holdfast.job WHERE name = 'rollup'`)).toEqual([
      { last_error: 'taken out: this text named a subject that was erased' },
    ]);
  });

  test('rows that are kept as they are written go for the erasure of their subject alone', async ({ db }) => {
    const house = await openHouse(await db.another(), 'house_door', { people: 3 });
    await erasing(house, (context) =>
      house.eraser.register(context, { subject: 'person:acmeco/2', basis: BASIS }),
    );
    const client = await session(house);
    const app = house.db.role('app');
    await house.db.query(`CREATE ROLE ${app}; GRANT USAGE ON SCHEMA house_door TO ${app};
      GRANT SELECT, UPDATE, DELETE ON house_door.events TO ${app}`);
    const gone = async (person: number, prepare: string): Promise<unknown> => {
      await client.query('BEGIN');
      try {
        await client.query(prepare);
        return (
          await client.query(
            `DELETE FROM house_door.events WHERE tenant_id = 'acmeco' AND user_id = ${person}`,
          )
        ).rowCount;
      } catch (error) {
        return (error as { code: string }).code;
      } finally {
        await client.query('ROLLBACK');
      }
    };
    const open = `SET LOCAL holdfast.erasing = 'on'`;
    expect(await gone(2, 'SELECT 1')).toBe('ZH001');
    expect(await gone(3, open)).toBe('ZH001');
    expect(await gone(2, `SET LOCAL session_replication_role = replica`)).toBe('ZH001');
    expect(await gone(2, open)).toBeGreaterThan(0);
    await client.query(`SET SESSION AUTHORIZATION ${app}`);
    expect(await gone(2, open)).toBe('ZH001');
    await client.query('RESET SESSION AUTHORIZATION');
    expect(await refusal(house.db.query('TRUNCATE house_door.events'))).toMatchObject({ code: 'ZH004' });
  });

  test('a legal hold refuses it, before and in the middle', async ({ db }) => {
    const house = await openHouse(await db.another(), 'house_held', { people: 2 });
    const inRetention = <T>(work: Parameters<typeof withTask<T>>[3]): Promise<T> =>
      withTask(
        house.definition,
        house.db.url,
        { trait: 'retention', leading: false, clock: clockAt(TODAY) },
        work,
      );
    const hold = (id: string, of: object): Promise<unknown> =>
      inRetention((context) => placeHold(context, { id, why: 'case 7', ...of }));
    await hold('case 7', { tenant: 'acmeco', from: new Date('2026-01-01'), to: new Date('2026-02-01') });
    const before = await leftOf(house, 'acmeco');
    for (const subject of ['tenant:acmeco', 'person:acmeco/2'])
      expect(await refusal(erase(house, subject))).toMatchObject({
        code: 'HF_ERASURE_HELD',
        message: expect.stringContaining("are under the legal hold 'case 7'") as string,
      });
    expect(await leftOf(house, 'acmeco')).toEqual(before);
    // Another tenant's rows lie in the same files and partitions.
    await erase(house, 'person:birdco/2');
    expect(await leftOf(house, markOf('birdco', 2))).toEqual([]);
    // A hold that comes while rows go stops them there.
    await inRetention((context) => releaseHold(context, 'case 7'));
    await erasing(house, (context) =>
      house.eraser.register(context, { subject: 'tenant:acmeco', basis: BASIS }),
    );
    await hold('case 8', { tenant: 'acmeco' });
    const said = await refusal(
      runJob(house.definition, house.db.url, 'erasure', { clock: clockAt(TODAY) }).then((run) => {
        if (run.state !== 'done') throw Object.assign(new Error(run.error ?? ''), { code: run.state });
      }),
    );
    expect(said.message).toContain('HF_ERASURE_HELD');
    await inRetention((context) => releaseHold(context, 'case 8'));
    await runJob(house.definition, house.db.url, 'erasure', { clock: clockAt(TODAY) });
    expect(await leftOf(house, 'acmeco')).toEqual([]);
  });
});

describe('who writes meanwhile', () => {
  test(
    '32 writers of the subject neither wait nor leave a row behind',
    { timeout: 120_000 },
    async ({ db }) => {
      const house = await openHouse(await db.another(), 'house_busy', { people: 3 });
      let [refused, written, slowest] = [0, 0, 0];
      const writing = new EventEmitter();
      const begun = once(writing, 'begun');
      const writer = async (number: number): Promise<void> => {
        const client = await session(house);
        const own = { refused: 0 };
        const turns = number % 2 === 0 ? Number.MAX_SAFE_INTEGER : TURNS;
        for (let turn = 0; turn < turns && own.refused < 5; turn += 1) {
          const id = 1_000_000 + number * 10_000 + turn;
          const person = number % 2 === 0 ? 2 : 1;
          const mark = markOf('acmeco', person);
          const began = performance.now();
          await client
            .query(
              `INSERT INTO house_busy.visits VALUES ('acmeco', ${id}, '2026-04-20', ${person}, '${mark}');
               INSERT INTO house_busy.orders VALUES ('acmeco', ${id}, ${person}, '${mark}');
               INSERT INTO house_busy.items VALUES ('acmeco', ${id}, ${id}, '${mark}')`,
            )
            .then(
              () => (written += 1),
              (error: { code?: string }) => {
                expect({ person, code: error.code }).toEqual({ person: 2, code: 'ZH020' });
                own.refused += 1;
                refused += 1;
              },
            );
          slowest = Math.max(slowest, performance.now() - began);
          if (written >= 64) writing.emit('begun');
        }
      };
      const writers = Array.from({ length: 32 }, async (_, number) => writer(number));
      await begun;
      await erase(house, 'person:acmeco/2');
      await Promise.all(writers);
      expect(refused).toBe(16 * 5);
      expect(written).toBeGreaterThanOrEqual(16 * TURNS);
      expect(slowest).toBeLessThan(10_000);
      expect((await leftOf(house, markOf('acmeco', 2))).filter((one) => !one.startsWith('pg_stats'))).toEqual(
        [],
      );
      // Sums are what the rows are.
      await runJob(house.definition, house.db.url, 'rollup', { clock: clockAt(TODAY) });
      expect(
        await house.db.query(
          `SELECT d.visits - coalesce(v.n, 0) AS off FROM house_busy.days d FULL JOIN
           (SELECT tenant_id, (created_at AT TIME ZONE 'UTC')::date AS day, count(*) AS n FROM house_busy.visits GROUP BY 1, 2) v
           USING (tenant_id, day) WHERE day >= '2026-03-01' AND d.visits IS DISTINCT FROM v.n`,
        ),
      ).toEqual([]);
      // A transaction that wrote before somebody was registered is waited for.
      const early = await session(house);
      await early.query('BEGIN');
      await early.query(
        `INSERT INTO house_busy.visits VALUES ('acmeco', 77, '2026-04-20', 3, '${markOf('acmeco', 3)} early')`,
      );
      const done = erase(house, 'person:acmeco/3');
      await expect
        .poll(
          async () =>
            (await house.db.query(`SELECT FROM house_busy.orders WHERE tenant_id = 'acmeco' AND user_id = 3`))
              .length,
          { timeout: 20_000, interval: 20 },
        )
        .toBe(0);
      await early.query('COMMIT');
      expect((await done).state).toBe('erased');
      expect(await leftOf(house, markOf('acmeco', 3))).toEqual([]);
    },
  );
});

describe('what comes back', () => {
  test('a restored backup is erased again, from a copy of the register that it does not have', async ({
    db,
  }) => {
    const tombstones = join(ownFolder(), 'tombstones');
    const house = await openHouse(await db.another(), 'house_backup', {
      people: 3,
      erasing: { tombstones: folder(tombstones) },
    });
    const mark = markOf('acmeco', 2);
    const backup = await copied(house, tombstones);
    await erase(house, 'person:acmeco/2');
    await erase(house, 'tenant:birdco');
    expect((await leftOf(backup, mark)).length).toBeGreaterThan(5);
    await afterRestore(backup.definition, backup.db.url, { clock: clockAt(TODAY) });
    expect(await leftOf(backup, mark)).toEqual([]);
    expect(await leftOf(backup, 'birdco')).toEqual([]);
    expect(
      await refusal(backup.db.query(`INSERT INTO house_backup.tenants VALUES ('birdco', 'again')`)),
    ).toMatchObject({
      code: 'ZH020',
    });
    const others = { tenant: 'acmeco', person: 2 };
    expect(await othersSum(backup, others)).toBe(await othersSum(house, others));
    expect(await afterRestore(backup.definition, backup.db.url, { clock: clockAt(TODAY) })).toEqual([
      { rows: 0 },
    ]);
  });

  test('rows that are put back out of an archive are erased from it at once', async ({ db }) => {
    const house = await openHouse(await db.another(), 'house_back', { people: 2 });
    const mark = markOf('acmeco', 2);
    await erasing(house, (context) =>
      house.eraser.register(context, { subject: 'person:acmeco/2', basis: BASIS }),
    );
    // The archive is not erased yet: whoever puts it back brings those rows along.
    for (const shelf of shelvesOf(house.definition))
      await withTask(
        house.definition,
        house.db.url,
        { trait: 'retention', leading: true, clock: clockAt(TODAY) },
        async (context) =>
          shelf.putBack(context, { from: new Date('2026-01-05'), to: new Date('2026-02-10') }),
      );
    expect(await leftOf(house, mark)).toEqual([]);
    const [row] = await house.db.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM house_back.visits WHERE created_at < '2026-02-01'`,
    );
    expect(row?.n).toBeGreaterThan(100);
    // Two at once: one erases, the other finds it done.
    const both = await Promise.all([erase(house, 'person:acmeco/1'), erase(house, 'person:acmeco/1')]);
    expect(both.map((one) => one.state)).toEqual(['erased', 'erased']);
    expect(both[0].counts).toEqual(both[1].counts);
    expect(await leftOf(house, markOf('acmeco', 1))).toEqual([]);
  });
});

/** The house as a backup has it: its database copied by the server, its archive by the file system. */
async function copied(house: Standing, tombstones: string): Promise<Standing> {
  const root = ownFolder();
  cpSync(house.root, root, { recursive: true });
  const target = await house.db.another();
  const admin = new Client(Object.assign(new URL(house.db.url), { pathname: '/postgres' }).href);
  await admin.connect();
  await admin.query(`DROP DATABASE "${target.name}" WITH (FORCE)`);
  // A database that somebody is connected to is copied by nobody, and the server waits five seconds for them to go.
  const leave = `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '${house.db.name}'`;
  await admin.query(leave);
  await admin.query(`CREATE DATABASE "${target.name}" TEMPLATE "${house.db.name}"`);
  await admin.end();
  const definition = houseOf(house.name, {
    root,
    role: house.role,
    erasing: { tombstones: folder(tombstones) },
  });
  const [eraser] = erasersOf(definition);
  if (eraser === undefined) throw new Error('The definition erases nobody.');
  return { ...house, db: target, root, files: folder(root), definition, eraser };
}
