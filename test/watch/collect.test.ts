// One look at a real database: what each state of the ledger gives, and that nothing hides anything else.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { Client } from 'pg';
import { describe, expect } from 'vitest';
import type { Sample, WatchContext } from '../../src/define/measure.ts';
import type { Trait } from '../../src/define/trait.ts';
import { release } from '../../src/server/index.ts';
import { collect, type Collection, families, text } from '../../src/watch/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { guideGrants } from './guide.ts';
import { NOW, sized, sizes, watched, watching, withLedger } from './stage.ts';

/** Series of a collection by name and labels; what takes time or counts takeovers of the whole run is left to its own test. */
function series({ samples }: Collection): Record<string, number> {
  return Object.fromEntries(
    samples
      .filter(({ metric }) => metric !== 'holdfast_collector_duration_seconds')
      .map(({ metric, labels, value }) => [
        `${metric.slice('holdfast_'.length)}${Object.values(labels).length > 0 ? ` ${Object.values(labels).join(' ')}` : ''}`,
        value,
      ]),
  );
}

function about(found: Collection, word: string): Record<string, number> {
  return Object.fromEntries(Object.entries(series(found)).filter(([name]) => name.startsWith(word)));
}

async function look(db: TestDatabase, definition = watched(), now = NOW): Promise<Collection> {
  return collect(definition, db.url, { now });
}

describe('a database without a ledger', () => {
  test('is up, has no ledger and no keeper, and its jobs are not scheduled', async ({ db }) => {
    const found = await look(db);
    expect(found.notes).toEqual([]);
    expect(series(found)).toMatchObject({
      [`build_info ${release} shop`]: 1,
      database_up: 1,
      ledger_up: 0,
      keeper_leader: 0,
      'job_scheduled nightly': 0,
      'job_scheduled tick': 0,
      'collector_up ledger': 1,
      'collector_up keeper': 1,
      'collector_up jobs': 1,
    });
    expect(about(found, 'plan')).toEqual({});
    const [version] = await db.query<{ v: string }>(
      `SELECT split_part(current_setting('server_version'), ' ', 1) AS v`,
    );
    expect(about(found, 'database_info')).toEqual({ [`database_info ${version?.v}`]: 1 });
  });
});

const at = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1000);

describe('with a ledger', () => {
  test('jobs are measured from the instant given, and runs by how they ended', async ({ db }) => {
    await withLedger(db);
    await db.query(
      `INSERT INTO holdfast.job (definition, name, first_seen_at, last_due_at, served_due_at, last_success_at, failures,
         runs_done, runs_failed, runs_cut_off, rows, bytes)
       SELECT d, n, '2026-01-01Z', '2026-11-21 01:00Z', '2026-11-20 01:00Z', '2026-11-20 01:00:30Z', 2, 40, 3, 1, 12345,
         9876543210 FROM (VALUES ('shop', 'nightly'), ('shop', 'gone'), ('other', 'tick')) AS v (d, n)`,
    );
    await db.query(
      `INSERT INTO holdfast.job_run (definition, job, due_at, started_at, state, duration_ms, fence, by_host)
       VALUES ('shop', 'nightly', $1, $1, 'done', 999, 1, 'h'), ('shop', 'nightly', $1, $1, 'failed', 1500, 1, 'h'),
         ('shop', 'nightly', $1, $1, 'running', NULL, 1, 'h')`,
      [NOW],
    );
    expect(about(await look(db), 'job')).toEqual({
      'job_scheduled nightly': 1,
      'job_late_seconds nightly': 11 * 3600,
      'job_last_success_timestamp_seconds nightly': Date.parse('2026-11-20T01:00:30Z') / 1000,
      'job_last_success_age_seconds nightly': 125_970,
      'job_last_run_duration_seconds nightly': 1.5,
      'job_consecutive_failures nightly': 2,
      'job_runs_total nightly done': 40,
      'job_runs_total nightly failed': 3,
      'job_runs_total nightly cut_off': 1,
      'job_failures_total nightly': 4,
      'job_rows_total nightly': 12345,
      'job_bytes_total nightly': 9876543210,
      'job_scheduled tick': 0,
    });
    const before = await look(db, watched(), new Date('2026-11-20T01:00:10Z'));
    expect(about(before, 'job_late')).toEqual({ 'job_late_seconds nightly': 0 });
    expect(about(before, 'job_last_success_age')).toEqual({ 'job_last_success_age_seconds nightly': 0 });
  });

  test('a keeper leads while it is heard of, and nobody does once it let go', async ({ db }) => {
    expect(about(await look(db), 'keeper')).toEqual({ keeper_leader: 0, keeper_takeovers_total: 0 });
    await db.query(
      `UPDATE holdfast.lease SET fence = 7, holder = 'k', host = 'h', renewed_at = $1 WHERE name = 'keeper'`,
      [NOW],
    );
    const led = { keeper_leader: 1, keeper_takeovers_total: 7 };
    expect(about(await look(db, watched(), at(119)), 'keeper')).toEqual({
      ...led,
      keeper_beat_age_seconds: 119,
    });
    expect(about(await look(db, watched(), at(-5)), 'keeper')).toEqual({
      ...led,
      keeper_beat_age_seconds: 0,
    });
    expect(about(await look(db, watched(), at(120)), 'keeper')).toEqual({
      keeper_leader: 0,
      keeper_takeovers_total: 7,
      keeper_beat_age_seconds: 120,
    });
    await db.query(`UPDATE holdfast.lease SET holder = NULL WHERE name = 'keeper'`);
    expect(about(await look(db), 'keeper')).toEqual({ keeper_leader: 0, keeper_takeovers_total: 7 });
  });

  test('plans: the newest in force, and one that was cut off', async ({ db }) => {
    await db.query(
      `INSERT INTO holdfast.run (plan_id, plan, state, finished_at, by_host) VALUES
         ('a', '{}', 'applied', '2026-01-01Z', 'h'), ('b', '{}', 'applied', '2026-02-01Z', 'h'),
         ('c', '{}', 'rolled back', '2026-03-01Z', 'h')`,
    );
    const applied = Date.parse('2026-02-01T00:00:00Z') / 1000;
    expect(about(await look(db), 'plan')).toEqual({
      plan_unfinished: 0,
      plan_applied_timestamp_seconds: applied,
    });
    await db.query(
      `INSERT INTO holdfast.run (plan_id, plan, state, by_host) VALUES ('d', '{}', 'applying', 'h')`,
    );
    expect(about(await look(db), 'plan')).toMatchObject({ plan_unfinished: 1 });
    await db.query(`DELETE FROM holdfast.run WHERE plan_id = 'd'`);
  });

  test('a trait is given its own pieces of this definition', async ({ db }) => {
    await db.query(
      `INSERT INTO holdfast.piece (definition, trait, subject, piece, state) VALUES
         ('shop', 'sizes', 's', 'p', 'waiting'), ('shop', 'others', 's', 'p', 'waiting'), ('x', 'sizes', 's', 'q', 'y')`,
    );
    const given: unknown[] = [];
    const trait = watching('sizes', {}, async ({ pieces, now }) => {
      given.push(
        pieces.map(({ piece }) => piece),
        now,
      );
      return [];
    });
    await look(db, watched(trait));
    expect(given).toEqual([['p'], NOW]);
  });
});

function bad(name: string, collect: (context: WatchContext) => Promise<readonly Sample[]>): Trait {
  return watching(name, { metrics: [{ ...sizes, name: `holdfast_${name}_bytes` }] }, collect);
}

describe('one collector', () => {
  test('that fails, hangs, writes or breaks its session’s transaction never hides another', async ({
    db,
  }) => {
    const definition = watched(
      bad('throws', async () => {
        throw new TypeError('no such property');
      }),
      bad('refused', async ({ query }) => query('SELECT * FROM nowhere')),
      bad('quotes', async ({ query }) => query(`SELECT 'geheim-4711'::int`)),
      bad('writes', async ({ query }) => query('CREATE TABLE made ()')),
      bad('hangs', async ({ query }) => query('SELECT pg_sleep(60)')),
      sized('a', 7),
    );
    const found = await collect(definition, db.url, { now: NOW, statementTimeoutMs: 200 });
    expect(found.notes).toEqual([
      { collector: 'throws', code: 'HF_WATCH_FAILED', what: 'no such property', denied: false },
      {
        collector: 'refused',
        code: 'HF_WATCH_FAILED',
        what: 'PostgreSQL refused a statement of it (SQLSTATE 42P01): relation "nowhere" does not exist.',
        denied: false,
      },
      {
        collector: 'quotes',
        code: 'HF_WATCH_FAILED',
        what: 'PostgreSQL refused a statement of it (SQLSTATE 22P02).',
        denied: false,
      },
      {
        collector: 'writes',
        code: 'HF_WATCH_FAILED',
        what: 'PostgreSQL refused a statement of it (SQLSTATE 25006).',
        denied: false,
      },
      {
        collector: 'hangs',
        code: 'HF_WATCH_SLOW',
        what: 'a statement took longer than a collection may, or waited for a lock.',
        denied: false,
      },
    ]);
    expect(about(found, 'collector_up')).toMatchObject({
      'collector_up throws': 0,
      'collector_up refused': 0,
      'collector_up quotes': 0,
      'collector_up writes': 0,
      'collector_up hangs': 0,
      'collector_up sizes': 1,
      'collector_up jobs': 1,
    });
    expect(about(found, 'sizes')).toEqual({ 'sizes_bytes a': 7 });
    expect(about(found, 'database_up')).toEqual({ database_up: 1 });
    const seconds = found.samples.find(
      ({ metric, labels }) =>
        metric === 'holdfast_collector_duration_seconds' && labels['collector'] === 'hangs',
    );
    expect(seconds?.value).toBeGreaterThan(0.2);
    expect(seconds?.value).toBeLessThan(5);
  });

  test('that uses up the time of all leaves the rest unmeasured, and the collection ends', async ({ db }) => {
    const slow = bad('hangs', async ({ query }) => query('SELECT pg_sleep(60)'));
    const from = performance.now();
    const found = await collect(watched(slow, sized('a')), db.url, { now: NOW, budgetMs: 400 });
    expect(performance.now() - from).toBeLessThan(5_000);
    expect(about(found, 'collector_up')).toMatchObject({ 'collector_up hangs': 0, 'collector_up sizes': 0 });
    expect(found.notes.at(-1)?.collector).toBe('sizes');
  });

  test('asks the server once for what several of its values ask alike', async ({ db }) => {
    const answers: unknown[] = [];
    const same = watching('sizes', {}, async ({ query }) => {
      answers.push(await query('SELECT clock_timestamp() AS at, $1::int AS n', [1]));
      return [];
    });
    await look(db, watched(same, same, same));
    expect(answers).toHaveLength(3);
    expect(new Set(answers.map((one) => JSON.stringify(one))).size).toBe(1);
    const set = watching('sizes', {}, async ({ query }) => {
      await query('SET LOCAL row_security = off');
      answers.push(...(await query(`SELECT current_setting('row_security') AS security`)));
      return [];
    });
    const plain = watching('others', {}, async ({ query }) => {
      answers.push(...(await query(`SELECT current_setting('row_security') AS security`)));
      return [];
    });
    answers.length = 0;
    await look(db, watched(plain, set, set, plain));
    expect(answers).toEqual(['on', 'off', 'off', 'on'].map((security) => ({ security })));
  });

  test('of five hundred costs milliseconds: a look at them all stays far under a scrape', async ({ db }) => {
    const relations = Array.from({ length: 500 }, (_, at) => `r${at}`);
    const many = watched(...relations.map((relation) => sized(relation)));
    const from = performance.now();
    const found = await look(db, many);
    expect(performance.now() - from).toBeLessThan(5_000);
    expect(found.notes).toEqual([]);
    expect(Object.keys(about(found, 'sizes'))).toEqual(
      relations.map((relation) => `sizes_bytes ${relation}`),
    );
  });

  test('that gives a wrong sample gives nothing', async ({ db }) => {
    const right = { metric: sizes.name, labels: { relation: 'b' }, value: 1 };
    const wrong: readonly [Sample, string][] = [
      [
        { metric: 'holdfast_other_bytes', labels: {}, value: 1 },
        'metric holdfast_other_bytes{}: its collector does not declare that metric.',
      ],
      [
        { metric: sizes.name, labels: { table: 'a' }, value: 1 },
        'metric holdfast_sizes_bytes{"table":"a"}: its labels are (table) and should be (relation).',
      ],
      [
        { metric: sizes.name, labels: { relation: 'a' }, value: Number.NaN },
        'metric holdfast_sizes_bytes{"relation":"a"}: its value is no number.',
      ],
      [right, 'metric holdfast_sizes_bytes{"relation":"b"}: it was measured already.'],
    ];
    for (const [sample, what] of wrong) {
      const found = await look(
        db,
        watched(watching('sizes', { metrics: [sizes] }, async () => [right, sample])),
      );
      expect(found.notes).toEqual([{ collector: 'sizes', code: 'HF_WATCH_SAMPLE', what, denied: false }]);
      expect(about(found, 'sizes')).toEqual({});
    }
    const twice = await look(db, watched(sized('a', 1), sized('a', 2)));
    expect(about(twice, 'sizes')).toEqual({ 'sizes_bytes a': 1 });
    expect(about(twice, 'collector_up sizes')).toEqual({ 'collector_up sizes': 0 });
  });
});

describe('whoever looks', () => {
  const password = 'geheim-4711';

  async function monitor(db: TestDatabase): Promise<string> {
    const role = db.role('monitor');
    await db.query(`CREATE ROLE ${role} LOGIN PASSWORD '${password}'`);
    return role;
  }

  test('a role without rights is told what it may not see, and sees the rest', async ({ db }) => {
    const role = await monitor(db);
    const needy = watching('needy', {}, async ({ pieces }) => pieces.map(() => ({}) as Sample));
    const found = await collect(watched(sized('a'), needy), db.urlAs(role, password), { now: NOW });
    const denied = 'permission denied for schema holdfast. Grant the role what docs/guide/watch.md lists.';
    expect(found.notes).toEqual(
      ['ledger', 'keeper', 'jobs', 'proofs', 'needy'].map((collector) => ({
        collector,
        code: 'HF_WATCH_DENIED',
        what: denied,
        denied: true,
      })),
    );
    expect(series(found)).toMatchObject({
      database_up: 1,
      ledger_up: 0,
      'collector_up ledger': 0,
      'collector_denied ledger': 1,
      'collector_up sizes': 1,
      'collector_denied sizes': 0,
      'sizes_bytes a': 1,
    });
    expect(await text(families(watched()), found)).toContain(`\n# jobs: ${denied}\n`);
  });

  test('the grants of the guide are enough, and give no plan and no right to write', async ({ db }) => {
    const role = await monitor(db);
    for (const statement of guideGrants(role)) await db.query(statement);
    const found = await collect(watched(sized('a')), db.urlAs(role, password), { now: NOW });
    expect(found.notes).toEqual([]);
    const client = new Client(db.urlAs(role, password));
    await client.connect();
    try {
      for (const refused of [
        'SELECT plan FROM holdfast.run',
        'DELETE FROM holdfast.job',
        'SELECT error FROM holdfast.step',
      ])
        await expect(client.query(refused)).rejects.toMatchObject({ code: '42501' });
    } finally {
      await client.end();
    }
  });

  test('a wrong password or a database that is not there is measured, never shown', async ({ db }) => {
    const role = await monitor(db);
    const wrong = new URL(db.urlAs(role, 'another-secret'));
    const gone = new URL(db.url);
    gone.pathname = '/nowhere';
    for (const [url, code] of [
      [wrong.href, 'HF_LOGIN'],
      [gone.href, 'HF_NO_DATABASE'],
    ] as const) {
      const found = await collect(watched(sized('a')), url, { now: NOW });
      expect(found.notes.map((note) => note.code)).toEqual(Array.from({ length: 7 }, () => code));
      expect(about(found, 'database')).toEqual({ database_up: 0 });
      expect(about(found, 'build')).toEqual({ [`build_info ${release} shop`]: 1 });
      expect(JSON.stringify(found)).not.toContain('another-secret');
    }
  });

  test('a server that accepts and never answers does not hold a look for longer than it may take', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const from = performance.now();
    const found = await collect(watched(sized('a')), `postgres://u:${password}@127.0.0.1:${port}/d`, {
      now: NOW,
      budgetMs: 300,
    });
    expect(performance.now() - from).toBeLessThan(2_000);
    expect(new Set(found.notes.map(({ code }) => code))).toEqual(new Set(['HF_CONNECT']));
    expect(about(found, 'database_up')).toEqual({ database_up: 0 });
    silent.close();
  });

  test('a server that stops answering in the middle is cut off when the time is over', async ({ db }) => {
    const { hostname, port } = new URL(db.url);
    const relay = createServer((socket) => {
      const server = connect(Number(port), hostname);
      socket.on('error', () => server.destroy());
      socket.on('close', () => server.destroy());
      server.on('data', (chunk) => socket.write(chunk));
      socket.on('data', (chunk) => {
        if (chunk.includes('the last words')) socket.pause();
        else server.write(chunk);
      });
    }).listen(0, '127.0.0.1');
    await once(relay, 'listening');
    const url = new URL(db.url);
    url.hostname = '127.0.0.1';
    url.port = String((relay.address() as AddressInfo).port);
    const mute = watching('mute', {}, async ({ query }) => {
      await query(`SELECT 'the last words'`);
      return [];
    });
    const from = performance.now();
    const found = await collect(watched(sized('a'), mute, sized('b')), url.href, { now: NOW, budgetMs: 700 });
    expect(performance.now() - from).toBeLessThan(3_000);
    expect(about(found, 'sizes')).toEqual({ 'sizes_bytes a': 1 });
    expect(found.notes.map(({ collector }) => collector)).toEqual(['mute', 'sizes']);
    relay.close();
  });

  test('may bring a session, which is left as it was', async ({ db }) => {
    const client = new Client(db.url);
    await client.connect();
    try {
      await client.query("SET statement_timeout = '17s'");
      expect((await collect(watched(sized('a')), client, { now: NOW })).notes).toEqual([]);
      const { rows } = await client.query(
        `SELECT current_setting('statement_timeout') AS timeout, current_setting('transaction_read_only') AS read_only`,
      );
      expect(rows).toEqual([{ timeout: '17s', read_only: 'off' }]);
    } finally {
      await client.end();
    }
  });

  test('may stop looking', async ({ db }) => {
    const stop = new AbortController();
    const hangs = watching('hangs', {}, async ({ query }) => {
      const answer = query<{ n: number }>('SELECT 1 AS n FROM pg_sleep(60)');
      stop.abort();
      await answer;
      return [];
    });
    const from = performance.now();
    // The server ends the statement of a session that is gone by its own timeout.
    const found = await collect(watched(hangs), db.url, {
      now: NOW,
      signal: stop.signal,
      statementTimeoutMs: 1000,
    });
    expect(performance.now() - from).toBeLessThan(900);
    expect(found.notes.map(({ collector }) => collector)).toEqual(['hangs']);
    const late = await collect(watched(), db.url, { now: NOW, signal: stop.signal });
    expect(late.notes.map(({ code }) => code)).toEqual(Array.from({ length: 6 }, () => 'HF_WATCH_STOPPED'));
  });
});
