// Hot indexes come and go, and statistics are gathered.
import { expect } from 'vitest';
import type { PartitionsOptions } from '../../src/traits/index.ts';
import { test } from '../cluster/index.ts';
import { maintain, runJob } from './keeping.ts';
import { defined, NEXT, NOW, waiting } from './many-tables.ts';
import { refusal, stand } from './stand.ts';

const HOT: Partial<PartitionsOptions> = {
  from: '2026-09-01',
  hot: {
    newest: 2,
    indexes: [
      { name: 'recent', on: ['tenant_id', 'at'] },
      { name: 'once', on: ['id', 'at'], unique: true },
    ],
  },
};
const HOT_SQL = `SELECT c.relname AS name, x.indisvalid AS valid FROM pg_class c JOIN pg_index x ON x.indexrelid = c.oid
  WHERE c.relnamespace = $1::text::regnamespace AND c.relname ~ '(recent|once)$' ORDER BY 1`;

test('hot indexes move on with the months, and what a cut-off build left is built anew', async ({ db }) => {
  const definition = defined('hot', 1, HOT);
  await stand(db, definition, NOW);
  const { session, client } = await maintain(db, { now: NEXT });
  await runJob(definition, 'partitions', { session, now: NEXT });
  await db.query(
    `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'hot.t01_y2026m11_recent'::regclass`,
  );
  const done = await runJob(definition, 'hot-indexes', { session, now: NEXT });
  expect(done).toEqual({
    'hot indexes of hot.t01': {
      what: [
        'index t01_y2026m10_recent on hot.t01_y2026m10',
        'index t01_y2026m10_once on hot.t01_y2026m10',
        'index t01_y2026m11_recent on hot.t01_y2026m11',
      ].join('; '),
    },
  });
  expect(await db.query(HOT_SQL, ['hot'])).toEqual(
    ['2026m11', '2026m12', '2027m01'].flatMap((month) => [
      { name: `t01_y${month}_once`, valid: true },
      { name: `t01_y${month}_recent`, valid: true },
    ]),
  );
  expect(await runJob(definition, 'hot-indexes', { session, now: NEXT })).toEqual({
    'hot indexes of hot.t01': {},
  });
  expect((await client.query('SHOW lock_timeout')).rows).toEqual([{ lock_timeout: '1s' }]);
});

test('a build whose session is ended while it waits for an old transaction is begun anew by the next run', async ({
  db,
}) => {
  const definition = defined('torn', 1, { ...HOT, from: '2026-11-01' });
  await stand(db, definition, NOW);
  await db.query(`DROP INDEX torn.t01_y2026m11_recent; INSERT INTO torn.t01 VALUES ('a', 1, '2026-11-05')`);
  const holder = await db.pool.connect();
  await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM torn.t01');
  const { session, client } = await maintain(db, { now: NOW });
  client.on('error', () => undefined);
  const running = runJob(definition, 'hot-indexes', { session, now: NOW });
  const pid = await waiting(db, 'CREATE INDEX CONCURRENTLY');
  await db.query('SELECT pg_terminate_backend($1)', [pid]);
  expect((await running)['hot indexes of torn.t01']).toBeInstanceOf(Error);
  await holder.query('ROLLBACK');
  holder.release();
  const recent = async (): Promise<unknown[]> =>
    (await db.query<{ name: string; valid: boolean }>(HOT_SQL, ['torn'])).filter(
      ({ name }) => name === 't01_y2026m11_recent',
    );
  expect(await recent()).toEqual([{ name: 't01_y2026m11_recent', valid: false }]);
  const again = await maintain(db, { now: NOW });
  await runJob(definition, 'hot-indexes', { session: again.session, now: NOW });
  expect(await recent()).toEqual([{ name: 't01_y2026m11_recent', valid: true }]);
});

test('a hot index that cannot be built leaves nothing invalid behind and says why; the other is built', async ({
  db,
}) => {
  const definition = defined('clash', 1, { ...HOT, from: '2026-11-01' });
  await stand(db, definition, NOW);
  await db.query(`DROP INDEX clash.t01_y2026m11_once, clash.t01_y2026m11_recent;
    INSERT INTO clash.t01 VALUES ('a', 1, '2026-11-05'), ('b', 1, '2026-11-05')`);
  const { session } = await maintain(db, { now: NOW });
  const outcome = await runJob(definition, 'hot-indexes', { session, now: NOW });
  expect(outcome['hot indexes of clash.t01']).toMatchObject({
    code: 'HF_PARTITION_REFUSED',
    subject: 'index t01_y2026m11_once on clash.t01_y2026m11',
    what: 'PostgreSQL refused it: could not create unique index "t01_y2026m11_once".',
  });
  expect(
    (await db.query<{ name: string; valid: boolean }>(HOT_SQL, ['clash'])).map(
      ({ name, valid }) => `${name} ${valid}`,
    ),
  ).toEqual(['t01_y2026m11_recent true', 't01_y2026m12_once true', 't01_y2026m12_recent true']);
});

test('statistics of the whole table are gathered, which autovacuum never does; a skipped ANALYZE is an error', async ({
  db,
}) => {
  const definition = defined('stats');
  await stand(db, definition, NOW);
  await db.query(`INSERT INTO stats.t01 SELECT 'a', n, '2026-11-05' FROM generate_series(1, 500) n`);
  const known = (): Promise<unknown[]> =>
    db.query(
      `SELECT count(*)::int AS n FROM pg_stats WHERE schemaname = 'stats' AND tablename = 't01' AND inherited`,
    );
  await db.query('VACUUM ANALYZE stats.t01_y2026m11');
  expect(await known()).toEqual([{ n: 0 }]);
  const { session } = await maintain(db, { now: NOW });
  expect(await runJob(definition, 'analyze', { session, now: NOW })).toEqual({
    'statistics of stats.t01': { what: 'analyzed stats.t01' },
  });
  expect(await known()).toEqual([{ n: 3 }]);
  const stranger = db.role('stranger');
  await db.query(`CREATE ROLE "${stranger}"; GRANT USAGE ON SCHEMA stats TO "${stranger}"`);
  const without = await maintain(db, { now: NOW, prepare: `SET ROLE "${stranger}"` });
  expect(
    (await runJob(definition, 'analyze', { session: without.session, now: NOW }))['statistics of stats.t01'],
  ).toMatchObject({
    code: 'HF_PARTITION_ANALYZE',
    what: 'PostgreSQL skipped it: the role of the keeper may not analyze it.',
  });
  expect((await refusal(without.client.query('SELECT * FROM stats.t01'))).code).toBe('42501');
});
