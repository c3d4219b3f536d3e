// Retention under the keeper itself: its session, its lease, its pieces, its jobs.
import { expect } from 'vitest';
import { apply, plan } from '../../src/build/index.ts';
import { holds, placeHold } from '../../src/traits/index.ts';
import { openKeeper, runJob, withTask, type Clock } from '../../src/keep/index.ts';
import { test } from '../cluster/index.ts';
import { fill, OPENED, shopOf, sumOf } from './retention-stand.ts';

function clockAt(iso: string): Clock & { set: (iso: string) => void } {
  let now = new Date(iso);
  return {
    now: () => now,
    monotonicMs: () => performance.now(),
    // Gives way, so that what the server does meanwhile is heard of.
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, Math.min(ms, 5))),
    set: (next) => {
      now = new Date(next);
    },
  };
}

test('the keeper moves old rows, vacuums after, and a hold placed beside it is kept', async ({ db }) => {
  const definition = shopOf('kept', {
    of: 'notes',
    online: '30 days',
    archive: { to: 'schema', for: '1 year' },
    then: 'delete',
    batch: { rows: 20, pauseMs: 0 },
  });
  await apply(await plan(definition, db.url, { now: OPENED }), db.url);
  await fill(db, 'kept.notes', { from: '2026-01-15T00:00:00Z', to: '2026-04-14T12:00:00Z' });
  const inserted = await sumOf(db, ['kept.notes']);
  const clock = clockAt('2026-04-15T01:00:00Z');
  await withTask(definition, db.url, { trait: 'retention', clock, leading: false }, (context) =>
    placeHold(context, { id: 'a case', tenant: 'b', why: 'file 1' }),
  );
  const report = await runJob(definition, db.url, 'retention', { clock });
  expect(report).toMatchObject({ state: 'done' });
  const stays = await sumOf(db, ['kept.notes'], `created_at < '2026-03-16 00:00+00'`);
  expect(stays).toEqual(
    await sumOf(db, ['kept.notes'], `created_at < '2026-03-16 00:00+00' AND tenant_id = 'b'`),
  );
  expect(stays.rows).toBeGreaterThan(10);
  expect(await sumOf(db, ['kept.notes', 'archive.notes'])).toEqual(inserted);
  expect(await runJob(definition, db.url, 'vacuum', { clock })).toMatchObject({
    state: 'done',
    rows: 120 - stays.rows,
  });
  expect(
    await withTask(definition, db.url, { trait: 'retention', clock, leading: false }, async (context) =>
      (await holds(context)).map((one) => one.id),
    ),
  ).toEqual(['a case']);
});

test('a keeper that is left for dead in the middle is followed by one that finishes', async ({
  db: shared,
}) => {
  const db = await shared.another();
  const definition = shopOf('followed', {
    online: '90 days',
    archive: { to: 'schema', for: '1 year' },
    then: 'delete',
  });
  await apply(await plan(definition, db.url, { now: OPENED }), db.url);
  await fill(db, 'followed.events', { from: '2026-01-01T00:00:00Z', to: '2026-04-30T12:00:00Z' });
  const inserted = await sumOf(db, ['followed.events']);
  const clock = clockAt('2026-05-01T12:00:00Z');
  const first = await openKeeper(definition, db.url, { clock, name: 'first', lockTimeoutMs: 20_000 });
  await first.tick();
  // A reader keeps the detach waiting while the first keeper goes away.
  const reader = await db.pool.connect();
  try {
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM followed.events');
    clock.set('2026-05-02T01:00:00Z');
    const ticking = first.tick().catch(() => undefined);
    await expect
      .poll(() => db.query(`SELECT FROM pg_inherits WHERE inhdetachpending`), { timeout: 20_000 })
      .toHaveLength(1);
    await first.abandon();
    await ticking;
  } finally {
    await reader.query('ROLLBACK');
    reader.release();
  }
  clock.set('2026-05-02T02:00:00Z');
  const second = await openKeeper(definition, db.url, { clock, name: 'second', leaseMs: 1 });
  await expect
    .poll(
      async () => {
        await second.tick();
        return (await sumOf(db, ['archive.events'])).rows;
      },
      { timeout: 20_000 },
    )
    .toBe(62);
  await second.stop();
  expect(await sumOf(db, ['followed.events', 'archive.events'])).toEqual(inserted);
});
