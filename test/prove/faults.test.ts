// A relay cuts a session at the very statement it was told: before the server got it, or after.
import { expect } from 'vitest';
import { openRelay, type Cut } from '../../src/prove/lapse/faults.ts';
import { close, connect } from '../../src/server/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';

const GONE_WITHIN = 200;

/** Inserts 1, 2, 3 … through a relay until it cuts; gives what is in the table once the server has noticed. */
async function insertUntilCut(
  db: TestDatabase,
  cut: Cut,
  values: readonly unknown[] | undefined,
): Promise<number[]> {
  await db.query('DROP TABLE IF EXISTS cuts; CREATE TABLE cuts (n int)');
  const relay = await openRelay(db.url);
  const client = await connect(relay.url, { applicationName: 'cut' });
  const reached = relay.arm(cut);
  const insert = async (n: number): Promise<unknown> =>
    values === undefined
      ? client.query(`INSERT INTO cuts VALUES (${n})`)
      : client.query('INSERT INTO cuts VALUES ($1)', [n]);
  const inserting = async (): Promise<void> => {
    for (let n = 1; n < 10; n += 1) await insert(n);
  };
  await expect(inserting()).rejects.toThrow();
  await reached;
  expect(relay.statements()).toBe(cut.statement);
  await close(client);
  await relay.close();
  for (let tries = 0; tries < GONE_WITHIN; tries += 1) {
    const left = await db.query(`SELECT FROM pg_stat_activity WHERE application_name = 'cut'`);
    if (left.length === 0) break;
    await db.query('SELECT pg_sleep(0.01)');
  }
  return (await db.query<{ n: number }>('SELECT n FROM cuts ORDER BY n')).map((row) => row.n);
}

for (const [form, values] of [
  ['simple', undefined],
  ['with values', []],
] as const) {
  test(`a ${form} statement that the server was never given is not carried out`, async ({ db }) => {
    expect(await insertUntilCut(db, { statement: 3, given: false }, values)).toEqual([1, 2]);
  });

  test(`a ${form} statement that the server was given may be, and none after it is`, async ({ db }) => {
    const there = await insertUntilCut(db, { statement: 3, given: true }, values);
    expect([
      [1, 2],
      [1, 2, 3],
    ]).toContainEqual(there);
  });
}

test('a relay that is not armed, or no longer, changes nothing', async ({ db }) => {
  const relay = await openRelay(db.url);
  const client = await connect(relay.url);
  const reached = relay.arm({ statement: 2, given: false });
  relay.disarm();
  const long = 'x'.repeat(300_000);
  for (let n = 0; n < 3; n += 1)
    expect((await client.query<{ text: string }>('SELECT $1::text AS text', [long])).rows[0]?.text).toBe(
      long,
    );
  expect(await Promise.race([reached.then(() => 'cut'), Promise.resolve('whole')])).toBe('whole');
  await close(client);
  await relay.close();
});

test('everything of one transaction is rolled back when its session is cut inside', async ({ db }) => {
  await db.query('DROP TABLE IF EXISTS cuts; CREATE TABLE cuts (n int)');
  const relay = await openRelay(db.url);
  const client = await connect(relay.url);
  const reached = relay.arm({ statement: 4, given: false });
  const work = (async () => {
    await client.query('BEGIN');
    for (let n = 1; n < 5; n += 1) await client.query('INSERT INTO cuts VALUES ($1)', [n]);
    await client.query('COMMIT');
  })();
  await expect(work).rejects.toThrow();
  await reached;
  await close(client);
  await relay.close();
  expect(await db.query('SELECT n FROM cuts')).toEqual([]);
});
