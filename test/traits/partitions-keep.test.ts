import { bigint, foreignKey, primaryKey, text } from 'drizzle-orm/pg-core';
import { expect } from 'vitest';
import { database, type Definition } from '../../src/define/index.ts';
import { job } from '../../src/define/job.ts';
import { immutability, partitions, tenancy } from '../../src/traits/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { maintain, runJob } from './keeping.ts';
import { defined, instant, many, NEXT, NOW, waiting } from './many-tables.ts';
import { settle, stand } from './stand.ts';

const BOUNDS_SQL = `SELECT p.relname || ' ' || c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid) AS line
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
  WHERE p.relkind = 'p' AND p.relnamespace = $1::text::regnamespace ORDER BY 1`;

async function bounds(db: TestDatabase, schema: string): Promise<string[]> {
  return (await db.query<{ line: string }>(BOUNDS_SQL, [schema])).map(({ line }) => line);
}

const jobsOf = (definition: Definition): unknown =>
  definition.jobs.map(({ name, settings, tasks }) => [name, settings, tasks.map(({ subject }) => subject)]);

test('its tasks hang on three default jobs, or on those that the options name', () => {
  const hot = { indexes: [{ name: 'recent', on: ['at'] }] };
  expect(jobsOf(defined('jobs', 1, { hot }))).toEqual([
    [
      'partitions',
      { schedule: { cron: '10 0 * * *' }, atStart: true, missed: 'once' },
      ['partitions of jobs.t01'],
    ],
    [
      'hot-indexes',
      { schedule: { cron: '20 0 * * *' }, atStart: true, missed: 'once', after: ['partitions'] },
      ['hot indexes of jobs.t01'],
    ],
    ['analyze', { schedule: { cron: '0 4 * * 0' }, missed: 'once' }, ['statistics of jobs.t01']],
  ]);
  const { named, traits } = many('named', 1, {
    job: 'create',
    analyzeJob: 'create',
    hot: { ...hot, job: 'create' },
  });
  const create = job('create', { schedule: { cron: '0 23 20 * *' }, atStart: true });
  const definition = database('named', { tables: named, traits, jobs: [create] });
  expect(jobsOf(definition)).toEqual([
    [
      'create',
      create.settings,
      ['partitions of named.t01', 'hot indexes of named.t01', 'statistics of named.t01'],
    ],
  ]);
  expect(definition.jobs[0]?.tasks.map((task) => task.sql?.(definition.model))).toEqual([
    undefined,
    undefined,
    ['ANALYZE "named"."t01"'],
  ]);
});

test('keep makes the partitions that apply would make, with the same statements, and then has nothing to do', async ({
  db,
}) => {
  const definition = defined('same', 2);
  await stand(db, definition, NOW);
  const wanted = await definition.traits[0]?.settle?.({
    model: definition.model,
    query: async (sql, values) => db.query(sql, values && [...values]),
    now: NEXT,
  });
  const { session, client } = await maintain(db, { now: NEXT });
  const sent: unknown[] = [];
  const log: typeof session.transaction = (work) =>
    session.transaction((query) =>
      work(async (sql, values) => {
        sent.push(sql);
        return query(sql, values);
      }),
    );
  const outcome = await runJob(definition, 'partitions', {
    session: { ...session, transaction: log },
    now: NEXT,
  });
  expect(outcome).toEqual({
    'partitions of same.t01': { what: 'partition same.t01_y2027m01 of same.t01' },
    'partitions of same.t02': { what: 'partition same.t02_y2027m01 of same.t02' },
  });
  expect(sent[0]).toBe(wanted?.[0]?.statements[0]?.sql);
  expect(await runJob(definition, 'partitions', { session, now: NEXT })).toEqual({
    'partitions of same.t01': {},
    'partitions of same.t02': {},
  });
  const [row] = (
    await client.query(
      'SELECT count(*)::int AS n FROM pg_stat_activity WHERE state = $1 AND pid = pg_backend_pid()',
      ['idle in transaction'],
    )
  ).rows;
  expect(row).toEqual({ n: 0 });
});

test('20 tables, one in the middle poisoned in each way: it fails alone and says why, 19 have theirs', async ({
  db: file,
}) => {
  const poisons = {
    default: {
      sql: `CREATE TABLE many.other PARTITION OF many.t10 DEFAULT`,
      message:
        'table many.t10: it has the DEFAULT partition many.other: each new partition would scan it under lock and fail if a row is in its range. ' +
        'Detach it (ALTER TABLE "many"."t10" DETACH PARTITION "many"."other"), run this again, then insert its rows into the table. [HF_PARTITION_DEFAULT]',
    },
    gone: {
      sql: `DROP TABLE many.t10`,
      message:
        'table many.t10: there is no partitioned table of that name, or its schema is out of reach. ' +
        'Apply the definition to this database, or take the table out of it. [HF_PARTITION_TABLE]',
    },
    plain: {
      sql: `DROP TABLE many.t10; CREATE TABLE many.t10 (at timestamptz NOT NULL)`,
      message:
        'table many.t10: there is no partitioned table of that name, or its schema is out of reach. ' +
        'Apply the definition to this database, or take the table out of it. [HF_PARTITION_TABLE]',
    },
    listed: {
      sql: `DROP TABLE many.t10; CREATE TABLE many.t10 (id int, at timestamptz NOT NULL) PARTITION BY LIST (id);
        CREATE TABLE many.seven PARTITION OF many.t10 FOR VALUES IN (7)`,
      message:
        'table many.t10: it is not partitioned by range of its column at alone, a timestamptz, timestamp or date. ' +
        'Say in the definition what it is partitioned by, or make it anew and move its rows. [HF_PARTITION_BY]',
    },
    refused: {
      sql: `CREATE FUNCTION many.veto() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
          IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity LIKE 'many.t10%') THEN
            RAISE EXCEPTION 'no more tables here'; END IF; END $$;
        CREATE EVENT TRIGGER veto ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION many.veto()`,
      message:
        'partition many.t10_y2027m01 of many.t10: PostgreSQL refused it: no more tables here. ' +
        'Take away what the message names; the next run tries again, and other tables are not held up. [HF_PARTITION_REFUSED]',
    },
  };
  for (const [name, { sql, message }] of Object.entries(poisons)) {
    const db = await file.another();
    const definition = defined('many', 20);
    await stand(db, definition, NOW);
    await db.query(sql);
    const { session } = await maintain(db, { now: NEXT });
    const outcome = await runJob(definition, 'partitions', { session, now: NEXT });
    const failed = Object.entries(outcome).filter(([, one]) => one instanceof Error);
    expect([name, failed.map(([subject, error]) => [subject, (error as Error).message])]).toEqual([
      name,
      [['partitions of many.t10', message]],
    ]);
    const made = (await bounds(db, 'many')).filter((line) =>
      line.includes(`FROM ('2027-01-01 00:00:00+00')`),
    );
    expect(made).toHaveLength(19);
  }
});

test('a taken name and a foreign partition with odd bounds are no poison: what is free is made under another name', async ({
  db,
}) => {
  const definition = defined('odd');
  await stand(db, definition, NOW);
  await db.query(`CREATE TABLE odd.t01_y2027m01 (other int);
    CREATE TABLE odd.stray PARTITION OF odd.t01 FOR VALUES FROM ('2027-01-10 00:00+00') TO ('2027-01-20 00:00+00')`);
  const { session } = await maintain(db, { now: NEXT });
  await runJob(definition, 'partitions', { session, now: NEXT });
  expect((await bounds(db, 'odd')).slice(0, 2)).toEqual([
    `t01 stray FOR VALUES FROM ('2027-01-10 00:00:00+00') TO ('2027-01-20 00:00:00+00')`,
    `t01 t01_y2026m11 FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-12-01 00:00:00+00')`,
  ]);
  await db.query(`INSERT INTO odd.t01 SELECT 'a', n, '2026-11-01 00:00+00'::timestamptz + n * interval '1 hour'
    FROM generate_series(0, 92 * 24 - 1) n`);
});

test('a partition that somebody detached is made again ahead; a hole in the past is told and left', async ({
  db,
}) => {
  const definition = defined('holes', 1, { from: '2026-08-01', ahead: 2 });
  await stand(db, definition, NOW);
  await db.query(`ALTER TABLE holes.t01 DETACH PARTITION holes.t01_y2026m12;
    ALTER TABLE holes.t01 DETACH PARTITION holes.t01_y2026m08; ALTER TABLE holes.t01 DETACH PARTITION holes.t01_y2026m10`);
  const { session } = await maintain(db, { now: NOW });
  expect(await runJob(definition, 'partitions', { session, now: NOW })).toEqual({
    'partitions of holes.t01': {
      what: 'partition holes.t01_y2026m12_2 of holes.t01; no partition takes rows from 2026-10-01 00:00:00+00 to 2026-11-01 00:00:00+00',
    },
  });
  expect(await settle(db, definition, NOW)).toEqual([]);
});

test('after a pause of half a year no hole is left behind, and a clock that stepped back does no harm', async ({
  db,
}) => {
  const definition = defined('pause');
  await stand(db, definition, NOW);
  const { session } = await maintain(db, {
    now: NOW,
    prepare: `SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'German'`,
  });
  await runJob(definition, 'partitions', { session, now: new Date('2027-05-31T23:59:59Z') });
  await runJob(definition, 'partitions', { session, now: new Date('2027-05-31T21:59:59Z') });
  await runJob(definition, 'partitions', { session, now: new Date('2020-01-01T00:00:00Z') });
  const found = await bounds(db, 'pause');
  expect(found).toHaveLength(8 + 2);
  await db.query(`INSERT INTO pause.t01 SELECT 'a', n, '2026-11-01 00:00+00'::timestamptz + n * interval '12 hours'
    FROM generate_series(0, (212 + 30) * 2 - 1) n`);
});

test('a statement that locks more than its table has no longer than one lock, all of its waits together', async ({
  db,
}) => {
  const { schema, tables } = many('keys', 1);
  const owners = schema.table(
    'owners',
    { tenantId: text('tenant_id').notNull(), id: bigint({ mode: 'number' }).notNull() },
    (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
  );
  const rows = schema.table(
    'rows',
    { tenantId: text('tenant_id').notNull(), owner: bigint({ mode: 'number' }), at: instant('at').notNull() },
    (t) => [foreignKey({ columns: [t.tenantId, t.owner], foreignColumns: [owners.tenantId, owners.id] })],
  );
  const definition = database('keys', {
    tables: { schema, plain: tables[0], owners, rows },
    traits: [rows, tables[0] ?? rows].map((table) =>
      partitions(table, { by: 'at', every: 'month', ahead: 1 }),
    ),
  });
  await stand(db, definition, NOW);
  await db.query(`CREATE TABLE keys.seen (partition text, timeout text);
    CREATE FUNCTION keys.note() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO keys.seen VALUES ((SELECT min(object_identity) FROM pg_event_trigger_ddl_commands()), current_setting('statement_timeout')); END $$;
    CREATE EVENT TRIGGER note ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION keys.note()`);
  const { session, client } = await maintain(db, { now: NEXT, lockTimeoutMs: 1500 });
  await runJob(definition, 'partitions', { session, now: NEXT });
  expect(await db.query('SELECT * FROM keys.seen ORDER BY 1')).toEqual([
    { partition: 'keys.rows_y2027m01', timeout: '1500ms' },
    { partition: 'keys.t01_y2027m01', timeout: '0' },
  ]);
  expect((await client.query('SHOW statement_timeout')).rows).toEqual([{ statement_timeout: '0' }]);
  await db.query('DROP EVENT TRIGGER note');
});

test('two keepers at once, and one that was overtaken after it had read: each partition is there once', async ({
  db,
}) => {
  const definition = defined('two', 6);
  await stand(db, definition, NOW);
  const one = await maintain(db, { now: NEXT });
  const other = await maintain(db, { now: NEXT });
  const outcomes = await Promise.all(
    [one, other].map(({ session }) => runJob(definition, 'partitions', { session, now: NEXT })),
  );
  for (const outcome of outcomes)
    expect(Object.values(outcome).filter((result) => result instanceof Error)).toEqual([]);
  const found = await bounds(db, 'two');
  expect(found).toHaveLength(6 * 3);
  expect(found.filter((line) => /m\d\d_2 /.test(line))).toEqual([]);

  const later = new Date('2027-01-21T00:10:00Z');
  let reads = 0;
  const query: typeof one.session.query = async (sql, values) => {
    const rows = await one.session.query(sql, values);
    if (reads === 0) await runJob(definition, 'partitions', { session: other.session, now: later });
    reads += 1;
    return rows as never;
  };
  const overtaken = await runJob(definition, 'partitions', {
    session: { ...one.session, query },
    now: later,
  });
  expect(Object.values(overtaken).filter((result) => result instanceof Error)).toEqual([]);
  expect(await bounds(db, 'two')).toHaveLength(6 * 4);
});

test('a session that is ended between CREATE and ATTACH leaves nothing, and the next makes it whole', async ({
  db,
}) => {
  const definition = defined('cut');
  await stand(db, definition, NOW);
  const { session, client } = await maintain(db, { now: NEXT, lockTimeoutMs: 30_000 });
  const holder = await db.pool.connect();
  await holder.query('BEGIN; LOCK TABLE cut.t01 IN SHARE UPDATE EXCLUSIVE MODE');
  client.on('error', () => undefined);
  const running = runJob(definition, 'partitions', { session, now: NEXT });
  const pid = await waiting(db, 'ATTACH PARTITION');
  await db.query('SELECT pg_terminate_backend($1)', [pid]);
  const [outcome] = Object.values(await running);
  expect(outcome).toBeInstanceOf(Error);
  await holder.query('ROLLBACK');
  holder.release();
  expect(await db.query(`SELECT to_regclass('cut.t01_y2027m01') AS left`)).toEqual([{ left: null }]);
  const again = await maintain(db, { now: NEXT });
  await runJob(definition, 'partitions', { session: again.session, now: NEXT });
  expect((await bounds(db, 'cut')).at(-1)).toContain(`t01_y2027m01 FOR VALUES`);
});

test('while a long transaction holds the table it lets go each time, and makes the partition when that ends', async ({
  db,
}) => {
  const definition = defined('busy', 3);
  await stand(db, definition, NOW);
  const { session } = await maintain(db, { now: NEXT, lockTimeoutMs: 50 });
  const holder = await db.pool.connect();
  await holder.query('BEGIN; LOCK TABLE busy.t02 IN ACCESS EXCLUSIVE MODE');
  const outcome = await runJob(definition, 'partitions', { session, now: NEXT });
  expect(outcome['partitions of busy.t02']).toMatchObject({ code: 'HF_PARTITION_BUSY' });
  expect(outcome['partitions of busy.t01']).toEqual({ what: 'partition busy.t01_y2027m01 of busy.t01' });
  expect(outcome['partitions of busy.t03']).toEqual({ what: 'partition busy.t03_y2027m01 of busy.t03' });
  await holder.query('ROLLBACK; BEGIN; LOCK TABLE busy.t02 IN SHARE UPDATE EXCLUSIVE MODE');
  let pauses = 0;
  const onPause = async (): Promise<void> => {
    pauses += 1;
    if (pauses === 2) await holder.query('ROLLBACK');
  };
  expect(
    (await runJob(definition, 'partitions', { session, now: NEXT, onPause }))['partitions of busy.t02'],
  ).toEqual({
    what: 'partition busy.t02_y2027m01 of busy.t02',
  });
  expect(pauses).toBe(2);
  holder.release();
});

/** Rows with what roles other than the owner were granted. */
const own = (rows: readonly { relacl?: unknown }[]) =>
  rows.map((row) => ({
    ...row,
    relacl: String(row.relacl ?? '')
      .replaceAll(/[{}]/g, '')
      .split(',')
      .filter((one) => !one.includes('owner'))
      .join(),
  }));

test('a partition is mended to its table: row security, policies, TRUNCATE triggers, grants, owner', async ({
  db,
}) => {
  const { named, tables, traits } = many('mend', 2);
  const app = db.role('app');
  const definition = database('mend', {
    tables: named,
    traits: [
      ...traits,
      ...tables.map((table) => immutability(table, { kind: 'append-only' })),
      tenancy({ column: 'tenant_id', setting: 'app.tenant', roles: { app, owner: db.role('owner') } }),
    ],
  });
  await stand(db, definition, NOW);
  const stateSql = `SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, pg_get_userbyid(c.relowner) AS owner, c.relacl::text,
      (SELECT array_agg(polname::text || ' ' || pg_get_expr(polqual, polrelid) ORDER BY polname) FROM pg_policy WHERE polrelid = c.oid) AS policies,
      (SELECT array_agg(tgname::text || ' ' || tgenabled::text ORDER BY tgname) FROM pg_trigger WHERE tgrelid = c.oid) AS triggers
    FROM pg_class c WHERE c.relispartition AND c.relkind = 'r' AND c.relnamespace = 'mend'::regnamespace ORDER BY 1`;
  const whole = await db.query(stateSql);
  await db.query(`
    ALTER TABLE mend.t01_y2026m11 DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
    DROP POLICY tenant_isolation ON mend.t01_y2026m11; CREATE POLICY tenant_isolation ON mend.t01_y2026m11 USING (true);
    CREATE POLICY backdoor ON mend.t01_y2026m12;
    DROP TRIGGER holdfast_i_20_truncate ON mend.t02_y2026m11; ALTER TABLE mend.t02_y2026m12 DISABLE TRIGGER ALL;
    GRANT SELECT, TRUNCATE ON mend.t01_y2026m12 TO PUBLIC, "${app}"; GRANT SELECT (id) ON mend.t02_y2026m12 TO "${app}";
    ALTER TABLE mend.t02_y2026m11 OWNER TO CURRENT_USER`);
  const { session } = await maintain(db, { now: NOW });
  const outcome = await runJob(definition, 'partitions', { session, now: NOW });
  expect(outcome).toEqual({
    'partitions of mend.t01': { what: 'protection of mend.t01_y2026m12; protection of mend.t01_y2026m11' },
    'partitions of mend.t02': { what: 'protection of mend.t02_y2026m11; protection of mend.t02_y2026m12' },
  });
  const mended = await db.query<{ relacl: string | null }>(stateSql);
  expect(own(mended)).toEqual(own(whole));
  expect(await runJob(definition, 'partitions', { session, now: NOW })).toEqual({
    'partitions of mend.t01': {},
    'partitions of mend.t02': {},
  });
});
