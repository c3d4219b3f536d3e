// A keeper killed at random moments of a job that moves rows in batches, each with its piece: nothing is lost or doubled.
// HOLDFAST_KILLS sets how many kills there are.
import { expect, vi } from 'vitest';
import { openKeeper } from '../../src/keep/index.ts';
import { jobRuns } from '../../src/ledger/index.ts';
import { test } from '../cluster/index.ts';
import { clockAt, jobsOf, MINUTE } from './kit.ts';

const KILLS = Number(process.env['HOLDFAST_KILLS'] ?? 12);
const SEED = Number(process.env['HOLDFAST_SEED'] ?? 4711);
const BATCH = 4;
// A life is killed within so many batches, so that rows are left for the last one on a machine of any speed.
const BATCHES = 30;
const ROWS = KILLS * BATCH * (BATCHES + 10);

/** Numbers from 0 to 1 that a seed repeats (mulberry32). */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test(`${KILLS} kills, seed ${SEED}: rows and pieces agree at the end`, async ({ db }) => {
  await db.query(`CREATE TABLE source (id int PRIMARY KEY); CREATE TABLE target (id int PRIMARY KEY);
    INSERT INTO source SELECT generate_series(1, ${ROWS})`);
  const random = chance(SEED);
  const clock = clockAt('2026-01-15T12:00:00Z');
  let batches = 0;
  const definition = jobsOf({
    move: {
      schedule: { everyMs: MINUTE },
      retry: { attempts: 1_000_000, pauseMs: 1 },
      run: async ({ session, pieces, signal }) => {
        for (let moved = BATCH; moved === BATCH && !signal.aborted;) {
          batches += 1;
          moved = await session.transaction(async (query) => {
            const rows = await query<{ id: number }>(
              `WITH gone AS (DELETE FROM source WHERE id IN (SELECT id FROM source ORDER BY id LIMIT ${BATCH}) RETURNING id)
               INSERT INTO target SELECT id FROM gone RETURNING id`,
            );
            const first = rows[0];
            if (first !== undefined) {
              const piece = { subject: 'table source', piece: String(first.id), state: 'moved' };
              await pieces.put(query, { ...piece, detail: { rows: rows.length } }, null);
            }
            return rows.length;
          });
        }
      },
    },
  });
  const first = await openKeeper(definition, db.url, { clock, leaseMs: 1_000 });
  await first.tick();
  await first.stop();
  let inTheMiddle = 0;
  for (let lives = 0; lives < KILLS; lives += 1) {
    const keeper = await openKeeper(definition, db.url, { clock, leaseMs: 1_000 });
    clock.pass(MINUTE);
    const until = batches + random() * BATCHES;
    let ended = false;
    const tick = keeper.tick().finally(() => (ended = true));
    await vi.waitUntil(() => batches >= until || ended, { timeout: 10_000, interval: 1 });
    await new Promise((done) => setTimeout(done, random() * 3));
    await keeper.abandon();
    await tick;
    const [left] = await db.query<{ left: number }>('SELECT count(*)::int AS left FROM source');
    if (left !== undefined && left.left > 0) inTheMiddle += 1;
    clock.pass(MINUTE);
  }
  const last = await openKeeper(definition, db.url, { clock, leaseMs: 1_000 });
  await last.tick();
  clock.pass(MINUTE);
  await last.tick();
  await last.stop();
  const [sums] = await db.query(`SELECT (SELECT count(*)::int FROM source) AS left,
    (SELECT count(*)::int FROM target) AS moved, (SELECT sum(id)::int FROM target) AS sum,
    (SELECT sum((detail->>'rows')::int)::int FROM holdfast.piece) AS pieces`);
  expect(inTheMiddle).toBeGreaterThan(KILLS / 2);
  expect(sums).toEqual({ left: 0, moved: ROWS, sum: (ROWS * (ROWS + 1)) / 2, pieces: ROWS });
  const runs = await jobRuns(db.pool, 'holdfast', { definition: 'kept' });
  expect(runs.filter(({ state }) => state === 'running')).toEqual([]);
  expect(runs[0]?.state).toBe('done');
}, 600_000);
