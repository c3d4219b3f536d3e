// The traffic that a replay of years sends: a day of it, as the application's role.
import { expect } from 'vitest';
import type { Slice } from 'holdfast/prove';
import { LAPSE_TENANTS, traffic } from '../lapse.ts';
import { seeded } from './random.ts';
import { test } from './installed.ts';

const HOUR_MS = 3_600_000;

/** Hours of the running day, so that the months made at the start have room for them. */
function sliceOf(now: Date, rows: number): Slice {
  const from = new Date(now.getTime() - HOUR_MS);
  const at = (part: number) => new Date(from.getTime() + part * (HOUR_MS - 1)).toISOString();
  return {
    from,
    to: now,
    day: 0,
    rows,
    times: (count) => Array.from({ length: count }, (_, index) => at(count === 1 ? 0 : index / (count - 1))),
    touchFrom: from,
  };
}

test('a day is written as it is told, by tenant, and decided', async ({ db, installed: { roles } }) => {
  const [month] = await db.query<{ start: Date }>(
    `SELECT date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS start`,
  );
  const now = new Date((month?.start ?? new Date()).getTime() + 2 * HOUR_MS);
  const slice = sliceOf(now, 400);
  const chance = seeded(7);
  const client = await db.pool.connect();
  try {
    const context = {
      url: db.url,
      random: () => chance.below(1_000_000) / 1_000_000,
      query: async <Row extends object>(text: string, values?: readonly unknown[]) =>
        (await client.query<Row & Record<string, unknown>>(text, values === undefined ? [] : [...values]))
          .rows as readonly Row[],
    };
    const { begin, write } = traffic(roles);
    await begin?.(context, slice);
    const written = await write(context, slice);
    for (const { relation, inserted, deleted } of written) {
      const [row] = await db.query<{ n: number; tenants: number; within: boolean }>(
        `SELECT count(*)::int AS n, count(DISTINCT tenant_id)::int AS tenants,
           bool_and(created_at >= $1 AND created_at < $2) AS within FROM validahub.${relation.name}`,
        [slice.from.toISOString(), slice.to.toISOString()],
      );
      expect([relation.name, row]).toEqual([
        relation.name,
        { n: inserted - deleted, tenants: LAPSE_TENANTS.length, within: true },
      ]);
    }
    expect(written.map((one) => one.inserted)).toEqual([3, 240, 100, 40, 20]);
    const states = await db.query<{ status: string }>(
      'SELECT DISTINCT status FROM validahub.correction_logs ORDER BY 1',
    );
    expect(states.map((row) => row.status)).toEqual(['applied', 'approved', 'pending', 'rejected']);
    const [who] = await client.query('SELECT current_user = session_user AS own').then(({ rows }) => rows);
    expect(who).toEqual({ own: true });
  } finally {
    client.release();
  }
});
