import { Client } from 'pg';
import { expect } from 'vitest';
import { HoldfastError } from '../../src/error.ts';
import {
  lastApplied,
  leaseHeld,
  migrate,
  openRun,
  runs,
  setRunState,
  takeLease,
  unfinishedRun,
} from '../../src/ledger/index.ts';
import { migrations } from '../../src/ledger/migrations.ts';
import { test, type TestDatabase } from '../cluster/index.ts';

// Versions of the ledger this release knows.
const KNOWN = migrations.length;

async function sessions(db: TestDatabase, count: number): Promise<Client[]> {
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const client = new Client(db.url);
      client.on('error', () => undefined);
      await client.connect();
      return client;
    }),
  );
}

test('many starters at once make one ledger', async ({ db }) => {
  const target = await db.another();
  const clients = await sessions(target, 8);
  await Promise.all(clients.map((client) => migrate(client)));
  expect(await target.query('SELECT number FROM holdfast.migration ORDER BY number')).toEqual(
    Array.from({ length: KNOWN }, (_, at) => ({ number: at + 1 })),
  );
  await Promise.all(clients.map((client) => client.end()));
});

test('a ledger of a newer, breaking version is left alone', async ({ db }) => {
  const target = await db.another();
  const [client] = await sessions(target, 1);
  if (client === undefined) throw new Error('no session');
  await migrate(client);
  await target.query('INSERT INTO holdfast.migration VALUES ($1, false)', [KNOWN + 1]);
  await migrate(client);
  await target.query('INSERT INTO holdfast.migration VALUES ($1, true)', [KNOWN + 2]);
  const error: unknown = await migrate(client).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(HoldfastError);
  expect((error as HoldfastError).message).toBe(
    `schema holdfast: the ledger is at version ${KNOWN + 2}, which this release (version ${KNOWN}) must not write. ` +
      'Use the release of Holdfast that upgraded it, or a newer one. [HF_LEDGER_NEWER]',
  );
  await client.end();
});

test('nobody but its owner may see it', async ({ db }) => {
  const target = await db.another();
  const [client] = await sessions(target, 1);
  if (client === undefined) throw new Error('no session');
  await migrate(client);
  const open = await target.query(`
    SELECT c.relname FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
    WHERE c.relnamespace = 'holdfast'::regnamespace AND a.grantee = 0`);
  expect(open).toEqual([]);
  expect(
    await target.query(
      `SELECT FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = 'holdfast' AND a.grantee = 0`,
    ),
  ).toEqual([]);
  await client.end();
});

test('runs are read newest first, and only one may be unfinished', async ({ db }) => {
  const target = await db.another();
  const [client] = await sessions(target, 1);
  if (client === undefined) throw new Error('no session');
  expect(await lastApplied(client)).toBeUndefined();
  await migrate(client);
  const first = await openRun(client, 'holdfast', { planId: 'one', plan: { steps: [] }, definition: 'd1' });
  expect(await unfinishedRun(client)).toMatchObject({
    run: first,
    planId: 'one',
    state: 'applying',
    definition: 'd1',
  });
  await expect(openRun(client, 'holdfast', { planId: 'two', plan: {} })).rejects.toThrow('run_unfinished');
  await setRunState(client, 'holdfast', { run: first, state: 'applied' });
  const second = await openRun(client, 'holdfast', { planId: 'two', plan: {} });
  await setRunState(client, 'holdfast', { run: second, state: 'rolled back' });
  expect((await runs(client)).map(({ planId }) => planId)).toEqual(['two', 'one']);
  expect(await lastApplied(client)).toMatchObject({ planId: 'one' });
  await client.end();
});

test('a lease is free at once when its holder is gone, and held while it lives', async ({ db }) => {
  const target = await db.another();
  const [one, other, third] = await sessions(target, 3);
  if (one === undefined || other === undefined || third === undefined) throw new Error('no sessions');
  await migrate(one);
  const first = await takeLease(one, { schema: 'holdfast' });
  expect(first).toEqual({ lease: { schema: 'holdfast', fence: '1' } });
  const held = await takeLease(other, { schema: 'holdfast' });
  if (!('heldBy' in held)) throw new Error('two hold it');
  expect(leaseHeld(held.heldBy).message).toContain(`process ${process.pid} on `);
  await one.end();
  await expect
    .poll(async () => await takeLease(other, { schema: 'holdfast' }))
    .toHaveProperty('lease.fence', '2');
  // A holder that lives but was silent for too long is cut off.
  const taken = await takeLease(third, { schema: 'holdfast', expiresMs: 0 });
  expect(taken).toHaveProperty('lease.fence', '3');
  await expect(other.query('SELECT')).rejects.toThrow();
  await third.end();
});
