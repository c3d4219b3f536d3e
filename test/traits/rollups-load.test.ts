// Many writers doing everything at once while the rollups are brought up to date, by two keepers that are also killed.
// Seed and size: HOLDFAST_ROLLUP_SEED, HOLDFAST_ROLLUP_WRITERS, HOLDFAST_ROLLUP_STEPS (per writer).
import type { Client } from 'pg';
import { expect } from 'vitest';
import { test, type TestDatabase } from '../cluster/index.ts';
import { differences, openTill, session } from './rollups-stand.ts';

const SEED = Number(process.env['HOLDFAST_ROLLUP_SEED'] ?? Math.trunc(Math.random() * 1e9));
const WRITERS = Number(process.env['HOLDFAST_ROLLUP_WRITERS'] ?? 12);
const STEPS = Number(process.env['HOLDFAST_ROLLUP_STEPS'] ?? 40);
const KILLS = 6;

/** mulberry32: the same numbers for the same seed. */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Step = (pick: (below: number) => number) => string;

const tenant: Step = (pick) => (pick(2) === 0 ? `'a'` : `'b'`);
const at: Step = (pick) => `'2026-${10 + pick(3)}-0${1 + pick(4)} 0${pick(9)}:00Z'`;
const item: Step = (pick) => (pick(12) === 0 ? 'NULL' : `'item ${pick(4)}'`);
const price: Step = (pick) => (pick(9) === 0 ? 'NULL' : `${pick(50)}.${pick(100)}`);
const sale: Step = (pick) =>
  `(${tenant(pick)}, ${pick(3000)}, ${at(pick)}, ${1 + pick(4)}, ${item(pick)}, ${price(pick)}, ${pick(8) === 0 ? `'test'` : 'NULL'})`;
const some: Step = (pick) => `tenant_id = ${tenant(pick)} AND id % ${40 + pick(60)} = ${pick(40)}`;
const many = (pick: (below: number) => number): string =>
  Array.from({ length: 1 + pick(8) }, () => sale(pick)).join(', ');

const WRITES: readonly Step[] = [
  (pick) => `INSERT INTO till.sales VALUES ${many(pick)} ON CONFLICT DO NOTHING`,
  (pick) =>
    `INSERT INTO till.sales VALUES ${sale(pick)} ON CONFLICT (tenant_id, id, at) DO UPDATE SET price = excluded.price, item = excluded.item`,
  (pick) => `UPDATE till.sales SET price = ${price(pick)} WHERE ${some(pick)}`,
  (pick) => `UPDATE till.sales SET item = ${item(pick)}, shop_id = ${1 + pick(4)} WHERE ${some(pick)}`,
  (pick) =>
    `UPDATE till.sales SET at = at + interval '${pick(40) - 20} days 1 second' WHERE ${some(pick)} AND at BETWEEN '2026-10-22Z' AND '2026-12-10Z'`,
  (pick) => `DELETE FROM till.sales WHERE ${some(pick)}`,
  (
    pick,
  ) => `MERGE INTO till.sales t USING (VALUES (${tenant(pick)}, ${pick(3000)}), ('b', ${pick(3000)})) s(t, id) ON t.tenant_id = s.t AND t.id = s.id
    WHEN MATCHED AND t.price > 20 THEN DELETE WHEN MATCHED THEN UPDATE SET price = 21
    WHEN NOT MATCHED THEN INSERT VALUES (s.t, s.id, ${at(pick)}, 1, ${item(pick)}, 3)`,
  (pick) =>
    `COPY till.sales (tenant_id, id, at, shop_id, item, price) FROM PROGRAM 'printf "a\\t${4000 + pick(1e6)}\\t2026-11-05Z\\t${1 + pick(4)}\\titem 1\\t${pick(9)}\\n"'`,
  (pick) => `WITH gone AS (DELETE FROM till.sales WHERE ${some(pick)} RETURNING *)
    INSERT INTO till.sales SELECT tenant_id, id + 100000 + ${pick(1e6)}, at, shop_id, 'again', price FROM gone`,
];

/** One transaction: a statement or several, with savepoints, sometimes taken back. What loses a race is taken back too. */
async function write(client: Client, pick: (below: number) => number): Promise<'kept' | 'lost' | 'back'> {
  const one = (): string => (WRITES[pick(WRITES.length)] as Step)(pick);
  const way = pick(10);
  try {
    if (way < 5) {
      await client.query(one());
      return 'kept';
    }
    await client.query(way === 5 ? 'BEGIN ISOLATION LEVEL REPEATABLE READ' : 'BEGIN');
    await client.query(one());
    await client.query('SAVEPOINT s');
    await client.query(one());
    if (way > 7) await client.query('ROLLBACK TO SAVEPOINT s');
    await client.query(one());
    await client.query(way === 9 ? 'ROLLBACK' : 'COMMIT');
    return way === 9 ? 'back' : 'kept';
  } catch (error) {
    const { code } = error as { code?: string };
    await client.query('ROLLBACK');
    // Deadlocks and serialization failures of the writers among themselves, a row that came first, two rows for one,
    // and on servers that mix up the rows of a MERGE its refusal.
    if (['40P01', '40001', '23505', '21000', 'ZH014'].includes(code ?? '')) return 'lost';
    throw error;
  }
}

const SETTLE = ['SELECT * FROM till.days_settle()', 'SELECT * FROM till.items_settle()'];

/** Brings both up to date again and again until told to stop; a session that was killed is replaced. */
async function keeping(db: TestDatabase, done: () => boolean): Promise<{ runs: number; kills: number }> {
  const counted = { runs: 0, kills: 0 };
  while (!done()) {
    const client = await db.pool.connect();
    client.on('error', () => undefined);
    let broken = false;
    try {
      await client.query(`SET application_name = 'settling'`);
      while (!done()) {
        await client.query(SETTLE[counted.runs % SETTLE.length] ?? '');
        counted.runs += 1;
      }
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code !== '57P01' && !/terminated|connection error/.test(message)) throw error;
      counted.kills += 1;
      broken = true;
    } finally {
      client.release(broken);
    }
  }
  return counted;
}

/** At any instant, on one snapshot: what is kept and what waits together are the sums of the rows. */
const INVARIANT_SQL = `
  WITH together AS (
    SELECT tenant_id, item, city, day, sum(n) AS n, sum(priced) AS priced, sum(total) AS total
    FROM (SELECT tenant_id, item, city, day, n, priced, total FROM till.days
          UNION ALL SELECT tenant_id, item, city, day, n, priced, total FROM till.days_pending) x
    GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0 OR sum(priced) <> 0 OR sum(total) <> 0),
  anew AS (
    SELECT s.tenant_id, s.item, h.city, (s.at AT TIME ZONE 'UTC')::date AS day, count(*) AS n, count(s.price) AS priced,
      coalesce(sum(s.price), 0) AS total
    FROM till.sales s JOIN till.shops h ON h.tenant_id = s.tenant_id AND h.id = s.shop_id
    WHERE s.item IS NOT NULL GROUP BY 1, 2, 3, 4)
  SELECT (SELECT count(*) FROM (SELECT * FROM together EXCEPT SELECT * FROM anew) x)::int
       + (SELECT count(*) FROM (SELECT * FROM anew EXCEPT SELECT * FROM together) x)::int AS wrong`;

/** Looks again and again until the writers are done, ends a keeper's session now and then; gives how often it looked. */
async function looking(watcher: Client, state: { readonly written: boolean }): Promise<number> {
  const pick = random(SEED - 1);
  let looks = 0;
  let kills = 0;
  do {
    const { rows } = await watcher.query(INVARIANT_SQL);
    expect(rows).toEqual([{ wrong: 0 }]);
    looks += 1;
    if (kills >= KILLS || pick(3) > 0) continue;
    kills += 1;
    await watcher.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'settling' AND datname = current_database() ORDER BY random() LIMIT 1`);
  } while (!state.written);
  return looks;
}

/** One writer's transactions; gives how each ended. */
async function writing(db: TestDatabase, number: number): Promise<string[]> {
  const client = await session(db);
  const pick = random(SEED + number);
  const outcomes: string[] = [];
  for (let step = 0; step < STEPS; step += 1) outcomes.push(await write(client, pick));
  return outcomes;
}

test(
  `${WRITERS} writers, two keepers that are killed, any instant: nothing is lost and nothing counted twice (seed ${SEED})`,
  { timeout: 600_000 },
  async ({ db }) => {
    const { definition } = await openTill(db);
    const watcher = await session(db);
    const state = { written: false, ended: false };
    const keepers = [keeping(db, () => state.ended), keeping(db, () => state.ended)];
    const watching = looking(watcher, state);
    const written = Promise.all(Array.from({ length: WRITERS }, (_, number) => writing(db, number))).finally(
      () => {
        state.written = true;
      },
    );
    const [outcomes, looks] = await Promise.all([written, watching]).finally(() => {
      state.ended = true;
    });
    const kept = await Promise.all(keepers);
    for (const settle of SETTLE) await db.query(settle);
    const wrong = await differences((text) => watcher.query(text), definition);
    expect(Object.keys(wrong).filter((subject) => subject.startsWith('table'))).toEqual([]);
    const pending = await db.query(
      'SELECT (SELECT count(*) FROM till.days_pending)::int AS days, (SELECT count(*) FROM till.items_pending)::int AS items',
    );
    expect(pending).toEqual([{ days: 0, items: 0 }]);
    const all = outcomes.flat();
    expect(all.filter((outcome) => outcome === 'kept').length).toBeGreaterThan(all.length / 3);
    expect(all).toContain('back');
    expect(kept.every((one) => one.runs > 0)).toBe(true);
    expect(looks).toBeGreaterThan(1);
  },
);
