// What is in the way of a part that leaves, and what becomes of it then.
import { expect } from 'vitest';
import { HoldfastError } from '../../src/error.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { fill, openShop, states, sumOf, turn } from './retention-stand.ts';
import { refusal } from './stand.ts';

const at = (iso: string): Date => new Date(iso);
const MAY = at('2026-05-02T01:00:00Z');
const YEAR = { from: '2026-01-01T00:00:00Z', to: '2026-04-30T12:00:00Z' };

const toArchive = (table: string) =>
  ({ online: '90 days', archive: { to: 'schema', table, for: '1 year' }, then: 'delete' }) as const;

async function error(run: Promise<unknown>): Promise<HoldfastError> {
  const outcome = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(outcome).toBeInstanceOf(HoldfastError);
  return outcome as HoldfastError;
}

async function pending(db: TestDatabase, parent: string): Promise<string[]> {
  const rows = await db.query<{ name: string }>(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::text::regclass AND inhdetachpending`,
    [parent],
  );
  return rows.map((row) => row.name);
}

test('a detach that waits for a long transaction stays pending, blocks no writer, and is finished by the next run', async ({
  db,
}) => {
  const { definition, table } = await openShop(db, 'waits', toArchive('waits'));
  await fill(db, table, YEAR);
  const inserted = await sumOf(db, [table]);
  const reader = await db.pool.connect();
  try {
    await reader.query(`BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM ${table}`);
    const stuck = await error(turn(db, definition, { now: MAY, lockTimeoutMs: 100 }));
    expect(stuck.code).toBe('HF_RETENTION_STUCK');
    expect(stuck.what).toMatch(
      /^one part of it could not leave: partition waits\.events_y2026m01: session \d+, whose transaction began .*, uses waits\.events and does not end; .* \[HF_RETENTION_WAITING\]$/,
    );
    expect(await pending(db, table)).toEqual(['waits.events_y2026m01']);
    // The rows are read under their partition's own name meanwhile.
    expect(await sumOf(db, [table, 'waits.events_y2026m01'])).toEqual(inserted);
    await fill(db, table, { from: '2026-04-30T01:00:00Z', to: '2026-04-30T13:00:00Z' });
  } finally {
    await reader.query('ROLLBACK');
    reader.release();
  }
  const all = await sumOf(db, [table, 'waits.events_y2026m01']);
  await turn(db, definition, { now: MAY });
  expect(await pending(db, table)).toEqual([]);
  expect(await states(db, definition)).toEqual(['2026-01-01T00:00:00.000Z archived archive 62']);
  expect(await sumOf(db, [table, 'archive.waits'])).toEqual(all);
});

test("a detach that somebody else's session left pending is finished first", async ({ db }) => {
  const { definition, table } = await openShop(db, 'others', toArchive('others'));
  await fill(db, table, YEAR);
  const inserted = await sumOf(db, [table]);
  const reader = await db.pool.connect();
  await reader.query(`BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM ${table}`);
  const hand = await db.pool.connect();
  await hand.query('SET lock_timeout = 100');
  const { code } = await refusal(
    hand.query(`ALTER TABLE ${table} DETACH PARTITION others.events_y2026m02 CONCURRENTLY`),
  );
  expect(code).toBe('55P03');
  hand.release(true);
  await reader.query('ROLLBACK');
  reader.release();
  expect(
    (await refusal(db.query(`ALTER TABLE ${table} DETACH PARTITION others.events_y2026m01 CONCURRENTLY`)))
      .message,
  ).toContain('already pending detach');
  await turn(db, definition, { now: MAY });
  expect(await states(db, definition)).toEqual(['2026-01-01T00:00:00.000Z archived archive 62']);
  expect(await sumOf(db, [table, 'archive.others', 'others.events_y2026m02'])).toEqual(inserted);
});

test('a row that comes while its partition leaves is refused as if the partition were gone', async ({
  db,
}) => {
  const { definition, table } = await openShop(db, 'late', toArchive('late'));
  await fill(db, table, YEAR);
  const inserted = await sumOf(db, [table]);
  const refused: unknown[] = [];
  await turn(db, definition, {
    now: MAY,
    before: async (sql) => {
      if (!sql.includes('DETACH PARTITION')) return;
      const insert = `INSERT INTO ${table} (tenant_id, created_at) VALUES ('a', '2026-01-05 00:00+00')`;
      refused.push(await refusal(db.query(insert)));
    },
  });
  expect(refused).toEqual([
    {
      code: '23514',
      message: 'INSERT on late.events_y2026m01 refused: its rows are leaving for the archive',
      hint: 'Rows this old are no longer written; see the retention of the table.',
    },
  ]);
  const gone = await refusal(
    db.query(`INSERT INTO ${table} (tenant_id, created_at) VALUES ('a', '2026-01-05 00:00+00')`),
  );
  expect(gone.code).toBe('23514');
  expect(await sumOf(db, [table, 'archive.late'])).toEqual(inserted);
});

test('with a DEFAULT partition nothing can be detached concurrently, and it says so', async ({ db }) => {
  const { definition, table } = await openShop(db, 'fallback', toArchive('fallback'));
  await fill(db, table, YEAR);
  await db.query('CREATE TABLE fallback.rest PARTITION OF fallback.events DEFAULT');
  const stuck = await error(turn(db, definition, { now: MAY }));
  expect(stuck.what).toContain(
    'table fallback.events: PostgreSQL detaches no partition concurrently while there is a DEFAULT partition (fallback.rest). ' +
      'Detach it (ALTER TABLE "fallback"."events" DETACH PARTITION "fallback"."rest"), then insert its rows into the table. [HF_RETENTION_DEFAULT]',
  );
  expect(await states(db, definition)).toEqual([]);
});

test('a column that one side lacks keeps the partition where it is; one that came later is NULL in older rows', async ({
  db,
}) => {
  const { definition, table } = await openShop(db, 'grown', toArchive('grown'));
  await fill(db, table, YEAR);
  await turn(db, definition, { now: MAY });
  await db.query(`ALTER TABLE ${table} ADD COLUMN note text NOT NULL DEFAULT 'new'`);
  const stuck = await error(turn(db, definition, { now: at('2026-06-02T01:00:00Z') }));
  expect(stuck.what).toContain(
    'partition grown.events_y2026m02: its columns are not those of archive.grown: note text stands on one side alone. Apply the definition, so that both have the same columns. [HF_RETENTION_COLUMNS]',
  );
  await db.query('ALTER TABLE archive.grown ADD COLUMN note text');
  await turn(db, definition, { now: at('2026-06-02T01:00:00Z') });
  expect(await db.query('SELECT note, count(*)::int FROM archive.grown GROUP BY 1 ORDER BY 1')).toEqual([
    { note: 'new', count: 56 },
    { note: null, count: 62 },
  ]);
});

test('names that are taken in the archive are no obstacle, and everything of the partition moves along', async ({
  db,
}) => {
  const { definition, table } = await openShop(db, 'named', {
    online: '90 days',
    archive: { to: 'schema', schema: 'named_archive', for: '1 year' },
    then: 'delete',
  });
  await fill(db, table, YEAR);
  await db.query(`CREATE INDEX ON ${table} (kind);
    CREATE TABLE named_archive.events_y2026m01 (); CREATE SEQUENCE named_archive.events_y2026m01_pkey;
    CREATE VIEW named_archive.events_y2026m01_kind_idx AS SELECT 1`);
  await turn(db, definition, { now: MAY });
  const there = await db.query(`SELECT x.indexrelid::regclass::text AS name FROM pg_index x
    WHERE x.indrelid = (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'named_archive.events'::regclass) ORDER BY 1`);
  expect(there).toEqual([
    { name: 'named_archive.events_y2026m01_kind_idx_2' },
    { name: 'named_archive.events_y2026m01_pkey_2' },
  ]);
  expect((await sumOf(db, ['named_archive.events_y2026m01_2'])).rows).toBe(62);
});

test('rows that others point at stay, are counted, and leave once nothing points at them', async ({ db }) => {
  const { definition, table } = await openShop(db, 'pointed', {
    of: 'notes',
    online: '30 days',
    archive: { to: 'schema', table: 'pointed', for: '1 year' },
    then: 'delete',
    batch: { rows: 10, pauseMs: 0 },
  });
  await fill(db, table, { from: '2026-01-01T00:00:00Z', to: '2026-02-28T12:00:00Z' });
  await db.query(`CREATE TABLE pointed.marks (tenant_id text, note int, FOREIGN KEY (tenant_id, note) REFERENCES ${table} ON DELETE CASCADE);
    INSERT INTO pointed.marks SELECT tenant_id, id FROM ${table} WHERE id % 10 = 0`);
  const inserted = await sumOf(db, [table]);
  const [done] = await turn(db, definition, { now: at('2026-05-01T01:00:00Z') });
  expect(done).toEqual({ rows: 107, bytes: 0, what: '11 rows stay: other rows point at them' });
  expect(await sumOf(db, [table, 'archive.pointed'])).toEqual(inserted);
  expect(await db.query('SELECT count(*)::int AS marks FROM pointed.marks')).toEqual([{ marks: 11 }]);
  await db.query('DELETE FROM pointed.marks');
  await turn(db, definition, { now: at('2026-05-02T01:00:00Z') });
  expect((await sumOf(db, [table])).rows).toBe(0);
  expect(await sumOf(db, ['archive.pointed'])).toEqual(inserted);
});

test('a partition whose rows others point at stays open and whole', async ({ db }) => {
  const { definition, table } = await openShop(db, 'whole', toArchive('pointed_whole'));
  await fill(db, table, YEAR);
  await db.query(`CREATE TABLE whole.marks (tenant_id text, event int, at timestamptz,
      FOREIGN KEY (tenant_id, event, at) REFERENCES ${table});
    INSERT INTO whole.marks SELECT tenant_id, id, created_at FROM ${table} ORDER BY id LIMIT 1`);
  const [done] = await turn(db, definition, { now: MAY });
  expect(done).toEqual({
    rows: 0,
    bytes: 0,
    what: 'whole.events_y2026m01 stays: other rows point at its own',
  });
  await db.query(`INSERT INTO ${table} (tenant_id, created_at) VALUES ('a', '2026-01-20 00:00+00')`);
  await db.query('DELETE FROM whole.marks');
  await turn(db, definition, { now: MAY });
  expect((await sumOf(db, ['archive.pointed_whole'])).rows).toBe(63);
});

test('a row that comes to point at a partition after the look at it opens it again', async ({ db }) => {
  const { definition, table } = await openShop(db, 'meanwhile', toArchive('meanwhile'));
  await fill(db, table, YEAR);
  await db.query(`CREATE TABLE meanwhile.marks (tenant_id text, event int, at timestamptz,
      FOREIGN KEY (tenant_id, event, at) REFERENCES ${table})`);
  const [done] = await turn(db, definition, {
    now: MAY,
    before: async (sql) => {
      if (sql.includes('DETACH PARTITION'))
        await db.query(
          `INSERT INTO meanwhile.marks SELECT tenant_id, id, created_at FROM ${table} ORDER BY id LIMIT 1`,
        );
    },
  });
  expect(done).toMatchObject({ what: 'meanwhile.events_y2026m01 stays: other rows point at its own' });
  expect(await states(db, definition)).toEqual([]);
  await db.query(`INSERT INTO ${table} (tenant_id, created_at) VALUES ('a', '2026-01-20 00:00+00')`);
});

test.for([
  `SET TimeZone = 'America/Sao_Paulo'; SET DateStyle = 'SQL, DMY'`,
  `SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'German'`,
])('the zone of the session does not matter: %s', async (prepare, { db }) => {
  const name = prepare.includes('Paulo') ? 'paulo' : 'kathmandu';
  const partitioned = await openShop(db, name, toArchive(name));
  const plain = await openShop(db, `${name}_rows`, { ...toArchive(`${name}_rows`), of: 'notes' });
  for (const { definition, table } of [partitioned, plain]) {
    await fill(db, table, { ...YEAR, hours: 1 });
    const inserted = await sumOf(db, [table]);
    const archive = `archive.${definition.name}`;
    await turn(db, definition, { now: at('2026-05-01T23:59:59Z'), prepare });
    expect((await sumOf(db, [table], `created_at >= '2026-01-31 00:00+00'`)).rows).toBe(90 * 24 - 11);
    await turn(db, definition, { now: at('2026-05-02T00:00:00Z'), prepare });
    expect((await sumOf(db, [table], `created_at < '2026-02-01 00:00+00'`)).rows).toBe(0);
    expect((await sumOf(db, [archive], `created_at >= '2026-02-01 00:00+00'`)).rows).toBe(0);
    expect(await sumOf(db, [table, archive])).toEqual(inserted);
  }
});

test('where row security would hide rows, the run fails instead of finding nothing to do', async ({ db }) => {
  const { definition, table } = await openShop(db, 'hidden', { ...toArchive('hidden'), of: 'notes' });
  await fill(db, table, YEAR);
  const keeper = db.role('keeper');
  await db.query(`CREATE ROLE ${keeper}; GRANT USAGE ON SCHEMA hidden, archive, holdfast TO ${keeper};
    GRANT ALL ON ALL TABLES IN SCHEMA hidden, archive, holdfast TO ${keeper};
    ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY`);
  const stuck = await error(turn(db, definition, { now: MAY, prepare: `SET ROLE ${keeper}` }));
  expect(stuck.what).toContain('query would be affected by row-level security policy for table "notes"');
  await db.query(`DROP OWNED BY ${keeper}`);
});

test('a part that failed before it was detached is begun once, however often it is tried', async ({ db }) => {
  const { definition, table } = await openShop(db, 'once', {
    ...toArchive('once'),
    traits: () => [
      {
        name: 'sums',
        leaving: () => async () => {
          const [row] = await db.query<{ broken: boolean }>('SELECT broken FROM once.sums');
          if (row?.broken === true)
            throw new HoldfastError({
              code: 'HF_TEST',
              subject: 'sums',
              what: 'they fail.',
              fix: 'Mend them.',
            });
        },
      },
    ],
  });
  await fill(db, table, YEAR);
  await db.query('CREATE TABLE once.sums AS SELECT true AS broken');
  const inserted = await sumOf(db, [table]);
  for (const hour of [1, 2]) {
    const stuck = await error(turn(db, definition, { now: at(`2026-05-02T0${hour}:00:00Z`) }));
    expect(stuck.what).toBe('one part of it could not leave: sums: they fail. Mend them. [HF_TEST]');
    expect(await states(db, definition)).toEqual(['2026-01-01T00:00:00.000Z closing once']);
  }
  await db.query('UPDATE once.sums SET broken = false');
  await turn(db, definition, { now: MAY });
  expect(await states(db, definition)).toEqual(['2026-01-01T00:00:00.000Z archived archive 62']);
  expect(await sumOf(db, [table, 'archive.once'])).toEqual(inserted);
});
